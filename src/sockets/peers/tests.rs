//! Direction on constructed cases, the bounds while strangers connect, and what is counted of whom.

use std::net::IpAddr;

use super::*;
use crate::cidr::Grouping;
use crate::config::cidrs;
use crate::parse::net_tcp::Family;

pub(super) const RANGE: PortRange = PortRange {
    low: 32768,
    high: 60999,
};

/// `10.0.0.1:80`, `[2001:db8::1]:80`, `[::]:80`, `[::ffff:10.0.0.1]:80`: brackets make an IPv6 socket.
fn end(text: &str) -> (Family, Address, u16) {
    let (host, port) = text.rsplit_once(':').unwrap();
    let inner = host.trim_matches(['[', ']']);
    let address = match inner.parse().unwrap() {
        IpAddr::V4(address) => Address::v4(address.octets()),
        IpAddr::V6(address) => Address::v6(address.octets()),
    };
    let family = if host == inner {
        Family::V4
    } else {
        Family::V6
    };
    (family, address, port.parse().unwrap())
}

fn socket(state: State, local: &str, remote: &str) -> Socket {
    let ((family, local, local_port), (_, remote, remote_port)) = (end(local), end(remote));
    Socket {
        family,
        state,
        local,
        local_port,
        remote,
        remote_port,
        send_queue: 0,
        receive_queue: 0,
    }
}

fn listener(local: &str) -> Socket {
    let nowhere = if local.starts_with('[') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    socket(State::LISTEN, local, nowhere)
}

pub(super) fn settings(change: impl FnOnce(&mut Connections)) -> Connections {
    let mut settings = Connections {
        exclude: Vec::new(),
        ..Connections::default()
    };
    change(&mut settings);
    settings
}

/// One walk: the listeners and the connections of IPv4, then those of IPv6, as /proc brings them.
pub(super) fn walk(
    peers: &mut Peers,
    listeners: &[&str],
    connections: &[(&str, &str)],
    range: Option<PortRange>,
) {
    peers.restart();
    for v6 in [false, true] {
        let of_family = |local: &&str| local.starts_with('[') == v6;
        for local in listeners.iter().filter(|local| of_family(local)) {
            peers.add(&listener(local), None);
        }
        for (local, remote) in connections.iter().filter(|(local, _)| of_family(local)) {
            peers.add(&socket(State::ESTABLISHED, local, remote), range);
        }
    }
    peers.finish();
}

/// `local peer direction count`, sorted by the pairs.
pub(super) fn told(peers: &Peers) -> Vec<String> {
    let mut all = peers.pairs().top(usize::MAX);
    all.sort_unstable_by_key(|(pair, _)| *pair);
    let line = |(pair, count): (Pair, u64)| {
        let peer = peers.settings.group.text(pair.peer());
        format!(
            "{} {peer} {} {count}",
            pair.local().ip(),
            pair.direction().word()
        )
    };
    all.into_iter().map(line).collect()
}

#[test]
fn a_specific_listener_takes_only_its_own_address() {
    let mut peers = Peers::new(&settings(|_| {}));
    let connections = [
        ("10.0.0.1:40000", "10.0.0.2:50000"),
        ("10.0.0.3:40000", "10.0.0.2:50000"),
        ("[2001:db8::1]:40000", "[2001:db8::2]:50000"),
    ];
    walk(
        &mut peers,
        &["10.0.0.1:40000", "[::1]:40000"],
        &connections,
        Some(RANGE),
    );
    assert_eq!(
        told(&peers),
        [
            "10.0.0.1 10.0.0.2 input 1",
            "10.0.0.3 10.0.0.2 output 1",
            "2001:db8::1 2001:db8::2 output 1",
        ]
    );
}

#[test]
fn a_listener_is_remembered_while_it_explains_a_connection_and_some_walks_longer() {
    let mut peers = Peers::new(&settings(|_| {}));
    let connection = [("10.0.0.1:40000", "10.0.0.2:50000")];
    walk(&mut peers, &["0.0.0.0:40000"], &connection, Some(RANGE));
    for _ in 0..100 {
        walk(&mut peers, &[], &connection, Some(RANGE));
        assert_eq!(told(&peers), ["10.0.0.1 10.0.0.2 input 1"]);
    }
    for _ in 0..19 {
        walk(&mut peers, &[], &[], Some(RANGE));
    }
    walk(&mut peers, &[], &connection, Some(RANGE));
    assert_eq!(told(&peers), ["10.0.0.1 10.0.0.2 input 1"]);
    for _ in 0..20 {
        walk(&mut peers, &[], &[], Some(RANGE));
    }
    walk(&mut peers, &[], &connection, Some(RANGE));
    assert_eq!(told(&peers), ["10.0.0.1 10.0.0.2 output 1"]);
}

/// More listeners than are told apart by address: the ports decide then, for those of this walk and no others.
#[test]
fn the_memory_of_listeners_is_bounded() {
    let mut peers = Peers::new(&settings(|_| {}));
    for round in 0..50u8 {
        peers.restart();
        for number in 0..5000u16 {
            let mut one = listener(&format!("10.0.0.{round}:1"));
            one.local_port = 10_000 + number;
            peers.add(&one, None);
        }
        let last = format!("10.0.0.{round}:14999");
        peers.add(&socket(State::ESTABLISHED, &last, "10.9.9.9:50000"), None);
        peers.finish();
        assert_eq!(told(&peers), [format!("10.0.0.{round} 10.9.9.9 input 1")]);
    }
    assert_eq!(peers.accepted().count(), 5000);
    walk(
        &mut peers,
        &[],
        &[("10.0.0.49:9999", "10.9.9.9:50000")],
        None,
    );
    assert_eq!(told(&peers), ["10.0.0.49 10.9.9.9 output 1"]);
}

#[test]
fn a_connection_within_this_host_counts_once_in_each_direction() {
    let mut peers = Peers::new(&settings(|_| {}));
    let both = [
        ("10.0.0.1:80", "10.0.0.1:50000"),
        ("10.0.0.1:50000", "10.0.0.1:80"),
        ("[::1]:80", "[::1]:50001"),
        ("[::1]:50001", "[::1]:80"),
    ];
    walk(&mut peers, &["0.0.0.0:80", "[::]:80"], &both, Some(RANGE));
    assert_eq!(
        told(&peers),
        [
            "::1 ::1 input 1",
            "10.0.0.1 10.0.0.1 input 1",
            "::1 ::1 output 1",
            "10.0.0.1 10.0.0.1 output 1"
        ]
    );
    assert_eq!((peers.counted(), peers.opened()), ([2, 2], 2));
    assert_eq!(peers.accepted().collect::<Vec<_>>(), [(80, 2)]);
}

#[test]
fn ports_are_counted_anew_in_each_walk() {
    let mut peers = Peers::new(&settings(|_| {}));
    let both = [
        ("10.0.0.1:80", "10.0.0.2:50000"),
        ("10.0.0.1:65535", "10.0.0.2:50001"),
    ];
    let walks = [
        (
            &["0.0.0.0:0", "0.0.0.0:80"][..],
            &both[..],
            &[(0, 0), (80, 1), (65535, 1)][..],
        ),
        (&["0.0.0.0:80"], &both[..1], &[(80, 1)]),
        (&["0.0.0.0:443"], &[], &[(443, 0)]),
        (&[], &[], &[]),
    ];
    for (listeners, connections, expected) in walks {
        walk(&mut peers, listeners, connections, Some(RANGE));
        assert_eq!(peers.accepted().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn peers_are_filtered_and_grouped_and_ports_are_not() {
    let mut peers = Peers::new(&settings(|settings| {
        settings.exclude = cidrs("10.1.0.0/16,::1/128").unwrap();
        settings.include = cidrs("10.0.0.0/8,::/0").unwrap();
        settings.group = Grouping::parse("/24,/64").unwrap();
    }));
    let connections = [
        ("10.0.0.1:80", "10.0.7.1:50000"),
        ("10.0.0.1:80", "10.0.7.200:50000"),
        ("[::ffff:10.0.0.1]:80", "[::ffff:10.0.7.3]:50000"),
        ("10.0.0.1:80", "10.1.7.1:50000"),
        ("10.0.0.1:80", "192.0.2.1:50000"),
        ("[::1]:80", "[::1]:50000"),
        ("[2001:db8::1]:50000", "[2001:db8:9:8:7::6]:443"),
        ("[2001:db8::1]:50001", "[2001:db8:9:8::1]:443"),
    ];
    walk(
        &mut peers,
        &["0.0.0.0:80", "[::]:80", "0.0.0.0:22"],
        &connections,
        Some(RANGE),
    );
    assert_eq!(
        told(&peers),
        [
            "10.0.0.1 10.0.7.0/24 input 3",
            "2001:db8::1 2001:db8:9:8::/64 output 2"
        ]
    );
    assert_eq!((peers.counted(), peers.opened()), ([3, 2], 2));
    assert_eq!(peers.accepted().collect::<Vec<_>>(), [(22, 0), (80, 6)]);
}

/// 200,000 peers that come once, and among them some that come often: the table does not grow, sums are right, and the
/// largest are found in the first walk and exact in the second.
#[test]
fn bounded_while_strangers_connect() {
    let max_series = 10_000;
    let mut peers = Peers::new(&settings(|settings| settings.max_series = max_series));
    let often = |number: u32| number % 1000 < 5;
    let stranger = |number: u32| {
        let mut one = socket(State::ESTABLISHED, "10.0.0.1:443", "10.0.0.2:50000");
        // A bijection that scatters, as the kernel's hash does.
        let scattered = number.wrapping_mul(2_654_435_761);
        let [a, b, c, d] = if often(number) {
            [192, 0, 2, (number / 1000) as u8 % 10]
        } else {
            scattered.to_be_bytes()
        };
        one.remote = Address::v4([a, b, c, d]);
        one
    };
    // Under the emulator that runs the big-endian tests each walk takes minutes.
    let walks = if cfg!(target_endian = "big") { 1 } else { 3 };
    for walk in 0..walks {
        peers.restart();
        peers.add(&listener("0.0.0.0:443"), None);
        (0..200_000).for_each(|number| peers.add(&stranger(number), Some(RANGE)));
        peers.finish();
        let largest = peers.pairs().top(10);
        for (pair, count) in &largest {
            let [.., a, b, c, _] = pair.peer();
            assert_eq!([a, b, c], [192, 0, 2], "walk {walk}: {largest:?}");
            assert!(*count <= 100 && *count + 22 >= 100, "walk {walk}: {count}");
            assert!(walk == 0 || *count == 100, "walk {walk}: {count}");
        }
        let held: u64 = peers
            .pairs()
            .top(usize::MAX)
            .iter()
            .map(|(_, count)| count)
            .sum();
        assert_eq!(held + peers.pairs().without_room(), 200_000);
        assert_eq!(peers.counted(), [200_000, 0]);
        assert!(peers.pairs().len() <= PAIRS);
        assert!(
            peers.pairs().places() <= PAIRS,
            "{}",
            peers.pairs().places()
        );
    }
}
