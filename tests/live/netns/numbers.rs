//! Two hosts in namespaces that talk over IPv4 and IPv6: states and devices as `ss` and `ip` tell them inside.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;

use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

use super::ForAll;
use super::namespaces;
use super::once;
use super::seen_from_outside;
use super::sleeper;

/// Lets two namespaces reach each other over both families.
pub(super) fn join(near: &Namespace, far: &Namespace) {
    near.ip(&format!(
        "link add n0 type veth peer name f0 netns {}",
        far.name
    ));
    for (namespace, device, host) in [(near, "n0", 1), (far, "f0", 2)] {
        for place in ["all", device] {
            let name = format!("net.ipv6.conf.{place}.disable_ipv6=0");
            namespace.run("sysctl", ["-qw", &name]);
        }
        namespace.ip(&format!("link set {device} up"));
        namespace.ip(&format!("addr add 10.98.0.{host}/24 dev {device}"));
        namespace.ip(&format!(
            "addr add 2001:db8:98::{host}/64 dev {device} nodad"
        ));
    }
}

/// Two namespaces that are joined, and the first one's port range.
pub(super) fn joined() -> Option<[Namespace; 2]> {
    let [near, far] = <[Namespace; 2]>::try_from(namespaces(2)?).ok()?;
    join(&near, &far);
    near.run(
        "sysctl",
        ["-qw", "net.ipv4.ip_local_port_range=30000 30999"],
    );
    near.run(
        "sysctl",
        ["-qw", "net.ipv4.ip_local_reserved_ports=30010-30019"],
    );
    Some([near, far])
}

struct Held {
    _listeners: Vec<TcpListener>,
    _streams: Vec<TcpStream>,
    _begun: OwnedFd,
}

/// Connections in several states between the two, and one whose first segment nobody answers.
fn populate(near: &Namespace, far: &Namespace) -> Held {
    let listener = far.inside(|| TcpListener::bind("[::]:8001").unwrap());
    let dual = near.inside(|| TcpListener::bind("[::]:8002").unwrap());
    let v4 = near.inside(|| TcpListener::bind("10.98.0.1:30500").unwrap());
    let mut streams = Vec::new();
    for server in [
        "10.98.0.2:8001",
        "[2001:db8:98::2]:8001",
        "[::ffff:10.98.0.2]:8001",
    ] {
        let server: SocketAddr = server.parse().unwrap();
        for kind in 0..4 {
            let wait = Duration::from_secs(5);
            let client = near.inside(|| TcpStream::connect_timeout(&server, wait).unwrap());
            let (accepted, _) = listener.accept().unwrap();
            match kind {
                0 => (&accepted).write_all(&[0; 700]).unwrap(),
                1 => accepted.shutdown(Shutdown::Write).unwrap(),
                2 => client.shutdown(Shutdown::Write).unwrap(),
                _ => {
                    client.shutdown(Shutdown::Write).unwrap();
                    accepted.shutdown(Shutdown::Write).unwrap();
                }
            }
            streams.extend([client, accepted]);
        }
    }
    near.ip("neigh add 10.98.0.77 lladdr 02:00:00:00:00:77 dev n0 nud permanent");
    let begun = near.inside(|| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let kind = SocketType::STREAM;
        let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None).unwrap();
        let nobody: SocketAddr = "10.98.0.77:9".parse().unwrap();
        let connected = rustix::net::connect(&socket, &nobody);
        assert_eq!(connected, Err(rustix::io::Errno::INPROGRESS));
        socket
    });
    Held {
        _listeners: vec![listener, dual, v4],
        _streams: streams,
        _begun: begun,
    }
}

/// What `ss` tells inside, by state; and the local ports in a range.
fn ss(namespace: &Namespace) -> (BTreeMap<String, f64>, f64) {
    let told = String::from_utf8(namespace.run("ss", ["-Htan"])).unwrap();
    let mut states = BTreeMap::new();
    let mut ports = std::collections::BTreeSet::new();
    for line in told.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let state = match words[0] {
            "ESTAB" => "established".to_string(),
            "FIN-WAIT-1" => "fin_wait1".to_string(),
            "FIN-WAIT-2" => "fin_wait2".to_string(),
            other => other.to_lowercase().replace('-', "_"),
        };
        *states.entry(state).or_insert(0.0) += 1.0;
        let port: u16 = words[3].rsplit_once(':').unwrap().1.parse().unwrap();
        if (30000..=30999).contains(&port) {
            ports.insert(port);
        }
    }
    (states, f64::from(u32::try_from(ports.len()).unwrap()))
}

/// What the page tells of one namespace's states, but for zeros and queues.
fn states(page: &Page, label: &str) -> BTreeMap<String, f64> {
    let samples = page.families["node_tcp_connection_states"].samples.iter();
    let own = samples.filter(|((_, labels), value)| {
        labels["netns"] == label && **value > 0.0 && !labels["state"].ends_with("queued_bytes")
    });
    own.map(|((_, labels), value)| (labels["state"].clone(), *value))
        .collect()
}

/// Each device's counters as `ip -s link` tells them inside.
fn devices(namespace: &Namespace) -> BTreeMap<String, [f64; 4]> {
    let told = namespace.run("ip", ["-j", "-s", "link"]);
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let links = told.as_array().unwrap().iter();
    let counters = |link: &serde_json::Value| {
        [
            ("rx", "bytes"),
            ("rx", "packets"),
            ("tx", "bytes"),
            ("tx", "packets"),
        ]
        .map(|(way, what)| link["stats64"][way][what].as_f64().unwrap())
    };
    let name = |link: &serde_json::Value| link["ifname"].as_str().unwrap().to_string();
    links.map(|link| (name(link), counters(link))).collect()
}

fn devices_of(page: &Page, label: &str) -> BTreeMap<String, [f64; 4]> {
    let families = [
        "node_network_receive_bytes_total",
        "node_network_receive_packets_total",
        "node_network_transmit_bytes_total",
        "node_network_transmit_packets_total",
    ];
    let keys = page.families[families[0]].samples.keys();
    let own = keys.filter(|(_, labels)| labels["netns"] == label);
    let value = |device: &str, family: &str| {
        let labels = [("device", device), ("netns", label)];
        page.value(family, &labels).unwrap()
    };
    own.map(|(_, labels)| {
        let device = labels["device"].clone();
        let values = families.map(|family| value(&device, family));
        (device, values)
    })
    .collect()
}

/// Asks weir until it says what `ss` and `ip` said before and after it: counters may move while they are read.
fn agree(what: &str, namespace: &Namespace, label: &str, page: impl Fn() -> Page) -> Page {
    let mut last = None;
    wait_until(what, || {
        let before = (ss(namespace).0, devices(namespace));
        let page = page();
        let after = (ss(namespace).0, devices(namespace));
        let told = (states(&page, label), devices_of(&page, label));
        let equal = before == after && told == before;
        if !equal {
            println!("{what}: {told:?} of {before:?} to {after:?}");
        }
        last = Some(page);
        equal
    });
    last.unwrap()
}

#[test]
fn states_and_devices_are_those_of_ss_and_ip() {
    if !installed("ss") {
        return skip("ss is not installed");
    }
    let Some([near, far]) = joined() else { return };
    let held = populate(&near, &far);
    wait_until("the states", || {
        let (states, _) = ss(&near);
        states.get("fin_wait2") == Some(&3.0) && states.get("time_wait") == Some(&3.0)
    });
    let weir = Weir::start(&[&format!("--netns={},{}", near.name, far.name)]);
    let from_proc = Weir::start(&[&format!("--netns={}", near.name), "--sockets.source=proc"]);
    let page = agree("near", &near, &near.name, || weir.scrape());
    agree("near through /proc", &near, &near.name, || {
        from_proc.scrape()
    });
    agree("far", &far, &far.name, || weir.scrape());
    assert_eq!(states(&page, &near.name)["syn_sent"], 1.0);
    assert_eq!(states(&page, &near.name)["listen"], 2.0);

    let near_label = [("netns", near.name.as_str())];
    let value = |family: &str| page.value(family, &near_label).unwrap();
    assert_eq!(value("ephemeral_ports_total"), 1000.0);
    assert_eq!(value("ephemeral_ports_used"), ss(&near).1);
    assert_eq!(value("weir_ephemeral_ports_reserved"), 10.0);
    assert_eq!(value("ephemeral_port_exporter_scrape_success"), 1.0);
    assert!(value("node_netstat_Tcp_ActiveOpens") >= 13.0);
    // IPv6 and mapped connections are of one protocol to the kernel.
    assert!(value("node_sockstat_TCP6_inuse") >= 5.0);
    let nohandler = [("device", "n0"), ("netns", near.name.as_str())];
    let nohandler = page.value("node_network_receive_nohandler_total", &nohandler);
    assert_eq!(nohandler, Some(0.0));

    // The same without privilege, from a process inside.
    let sleeps = sleeper(&near);
    let label = seen_from_outside(&sleeps);
    let program = ForAll::new();
    let arguments = ["--netns=all", "--limit.netns=10000"];
    agree("near as nobody", &near, &label, || {
        once(&mut program.command(), &arguments)
    });
    drop(held);
}

#[test]
fn an_idle_namespace_is_told_as_a_walk_would_tell_it() {
    if !installed("ss") {
        return skip("ss is not installed");
    }
    let Some([near, far]) = joined() else { return };
    let weir = Weir::start(&[&format!("--netns={},{}", near.name, far.name)]);
    let same = |what: &str| agree(what, &near, &near.name, || weir.scrape());
    same("nothing");
    let listeners = near.inside(|| {
        ["10.98.0.1:7001", "[::]:7002"].map(|address| TcpListener::bind(address).unwrap())
    });
    for _ in 0..3 {
        let page = same("listeners");
        assert_eq!(states(&page, &near.name)["listen"], 2.0);
    }
    // A handshake that is never finished is in none of the counts that tell an idle namespace.
    let server: SocketAddr = "10.98.0.1:7001".parse().unwrap();
    // Near answers into the void.
    near.ip("neigh replace 10.98.0.2 lladdr 02:00:00:00:00:99 dev n0 nud permanent");
    let begun = far.inside(|| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let kind = SocketType::STREAM;
        let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None).unwrap();
        let _ = rustix::net::connect(&socket, &server);
        socket
    });
    wait_until("the handshake", || ss(&near).0.contains_key("syn_recv"));
    for _ in 0..3 {
        let page = same("handshake");
        assert_eq!(states(&page, &near.name)["syn_recv"], 1.0);
    }
    drop(begun);
    drop(listeners);
}

#[test]
fn the_own_namespace_is_as_without_the_flag() {
    // In one of the test's own: in the machine's, devices and sockets come and go between the two runs.
    let Some(made) = namespaces(1) else { return };
    let run = |arguments: &[&str]| {
        let mut command = made[0].command(WEIR);
        once(command.arg("--no-collector.filesystem"), arguments)
    };
    let (plain, labelled) = (run(&[]), run(&["--netns=nonesuch"]));
    let own = |page: &Page| {
        let mut series = std::collections::BTreeSet::new();
        for (name, family) in &page.families {
            for (sample, labels) in family.samples.keys() {
                let mut labels = labels.clone();
                labels.remove("netns");
                // To enter namespaces takes rights that are kept then.
                if !name.starts_with("weir_netns") && name != "weir_sandbox_info" {
                    series.insert(format!(
                        "{sample} {} {} {labels:?}",
                        family.kind, family.help
                    ));
                }
            }
        }
        series
    };
    assert_eq!(own(&plain), own(&labelled));
    assert!(
        !plain
            .families
            .keys()
            .any(|name| name.starts_with("weir_netns"))
    );
}
