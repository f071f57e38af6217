//! `connections` in other namespaces: every series is what was opened there, and what `ss` lists inside, whoever asks.
//!
//! Two namespaces talk in both directions over IPv4, IPv6 and IPv4 inside IPv6, a third with itself by an address that one of
//! the two has too. Both of the two pick local ports from 30000 to 30999, which is not the machine's range: who enters them
//! knows that, who only reads their tables does not.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::Shutdown;

use crate::connections::Held;
use crate::connections::INPUT;
use crate::connections::OUTPUT;
use crate::connections::end;
use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::LabelSet;
use crate::text::Page;

use super::ForAll;
use super::namespaces;
use super::numbers::joined;
use super::once;
use super::seen_from_outside;
use super::sleeper;

const SERVICES: &str = "weir_connections";

const FLAGS: [&str; 4] = [
    "--netns=all",
    "--limit.netns=10000",
    "--collector.disable-defaults",
    "--collector.connections",
];

/// The values of one namespace by family and labels, without the label `netns`.
pub(super) type Series = BTreeMap<(String, LabelSet), f64>;

fn pair(family: &str, dest: &str, src: &str) -> (String, LabelSet) {
    let labels = [("dest_ip", dest), ("src_ip", src), ("peer_hostname", "")];
    named(family, &labels)
}

fn service(port: &str, direction: &str) -> (String, LabelSet) {
    named(SERVICES, &[("local_port", port), ("direction", direction)])
}

fn named(family: &str, labels: &[(&str, &str)]) -> (String, LabelSet) {
    let labels = labels.iter();
    let labels = labels.map(|(name, value)| ((*name).to_string(), (*value).to_string()));
    (family.to_string(), labels.collect())
}

/// What the page says of one namespace's connections.
pub(super) fn told(page: &Page, netns: &str) -> Series {
    let families = [INPUT, OUTPUT, SERVICES].into_iter();
    let samples = families.filter_map(|name| page.families.get(name));
    let samples = samples.flat_map(|family| &family.samples);
    let own = samples.filter(|((_, labels), _)| labels.get("netns").is_some_and(|of| of == netns));
    own.map(|((name, labels), value)| {
        let mut labels = labels.clone();
        labels.remove("netns");
        ((name.clone(), labels), *value)
    })
    .collect()
}

fn port(text: &str) -> u16 {
    text.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The same of what `ss` lists inside, grouped by hand: what has one of these local ports was accepted there.
pub(super) fn listed_by_ss(namespace: &Namespace, served: &[u16]) -> Series {
    let ss = |arguments: &[&str]| String::from_utf8(namespace.run("ss", arguments)).unwrap();
    let mut found = Series::from([(service("", "output"), 0.0)]);
    for line in ss(&["-Htln"]).lines() {
        let local = line.split_whitespace().nth(3).unwrap();
        found.insert(service(&port(local).to_string(), "input"), 0.0);
    }
    for line in ss(&["-Htn", "state", "established"]).lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let (local, peer) = (end(words[2]), end(words[3]));
        let local_port = port(words[2]);
        let (local_ip, peer_ip) = (local.to_string(), peer.to_string());
        let (service, pair) = if served.contains(&local_port) {
            let service = service(&local_port.to_string(), "input");
            (service, pair(INPUT, &local_ip, &peer_ip))
        } else {
            (service("", "output"), pair(OUTPUT, &peer_ip, &local_ip))
        };
        *found.entry(service).or_default() += 1.0;
        if !peer.is_loopback() {
            *found.entry(pair).or_default() += 1.0;
        }
    }
    found
}

/// Served until the test closes it; outside of the namespaces' range and inside the machine's.
const OUTSIDE: u16 = 40500;
/// The same inside of their range.
const INSIDE: u16 = 30600;
/// What stays served beside them in the first namespace; and what is in the others, whose clients may be given a port that is
/// served in the first.
const SERVED_NEAR: [u16; 4] = [443, 8080, 9090, 30500];
const SERVED_FAR: [u16; 2] = [25, 5432];
const SERVED_ALONE: [u16; 2] = [25, 443];

const NEAR: [&str; 2] = ["10.98.0.1", "2001:db8:98::1"];
const FAR: [&str; 2] = ["10.98.0.2", "2001:db8:98::2"];

/// The connections between the two, and within each.
fn populate(near: &Namespace, far: &Namespace) -> Held {
    let mut held = Held::default();
    for address in [
        "0.0.0.0:443",
        "[::]:8080",
        "[2001:db8:98::1]:9090",
        "10.98.0.1:30500",
        "0.0.0.0:40500",
        "[::]:30600",
    ] {
        held.listen(near, address);
    }
    held.listen(far, "[::]:5432");
    held.listen(far, "10.98.0.2:25");
    held.open(far, "10.98.0.1:443", "0.0.0.0:443", 3);
    held.open(far, "10.98.0.1:8080", "[::]:8080", 2);
    held.open(far, "[2001:db8:98::1]:8080", "[::]:8080", 1);
    held.open(far, "[2001:db8:98::1]:9090", "[2001:db8:98::1]:9090", 2);
    held.open(far, "10.98.0.1:30500", "10.98.0.1:30500", 2);
    // One by one all are accepted: what still waits for that is reset when its listener is closed.
    for (server, listener, count) in [
        ("10.98.0.1:40500", "0.0.0.0:40500", 4),
        ("10.98.0.1:30600", "[::]:30600", 5),
    ] {
        (0..count).for_each(|_| held.open(far, server, listener, 1));
    }
    held.open(near, "10.98.0.2:5432", "[::]:5432", 4);
    held.open(near, "[::ffff:10.98.0.2]:5432", "[::]:5432", 1);
    held.open(near, "[2001:db8:98::2]:5432", "[::]:5432", 1);
    held.open(near, "10.98.0.2:25", "10.98.0.2:25", 1);
    // By its own address, and on loopback.
    held.open(near, "10.98.0.1:443", "0.0.0.0:443", 1);
    held.open(near, "127.0.0.1:443", "0.0.0.0:443", 1);
    // Half closed, so established at neither end.
    held.open(far, "10.98.0.1:443", "0.0.0.0:443", 1);
    let client = &held.ends[held.ends.len() - 2];
    client.shutdown(Shutdown::Write).unwrap();
    held
}

/// What was opened, as the first of the two sees it while everything is still served.
fn near_opened() -> Series {
    let mut opened = Series::from([
        (pair(INPUT, NEAR[0], FAR[0]), 3.0 + 2.0 + 2.0 + 4.0 + 5.0),
        (pair(INPUT, NEAR[1], FAR[1]), 1.0 + 2.0),
        (pair(INPUT, NEAR[0], NEAR[0]), 1.0),
        (pair(OUTPUT, FAR[0], NEAR[0]), 4.0 + 1.0 + 1.0),
        (pair(OUTPUT, FAR[1], NEAR[1]), 1.0),
        (pair(OUTPUT, NEAR[0], NEAR[0]), 1.0),
        (service("", "output"), 4.0 + 1.0 + 1.0 + 1.0 + 1.0 + 1.0),
    ]);
    for (port, count) in [
        ("443", 3.0 + 1.0 + 1.0),
        ("8080", 2.0 + 1.0),
        ("9090", 2.0),
        ("30500", 2.0),
        ("40500", 4.0),
        ("30600", 5.0),
    ] {
        opened.insert(service(port, "input"), count);
    }
    opened
}

/// As the second one sees it.
fn far_opened() -> Series {
    Series::from([
        (pair(INPUT, FAR[0], NEAR[0]), 4.0 + 1.0 + 1.0),
        (pair(INPUT, FAR[1], NEAR[1]), 1.0),
        (pair(OUTPUT, NEAR[0], FAR[0]), 3.0 + 2.0 + 2.0 + 4.0 + 5.0),
        (pair(OUTPUT, NEAR[1], FAR[1]), 1.0 + 2.0),
        (service("5432", "input"), 4.0 + 1.0 + 1.0),
        (service("25", "input"), 1.0),
        (service("", "output"), 16.0 + 3.0),
    ])
}

/// A third namespace that talks to itself.
fn alone() -> Option<(Namespace, Held)> {
    let alone = namespaces(1)?.pop()?;
    alone.ip("addr add 10.98.0.1/32 dev lo");
    let mut held = Held::default();
    held.listen(&alone, "0.0.0.0:443");
    held.listen(&alone, "0.0.0.0:25");
    held.open(&alone, "10.98.0.1:443", "0.0.0.0:443", 3);
    Some((alone, held))
}

fn alone_opened() -> Series {
    Series::from([
        (pair(INPUT, NEAR[0], NEAR[0]), 3.0),
        (pair(OUTPUT, NEAR[0], NEAR[0]), 3.0),
        (service("443", "input"), 3.0),
        (service("25", "input"), 0.0),
        (service("", "output"), 3.0),
    ])
}

fn assert_source(page: &Page, netns: &str, source: &str) {
    let labels = [("netns", netns), ("source", source)];
    let found = page.value("weir_netns_source_info", &labels);
    assert_eq!(found, Some(1.0), "{netns}: {source}");
}

#[test]
fn connections_are_those_that_ss_lists_inside() {
    if !installed("ss") {
        return skip("ss is not installed");
    }
    let Some([near, far]) = joined() else { return };
    let range = "net.ipv4.ip_local_port_range=30000 30999";
    far.run("sysctl", ["-qw", range]);
    let Some((alone, held_alone)) = alone() else {
        return;
    };
    let mut held = populate(&near, &far);
    let served = [&SERVED_NEAR[..], &[OUTSIDE, INSIDE]].concat();
    let opened = [
        (&near, near_opened(), &served[..]),
        (&far, far_opened(), &SERVED_FAR),
        (&alone, alone_opened(), &SERVED_ALONE),
    ];
    // The last segment of a handshake, or of the half closed one, may be on its way.
    for (namespace, opened, served) in &opened {
        wait_until("connections", || listed_by_ss(namespace, served) == *opened);
    }

    let sleeps = [&near, &far].map(sleeper);
    let [near_outside, far_outside] = [0, 1].map(|at: usize| seen_from_outside(&sleeps[at]));
    let inside = ["netlink", "proc"].map(|source| {
        let source = format!("--sockets.source={source}");
        Weir::start(&[&FLAGS[..], &[&source]].concat())
    });
    let program = ForAll::new();
    let mut nobody = program.command();
    nobody.arg("--web.listen-address=127.0.0.1:0").args(FLAGS);
    let outside = Weir::launch(&mut nobody);
    let check = |near_is: &Series| {
        for weir in &inside {
            let page = weir.scrape();
            assert_eq!(told(&page, &near.name), *near_is);
            for (namespace, opened, _) in &opened[1..] {
                assert_eq!(told(&page, &namespace.name), *opened);
                assert_source(&page, &namespace.name, "setns");
            }
        }
        let page = outside.scrape();
        assert_eq!(told(&page, &near_outside), *near_is);
        assert_eq!(told(&page, &far_outside), opened[1].1);
        assert_source(&page, &far_outside, "proc");
        // Nobody leads to the one without a process.
        assert_eq!(told(&page, &alone.name), Series::new());
    };
    check(&opened[0].1);

    // Whose listeners are closed is remembered, in each namespace for itself.
    held.listeners.remove("0.0.0.0:40500");
    held.listeners.remove("[::]:30600");
    let remembered = listed_by_ss(&near, &served);
    assert_eq!(remembered, opened[0].1);
    for _ in 0..3 {
        check(&remembered);
    }
    newcomers(&near, &near_outside, &program);
    drop((held, held_alone, sleeps));
}

/// Who has not seen the listeners that are closed knows the namespace's own port range inside, and none outside; a closed one
/// in that range is taken for a port that was picked.
fn newcomers(near: &Namespace, label: &str, program: &ForAll) {
    let known = [&SERVED_NEAR[..], &[OUTSIDE]].concat();
    let page = once(&mut std::process::Command::new(WEIR), &FLAGS);
    let by_range = listed_by_ss(near, &known);
    assert_eq!(told(&page, &near.name), by_range);
    let page = once(&mut program.command(), &FLAGS);
    let by_listeners = listed_by_ss(near, &SERVED_NEAR);
    assert_eq!(told(&page, label), by_listeners);
    assert_ne!(by_range, by_listeners);
    let all: BTreeSet<_> = page.families[INPUT].samples.keys().collect();
    assert!(all.iter().all(|(_, labels)| labels.contains_key("netns")));
}
