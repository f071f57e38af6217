//! Device counters against `ip -s -j link`, in namespaces of our own, after known transfers and with awkward names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::installed;
use crate::running::unique;
use crate::support::skip;
use crate::text::Page;

/// iproute2's words for node_exporter's families: direction and field, then the counters that are summed.
const COUNTERS: &[(&str, &str, &[&str])] = &[
    ("receive_bytes", "rx", &["bytes"]),
    ("receive_packets", "rx", &["packets"]),
    ("receive_errs", "rx", &["errors"]),
    ("receive_drop", "rx", &["dropped", "missed_errors"]),
    ("receive_fifo", "rx", &["fifo_errors"]),
    ("receive_multicast", "rx", &["multicast"]),
    ("transmit_bytes", "tx", &["bytes"]),
    ("transmit_packets", "tx", &["packets"]),
    ("transmit_errs", "tx", &["errors"]),
    ("transmit_drop", "tx", &["dropped"]),
    ("transmit_fifo", "tx", &["fifo_errors"]),
    ("transmit_colls", "tx", &["collisions"]),
];

/// A pair of namespaces joined by a veth pair, 192.0.2.1 and 192.0.2.2, the near end named `name`.
fn joined(name: &[u8]) -> Result<[Namespace; 2], String> {
    if !installed("ip") || !installed("ping") {
        return Err("ip or ping is not installed".to_string());
    }
    let pair = [Namespace::new()?, Namespace::new()?];
    let [near, far] = &pair;
    // The name may be any bytes, and keeps that from being one line.
    let near_ip = |before: &str, after: &str| {
        let before = before.split_whitespace().map(OsStr::new);
        let after = after.split_whitespace().map(OsStr::new);
        near.run("ip", before.chain([OsStr::from_bytes(name)]).chain(after));
    };
    let peer = format!("type veth peer name far0 netns {}", far.name);
    near_ip("link add name", &peer);
    near_ip("addr add 192.0.2.1/24 dev", "");
    near_ip("link set up dev", "");
    far.ip("addr add 192.0.2.2/24 dev far0");
    far.ip("link set up dev far0");
    Ok(pair)
}

#[test]
fn counters_of_a_veth_pair_are_iproute2s() {
    let pair = match joined(b"weir.veth-0") {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    pair[0].run(
        "ping",
        ["-q", "-c", "7", "-i", "0.01", "-s", "1000", "192.0.2.2"],
    );
    for (namespace, device) in pair.iter().zip(["weir.veth-0", "far0"]) {
        let compared = compare(namespace, device);
        assert!(
            compared["rx"]["packets"].as_u64().unwrap() >= 7,
            "{compared}"
        );
        assert!(
            compared["tx"]["bytes"].as_u64().unwrap() >= 7 * 1042,
            "{compared}"
        );
        compare(namespace, "lo");
    }
}

#[test]
fn a_device_that_is_down_and_one_that_lost_packets() {
    let pair = match joined(b"up0") {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let [near, far] = &pair;
    near.ip("link add name down0 mtu 1400 type veth");
    compare(near, "down0");
    // What is sent while the other end is down is dropped here.
    far.ip("link set far0 down");
    near.ip("neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev up0");
    let ping = "-q -c 3 -i 0.01 -W 1 192.0.2.2".split(' ');
    let _ = near.command("ping").args(ping).output();
    compare(near, "up0");
    let page = once(near);
    let down = [("device", "down0")];
    assert_eq!(page.value("node_network_up", &down), Some(0.0));
    assert_eq!(page.value("node_network_mtu_bytes", &down), Some(1400.0));
    assert_eq!(
        page.value("node_network_carrier", &[("device", "up0")]),
        Some(0.0)
    );
}

#[test]
fn a_name_that_is_not_utf8_is_shown_escaped() {
    let name = b"w\xff\xfe.\"0";
    let pair = match joined(name) {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    pair[1].run("ping", ["-q", "-c", "3", "-i", "0.01", "192.0.2.1"]);
    let page = once(&pair[0]);
    let family = &page.families["node_network_receive_packets_total"];
    let devices: Vec<&str> = family
        .samples
        .keys()
        .map(|(_, labels)| labels["device"].as_str())
        .collect();
    let shown: Vec<&&str> = devices.iter().filter(|device| **device != "lo").collect();
    assert_eq!(shown.len(), 1, "{devices:?}");
    let shown = *shown[0];
    assert!(
        shown.starts_with('w') && shown.ends_with(".\"0") && shown != "w.\"0",
        "{shown:?}"
    );
    assert!(
        !shown.contains('\u{fffd}') && !shown.contains('\0'),
        "{shown:?}"
    );
    // The families of netdev and netclass call it the same.
    let labels = [("device", shown)];
    assert!(page.value("node_network_receive_packets_total", &labels) >= Some(3.0));
    assert_eq!(page.value("node_network_up", &labels), Some(1.0));
}

#[test]
fn two_names_never_become_one_series() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    for name in [b"w\xff".as_slice(), b"w\\xff", b"w\xfe", "wé".as_bytes()] {
        let words = [b"link".as_slice(), b"add", b"name", name, b"type", b"veth"];
        namespace.run("ip", words.map(OsStr::from_bytes));
    }
    // The page's reader refuses the same series twice.
    let page = once(&namespace);
    let family = &page.families["node_network_receive_bytes_total"];
    // lo, four names, and the other ends that the kernel names.
    assert_eq!(family.samples.len(), 9, "{:?}", family.samples.keys());
}

/// Compares every counter of a device in a namespace where nothing moves any more, and gives iproute2's figures.
fn compare(namespace: &Namespace, device: &str) -> Value {
    // ARP may still have been on its way during the first reading.
    let mut differing = Vec::new();
    for _ in 0..20 {
        let before = statistics(namespace, device);
        let page = once(namespace);
        let after = statistics(namespace, device);
        if before != after {
            continue;
        }
        differing.clear();
        for (family, direction, fields) in COUNTERS {
            let expected: f64 = fields
                .iter()
                .map(|field| before[direction][field].as_f64().unwrap_or(0.0))
                .sum();
            let family = format!("node_network_{family}_total");
            let found = page.value(&family, &[("device", device)]);
            if found != Some(expected) {
                differing.push(format!("{family}: {found:?}, {expected} in ip"));
            }
        }
        if differing.is_empty() {
            return before;
        }
    }
    panic!("{device}: {differing:?}");
}

fn statistics(namespace: &Namespace, device: &str) -> Value {
    let text = namespace.run("ip", ["-s", "-s", "-j", "link", "show", "dev", device]);
    let mut links: Value = serde_json::from_slice(&text).unwrap();
    links[0]["stats64"].take()
}

fn once(namespace: &Namespace) -> Page {
    let text = namespace.run(WEIR, ["--once"]);
    Page::parse(std::str::from_utf8(&text).unwrap()).unwrap()
}

#[test]
fn names_for_namespaces_are_unique() {
    assert_ne!(unique(), unique());
}
