//! Debian's DHCP servers hand out leases to busybox' udhcpc and ISC's dhclient in namespaces of the test's own, and weir counts
//! them from the files that the servers write meanwhile.

mod files;
mod ipv6;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod wire;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use self::wire::Lease;
use self::wire::Wire;
use self::wire::told_one_by_one;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

/// How a client asks for a lease: its hardware address and name, and what it got.
type Ask = fn(&Wire, &str, &str) -> String;

/// Three clients come, and one of them asks once more, while weir watches the file.
fn counts(wire: &Wire, mut program: Process, ask: Ask, [format, file]: [&str; 2], flags: &[&str]) {
    let leases = format!("--collector.dhcp.leases={format}:{file}");
    let mut arguments = vec![
        "--collector.disable-defaults",
        "--collector.dhcp",
        "--collector.dhcp.per-lease",
        "--collect.interval=100ms",
        &leases,
    ];
    arguments.extend(flags);
    let weir = Weir::start(&arguments);
    let server = [("server", format)];
    wait_until("an empty file", || {
        weir.scrape().value("dhcp_lease_count", &[]) == Some(0.0)
    });
    let clients = [1, 2, 3].map(|number| {
        let mac = format!("02:00:00:00:0d:{number:02x}");
        let hostname = format!("client{number}");
        let address = ask(wire, &mac, &hostname);
        Lease(mac, hostname, address)
    });
    wait_until("three leases", || {
        weir.scrape().value("dhcp_lease_count", &[]) == Some(3.0)
    });
    let Lease(mac, hostname, address) = &clients[0];
    assert_eq!(ask(wire, mac, hostname), *address);
    // udhcpd writes what it has not written yet, and then leaves the file alone.
    program.signal(rustix::process::Signal::TERM);
    program.code_within(Duration::from_secs(2));
    drop(program);
    let page = settled(&weir);
    assert_eq!(page.value("dhcp_lease_count", &[]), Some(3.0));
    assert_eq!(
        page.value("weir_dhcp_leases_issued_total", &server),
        Some(3.0)
    );
    assert_eq!(page.value("weir_dhcp_bad_entries", &server), Some(0.0));
    assert_eq!(page.value("weir_dhcp_success", &server), Some(1.0));
    let next = page.value("weir_dhcp_next_expiry_timestamp_seconds", &server);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let ends = next.unwrap() - now;
    assert!((42_000.0..43_300.0).contains(&ends), "12 hours, {ends} s");
    told_one_by_one(&page, &clients);
    // What is printed once is the same.
    arguments.push("--once");
    let output = Command::new(WEIR).args(&arguments).output().unwrap();
    let once = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(once.value("dhcp_lease_count", &[]), Some(3.0));
}

/// A page after the last change of the file has been seen: its time of writing is the file's, and stays so for two ticks.
fn settled(weir: &Weir) -> Page {
    let begin = Instant::now();
    let mtime = |page: &Page| {
        let samples = &page.families["weir_dhcp_file_mtime_seconds"].samples;
        samples.values().copied().fold(0.0, f64::max)
    };
    loop {
        let page = weir.scrape();
        let age = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - mtime(&page);
        if age > 3.0 {
            return page;
        }
        assert!(begin.elapsed() < PATIENCE, "the file does not rest");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn dnsmasq_and_its_range() {
    let wire = match Wire::new(&["dnsmasq", "busybox"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.path("dnsmasq.leases");
    let settings = format!(
        "interface=s0\nbind-interfaces\nport=0\nno-ping\nuser=root\ndhcp-range=192.0.2.100,192.0.2.199,12h\ndhcp-leasefile={file}\n"
    );
    let settings = wire.write("dnsmasq.conf", &settings);
    let server = wire.start("dnsmasq", &["-k", "-C", &settings]);
    wait_until("dnsmasq", || Path::new(&file).exists());
    counts(
        &wire,
        server,
        Wire::lease,
        ["dnsmasq", &file],
        &["--collector.dhcp.pool=lan=192.0.2.100-192.0.2.199"],
    );
    // At its usual place below a root, with nothing configured.
    let root = wire.directory.0.join("root");
    for (from, to) in [
        (file.as_str(), "var/lib/misc/dnsmasq.leases"),
        (settings.as_str(), "etc/dnsmasq.conf"),
    ] {
        fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
        fs::copy(from, root.join(to)).unwrap();
    }
    let flags = ["--once", "--collector.disable-defaults", "--collector.dhcp"];
    let output = Command::new(WEIR)
        .args(flags)
        .arg(format!("--path.rootfs={}", root.display()))
        .output()
        .unwrap();
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let pool = [("server", "dnsmasq"), ("pool", "192.0.2.100-192.0.2.199")];
    assert_eq!(page.value("dhcp_lease_count", &[]), Some(3.0));
    assert_eq!(page.value("weir_dhcp_pool_addresses", &pool), Some(100.0));
    assert_eq!(page.value("weir_dhcp_pool_usage_ratio", &pool), Some(0.03));
}

/// The block of docs/dhcp.md that begins so, up to its end. Where README shows one that begins so, it is the same.
fn shown(begin: &str) -> String {
    let block = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = fs::read_to_string(path).unwrap();
        text.split("```").find_map(|block| {
            let (_, body) = block.split_once('\n')?;
            body.starts_with(begin).then(|| body.to_string())
        })
    };
    let found = block("docs/dhcp.md").unwrap_or_else(|| panic!("no block begins {begin}"));
    if let Some(other) = block("README.md") {
        assert_eq!(other, found, "README and docs/dhcp.md");
    }
    found
}

/// What docs/dhcp.md says of a router with dnsmasq, word for word but for the addresses that the server draws.
#[test]
fn the_ten_lines_for_a_router_with_dnsmasq() {
    let wire = match Wire::new(&["dnsmasq", "busybox"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    wire.server.ip("addr add 192.168.1.1/24 dev s0");
    for directory in ["etc", "var/lib/misc"] {
        fs::create_dir_all(wire.directory.0.join(directory)).unwrap();
    }
    wire.write("etc/resolv.conf", "nameserver 127.0.0.1\n");
    let settings = wire.write("etc/dnsmasq.conf", &shown("dhcp-range="));
    let file = wire.path("var/lib/misc/dnsmasq.leases");
    let leases = format!("--dhcp-leasefile={file}");
    let flags = ["-k", "-C", &settings, &leases, "--no-ping", "--user=root"];
    let alone = ["--interface=s0,lo", "--no-resolv", "--no-hosts"];
    let _server = wire.start("dnsmasq", &[&flags[..], &alone].concat());
    wait_until("dnsmasq", || Path::new(&file).exists());
    wire.lease("02:00:00:00:01:01", "laptop");
    let nas = wire.lease("02:00:00:00:01:02", "nas");
    assert_eq!(nas, "192.168.1.121");
    let ten = shown("web.listen-address: \"192.168.1.1:2112\"\ndhcp:");
    assert_eq!(ten.lines().count(), 10, "{ten}");
    let configuration = format!("--config.file={}", wire.write("weir.yml", &ten));
    let root = format!("--path.rootfs={}", wire.directory.0.display());
    let weir = Weir::launch(wire.server.command(WEIR).args([&configuration, &root]));
    // The address of the one that dnsmasq keeps none for is dnsmasq's choice.
    let example = shown("dhcp_lease_count 2\n");
    let wanted: Vec<_> = example
        .lines()
        .filter(|line| !line.contains("hostname=\"laptop\""))
        .collect();
    assert!(wanted.len() > 8, "{example}");
    let mut client = wire.server.connect(&weir.address).unwrap();
    wait_until("all that is shown", || {
        let answer = client.get("/metrics", "").unwrap();
        let page = answer.text().unwrap();
        wanted
            .iter()
            .all(|line| page.lines().any(|found| found == *line))
    });
}

#[test]
fn kea_appends_rows() {
    let wire = match Wire::new(&["kea-dhcp4", "busybox"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.path("kea-leases4.csv");
    let settings = format!(
        r#"{{ "Dhcp4": {{ "interfaces-config": {{ "interfaces": [ "s0" ] }}, "valid-lifetime": 43200,
        "lease-database": {{ "type": "memfile", "name": "{file}", "lfc-interval": 0 }},
        "subnet4": [ {{ "subnet": "192.0.2.0/24", "pools": [ {{ "pool": "192.0.2.100 - 192.0.2.199" }} ] }} ] }} }}"#
    );
    let settings = wire.write("kea.conf", &settings);
    let server = wire.start("kea-dhcp4", &["-c", &settings]);
    wait_until("Kea", || Path::new(&file).exists());
    counts(&wire, server, Wire::lease, ["kea", &file], &[]);
}

#[test]
fn isc_dhcpd_appends_declarations() {
    isc_dhcpd(&["dhcpd", "busybox"], Wire::lease);
}

#[test]
fn isc_dhclient_is_a_client_as_any_other() {
    isc_dhcpd(&["dhcpd", "dhclient"], Wire::lease_of_dhclient);
}

fn isc_dhcpd(programs: &[&str], ask: Ask) {
    let wire = match Wire::new(programs) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.write("dhcpd.leases", "");
    let settings = wire.write(
        "dhcpd.conf",
        "default-lease-time 43200; max-lease-time 43200; ping-check false;\n\
        subnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.100 192.0.2.199; }\n",
    );
    let pid = wire.path("pid");
    let flags = [
        "-4", "-f", "-cf", &settings, "-lf", &file, "-pf", &pid, "s0",
    ];
    let server = wire.start("dhcpd", &flags);
    counts(&wire, server, ask, ["isc", &file], &[]);
}

#[test]
fn udhcpd_writes_what_remains() {
    let wire = match Wire::new(&["busybox"]) {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.write("udhcpd.leases", "");
    let settings = wire.write(
        "udhcpd.conf",
        &format!(
            "start 192.0.2.100\nend 192.0.2.199\ninterface s0\nmax_leases 10\nauto_time 1\nlease_file {file}\npidfile {}\n\
            option subnet 255.255.255.0\noption lease 43200\n",
            wire.path("pid")
        ),
    );
    let server = wire.start("busybox", &["udhcpd", "-f", &settings]);
    counts(&wire, server, Wire::lease, ["udhcpd", &file], &[]);
}
