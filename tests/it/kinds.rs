//! `--devices.exclude-kinds` on a captured host of containers and a virtual machine, of which sysfs tells what is what.

use std::collections::BTreeSet;

use weir::config::ExcludedKinds;

use crate::tree::Host;
use crate::tree::fixtures;

/// The values of the label `device` on the page of one collector.
fn devices(collector: &str, kinds: ExcludedKinds) -> BTreeSet<String> {
    let root = fixtures().join("hosts/guests");
    let mut host = Host::with(&root, |config| config.excluded_kinds = kinds);
    let page = host.page(&[collector]);
    assert_eq!(host.errors(), []);
    let named = page.lines().filter_map(|line| {
        let (_, rest) = line.split_once("device=\"")?;
        Some(rest.split_once('"')?.0.to_string())
    });
    named.collect()
}

/// Checks which devices a collector shows for each value of the flag.
fn check(collector: &str, all: &[&str], veth: &[&str], ports: &[&str]) {
    let gone = |left_out: &[&str]| -> BTreeSet<String> {
        let kept = all.iter().filter(|device| !left_out.contains(device));
        kept.map(ToString::to_string).collect()
    };
    let kinds = |veth, bridge_port| ExcludedKinds { veth, bridge_port };
    assert_eq!(devices(collector, kinds(false, false)), gone(&[]));
    assert_eq!(devices(collector, kinds(true, false)), gone(veth));
    assert_eq!(devices(collector, kinds(false, true)), gone(ports));
    let both = [veth, ports].concat();
    assert_eq!(devices(collector, kinds(true, true)), gone(&both));
}

#[test]
fn every_collector_of_devices_leaves_out_the_same() {
    // wan0 is a port of the bridge, as hardware would be; lan0 is a macvlan, vpn0 a tap device of no bridge.
    let all = [
        "br0", "cali1a2b", "guest0", "inside1", "lan0", "lo", "port1", "vpn0", "wan0",
    ];
    let veth = ["cali1a2b", "inside1", "port1"];
    let ports = ["guest0", "port1"];
    for collector in ["netdev", "netclass"] {
        check(collector, &all, &veth, &ports);
    }
    let all = ["br0", "cali1a2b", "guest0", "inside1", "lan0"];
    for collector in ["arp", "network_route"] {
        check(collector, &all, &veth, &ports);
    }
}
