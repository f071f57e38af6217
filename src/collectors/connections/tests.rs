use std::fs;

use super::super::tree::Tree;
use super::*;
use crate::cidr::Grouping;
use crate::config::Config;
use crate::config::Hostnames;
use crate::files::Files;
use crate::links::Links;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";

/// A row of an IPv4 socket at 10.0.0.1 of a little-endian machine.
fn row(port: u16, peer: [u8; 4], peer_port: u16, state: u8) -> String {
    let [a, b, c, d] = peer;
    format!(
        "0: 0100000A:{port:04X} {d:02X}{c:02X}{b:02X}{a:02X}:{peer_port:04X} {state:02X} 00000000:00000000\n"
    )
}

/// One scrape with the settings; what was left out stands in front.
fn scraped(tree: &Tree, change: impl Fn(&mut Settings)) -> String {
    let mut config = Config::default();
    change(&mut config.connections);
    let mut collector = (SPEC.make)(&config);
    scrape(tree, &config, &mut *collector, &mut Hosts::default())
}

fn scrape(
    tree: &Tree,
    config: &Config,
    collector: &mut dyn Collector,
    hosts: &mut Hosts,
) -> String {
    let files = Files::open(&tree.path("proc"), &tree.path("sys")).unwrap();
    let files = files.with_rootfs(&tree.path("root"));
    if config.connections.hostnames != Hostnames::Off {
        hosts.refresh(&files);
    }
    let mut batch = Batch::default();
    let mut context = Context {
        files: &files,
        sampler: &Sampler::default(),
        counted: None,
        sockets: &mut Sockets::new(config.sockets_source, Some(&config.connections)),
        links: &mut Links::default(),
        hosts,
        reverse: None,
        source: None,
        left_out: None,
        verdict: None,
        leases: &mut crate::leases::Leases::default(),
    };
    collector.collect(&mut context, &mut batch).unwrap();
    let left_out = context.left_out.unwrap_or_default();
    let lines = batch.samples().iter().map(|sample| {
        let family = &batch.families()[sample.family as usize].name;
        format!(
            "{family}{} {}\n",
            batch.label_text(sample.labels),
            sample.value
        )
    });
    lines.chain([format!("left out {left_out}")]).collect()
}

fn tree(name: &str, rows: &[String]) -> Tree {
    let tree = Tree::new(name);
    let table = [&[HEAD.to_string()], rows].concat().concat();
    tree.write("proc/net/tcp", table)
        .write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    tree
}

#[test]
fn pairs_and_ports() {
    let tree = tree(
        "connections",
        &[
            row(443, [0; 4], 0, 10),
            row(22, [0; 4], 0, 10),
            row(443, [10, 0, 0, 7], 50000, 1),
            row(443, [10, 0, 0, 7], 50001, 1),
            row(443, [10, 0, 0, 7], 50002, 6),
            row(443, [127, 0, 0, 1], 50003, 1),
            row(40000, [10, 0, 0, 7], 5432, 1),
            row(40001, [10, 0, 0, 7], 5432, 2),
        ],
    );
    assert_eq!(
        scraped(&tree, |_| {}),
        "network_connections_input_total{dest_ip=\"10.0.0.1\",src_ip=\"10.0.0.7\",peer_hostname=\"\"} 2\n\
         network_connections_output_total{dest_ip=\"10.0.0.7\",src_ip=\"10.0.0.1\",peer_hostname=\"\"} 1\n\
         weir_connections{local_port=\"22\",direction=\"input\"} 0\n\
         weir_connections{local_port=\"443\",direction=\"input\"} 3\n\
         weir_connections{local_port=\"\",direction=\"output\"} 1\n\
         left out 0"
    );
    let everybody = scraped(&tree, |settings| settings.exclude.clear());
    assert!(
        everybody.contains("src_ip=\"127.0.0.1\",peer_hostname=\"\"} 1\n"),
        "{everybody}"
    );
    let grouped = scraped(&tree, |settings| {
        settings.group = Grouping { v4: 24, v6: 64 };
        settings.hostnames = Hostnames::Hosts;
    });
    assert!(
        grouped.contains("src_ip=\"10.0.0.0/24\",peer_hostname=\"\"} 2\n"),
        "{grouped}"
    );
}

#[test]
fn the_largest_stay_and_the_rest_is_summed() {
    let mut rows = vec![row(443, [0; 4], 0, 10)];
    for host in 1..=9 {
        rows.extend((0..u16::from(host)).map(|port| row(443, [10, 0, 1, host], 50000 + port, 1)));
        rows.extend((0..2).map(|port| row(40000 + port, [10, 0, 1, host], 5432, 1)));
    }
    let tree = tree("connections-largest", &rows);
    let text = scraped(&tree, |settings| settings.max_series = 3);
    let pair = |host: u8, count: u8| {
        format!(
            "network_connections_input_total{{dest_ip=\"10.0.0.1\",src_ip=\"10.0.1.{host}\",peer_hostname=\"\"}} {count}\n"
        )
    };
    let expected = [
        pair(7, 7),
        pair(8, 8),
        pair(9, 9),
        "network_connections_input_total{dest_ip=\"other\",src_ip=\"other\",peer_hostname=\"\"} 21\n".to_string(),
        "network_connections_output_total{dest_ip=\"other\",src_ip=\"other\",peer_hostname=\"\"} 18\n".to_string(),
        "weir_connections{local_port=\"443\",direction=\"input\"} 45\n".to_string(),
        "weir_connections{local_port=\"\",direction=\"output\"} 18\n".to_string(),
        "left out 15".to_string(),
    ];
    assert_eq!(text, expected.concat());
    // Equal counts: input before output, then the lower addresses.
    let text = scraped(&tree, |settings| settings.max_series = 9);
    assert!(
        text.contains(&pair(2, 2)) && !text.contains(&pair(1, 1)),
        "{text}"
    );
    assert!(
        text.contains("dest_ip=\"10.0.1.1\",src_ip=\"10.0.0.1\",peer_hostname=\"\"} 2\n"),
        "{text}"
    );
}

#[test]
fn the_busiest_ports_stay_and_the_rest_is_summed() {
    let mut rows: Vec<_> = (1..=150).map(|port| row(port, [0; 4], 0, 10)).collect();
    rows.extend(
        [(150, 1), (150, 2), (149, 1), (148, 1)]
            .map(|(port, peer)| row(port, [10, 0, 1, peer], 50000, 1)),
    );
    let text = scraped(&tree("connections-ports", &rows), |_| {});
    assert_eq!(text.matches("weir_connections{").count(), 100 + 2);
    for (port, count) in [
        ("1", 0),
        ("97", 0),
        ("148", 1),
        ("149", 1),
        ("150", 2),
        ("other", 0),
    ] {
        let line =
            format!("weir_connections{{local_port=\"{port}\",direction=\"input\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(text.ends_with("left out 50"), "{text}");
}

#[test]
fn names_come_from_the_hosts_file_as_it_is_now() {
    let tree = tree(
        "connections-hosts",
        &[row(22, [0; 4], 0, 10), row(22, [10, 0, 0, 7], 50000, 1)],
    );
    let mut config = Config::default();
    config.connections.hostnames = Hostnames::Hosts;
    let mut collector = (SPEC.make)(&config);
    let mut hosts = Hosts::default();
    let mut named = |name: &str, addresses: Option<u8>, refused: u8| {
        let text = scrape(&tree, &config, &mut *collector, &mut hosts);
        assert!(
            text.contains(&format!("peer_hostname=\"{name}\"}} 1\n")),
            "{name}: {text}"
        );
        let told =
            |family: &str, value: u8| text.contains(&format!("weir_hosts_{family} {value}\n"));
        match addresses {
            Some(count) => assert!(
                told("addresses", count) && told("lines_refused", refused),
                "{text}"
            ),
            None => assert!(!text.contains("weir_hosts_"), "{text}"),
        }
    };
    named("", None, 0);
    tree.write(
        "root/etc/hosts",
        "10.0.0.7 db1.example db1\n10.0.0.7 second\n::1 lo\nnonsense\n",
    );
    named("db1.example", Some(2), 1);
    named("db1.example", Some(2), 1);
    // Another file of the same length under the same name.
    tree.write(
        "root/etc/new",
        "10.0.0.7 db2.example db2\n10.0.0.7 second\n::1 lo\nnonsense\n",
    );
    fs::rename(tree.path("root/etc/new"), tree.path("root/etc/hosts")).unwrap();
    named("db2.example", Some(2), 1);
    // What cannot be read names nobody and fails nothing.
    tree.write("root/etc/hosts", vec![b'#'; (1 << 20) + 1]);
    named("", None, 0);
    tree.write("root/etc/hosts", b"10.0.0.7 b\xff\"c\n");
    named("b\\\\xff\\\"c", Some(1), 0);
    fs::remove_file(tree.path("root/etc/hosts")).unwrap();
    fs::create_dir(tree.path("root/etc/hosts")).unwrap();
    named("", None, 0);
    fs::remove_dir(tree.path("root/etc/hosts")).unwrap();
    named("", None, 0);
}

#[test]
fn the_number_of_names_is_bounded() {
    let tree = tree(
        "connections-crowd",
        &[row(22, [0; 4], 0, 10), row(22, [10, 0, 0, 7], 50000, 1)],
    );
    let lines = (0..20_000u32).map(|number| {
        let [_, b, c, d] = number.to_be_bytes();
        format!("11.{b}.{c}.{d} host{number}\n")
    });
    tree.write("root/etc/hosts", lines.collect::<String>());
    let text = scraped(&tree, |settings| settings.hostnames = Hostnames::Hosts);
    assert!(
        text.contains("weir_hosts_addresses 10000\n")
            && text.contains("weir_hosts_lines_refused 10000\n"),
        "{text}"
    );
}

#[test]
fn without_tables_there_is_nothing() {
    let tree = Tree::new("connections-absent");
    assert_eq!(tree.once(&SPEC), Ok(String::new()));
    tree.write("proc/net/tcp6", "nonsense\n");
    assert!(
        tree.once(&SPEC)
            .unwrap_err()
            .starts_with("proc/net/tcp6:1: ")
    );
}
