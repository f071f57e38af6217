//! Namespaces of a hand-made tree, measured from their files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::Begun;
use super::Namespaces;
use super::Shared;
use crate::collectors::ALL;
use crate::collectors::PER_NAMESPACE;
use crate::config::Config;
use crate::config::Netns;
use crate::exposition;
use crate::files::Files;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::links::Links;
use crate::metric::Batch;
use crate::sampler::Sampler;
use crate::scrape::Engine;
use crate::sockets::Sockets;

mod connections;

const DEV: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";
const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";
const LISTEN: &str = "0: 0100007F:1F90 00000000:0000 0A 00000000:00000003\n";

/// A root with processes, each in a namespace of its own; removed when it goes out of scope.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("weir-{}-visit-{name}", std::process::id()));
        fs::create_dir_all(root.join("run/netns")).unwrap();
        let tree = Self(root);
        tree.write("CAPTURE", "byte_order: little\npage_size: 4096\n");
        tree.write("proc/sys/net/ipv4/ip_local_port_range", "32768 60999\n");
        tree.process(1, 10);
        tree
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn process(&self, number: u32, inode: u64) -> &Self {
        let bytes = number * 100;
        let device = format!("{DEV}eth0: {bytes}{}\n", " 0".repeat(15));
        self.write(&format!("proc/{number}/net/dev"), &device);
        self.write(&format!("proc/{number}/net/tcp"), &[TCP, LISTEN].concat());
        let sockstat = format!("TCP: inuse 1 orphan 0 tw 0 alloc {number} mem 1\n");
        self.write(&format!("proc/{number}/net/sockstat"), &sockstat);
        let snmp = format!("IcmpMsg: InType{number}\nIcmpMsg: 1\nTcp: MaxConn\nTcp: {number}\n");
        self.write(&format!("proc/{number}/net/snmp"), &snmp);
        let links = self.0.join(format!("proc/{number}/ns"));
        fs::create_dir_all(&links).unwrap();
        symlink(format!("net:[{inode}]"), links.join("net")).unwrap();
        self
    }

    fn name(&self, name: &str, inode: u64) -> &Self {
        let path = self.0.join("run/netns").join(name);
        symlink(format!("net:[{inode}]"), path).unwrap();
        self
    }

    fn engine(&self, change: impl FnOnce(&mut Config)) -> Engine {
        let mut config = Config {
            procfs: self.0.join("proc"),
            sysfs: self.0.clone(),
            rootfs: self.0.clone(),
            netns: Netns::All,
            collectors: ALL
                .iter()
                .filter(|spec| spec.per_namespace() || spec.name == "listeners")
                .map(|spec| spec.name)
                .collect(),
            ..Config::default()
        };
        change(&mut config);
        let files = Files::open(&config.procfs, &config.sysfs).unwrap();
        Engine::new(&config, files.with_rootfs(&config.rootfs))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines of one scrape without comments and durations.
fn page(engine: &mut Engine) -> Vec<String> {
    let sampler = Sampler::default();
    let (batch, _) = engine.scrape(&[], &[], &sampler).unwrap();
    let mut text = Vec::new();
    exposition::encode(batch, &mut text);
    let text = String::from_utf8(text).unwrap();
    let types: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let mut distinct = types.clone();
    distinct.dedup();
    assert_eq!(types, distinct, "a family told twice");
    let lines = text.lines().map(String::from);
    lines
        .filter(|line| !line.starts_with('#') && !line.contains("duration"))
        .collect()
}

fn with<'a>(page: &'a [String], part: &str) -> Vec<&'a str> {
    let lines = page.iter().map(String::as_str);
    lines.filter(|line| line.contains(part)).collect()
}

#[test]
fn every_namespace_has_its_own_numbers() {
    let tree = Tree::new("numbers");
    tree.process(7, 12).process(8, 11).name("red", 11);
    let mut engine = tree.engine(|_| {});
    let first = page(&mut engine);
    assert_eq!(
        with(&first, "node_network_receive_bytes_total"),
        [
            "node_network_receive_bytes_total{device=\"eth0\",netns=\"init\"} 100",
            "node_network_receive_bytes_total{device=\"eth0\",netns=\"red\"} 800",
            "node_network_receive_bytes_total{device=\"eth0\",netns=\"12\"} 700",
        ]
    );
    assert_eq!(
        with(&first, "node_netstat_Tcp_MaxConn"),
        [
            "node_netstat_Tcp_MaxConn{netns=\"init\"} 1",
            "node_netstat_Tcp_MaxConn{netns=\"red\"} 8",
            "node_netstat_Tcp_MaxConn{netns=\"12\"} 7",
        ]
    );
    assert_eq!(with(&first, "state=\"listen\"").len(), 3);
    // What is not of one namespace has no label, and where the range cannot be known there is no use of it.
    assert_eq!(with(&first, "weir_listener_backlog{").len(), 1);
    assert_eq!(with(&first, "weir_listener_backlog{netns").len(), 0);
    assert_eq!(
        with(&first, "ephemeral_port"),
        [
            "ephemeral_ports_used{netns=\"init\"} 0",
            "ephemeral_ports_total{netns=\"init\"} 28232",
            "ephemeral_ports_available{netns=\"init\"} 28232",
            "ephemeral_ports_usage_ratio{netns=\"init\"} 0",
            "weir_ephemeral_ports_destination_used_max{netns=\"init\"} 0",
            "weir_ephemeral_ports_destination_untracked{netns=\"init\"} 0",
            "ephemeral_port_exporter_scrape_success{netns=\"init\"} 1",
            "node_scrape_collector_success{collector=\"ephemeral_ports\"} 1",
            "weir_series_left_out{collector=\"ephemeral_ports\"} 0",
            "weir_source_info{collector=\"ephemeral_ports\",source=\"proc\"} 1",
        ]
    );
    assert_eq!(
        with(&first, "weir_netns"),
        [
            "weir_netns_success{netns=\"init\"} 1",
            "weir_netns_success{netns=\"red\"} 1",
            "weir_netns_success{netns=\"12\"} 1",
            "weir_netns_source_info{netns=\"init\",source=\"own\"} 1",
            "weir_netns_source_info{netns=\"red\",source=\"proc\"} 1",
            "weir_netns_source_info{netns=\"12\",source=\"proc\"} 1",
            "weir_netns_left_out 0",
            "weir_netns_discovery_success 1",
        ]
    );
    assert_eq!(page(&mut engine), first);
}

#[test]
fn without_the_flag_there_is_no_label_and_the_same_numbers() {
    let tree = Tree::new("flag");
    tree.process(7, 12);
    let plain = page(&mut tree.engine(|config| config.netns = Netns::Own));
    assert!(!plain.join("\n").contains("netns"));
    let labelled = page(&mut tree.engine(|_| {}));
    let own = labelled
        .iter()
        .filter(|line| !line.contains("netns=\"12\""));
    let own = own.filter(|line| !line.starts_with("weir_netns"));
    let own: Vec<_> = own
        .map(|line| {
            line.replace(",netns=\"init\"", "")
                .replace("{netns=\"init\"}", "")
        })
        .collect();
    assert_eq!(own, plain);
}

#[test]
fn a_broken_namespace_costs_only_itself() {
    let tree = Tree::new("broken");
    tree.process(7, 12).process(8, 11);
    let mut engine = tree.engine(|_| {});
    let whole = page(&mut engine);
    tree.write("proc/8/net/tcp", "nonsense\n");
    let broken = page(&mut engine);
    let gone: Vec<_> = whole.iter().filter(|line| !broken.contains(line)).collect();
    assert!(
        gone.iter().all(|line| line.contains("netns=\"11\"")),
        "{gone:?}"
    );
    assert_eq!(with(&broken, "state=\"listen\",netns=\"11\"").len(), 0);
    assert_eq!(with(&broken, "netns=\"11\"} 800").len(), 1, "{broken:#?}");
    assert_eq!(
        with(&broken, "netns_success{netns=\"11\""),
        ["weir_netns_success{netns=\"11\"} 0"]
    );
    let own = with(&broken, "scrape_collector_success");
    assert!(
        !own.is_empty() && own.iter().all(|line| line.ends_with(" 1")),
        "{own:?}"
    );
    assert_eq!(
        with(&broken, "scrape_collector_success{collector=\"tcpstat\"} 1").len(),
        1
    );
    tree.write("proc/8/net/tcp", &[TCP, LISTEN].concat());
    assert_eq!(page(&mut engine), whole);
}

#[test]
fn names_that_are_missing_or_cannot_be_entered_are_told() {
    let tree = Tree::new("missing");
    tree.process(7, 12).name("red", 11);
    let names = ["red", "nonesuch"].map(String::from).to_vec();
    let mut engine = tree.engine(|config| config.netns = Netns::Named(names));
    let found = page(&mut engine);
    assert_eq!(
        with(&found, "weir_netns_success"),
        [
            "weir_netns_success{netns=\"init\"} 1",
            "weir_netns_success{netns=\"red\"} 0",
            "weir_netns_success{netns=\"nonesuch\"} 0",
        ]
    );
    assert_eq!(with(&found, "netns=\"12\"").len(), 0);
}

#[test]
fn limits_count_what_they_left_out_in_all_namespaces() {
    let tree = Tree::new("limits");
    tree.process(7, 12).process(8, 11).process(9, 13);
    let two = format!("{DEV}eth0: 1{0}\neth1: 2{0}\n", " 0".repeat(15));
    for process in [1, 7, 8] {
        tree.write(&format!("proc/{process}/net/dev"), &two);
    }
    let found = page(&mut tree.engine(|config| {
        config.limit_devices = 1;
        config.limit_netns = 2;
    }));
    assert_eq!(
        with(&found, "left_out{collector=\"netdev\""),
        ["weir_series_left_out{collector=\"netdev\"} 3"]
    );
    assert_eq!(
        with(&found, "weir_netns_left_out"),
        ["weir_netns_left_out 1"]
    );
    assert_eq!(with(&found, "netns=\"13\"").len(), 0);
}

#[test]
fn what_is_not_asked_for_is_not_measured_elsewhere() {
    let tree = Tree::new("asked");
    tree.process(7, 12);
    let mut engine = tree.engine(|_| {});
    let sampler = Sampler::default();
    for (wanted, expected) in [("listeners", 0), ("netdev", 2)] {
        let (batch, _) = engine.scrape(&[wanted.to_string()], &[], &sampler).unwrap();
        let mut text = Vec::new();
        exposition::encode(batch, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text.matches("weir_netns_success{").count(),
            expected,
            "{wanted}"
        );
        assert!(!text.contains("node_sockstat"));
    }
}

/// What is measured of namespaces that changed after they were found.
fn measured_after(tree: &Tree, change: impl FnOnce()) -> Vec<String> {
    let config = Config {
        netns: Netns::All,
        ..Config::default()
    };
    let files = Files::open(&tree.0.join("proc"), &tree.0).unwrap();
    let mut namespaces = Namespaces::wanted(&config).unwrap();
    let found = namespaces.discover(&files);
    change();
    let begun = Begun {
        config: &config,
        own: &Shared {
            files,
            sockets: Sockets::new(config.sockets_source, None),
            links: Links::default(),
            leases: Leases::default(),
            reverse: None,
            hosts: Hosts::default(),
        },
    };
    let mut batch = Batch::default();
    namespaces.measure(&begun, &found, PER_NAMESPACE, true, &mut batch);
    let mut text = Vec::new();
    exposition::encode(&batch, &mut text);
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(String::from).collect()
}

#[test]
fn a_namespace_that_went_away_leaves_nothing() {
    let tree = Tree::new("away");
    tree.process(7, 12).process(8, 11);
    let gone = tree.0.join("proc/7");
    let lines = measured_after(&tree, || fs::remove_dir_all(&gone).unwrap());
    assert_eq!(with(&lines, "netns=\"12\""), [""; 0]);
    assert_eq!(with(&lines, "netns=\"11\"} 800").len(), 1);
    assert_eq!(
        with(&lines, "weir_netns_success"),
        [
            "weir_netns_success{netns=\"init\"} 1",
            "weir_netns_success{netns=\"11\"} 1"
        ]
    );
}

#[test]
fn another_process_stands_in_for_one_that_ended() {
    let tree = Tree::new("another");
    tree.process(7, 12);
    let lines = measured_after(&tree, || {
        let (ended, other) = (tree.0.join("proc/7"), tree.0.join("proc/9"));
        fs::create_dir(&other).unwrap();
        fs::rename(ended.join("net"), other.join("net")).unwrap();
        fs::remove_dir_all(ended).unwrap();
    });
    assert_eq!(with(&lines, "netns=\"12\"} 700").len(), 1);
    assert_eq!(with(&lines, "success{netns=\"12\"} 1").len(), 1);
}

#[test]
fn a_process_number_that_was_given_away_is_not_taken_for_the_old_one() {
    let tree = Tree::new("given");
    tree.process(7, 12);
    let lines = measured_after(&tree, || {
        // The old file stays somewhere, so that the new one is another.
        fs::rename(tree.0.join("proc/7"), tree.0.join("ended")).unwrap();
        tree.process(7, 13);
    });
    assert_eq!(with(&lines, "netns=\"12\""), [""; 0]);
    assert_eq!(with(&lines, "netns=\"13\""), [""; 0]);
}
