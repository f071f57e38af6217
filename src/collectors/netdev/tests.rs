use regex_lite::Regex;

use super::super::tree::Tree;
use super::*;

const HEADER: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

#[test]
fn every_counter_has_its_family() {
    let tree = Tree::new("netdev-families");
    let row = "eth0.10:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 18446744073709551615\n";
    tree.write("proc/net/dev", [HEADER, row].concat());
    let text = tree.once(&SPEC).expect("a scrape");
    let expected = [
        "receive_bytes",
        "receive_packets",
        "receive_errs",
        "receive_drop",
        "receive_fifo",
        "receive_frame",
        "receive_compressed",
        "receive_multicast",
        "transmit_bytes",
        "transmit_packets",
        "transmit_errs",
        "transmit_drop",
        "transmit_fifo",
        "transmit_colls",
        "transmit_carrier",
        "transmit_compressed",
    ];
    let expected: String = (1..)
        .zip(expected)
        .map(|(value, name)| {
            let value = if value == 16 {
                "18446744073709552000".to_string()
            } else {
                value.to_string()
            };
            format!("node_network_{name}_total{{device=\"eth0.10\"}} {value}\n")
        })
        .collect();
    assert_eq!(text, expected);
}

#[test]
fn the_filter_leaves_devices_out_and_odd_names_are_escaped() {
    let tree = Tree::new("netdev-filter");
    let zeros = " 0".repeat(16);
    let mut bytes = HEADER.as_bytes().to_vec();
    for name in [&b"veth1"[..], b"b\xfcro"] {
        bytes.extend_from_slice(&[name, b":", zeros.as_bytes(), b"\n"].concat());
    }
    tree.write("proc/net/dev", bytes);
    let mut netdev = Tree::make(&SPEC, |config| {
        config.netdev_devices.exclude = Some(Regex::new("^veth").expect("a pattern"));
    });
    let text = tree.scrape(&SPEC, &mut *netdev).expect("a scrape");
    assert!(!text.contains("veth1"));
    assert_eq!(text.matches("{device=\"b\\\\xfcro\"} 0\n").count(), 16);
}

#[test]
fn of_too_many_devices_the_lowest_indexes_stay() {
    let tree = Tree::new("netdev-limit");
    let zeros = " 0".repeat(16);
    let rows: String = [("veth7", "7"), ("lo", "1"), ("eth0", "2")]
        .iter()
        .map(|(name, index)| {
            tree.write(format!("sys/class/net/{name}/ifindex"), index);
            format!("{name}:{zeros}\n")
        })
        .collect();
    tree.write("proc/net/dev", [HEADER, &rows].concat());
    let mut netdev = Tree::make(&SPEC, |config| config.limit_devices = 2);
    let text = tree.scrape(&SPEC, &mut *netdev).expect("a scrape");
    let devices: Vec<_> = text.lines().take(3).collect();
    assert_eq!(
        devices,
        [
            "node_network_receive_bytes_total{device=\"lo\"} 0",
            "node_network_receive_bytes_total{device=\"eth0\"} 0",
            "node_network_receive_packets_total{device=\"lo\"} 0",
        ]
    );
}

#[test]
fn a_missing_file_is_no_family_and_a_broken_one_an_error() {
    let tree = Tree::new("netdev-broken");
    assert_eq!(tree.once(&SPEC), Ok(String::new()));
    tree.write("proc/net/dev", [HEADER, "eth0: 1 x\n"].concat());
    assert_eq!(
        tree.once(&SPEC),
        Err(
            "proc/net/dev:3: receive packets: expected an unsigned decimal number, found \"x\""
                .to_string()
        )
    );
}

const ZEROS: &str = " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

#[test]
fn the_alias_is_a_label_of_every_family_when_it_is_asked_for() {
    let tree = Tree::new("netdev-alias");
    let rows = ["eth0:", ZEROS, "eth1:", ZEROS, "gone:", ZEROS].concat();
    tree.write("proc/net/dev", [HEADER, &rows].concat());
    tree.write("sys/class/net/eth0/ifalias", b" up\"link\xff\n");
    tree.write("sys/class/net/eth1/ifalias", "\n");
    let mut netdev = Tree::make(&SPEC, |config| config.netdev_label_ifalias = true);
    for _ in 0..2 {
        let text = tree.scrape(&SPEC, &mut *netdev).expect("a scrape");
        for labels in [
            "{device=\"eth0\",ifalias=\"up\\\"link\\\\xff\"} 0\n",
            "{device=\"eth1\",ifalias=\"\"} 0\n",
            "{device=\"gone\",ifalias=\"\"} 0\n",
        ] {
            assert_eq!(text.matches(labels).count(), 16, "{labels}: {text}");
        }
        assert_eq!(text.lines().count(), 3 * 16);
    }
}

#[test]
fn kinds_are_left_out_and_not_counted() {
    let tree = Tree::new("netdev-kinds");
    let rows = ["eth0:", ZEROS, "any:", ZEROS].concat();
    tree.write("proc/net/dev", [HEADER, &rows].concat());
    for (file, content) in [("type", "1"), ("ifindex", "7"), ("iflink", "2")] {
        tree.write(format!("sys/class/net/any/{file}"), content);
    }
    let mut netdev = Tree::make(&SPEC, |config| {
        config.excluded_kinds.veth = true;
        config.limit_devices = 1;
    });
    let text = tree.scrape(&SPEC, &mut *netdev).expect("a scrape");
    assert_eq!(text.matches("{device=\"eth0\"} 0\n").count(), 16);
    assert_eq!(text.lines().count(), 16);
}

#[test]
fn a_captured_tree_has_no_addresses() {
    let tree = Tree::new("netdev-addresses");
    tree.write("proc/net/dev", [HEADER, "lo:", ZEROS].concat());
    let mut netdev = Tree::make(&SPEC, |config| config.netdev_address_info = true);
    let text = tree.scrape(&SPEC, &mut *netdev).expect("a scrape");
    assert!(!text.contains("address") && text.lines().count() == 16);
}
