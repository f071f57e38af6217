//! Tests of the command line.

use super::*;
use std::os::unix::ffi::OsStringExt;

fn run(arguments: &[&str]) -> Result<Box<Config>, String> {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    match parse(&arguments) {
        Ok(Command::Run(config) | Command::Check(config)) => Ok(config),
        Ok(Command::Print(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    }
}

fn error(arguments: &[&str]) -> String {
    run(arguments).map(|_| ()).expect_err("refused")
}

#[test]
fn the_table_is_sound() {
    let mut names: Vec<_> = flags().map(|flag| flag.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), flags().count());
    for flag in flags() {
        assert!(
            flag.name.starts_with("--") && flag.help.ends_with('.'),
            "{}",
            flag.name
        );
        assert_eq!(
            flag.value.is_empty(),
            matches!(flag.set, Set::Switch(_) | Set::Asked),
            "{}",
            flag.name
        );
    }
}

#[test]
fn the_shown_defaults_are_the_real_ones() {
    for flag in flags().filter(|flag| !flag.default.is_empty()) {
        let given = run(&[flag.name, flag.default]).expect("a valid default");
        assert_eq!(
            format!("{given:?}"),
            format!("{:?}", run(&[]).expect("no flags")),
            "{}",
            flag.name
        );
    }
}

#[test]
fn both_spellings_and_empty_values() {
    for arguments in [
        &["--web.telemetry-path=/m=1"][..],
        &["--web.telemetry-path", "/m=1"],
    ] {
        assert_eq!(run(arguments).expect("valid").telemetry_path, "/m=1");
    }
    assert!(
        run(&["--collector.netdev.device-exclude="])
            .expect("valid")
            .netdev_devices
            .exclude
            .is_none()
    );
    assert!(
        run(&["--web.cors-origin="])
            .expect("valid")
            .cors_origin
            .is_none()
    );
    assert_eq!(
        run(&["--web.cors-origin=\"x\""])
            .expect("valid")
            .cors_origin
            .as_deref(),
        Some("\"x\"")
    );
}

#[test]
fn kinds_of_devices_are_words_with_commas_between() {
    let kinds = |text: &str| {
        let flag = format!("--devices.exclude-kinds={text}");
        let kinds = run(&[&flag]).expect("valid").excluded_kinds;
        (kinds.veth, kinds.bridge_port)
    };
    assert_eq!(kinds(""), (false, false));
    assert_eq!(kinds("veth"), (true, false));
    assert_eq!(kinds("bridge-port"), (false, true));
    assert_eq!(kinds("bridge-port,veth,veth"), (true, true));
    for bad in ["tun", "veth,", "veth bridge-port", "Veth", ","] {
        assert_eq!(
            error(&["--devices.exclude-kinds", bad]),
            format!(
                "--devices.exclude-kinds: expected veth, bridge-port or veth,bridge-port, found {bad:?}"
            )
        );
    }
}

#[test]
fn several_places_to_listen_and_none() {
    let listen = run(&["--web.listen-address=:1", "--web.listen-address", "[::1]:2"])
        .expect("valid")
        .listen
        .clone();
    assert_eq!(
        listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [":1", "[::1]:2"]
    );
}

#[test]
fn without_a_server_there_is_a_file_or_one_page() {
    let none = "--web.listen-address=";
    assert_eq!(
        error(&[none]),
        "--web.listen-address: expected an address where neither --textfile.output nor --once is given, found \"\""
    );
    assert_eq!(error(&[none, "--textfile.output="]), error(&[none]));
    assert_eq!(error(&[none, "--textfile.interval=1m"]), error(&[none]));
    assert!(error(&[none, "--web.listen-address=:1"]).ends_with("found \"\""));
    for with in ["--textfile.output=/x", "--once"] {
        assert!(run(&[none, with]).expect("valid").listen.is_empty());
    }
    let both = run(&["--textfile.output", "/not/there"]).expect("it may be mounted later");
    assert_eq!(both.textfile_output, Some("/not/there".into()));
    assert!(!both.listen.is_empty());
    assert_eq!(
        error(&["--textfile.output"]),
        "--textfile.output: expected DIR, found nothing"
    );
    let file = "--textfile.output=/x";
    for (bad, expected) in [
        (
            "0s",
            "a duration such as 500ms, 15s or 1m30s, more than 0 and at most 24h",
        ),
        (
            "15",
            "a duration such as 500ms, 15s or 1m30s, more than 0 and at most 24h",
        ),
        ("99ms", "at least 100ms"),
    ] {
        assert_eq!(
            error(&[file, "--textfile.interval", bad]),
            format!("--textfile.interval: expected {expected}, found {bad:?}")
        );
    }
}

#[test]
fn an_error_names_flag_rule_and_finding() {
    assert_eq!(
        error(&["--nonesuch"]),
        "--nonesuch: unknown; weir --help lists the flags"
    );
    assert_eq!(
        error(&["serve"]),
        "serve: unknown; weir --help lists the flags"
    );
    assert_eq!(
        error(&[
            "--sockets.source=netlink",
            "--path.procfs=/proc/self/root/proc"
        ]),
        "--sockets.source: expected auto or proc with --path.procfs=/proc/self/root/proc, which is read as files only, \
         found \"netlink\""
    );
    assert_eq!(
        error(&["--path.procfs=/"]),
        "--path.procfs: expected a procfs, with net/dev or 1/net/dev in it, found \"/\""
    );
    assert_eq!(
        error(&["--web.telemetry-path=/health"]),
        "--web.telemetry-path: expected a path that is not taken, found \"/health\""
    );
    let bytes = parse(&[OsString::from_vec(b"--log.level=\xff".to_vec())]);
    assert_eq!(
        bytes.map(|_| ()).map_err(|error| error.to_string()),
        Err("--log.level: expected UTF-8".to_string())
    );
    assert!(run(&["--once", "--once"]).expect("the same twice").once);
    assert_eq!(error(&["--once=yes"]), "--once: takes no value");
    assert_eq!(
        error(&["--log.level"]),
        "--log.level: expected LEVEL, found nothing"
    );
    assert_eq!(
        error(&["--log.level=loud"]),
        "--log.level: expected debug, info, warn or error, found \"loud\""
    );
    assert_eq!(
        error(&["--log.level=info", "--log.level=warn"]),
        "--log.level: expected once, found \"info\" and \"warn\""
    );
    assert_eq!(
        error(&["--web.max-connections=+5"]),
        "--web.max-connections: expected a number from 4 to 65536, found \"+5\""
    );
    assert!(error(&["--web.listen-address=2112"]).starts_with("--web.listen-address: expected"));
    assert!(
        error(&["--web.listen-address", "--once"]).starts_with("--web.listen-address: expected")
    );
    let regexp = error(&["--collector.netdev.device-include=("]);
    assert!(
        regexp.starts_with(
            "--collector.netdev.device-include: expected a regular expression, found \"(\""
        ) && !regexp.contains('\n')
    );
}

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
fn help_and_version_are_printed() {
    assert!(error(&["--help"]).contains("--web.listen-address ADDRESS"));
    assert!(error(&["-h"]).contains("Usage: weir"));
    assert!(error(&["--version"]).starts_with(&format!("weir {VERSION_NUMBER} (commit ")));
}

#[test]
fn network_namespaces_are_all_or_names() {
    use crate::config::Netns;
    assert_eq!(run(&[]).expect("no flags").netns, Netns::Own);
    assert_eq!(run(&["--netns", "all"]).expect("valid").netns, Netns::All);
    let named = Netns::Named(vec!["red".to_string(), "blue".to_string()]);
    assert_eq!(run(&["--netns=red,blue"]).expect("valid").netns, named);
    assert_eq!(
        error(&["--netns="]),
        "--netns: expected all, or names separated by commas, found \"\""
    );
    assert_eq!(
        error(&["--netns=all,red"]),
        "--netns: expected all without other names, or names separated by commas, found \"all,red\""
    );
    assert!(error(&["--netns", "a", "--netns", "b"]).contains("expected once"));
    assert!(error(&["--limit.netns=0"]).contains("a number from 1 to 10000"));
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
