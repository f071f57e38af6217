//! netclass from the kernel's list of devices and netclass from sysfs say the same, sample by sample, of devices in all
//! the states that can be made here.
//!
//! The program itself tells the two apart: with another path than /proc it reads files only, and `/proc/../proc` is one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::WEIR;
use crate::running::installed;
use crate::support::skip;

/// What is made, line by line; kinds that this kernel lacks are left out. `NAME` stands for a name that is not UTF-8.
const DEVICES: &[&str] = &[
    "link add veth.up type veth peer name veth.peer",
    "link set veth.up up",
    "link set veth.peer up mtu 9000 txqueuelen 0",
    "link add name NAME type veth peer name veth.down",
    "link set NAME up",
    "link add bridge0 type bridge",
    "link set bridge0 up",
    "link add port0 type veth peer name port1",
    "link set port0 master bridge0 up",
    "link set port1 promisc on up",
    "link set port1 group 7 addrgenmode none",
    "link add ifb7 type ifb",
    "link set ifb7 up",
    "link set ifb7 multicast on allmulticast on",
    "link add dummy7 type dummy",
    "link set dummy7 up mtu 4294967295",
    "link add link veth.up name veth.up.3 type vlan id 3",
    "link set veth.up.3 up",
    "link add macvlan0 link veth.up type macvlan",
    "link add gre7 type gre remote 192.0.2.1 local 192.0.2.2",
    "link add sit7 type sit remote 192.0.2.1",
    "link set veth.down address 02:00:00:00:00:07",
    "link add old0 type veth peer name old1",
    "link set old0 name renamed0",
    "link set renamed0 up mode dormant",
    "link set dev renamed0 state dormant",
];

/// A namespace with the devices in it.
fn devices() -> Result<Namespace, String> {
    if !installed("ip") {
        return Err("ip is not installed".to_string());
    }
    let namespace = Namespace::new()?;
    let (mut made, mut lacking) = (0, Vec::new());
    for line in DEVICES {
        let words = line.split(' ').map(|word| match word {
            "NAME" => OsStr::from_bytes(b"b\xfcro"),
            word => OsStr::new(word),
        });
        let done = namespace.command("ip").args(words).output().unwrap();
        if done.status.success() {
            made += 1;
        } else {
            lacking.push(*line);
        }
    }
    assert!(made > 10, "{lacking:?}");
    if !lacking.is_empty() {
        println!("not on this kernel: {lacking:?}");
    }
    // The alias is one word with blanks and quotes in it.
    namespace.run(
        "ip",
        ["link", "set", "veth.up", "alias", " up\"link\\ two "],
    );
    Ok(namespace)
}

/// The samples of netclass, and whence they came.
fn netclass(namespace: &Namespace, arguments: &[&str]) -> (BTreeSet<String>, bool) {
    let output = namespace
        .command(WEIR)
        .args(["--once", "--collector.disable-defaults"])
        .arg("--collector.netclass")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let success = "node_scrape_collector_success{collector=\"netclass\"} 1";
    assert!(text.contains(success), "{text}");
    let netlink = text.contains("weir_source_info{collector=\"netclass\",source=\"netlink\"} 1");
    let samples = text.lines().filter(|line| line.starts_with("node_network"));
    (samples.map(str::to_string).collect(), netlink)
}

#[test]
fn both_sources_give_the_same_samples() {
    let namespace = match devices() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let begin = Instant::now();
    // Carriers and states settle some time after the devices were made.
    let (listed, files) = loop {
        let (before, netlink) = netclass(&namespace, &[]);
        if !netlink {
            return skip("this kernel does not list its devices");
        }
        let (files, from_netlink) = netclass(&namespace, &["--path.procfs=/proc/../proc"]);
        assert!(!from_netlink);
        if before == netclass(&namespace, &[]).0 {
            break (before, files);
        }
        assert!(begin.elapsed() < PATIENCE, "the devices never settle");
        thread::sleep(Duration::from_millis(200));
    };
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>()
    };
    let differences = [only(&listed, &files), only(&files, &listed)];
    assert_eq!(differences, [vec![], vec![]] as [Vec<String>; 2]);
    // That there was something to compare.
    for sample in [
        "node_network_up{device=\"veth.up\"} 1",
        "node_network_speed_bytes{device=\"veth.up\"} 1250000000",
        "node_network_mtu_bytes{device=\"veth.peer\"} 9000",
        "node_network_carrier{device=\"b\\\\xfcro\"} 0",
        "node_network_up{device=\"veth.down\"} 0",
        "node_network_address_assign_type{device=\"veth.down\"} 3",
        "node_network_name_assign_type{device=\"renamed0\"} 4",
        "node_network_net_dev_group{device=\"port1\"} 7",
    ] {
        assert!(listed.contains(sample), "{sample}: {listed:#?}");
    }
    let alias = listed
        .iter()
        .any(|sample| sample.contains("ifalias=\"up\\\"link\\\\ two\""));
    assert!(alias, "{listed:#?}");
}
