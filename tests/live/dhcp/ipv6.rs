//! DHCPv6: Debian's servers hand out addresses, and Kea prefixes, to dhclient.

use std::fs;
use std::path::Path;

use super::wire::Lease;
use super::wire::Wire;
use super::wire::told_one_by_one;
use crate::running::Process;
use crate::running::Weir;
use crate::running::wait_until;
use crate::support::skip;

/// Clients come for an address each, or for a prefix where `prefixes` are given out too, and the first asks once more.
fn counts(wire: &Wire, server: &Process, format: &str, file: &str, prefixes: bool) {
    let leases = format!("--collector.dhcp.leases={format}:{file}");
    let pool = "--collector.dhcp.pool=lan=2001:db8:1::1000-2001:db8:1::1fff";
    let weir = Weir::start(&[
        "--collector.disable-defaults",
        "--collector.dhcp",
        "--collector.dhcp.per-lease",
        "--collect.interval=100ms",
        &leases,
        pool,
    ]);
    wait_until("an empty file", || {
        weir.scrape().value("dhcp_lease_count", &[]) == Some(0.0)
    });
    let asks: &[(u8, &str)] = match prefixes {
        true => &[(1, "-N"), (2, "-N"), (3, "-P")],
        false => &[(1, "-N"), (2, "-N")],
    };
    let mac = |number: u8| format!("02:00:00:00:06:{number:02x}");
    let got: Vec<_> = asks
        .iter()
        .map(|(number, wanted)| {
            let mac = mac(*number);
            let address = wire.lease6(&mac, wanted);
            Lease(mac, String::new(), address)
        })
        .collect();
    let count = f64::from(u8::try_from(got.len()).unwrap());
    wait_until("every lease", || {
        weir.scrape().value("dhcp_lease_count", &[]) == Some(count)
    });
    assert_eq!(wire.lease6(&mac(1), "-N"), got[0].2, "the same once more");
    let server_label = [("server", format)];
    // The renewal is written down, and is no lease more.
    wait_until("a whole file", || {
        let page = weir.scrape();
        page.value("weir_dhcp_bad_entries", &server_label) == Some(0.0)
            && page.value("dhcp_lease_count", &[]) == Some(count)
    });
    let page = weir.scrape();
    told_one_by_one(&page, &got);
    assert_eq!(
        page.value("weir_dhcp_leases_issued_total", &server_label),
        Some(count)
    );
    assert_eq!(page.value("weir_dhcp_success", &server_label), Some(1.0));
    let lan = [("server", format), ("pool", "lan"), ("state", "active")];
    assert_eq!(page.value("weir_dhcp_leases", &lan), Some(2.0));
    let next = page.value("weir_dhcp_next_expiry_timestamp_seconds", &server_label);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let ends = next.unwrap() - now;
    // dhclient asks dnsmasq for no more than 7,500 s.
    assert!((7_000.0..43_300.0).contains(&ends), "{ends} s");
    // And it is what the server wrote down.
    let text = fs::read_to_string(file).unwrap();
    for Lease(_, _, address) in &got {
        let address = address.split('/').next().unwrap();
        assert!(text.contains(address), "{address}: {text}");
    }
    assert!(server.0.id() > 0);
}

#[test]
fn dnsmasq_hands_out_ipv6_addresses() {
    let wire = match Wire::new(&["dnsmasq", "dhclient"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.path("dnsmasq.leases");
    let settings = format!(
        "interface=s0\nbind-interfaces\nport=0\nno-ping\nuser=root\n\
        dhcp-range=2001:db8:1::1000,2001:db8:1::1fff,64,12h\ndhcp-leasefile={file}\n"
    );
    let settings = wire.write("dnsmasq.conf", &settings);
    let server = wire.start("dnsmasq", &["-k", "-C", &settings]);
    wait_until("dnsmasq", || Path::new(&file).exists());
    counts(&wire, &server, "dnsmasq", &file, false);
}

#[test]
fn kea_hands_out_ipv6_addresses_and_prefixes() {
    let wire = match Wire::new(&["kea-dhcp6", "dhclient"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.path("kea-leases6.csv");
    let settings = format!(
        r#"{{ "Dhcp6": {{ "interfaces-config": {{ "interfaces": [ "s0" ] }}, "valid-lifetime": 43200, "preferred-lifetime": 43200,
        "server-id": {{ "type": "LL", "persist": false }},
        "lease-database": {{ "type": "memfile", "name": "{file}", "lfc-interval": 0 }},
        "subnet6": [ {{ "subnet": "2001:db8:1::/64", "interface": "s0",
          "pools": [ {{ "pool": "2001:db8:1::1000 - 2001:db8:1::1fff" }} ],
          "pd-pools": [ {{ "prefix": "2001:db8:100::", "prefix-len": 40, "delegated-len": 56 }} ] }} ] }} }}"#
    );
    let settings = wire.write("kea.conf", &settings);
    let server = wire.start("kea-dhcp6", &["-c", &settings]);
    wait_until("Kea", || Path::new(&file).exists());
    counts(&wire, &server, "kea", &file, true);
}

#[test]
fn isc_dhcpd_hands_out_ipv6_addresses_and_prefixes() {
    let wire = match Wire::new(&["dhcpd", "dhclient"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.write("dhcpd6.leases", "");
    let settings = wire.write(
        "dhcpd6.conf",
        "default-lease-time 43200; max-lease-time 43200;\n\
        subnet6 2001:db8:1::/64 { range6 2001:db8:1::1000 2001:db8:1::1fff; prefix6 2001:db8:100:: 2001:db8:1ff:: /56; }\n",
    );
    let pid = wire.path("pid");
    let flags = [
        "-6", "-f", "-cf", &settings, "-lf", &file, "-pf", &pid, "s0",
    ];
    let server = wire.start("dhcpd", &flags);
    counts(&wire, &server, "isc", &file, true);
}
