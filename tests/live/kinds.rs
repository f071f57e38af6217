//! `--devices.exclude-kinds` and the index of a device, on devices of the kinds that a host of containers has: from the
//! kernel's list and from sysfs the same.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

/// A host, and a container's namespace.
struct Guests {
    host: Namespace,
    _container: Namespace,
    /// Whether there are tap devices here.
    tap: bool,
}

/// `cali0` is a veth with its other end in the container, `port0` and `port1` a pair, the first in the bridge with `tap0`
/// and `uplink0`; `lan0` is a macvlan and `vpn0` a tap device of no bridge.
fn guests() -> Result<Guests, String> {
    if !installed("ip") {
        return Err("ip is not installed".to_string());
    }
    let (host, container) = (Namespace::new()?, Namespace::new()?);
    host.ip("link add br0 type bridge");
    host.ip(&format!(
        "link add cali0 type veth peer name eth0 netns {}",
        container.name
    ));
    host.ip("link add port0 type veth peer name port1");
    host.ip("link set port0 master br0");
    for line in [
        "link add uplink0 type ifb",
        "link set uplink0 master br0",
        "link add lan0 link br0 type macvlan",
    ] {
        // A kernel without the kind goes without the device.
        let _ = host.command("ip").args(line.split(' ')).output();
    }
    let tap = ["tap0", "vpn0"].iter().all(|name| {
        let words = ["tuntap", "add", "dev", name, "mode", "tap"];
        let made = host.command("ip").args(words).output();
        made.is_ok_and(|made| made.status.success())
    });
    if tap {
        host.ip("link set tap0 master br0");
    } else {
        println!("no tap devices here");
    }
    for device in ["br0", "cali0", "port0", "port1"] {
        host.ip(&format!("link set {device} up"));
        host.ip(&format!(
            "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev {device} nud permanent"
        ));
    }
    container.ip("link set eth0 up");
    host.ip("address add 192.0.2.1/24 dev br0");
    host.ip("route add 203.0.113.1 dev cali0");
    host.ip("route add 203.0.113.2 dev port1");
    Ok(Guests {
        host,
        _container: container,
        tap,
    })
}

/// The devices that a page's families name.
fn devices(page: &Page, prefixes: &[&str]) -> BTreeSet<String> {
    let families = page.families.iter();
    let families =
        families.filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    let labels = families.flat_map(|(_, family)| family.samples.keys().map(|(_, labels)| labels));
    labels
        .filter_map(|labels| labels.get("device").cloned())
        .collect()
}

const COLLECTORS: &[(&str, &[&str])] = &[
    ("arp", &["node_arp_"]),
    ("netclass", &["node_network_"]),
    ("netdev", &["node_network_"]),
    ("network_route", &["node_network_route"]),
    ("qdisc", &["node_qdisc_"]),
];

fn once(namespace: &Namespace, collector: &str, arguments: &[&str]) -> Page {
    let output = namespace
        .command(WEIR)
        .args(["--once", "--collector.disable-defaults"])
        .arg(format!("--collector.{collector}"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let labels = [("collector", collector)];
    let success = page.value("node_scrape_collector_success", &labels);
    assert_eq!(success, Some(1.0), "{output:?}");
    page
}

#[test]
fn every_collector_leaves_out_the_same_kinds_from_both_sources() {
    let guests = match guests() {
        Ok(guests) => guests,
        Err(reason) => return skip(&reason),
    };
    let veth = ["cali0", "port0", "port1"];
    let ports = ["port0", "tap0"];
    let (_directory, paths) = guests.host.capture();
    let paths = [paths[0].as_str(), &paths[1]];
    for (collector, prefixes) in COLLECTORS {
        for source in [&[][..], &paths] {
            let shown = |kinds: &str| {
                let kinds = format!("--devices.exclude-kinds={kinds}");
                let arguments = [source, &[&kinds]].concat();
                devices(&once(&guests.host, collector, &arguments), prefixes)
            };
            let all = shown("");
            if *collector == "qdisc" && !source.is_empty() {
                assert_eq!(all, BTreeSet::new());
                continue;
            }
            let expected = all.contains("cali0") && all.contains("br0");
            assert!(expected, "{collector} {source:?}: {all:?}");
            let without = |left_out: &[&str]| {
                let mut kept = all.clone();
                kept.retain(|device| !left_out.contains(&device.as_str()));
                kept
            };
            assert_eq!(shown("veth"), without(&veth), "{collector} {source:?}");
            assert_eq!(
                shown("bridge-port"),
                without(&ports),
                "{collector} {source:?}"
            );
            let both = [&veth[..], &ports].concat();
            let none = shown("veth,bridge-port");
            assert_eq!(none, without(&both), "{collector} {source:?}");
            if *collector == "netdev" {
                assert!(none.contains("vpn0") == guests.tap, "{none:?}");
                assert!(!guests.tap || all.contains("tap0"), "{all:?}");
            }
        }
    }
}

#[test]
fn rates_follow_what_a_device_becomes() {
    let guests = match guests() {
        Ok(guests) => guests,
        Err(reason) => return skip(&reason),
    };
    let mut command = guests.host.command(WEIR);
    command.args([
        "--web.listen-address=127.0.0.1:0",
        "--collect.interval=100ms",
        "--collector.disable-defaults",
        "--collector.throughput",
        "--devices.exclude-kinds=bridge-port",
    ]);
    let weir = Weir::launch(&mut command);
    let shown = || {
        let mut client = guests.host.connect(&weir.address).unwrap();
        let answer = client.get("/metrics", "").unwrap();
        let page = Page::parse(answer.text().unwrap()).unwrap();
        devices(&page, &["weir_network_"])
    };
    let has = |device: &str| shown().contains(device);
    wait_until("rates", || has("port1") && has("lo"));
    assert!(has("cali0") && !has("port0"));
    guests.host.ip("link set port1 master br0");
    assert!(!has("port1"));
    guests.host.ip("link set port0 nomaster");
    assert!(has("port0") && !has("port1") && has("br0"));
}

/// The index is asked for by SIOCGIFNAME where it was known; a device that took the name of another is not taken for it.
#[test]
fn a_device_that_took_the_name_of_another_has_no_maximum_of_it() {
    let guests = match guests() {
        Ok(guests) => guests,
        Err(reason) => return skip(&reason),
    };
    let host = &guests.host;
    let mut command = host.command(WEIR);
    command.args([
        "--web.listen-address=127.0.0.1:0",
        "--collect.interval=1s",
        "--collector.disable-defaults",
        "--collector.throughput",
    ]);
    let weir = Weir::launch(&mut command);
    let highest = || {
        let mut client = host.connect(&weir.address).unwrap();
        let answer = client.get("/metrics", "").unwrap();
        let page = Page::parse(answer.text().unwrap()).unwrap();
        let family = "weir_network_transmit_bytes_per_second_max";
        page.value(family, &[("device", "cali0")])
    };
    wait_until("rates", || highest().is_some());
    host.ip("address add 198.51.100.1/24 dev cali0");
    host.ip("neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev cali0");
    wait_until("a maximum", || {
        let words = "-q -c 2 -i 0.01 -W 1 198.51.100.2".split(' ');
        let _ = host.command("ping").args(words).output();
        highest() > Some(0.0)
    });
    let batch = "link set cali0 down\nlink set cali0 name old0\n\
        link set port0 down\nlink set port0 nomaster\nlink set port0 name cali0\n";
    let path = std::env::temp_dir().join(&host.name);
    std::fs::write(&path, batch).unwrap();
    host.run("ip", ["-batch".as_ref(), path.as_os_str()]);
    std::fs::remove_file(&path).unwrap();
    let begin = Instant::now();
    wait_until("the next device's rates", || {
        begin.elapsed() > Duration::from_secs(3) && highest().is_some()
    });
    assert_eq!(highest(), Some(0.0));
}
