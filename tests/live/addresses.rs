//! The addresses and aliases that netdev tells when asked, against node_exporter, iproute2 and netclass.
//!
//! Debian's node_exporter 1.5.0 has `--collector.netdev.address-info`; `label-ifalias` came later, so that label is
//! compared with what `ip` set and with the one of `node_network_info`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use crate::node_exporter::NODE_EXPORTER;
use crate::running::Namespace;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::free_address;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

const INFO: &str = "node_network_address_info";

/// Addresses of all scopes, on devices that are up and down. IPv6 is on, and sends nothing of its own but to the far ends.
const ADDRESSES: &[&str] = &[
    "link add name wan.1 type veth peer name far.1",
    "link add name down0 type veth peer name far.2",
    "link set wan.1 up",
    "address add 192.0.2.1/24 dev wan.1",
    "address add 192.0.2.77/24 dev wan.1",
    "address add 192.0.2.1/25 dev wan.1",
    "address add 10.1.2.3 peer 10.1.2.4/32 dev wan.1",
    "address add 169.254.7.7/16 dev wan.1",
    "address add 198.51.100.0/31 dev down0",
    "address add 127.0.0.2/8 dev lo",
    "address add 2001:db8::1/64 dev wan.1 nodad",
    "address add fd00::7 peer fd00::8/128 dev wan.1",
    "address add fe80::7/64 dev wan.1 nodad",
    "address add 2001:db8:1::/127 dev down0",
];

fn namespace(lines: &[&str]) -> Result<Namespace, String> {
    if !installed("ip") {
        return Err("ip is not installed".to_string());
    }
    let namespace = Namespace::new()?;
    for which in ["all", "default", "lo"] {
        let setting = format!("net.ipv6.conf.{which}.disable_ipv6=0");
        namespace.run("sysctl", ["-qw", &setting]);
    }
    for line in lines {
        namespace.ip(line);
    }
    Ok(namespace)
}

fn once(namespace: &Namespace, arguments: &[&str]) -> Page {
    let output = namespace
        .command(WEIR)
        .args(["--once", "--collector.disable-defaults"])
        .arg("--collector.netdev")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let collector = [("collector", "netdev")];
    let success = page.value("node_scrape_collector_success", &collector);
    assert_eq!(success, Some(1.0), "{output:?}");
    page
}

/// The labels of every address, and that the value is 1.
fn told(page: &Page) -> BTreeSet<[String; 4]> {
    let Some(family) = page.families.get(INFO) else {
        return BTreeSet::new();
    };
    assert_eq!(family.kind, "gauge");
    assert!(family.samples.values().all(|value| *value == 1.0));
    let labels = family.samples.keys().map(|(_, labels)| {
        assert_eq!(labels.len(), 4, "{labels:?}");
        ["device", "address", "netmask", "scope"].map(|name| labels[name].clone())
    });
    labels.collect()
}

fn row(words: &str) -> [String; 4] {
    let words: Vec<_> = words.split(' ').map(str::to_string).collect();
    words.try_into().unwrap()
}

#[test]
fn addresses_are_node_exporters() {
    if !Path::new(NODE_EXPORTER).exists() {
        return skip("prometheus-node-exporter is not installed");
    }
    let namespace = match namespace(ADDRESSES) {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let address = free_address();
    let child = namespace
        .command(NODE_EXPORTER)
        .arg(format!("--web.listen-address={address}"))
        .args(["--collector.disable-defaults", "--collector.netdev"])
        .arg("--collector.netdev.address-info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _node_exporter = Process(child);
    wait_until("node_exporter", || namespace.connect(&address).is_ok());
    let theirs = || {
        let mut client = namespace.connect(&address).unwrap();
        let answer = client.get("/metrics", "").unwrap();
        told(&Page::parse(answer.text().unwrap()).unwrap())
    };
    let ours = || told(&once(&namespace, &["--collector.netdev.address-info"]));
    // The kernel gives a device that comes up an address of its own a moment later.
    wait_until("equal addresses", || {
        theirs() == ours() && theirs() == ours()
    });
    let found = ours();
    for expected in [
        "lo 127.0.0.1 8 link-local",
        "lo 127.0.0.2 8 link-local",
        "lo ::1 128 link-local",
        "wan.1 192.0.2.1 24 global",
        "wan.1 192.0.2.1 25 global",
        "wan.1 192.0.2.77 24 global",
        "wan.1 10.1.2.3 32 global",
        "wan.1 169.254.7.7 16 link-local",
        "wan.1 2001:db8::1 64 global",
        "wan.1 fd00::7 128 global",
        "wan.1 fe80::7 64 link-local",
        "down0 198.51.100.0 31 global",
        "down0 2001:db8:1:: 127 global",
    ] {
        assert!(found.contains(&row(expected)), "{expected}: {found:#?}");
    }
}

/// node_exporter's page has it once too, and its log an error.
#[test]
fn an_address_with_two_peers_is_told_once() {
    let namespace = match namespace(&[
        "link add name ppp0 type veth peer name far0",
        "address add 10.0.0.1 peer 10.0.0.2 dev ppp0",
        "address add 10.0.0.1 peer 10.0.0.3 dev ppp0",
    ]) {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let found = told(&once(&namespace, &["--collector.netdev.address-info"]));
    let of_ppp: Vec<_> = found.iter().filter(|row| row[0] == "ppp0").collect();
    assert_eq!(of_ppp, [&row("ppp0 10.0.0.1 32 global")]);
}

#[test]
fn addresses_are_those_of_the_devices_that_are_shown_and_bounded() {
    let lines = ["link add name many0 type veth peer name far0"];
    let namespace = match namespace(&lines) {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let asked = "--collector.netdev.address-info";
    assert_eq!(told(&once(&namespace, &[])), BTreeSet::new());
    let (_directory, paths) = namespace.capture();
    let files = [&paths[0], &paths[1], asked];
    assert_eq!(told(&once(&namespace, &files)), BTreeSet::new());
    namespace.ip("address add 192.0.2.1/24 dev many0");
    for left_out in [
        "--limit.devices=1",
        "--collector.netdev.device-exclude=^many",
        "--devices.exclude-kinds=veth",
    ] {
        let found = told(&once(&namespace, &[asked, left_out]));
        assert!(
            found.iter().all(|row| row[0] == "lo"),
            "{left_out}: {found:?}"
        );
        assert!(!found.is_empty(), "{left_out}");
    }

    let batch: String = (0..1100)
        .map(|number| {
            format!(
                "address add 10.{}.{}.1/32 dev many0\n",
                number / 256,
                number % 256
            )
        })
        .collect();
    let path = std::env::temp_dir().join(&namespace.name);
    std::fs::write(&path, batch).unwrap();
    let done = namespace.command("ip").arg("-batch").arg(&path).status();
    std::fs::remove_file(&path).unwrap();
    assert!(done.unwrap().success());
    let page = once(&namespace, &[asked]);
    let found = told(&page);
    assert_eq!(found.len(), 1000);
    // lo's stay; those of many0 that go are counted: 192.0.2.1 and 1100, less what found room.
    let of_lo = found.iter().filter(|row| row[0] == "lo").count();
    let left_out = page.value("weir_series_left_out", &[("collector", "netdev")]);
    assert_eq!(left_out, Some((of_lo + 1101 - 1000) as f64));
}

#[test]
fn the_alias_is_netclasses_from_both_sources() {
    let lines = ["link add name wan0 type veth peer name far0"];
    let namespace = match namespace(&lines) {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    namespace.run("ip", ["link", "set", "wan0", "alias", " up\"link\\ two "]);
    let (_directory, paths) = namespace.capture();
    for source in [&[][..], &[paths[0].as_str(), &paths[1]]] {
        let asked = ["--collector.netclass", "--collector.netdev.label-ifalias"];
        let page = once(&namespace, &[source, &asked].concat());
        let info = &page.families["node_network_info"].samples;
        assert_eq!(info.len(), 3);
        let counters: Vec<_> = page
            .families
            .iter()
            .filter(|(name, family)| name.starts_with("node_network_") && family.kind == "counter")
            .filter(|(name, _)| !name.contains("_changes_"))
            .collect();
        assert!(counters.len() >= 16);
        for (_, labels) in info.keys() {
            let (device, alias) = (&labels["device"], &labels["ifalias"]);
            let expected = if device == "wan0" {
                "up\"link\\ two"
            } else {
                ""
            };
            assert_eq!(alias, expected, "{device}");
            for (name, family) in &counters {
                let wanted = [("device", device.as_str()), ("ifalias", alias)];
                assert!(page.value(name, &wanted).is_some(), "{name} of {device}");
                assert_eq!(family.samples.len(), 3, "{name}");
            }
        }
        let plain = once(&namespace, source);
        let wanted = [("device", "wan0")];
        assert!(
            plain
                .value("node_network_receive_bytes_total", &wanted)
                .is_some()
        );
    }
}
