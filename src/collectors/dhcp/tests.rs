//! Tests of the DHCP collector.

use std::path::PathBuf;

use super::super::tree::Tree;
use super::*;
use crate::config::Config;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::config::dhcp::Server as Wanted;

/// The time of the tree that these leases are in: 2026-11-21T14:00:00Z.
const CAPTURE: &str = "date: 2026-11-21T14:00:00Z\n";
const LEASES_FILE: &str = "1795312750 02:00:00:00:01:02 192.0.2.163 phone *\n\
    0 02:00:00:00:01:03 192.0.2.50 printer *\n\
    1795269599 02:00:00:00:01:04 192.0.2.101 * *\n\
    1795277055 261 2001:db8:1::1fcb * 00:03:00:01:02:00:00:00:01:05\n";

fn config(tree: &Tree) -> Config {
    let mut config = Config {
        collectors: vec!["dhcp"],
        ..Config::default()
    };
    config.dhcp.servers = vec![Wanted {
        name: "lan".to_string(),
        format: Some(Format::Dnsmasq),
        leases: vec![tree.path("dnsmasq.leases")],
        settings: vec![tree.path("dnsmasq.d/*")],
        ..Wanted::default()
    }];
    config
}

fn started(name: &str) -> (Tree, Config) {
    let tree = Tree::new(name);
    tree.write("CAPTURE", CAPTURE)
        .write("dnsmasq.leases", LEASES_FILE)
        .write(
            "dnsmasq.d/lan.conf",
            "dhcp-range=set:lan,192.0.2.100,192.0.2.199,12h\ndhcp-host=02:00:00:00:01:02,192.0.2.163\n",
        );
    let config = config(&tree);
    (tree, config)
}

/// The page without what the file system decides.
fn page(tree: &Tree, config: &Config) -> Vec<String> {
    let page = tree
        .scrape(&SPEC, &mut *(SPEC.make)(config))
        .expect("a page");
    let lines = page.lines().filter(|line| !line.contains("mtime"));
    lines.map(|line| line.replace("weir_dhcp_", "")).collect()
}

fn value(page: &[String], series: &str) -> Option<String> {
    let line = page.iter().find_map(|line| line.strip_prefix(series));
    line.map(|value| value.trim().to_string())
}

#[test]
fn leases_pools_and_health() {
    let (tree, mut config) = started("dhcp-page");
    config.dhcp.pools = vec![Pool {
        name: "six".to_string(),
        range: Range::parse("2001:db8:1::/120").expect("a range"),
    }];
    tree.watch(&config);
    assert_eq!(
        page(&tree, &config),
        [
            "dhcp_lease_count 3",
            "success{server=\"lan\"} 1",
            "last_read_timestamp_seconds{server=\"lan\"} 1795269600",
            "leases_issued_total{server=\"lan\"} 0",
            "bad_entries{server=\"lan\"} 0",
            "leases{server=\"lan\",pool=\"\",state=\"active\"} 1",
            "leases{server=\"lan\",pool=\"\",state=\"expired\"} 0",
            "leases{server=\"lan\",pool=\"\",state=\"static\"} 1",
            "leases{server=\"lan\",pool=\"\",state=\"declined\"} 0",
            "leases{server=\"lan\",pool=\"six\",state=\"active\"} 0",
            "leases{server=\"lan\",pool=\"six\",state=\"expired\"} 0",
            "leases{server=\"lan\",pool=\"six\",state=\"static\"} 0",
            "leases{server=\"lan\",pool=\"six\",state=\"declined\"} 0",
            "leases{server=\"lan\",pool=\"lan\",state=\"active\"} 0",
            "leases{server=\"lan\",pool=\"lan\",state=\"expired\"} 1",
            "leases{server=\"lan\",pool=\"lan\",state=\"static\"} 1",
            "leases{server=\"lan\",pool=\"lan\",state=\"declined\"} 0",
            "pool_addresses{server=\"lan\",pool=\"six\"} 256",
            "pool_addresses{server=\"lan\",pool=\"lan\"} 100",
            "pool_usage_ratio{server=\"lan\",pool=\"six\"} 0",
            "pool_usage_ratio{server=\"lan\",pool=\"lan\"} 0.01",
            "next_expiry_timestamp_seconds{server=\"lan\"} 1795277055",
        ]
    );
}

#[test]
fn leases_one_by_one_are_bounded() {
    let (tree, mut config) = started("dhcp-info");
    config.dhcp.per_lease = true;
    config.dhcp.per_lease_limit = 2;
    tree.watch(&config);
    let page = page(&tree, &config);
    let told: Vec<_> = page
        .iter()
        .filter(|line| line.starts_with("lease_"))
        .collect();
    assert_eq!(
        told,
        [
            "lease_info{server=\"lan\",pool=\"\",ip=\"192.0.2.50\",mac=\"02:00:00:00:01:03\",hostname=\"printer\"} 1",
            "lease_info{server=\"lan\",pool=\"lan\",ip=\"192.0.2.163\",mac=\"02:00:00:00:01:02\",hostname=\"phone\"} 1",
            "lease_expiry_timestamp_seconds{server=\"lan\",ip=\"192.0.2.50\"} +Inf",
            "lease_expiry_timestamp_seconds{server=\"lan\",ip=\"192.0.2.163\"} 1795312750",
        ]
    );
}

#[test]
fn a_file_that_goes_bad_or_away_leaves_what_was_known() {
    let (tree, config) = started("dhcp-bad");
    tree.watch(&config);
    let first = page(&tree, &config);
    tree.write("dnsmasq.leases", "lease 10.0.0.1 {\n}\n");
    let broken = page(&tree, &config);
    assert_eq!(
        value(&broken, "success{server=\"lan\"}").as_deref(),
        Some("0")
    );
    assert_eq!(value(&broken, "dhcp_lease_count").as_deref(), Some("3"));
    std::fs::remove_file(tree.path("dnsmasq.leases")).expect("removed");
    assert_eq!(page(&tree, &config), broken);
    // Half written, and with one bad entry.
    tree.write(
        "dnsmasq.leases",
        format!("{LEASES_FILE}x y z\n1795312750 02:00:00:00:01:09 192.0.2.1"),
    );
    let healed = page(&tree, &config);
    assert_eq!(
        value(&healed, "bad_entries{server=\"lan\"}").as_deref(),
        Some("1")
    );
    assert_eq!(
        value(&healed, "success{server=\"lan\"}").as_deref(),
        Some("1")
    );
    let more = format!(
        "{LEASES_FILE}1795312751 02:00:00:00:01:02 192.0.2.163 phone *\n1795312750 02:00:00:00:01:09 192.0.2.1 a *\n"
    );
    tree.write("dnsmasq.leases", more);
    let one = page(&tree, &config);
    assert_eq!(
        value(&one, "leases_issued_total{server=\"lan\"}").as_deref(),
        Some("1")
    );
    assert_eq!(value(&one, "dhcp_lease_count").as_deref(), Some("4"));
    tree.write("dnsmasq.leases", LEASES_FILE);
    let mut last = page(&tree, &config);
    last.retain(|line| !line.contains("issued"));
    let mut first = first;
    first.retain(|line| !line.contains("issued"));
    assert_eq!(last, first);
}

#[test]
fn nothing_is_told_where_nothing_is() {
    let tree = Tree::new("dhcp-none");
    let mut config = Config {
        collectors: vec!["dhcp"],
        ..Config::default()
    };
    // A captured tree has no root to look at.
    tree.watch(&config);
    assert!(page(&tree, &config).is_empty());
    // A configured file that is not there is told, and no count is made up.
    config.dhcp.servers = vec![Wanted {
        name: "x".to_string(),
        leases: vec![PathBuf::from("/nonesuch/leases")],
        ..Wanted::default()
    }];
    tree.watch(&config);
    assert_eq!(page(&tree, &config), ["success{server=\"x\"} 0"]);
}
