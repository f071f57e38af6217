use super::*;

const VETH: ExcludedKinds = ExcludedKinds {
    veth: true,
    bridge_port: false,
};
const BRIDGE_PORT: ExcludedKinds = ExcludedKinds {
    veth: false,
    bridge_port: true,
};

fn link(kind: &str, slave_kind: &str) -> Link {
    Link {
        kind: kind.as_bytes().to_vec(),
        slave_kind: slave_kind.as_bytes().to_vec(),
        ..Link::default()
    }
}

#[test]
fn kinds_in_the_kernels_list() {
    for (kind, slave_kind, veth, bridge_port) in [
        ("", "", false, false),
        ("veth", "", true, false),
        ("veth", "bridge", true, true),
        ("tun", "bridge", false, true),
        ("tun", "", false, false),
        ("veth", "bond", true, false),
        ("bridge", "", false, false),
        // Ports through which a bridge reaches the world.
        ("", "bridge", false, false),
        ("dsa", "bridge", false, false),
        ("bond", "bridge", false, false),
        ("vlan", "bridge", false, false),
        ("vxlan", "bridge", false, false),
    ] {
        let link = link(kind, slave_kind);
        assert_eq!(has_link(VETH, &link), veth, "{kind} {slave_kind}");
        assert_eq!(
            has_link(BRIDGE_PORT, &link),
            bridge_port,
            "{kind} {slave_kind}"
        );
        assert!(!has_link(ExcludedKinds::default(), &link));
    }
}

type Content = &'static [(&'static str, &'static str)];

const ETHERNET: (&str, &str) = ("type", "1");
const PORT: (&str, &str) = ("brport/port_no", "0x1");
const THIRD: (&str, &str) = ("ifindex", "3");
const ABOVE_SECOND: (&str, &str) = ("iflink", "2");

/// A directory for each device, with the files that tell; whether it is left out as veth, and as a port.
const DEVICES: &[(&str, Content, bool, bool)] = &[
    ("veth", &[ETHERNET, THIRD, ABOVE_SECOND], true, false),
    ("port", &[ETHERNET, THIRD, ABOVE_SECOND, PORT], true, true),
    (
        "vnet0",
        &[
            ETHERNET,
            THIRD,
            ("iflink", "3"),
            PORT,
            ("tun_flags", "0x1002"),
        ],
        false,
        true,
    ),
    (
        "tap0",
        &[ETHERNET, THIRD, ("iflink", "3"), ("tun_flags", "0x1002")],
        false,
        false,
    ),
    (
        "eth0",
        &[ETHERNET, THIRD, ("iflink", "3"), PORT],
        false,
        false,
    ),
    (
        "lan1",
        &[ETHERNET, THIRD, ABOVE_SECOND, PORT, ("device/uevent", "")],
        false,
        false,
    ),
    (
        "vlan",
        &[
            ETHERNET,
            THIRD,
            ABOVE_SECOND,
            PORT,
            ("uevent", "DEVTYPE=vlan"),
        ],
        false,
        false,
    ),
    (
        "macvlan",
        &[
            ETHERNET,
            THIRD,
            ABOVE_SECOND,
            PORT,
            ("lower_eth0/ifindex", "2"),
        ],
        false,
        false,
    ),
    ("gretap", &[ETHERNET, THIRD, ("iflink", "0")], false, false),
    ("gre", &[("type", "778"), THIRD, ABOVE_SECOND], false, false),
    (
        "garbage",
        &[ETHERNET, ("ifindex", "x"), ("iflink", "y")],
        false,
        false,
    ),
    ("empty", &[("uevent", "")], false, false),
    (
        "lo",
        &[("type", "772"), ("ifindex", "1"), ("iflink", "1")],
        false,
        false,
    ),
];

#[test]
fn kinds_in_sysfs() {
    let root = std::env::temp_dir().join(format!("weir-{}-kinds", std::process::id()));
    std::fs::create_dir_all(root.join("proc/net")).expect("a directory");
    for (name, files, _, _) in DEVICES {
        for (file, content) in *files {
            let path = root.join("sys/class/net").join(name).join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, content).expect("a file");
        }
    }
    let files = Files::open(&root.join("proc"), &root.join("sys")).expect("a tree");
    for (name, _, veth, bridge_port) in DEVICES {
        let has = |kinds| Excluded::ask(kinds, &mut Links::default(), &files).has(name.as_bytes());
        assert_eq!(
            [VETH, BRIDGE_PORT, ExcludedKinds::default()].map(has),
            [*veth, *bridge_port, false],
            "{name}"
        );
    }
    assert!(!Excluded::new(VETH, &[], &files).has(b"vanished"));
    std::fs::remove_dir_all(root).expect("removed");
}
