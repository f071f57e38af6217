//! Tests of the flags of collectors.

use crate::collectors::ALL;

use super::error;
use super::run;

#[test]
fn collectors_are_switched_by_name() {
    let all: Vec<_> = ALL
        .iter()
        .filter(|spec| spec.on_by_default)
        .map(|spec| spec.name)
        .collect();
    assert_eq!(run(&[]).expect("valid").collectors, all);
    let first = ALL[0].name;
    assert_eq!(
        run(&[
            "--collector.disable-defaults",
            &format!("--collector.{first}")
        ])
        .expect("valid")
        .collectors,
        [first]
    );
    assert!(
        !run(&[&format!("--no-collector.{first}")])
            .expect("valid")
            .collectors
            .contains(&first)
    );
    let both = error(&[
        &format!("--no-collector.{first}"),
        &format!("--collector.{first}"),
    ]);
    assert_eq!(
        both,
        format!("--collector.{first}: expected on or off, found both")
    );
}

#[test]
fn node_exporters_sources_are_taken_and_its_other_flags_refused_with_advice() {
    let words = [
        "--collector.netdev.netlink",
        "--no-collector.netclass.netlink",
        "--no-collector.arp.netlink",
        "--no-collector.hwmon",
        "--no-collector.zoneinfo",
    ];
    let config = run(&words).expect("valid");
    assert_eq!(config.needless, words);
    assert_eq!(config.collectors, run(&[]).expect("valid").collectors);
    assert_eq!(
        error(&["--collector.netdev.enable-detailed-metrics"]),
        "--collector.netdev.enable-detailed-metrics: unknown; leave it out, names here are the ordinary ones, such as \
         node_network_receive_errs_total"
    );
    let for_tests = "unknown; leave it out, it is for node_exporter's own tests";
    for (words, named) in [
        (
            &["--collector.qdisc.fixtures=/x=y"][..],
            "--collector.qdisc.fixtures=/x=y",
        ),
        (
            &["--collector.wifi.fixtures", "/x"],
            "--collector.wifi.fixtures",
        ),
    ] {
        assert_eq!(error(words), format!("{named}: {for_tests}"));
    }
    assert_eq!(
        error(&["--collector.hwmon"]),
        "--collector.hwmon: unknown; weir has no such collector; node_exporter has, and weir --companion runs beside it"
    );
    // What neither of them has.
    for unknown in [
        "--no-collector.",
        "--no-collector.hwmom",
        "--no-collector.hwmon zfs",
        "--collector.sockstat.netlink",
        "--collector.netdev.netlink=yes",
        "--no-collector.qdisc.fixtures",
    ] {
        assert_eq!(
            error(&[unknown]),
            format!("{unknown}: unknown; weir --help lists the flags")
        );
    }
}

#[test]
fn ranges_of_peers() {
    let flag = |name: &str, value: &str| format!("--collector.connections.{name}={value}");
    let given = |name: &str, value: &str| {
        run(&[&flag(name, value)])
            .expect("valid")
            .connections
            .clone()
    };
    assert_eq!(given("exclude", "").exclude, []);
    let ranges = given("include", "10.0.0.0/8,2001:db8::/32").include;
    assert_eq!(
        ranges.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "2001:db8::/32"]
    );
    assert_eq!(given("group", "/24,/64").group.v6, 64);
    assert_eq!(given("max-series", "10000").max_series, 10_000);
    for (name, value, told) in [
        (
            "exclude",
            "10.0.0.0/8,10.0.0.1/8",
            "expected an address or a range such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32, without bits behind the \
             prefix, found \"10.0.0.1/8\"",
        ),
        (
            "group",
            "24",
            "expected the lengths of IPv4's and IPv6's prefixes such as /24,/64, at most /32,/128, found \"24\"",
        ),
        (
            "max-series",
            "10001",
            "expected a number from 1 to 10000, found \"10001\"",
        ),
        (
            "hostnames",
            "both",
            "expected off, hosts or dns, found \"both\"",
        ),
    ] {
        assert_eq!(
            error(&[&flag(name, value)]),
            format!("--collector.connections.{name}: {told}")
        );
    }
}

#[test]
fn peers_are_counted_when_their_collector_runs() {
    assert!(run(&[]).expect("valid").peers().is_none());
    assert!(
        run(&["--collector.connections"])
            .expect("valid")
            .peers()
            .is_some()
    );
}

#[test]
fn tc_is_off_by_default_and_refuses_what_it_does_not_know() {
    let config = run(&[]).expect("valid");
    assert!(!config.collectors.contains(&"tc"));
    let words = [
        "--collector.tc",
        "--collector.tc.attach=clsact",
        "--collector.tc.device-include=^eth",
        "--collector.tc.device-exclude=^eth1$",
        "--collector.tc.active-only",
        "--collector.tc.protocols",
    ];
    let config = run(&words).expect("valid");
    assert!(config.collectors.contains(&"tc"));
    assert_eq!(config.tc_attach, crate::config::TcAttach::Clsact);
    assert!(config.tc_active_only && config.tc_protocols);
    let shown = ["eth0", "eth1", "wlan0"].map(|name| config.tc_devices.shows(name));
    assert_eq!(shown, [true, false, false]);
    let refused = error(&["--collector.tc.attach=xdp"]);
    assert_eq!(
        refused,
        "--collector.tc.attach: expected auto, tcx or clsact, found \"xdp\""
    );
}

#[test]
fn lease_files_and_pools() {
    let config = run(&[
        "--collector.dhcp.leases=dnsmasq:/a",
        "--collector.dhcp.leases",
        "attic=kea:/b:c",
        "--collector.dhcp.leases=dnsmasq:/d",
        "--collector.dhcp.leases=auto:/e",
        "--collector.dhcp.pool=lan=192.0.2.100-192.0.2.199",
        "--collector.dhcp.pool",
        "six=2001:db8::/64",
        "--collector.dhcp.per-lease",
        "--collector.dhcp.per-lease-limit=7",
    ])
    .expect("a configuration");
    let shown = config.dhcp.servers.iter().map(|server| {
        let format = server.format.map(crate::config::dhcp::Format::word);
        format!("{} {format:?} {:?}", server.name, server.leases)
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "dnsmasq Some(\"dnsmasq\") [\"/a\", \"/d\"]",
            "attic Some(\"kea\") [\"/b:c\"]",
            "auto None [\"/e\"]",
        ]
    );
    let pools = config.dhcp.pools.iter();
    let pools = pools.map(|pool| format!("{} {}", pool.name, pool.range));
    assert_eq!(
        pools.collect::<Vec<_>>(),
        [
            "lan 192.0.2.100-192.0.2.199",
            "six 2001:db8::-2001:db8::ffff:ffff:ffff:ffff"
        ]
    );
    assert!(config.dhcp.per_lease && config.dhcp.per_lease_limit == 7);
    for (flag, value, expected) in [
        ("leases", "/a", "expected [NAME=]FORMAT:PATH"),
        ("leases", "dnsmasq:a", "with an absolute path"),
        ("leases", "=dnsmasq:/a", "expected [NAME=]FORMAT:PATH"),
        ("leases", "xml:/a", "expected auto, dnsmasq, odhcpd, kea"),
        ("pool", "lan", "expected NAME=FIRST-LAST"),
        (
            "pool",
            "lan=192.0.2.1",
            "expected FIRST-LAST or NETWORK/LENGTH",
        ),
        ("pool", "=192.0.2.0/24", "expected NAME=FIRST-LAST"),
        ("per-lease-limit", "0", "expected a number from 1"),
    ] {
        let told = error(&[&format!("--collector.dhcp.{flag}"), value]);
        let begin = format!("--collector.dhcp.{flag}: ");
        assert!(
            told.starts_with(&begin)
                && told.contains(expected)
                && told.ends_with(&format!("found {value:?}")),
            "{told}"
        );
    }
    let two = [
        "--collector.dhcp.leases=x=kea:/a",
        "--collector.dhcp.leases=x=isc:/b",
    ];
    assert!(error(&two).contains("expected one format for one name"));
}
