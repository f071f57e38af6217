//! The collector over small trees; captured hosts are in the golden tests.

use super::super::tree::Tree;
use super::*;

/// The attributes of a switch port, as a 6.18 kernel writes them.
const PORT: [(&str, &str); 22] = [
    ("addr_assign_type", "3\n"),
    ("address", "02:fc:00:00:00:01\n"),
    ("broadcast", "ff:ff:ff:ff:ff:ff\n"),
    ("carrier", "1\n"),
    ("carrier_changes", "4\n"),
    ("carrier_down_count", "2\n"),
    ("carrier_up_count", "5\n"),
    ("dev_id", "0x10\n"),
    ("dormant", "0\n"),
    ("duplex", "full\n"),
    ("flags", "0x1003\n"),
    ("ifalias", "to the \"roof\"\n"),
    ("ifindex", "6\n"),
    ("iflink", "7\n"),
    ("link_mode", "0\n"),
    ("mtu", "1500\n"),
    ("name_assign_type", "4\n"),
    ("netdev_group", "8\n"),
    ("operstate", "up\n"),
    ("speed", "1000\n"),
    ("tx_queue_len", "1000\n"),
    ("type", "1\n"),
];

fn device(tree: &Tree, name: &[u8], attributes: &[(&str, &str)]) {
    for (attribute, text) in attributes {
        let path = [b"sys/class/net/", name, b"/", attribute.as_bytes()].concat();
        tree.write(path, text);
    }
}

#[test]
fn every_attribute_has_its_family() {
    let tree = Tree::new("netclass-families");
    device(&tree, b"lan1", &PORT);
    tree.write("sys/class/net/bonding_masters", "bond0\n");
    let text = tree.once(&SPEC).expect("a scrape");
    let mut expected = vec![
        "node_network_up{device=\"lan1\"} 1".to_string(),
        "node_network_info{device=\"lan1\",address=\"02:fc:00:00:00:01\",broadcast=\"ff:ff:ff:ff:ff:ff\",duplex=\"full\",\
            operstate=\"up\",adminstate=\"up\",ifalias=\"to the \\\"roof\\\"\"} 1".to_string(),
    ];
    for (name, value) in [
        ("address_assign_type", "3"),
        ("carrier", "1"),
        ("carrier_changes_total", "4"),
        ("carrier_up_changes_total", "5"),
        ("carrier_down_changes_total", "2"),
        ("device_id", "16"),
        ("dormant", "0"),
        ("iface_link", "7"),
        ("iface_link_mode", "0"),
        ("mtu_bytes", "1500"),
        ("name_assign_type", "4"),
        ("net_dev_group", "8"),
        ("transmit_queue_length", "1000"),
        ("protocol_type", "1"),
        ("flags", "4099"),
        ("iface_id", "6"),
        ("speed_bytes", "125000000"),
    ] {
        expected.push(format!("node_network_{name}{{device=\"lan1\"}} {value}"));
    }
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), SPEC.families.len());
}

#[test]
fn a_device_that_tells_little_and_one_that_vanishes() {
    let tree = Tree::new("netclass-little");
    device(
        &tree,
        b"b\xfcro",
        &[
            ("ifindex", "1\n"),
            ("operstate", "unknown\n"),
            ("flags", "0x8\n"),
        ],
    );
    device(&tree, b"gone", &[("operstate", "up\n")]);
    let expected = "node_network_up{device=\"b\\\\xfcro\"} 0\n\
        node_network_info{device=\"b\\\\xfcro\",address=\"\",broadcast=\"\",duplex=\"\",operstate=\"unknown\",\
        adminstate=\"down\",ifalias=\"\"} 1\n\
        node_network_flags{device=\"b\\\\xfcro\"} 8\n\
        node_network_iface_id{device=\"b\\\\xfcro\"} 1\n";
    assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
}

#[test]
fn an_unknown_speed_and_the_flag_that_leaves_it_out() {
    let tree = Tree::new("netclass-speed");
    for (name, speed) in [("a", "-1\n"), ("b", "100\n"), ("c", "0\n")] {
        device(
            &tree,
            name.as_bytes(),
            &[("ifindex", "1\n"), ("speed", speed)],
        );
    }
    let speeds = |ignore| {
        let mut netclass = Tree::make(&SPEC, |config| {
            config.netclass_ignore_invalid_speed = ignore;
        });
        let text = tree.scrape(&SPEC, &mut *netclass).expect("a scrape");
        let lines = text
            .lines()
            .filter(|line| line.starts_with("node_network_speed"));
        lines.map(str::to_string).collect::<Vec<_>>()
    };
    let all = [
        "node_network_speed_bytes{device=\"a\"} -125000",
        "node_network_speed_bytes{device=\"b\"} 12500000",
        "node_network_speed_bytes{device=\"c\"} 0",
    ];
    assert_eq!(speeds(false), all);
    assert_eq!(speeds(true), all[1..]);
}

#[test]
fn ignored_devices_and_no_sysfs() {
    let tree = Tree::new("netclass-ignored");
    assert_eq!(tree.once(&SPEC), Ok(String::new()));
    device(&tree, b"veth1", &PORT);
    let mut netclass = Tree::make(&SPEC, |config| {
        config.netclass_ignored = Regex::new("^veth").expect("a pattern");
    });
    assert_eq!(tree.scrape(&SPEC, &mut *netclass), Ok(String::new()));
}

#[test]
fn a_broken_attribute_is_an_error() {
    let tree = Tree::new("netclass-broken");
    device(&tree, b"lan1", &[("ifindex", "1\n"), ("mtu", "big\n")]);
    assert_eq!(
        tree.once(&SPEC),
        Err(
            "sys/class/net/lan1/mtu:1: mtu: expected a number, decimal or after 0x, found \"big\""
                .to_string()
        )
    );
}
