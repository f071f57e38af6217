//! The file read again: what changes, and what waits for a restart.

use std::ffi::OsString;
use std::path::Path;

use weir::cli;

use super::File;

/// One command line read twice, with another file the second time.
fn reread(first: &str, second: &str, arguments: &[&str]) -> Result<cli::Reread, Vec<String>> {
    let file = File::new(first);
    let before = file.with(arguments).expect("sound");
    file.0.write(Path::new("weir.yml"), second.as_bytes());
    let flag = format!("--config.file={}/weir.yml", file.0.root.display());
    let all = arguments.iter().copied().chain([flag.as_str()]);
    let all: Vec<OsString> = all.map(OsString::from).collect();
    cli::reread(&all, &before).map_err(|error| error.lines().to_vec())
}

#[test]
fn a_file_that_says_the_same_changes_nothing() {
    for (first, second) in [
        ("limit.devices: 5", "# five\n\"limit.devices\": '5'\n"),
        (
            "",
            "limit.devices: 1000\nweb.listen-address: [\":2112\"]\ncollector.arp: true",
        ),
        (
            "collector.arp: false\nlog.level: warn",
            "{log.level: warn, collector.arp: false}",
        ),
        ("companion: false", ""),
    ] {
        let reread = reread(first, second, &[]).expect("sound");
        assert!(
            reread.changes.is_empty(),
            "{second:?}: {:?}",
            reread.changes
        );
        assert!(reread.restart.is_empty());
    }
    let reread = reread(
        "limit.devices: 5",
        "limit.devices: 6",
        &["--limit.devices=7"],
    );
    assert!(
        reread.expect("sound").changes.is_empty(),
        "it is overridden"
    );
}

#[test]
fn a_change_touches_those_whom_it_concerns() {
    let touched = |second: &str| {
        let reread = reread("", second, &[]).expect("sound");
        let names = ["arp", "netdev", "qdisc"];
        let touched = names.map(|name| reread.changes.touch(name));
        (touched, reread.changes.words())
    };
    for (second, expected, words) in [
        (
            "collector.netdev.device-exclude: x",
            [false, true, false],
            "collector.netdev.device-exclude",
        ),
        ("limit.devices: 5", [true, true, true], "limit.devices"),
        ("companion: true", [true, true, true], "companion"),
        (
            "log.level: debug\ncollect.interval: 1s\ntextfile.output: /x",
            [false, false, false],
            "collect.interval log.level textfile.output",
        ),
        ("collector.qdisc: true", [false, false, false], "collectors"),
        (
            "collector.disable-defaults: true",
            [false, false, false],
            "collector.disable-defaults collectors",
        ),
    ] {
        assert_eq!(touched(second), (expected, words.to_string()), "{second}");
    }
}

#[test]
fn a_section_touches_the_collector_of_its_name() {
    let first = "dhcp: {pools: {lan: 10.0.0.0/24}}";
    let same = reread(first, "dhcp:\n  pools:\n    lan: 10.0.0.0/24\n", &[]).expect("sound");
    assert!(same.changes.is_empty());
    let other = reread(first, "dhcp: {per-lease: true}", &[]).expect("sound");
    assert!(other.changes.touch("dhcp") && !other.changes.touch("arp"));
    assert!(other.config.dhcp.pools.is_empty() && other.config.dhcp.per_lease);
    let gone = reread(first, "", &[]).expect("sound");
    assert!(gone.changes.touch("dhcp") && gone.config.dhcp.pools.is_empty());
}

#[test]
fn what_needs_a_restart_stays_and_is_told() {
    let second = "web.listen-address: \":9\"\nlog.format: json\nlimit.devices: 5\n";
    let reread_once = reread("web.listen-address: \":8\"", second, &[]).expect("sound");
    assert_eq!(
        reread_once.restart,
        ["--web.listen-address", "--log.format"]
    );
    let listen: Vec<_> = reread_once
        .config
        .listen
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(listen, [":8"]);
    assert_eq!(reread_once.changes.words(), "limit.devices");
    // It is not there any more: still the address stays.
    let gone = reread("web.listen-address: \":8\"", "", &[]).expect("sound");
    assert_eq!(
        (gone.config.listen.len(), gone.changes.is_empty()),
        (1, true)
    );
    assert_eq!(gone.restart, ["--web.listen-address"]);
    // With the address that stays, this would leave nothing to do.
    let idle = reread(
        "web.listen-address: \"\"\ntextfile.output: /x",
        "log.level: info",
        &[],
    );
    let error = idle.map(|_| ()).expect_err("refused");
    assert!(
        error[0].starts_with("--web.listen-address: expected an address where neither"),
        "{error:?}"
    );
}

#[test]
fn a_wrong_file_is_told_when_it_is_read_again() {
    let error = reread("limit.devices: 5", "limit.devices: 5\nx: y\nz: 1\n", &[]);
    let error = error.map(|_| ()).expect_err("refused");
    assert_eq!(error.len(), 2, "{error:?}");
}
