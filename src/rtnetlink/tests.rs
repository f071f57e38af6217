use std::net::IpAddr;

use super::qdiscs::Qdisc;
use super::qdiscs::Stats;
use super::qdiscs::qdisc;
use super::routes::message;
use crate::netlink::Cause;
use crate::netlink::attributes::push;
use crate::netlink::attributes::push_nested;
use crate::parse::route::Route;

fn routes_in(payload: &[u8]) -> Result<Vec<(u32, Route)>, Cause> {
    let mut found = Vec::new();
    message(payload, &mut |index, route| found.push((index, route)))?;
    Ok(found)
}

fn rtmsg(family: u8, length: u8, protocol: u8, kind: u8) -> Vec<u8> {
    vec![family, length, 0, 0, 254, protocol, 0, kind, 0, 0, 0, 0]
}

/// default via 192.0.2.1 dev 2 proto dhcp src 192.0.2.2 metric 100
fn default_route() -> Vec<u8> {
    let mut bytes = rtmsg(2, 0, 16, 1);
    push(&mut bytes, 15, &254u32.to_ne_bytes());
    push(&mut bytes, 6, &100u32.to_ne_bytes());
    push(&mut bytes, 7, &[192, 0, 2, 2]);
    push(&mut bytes, 5, &[192, 0, 2, 1]);
    push(&mut bytes, 4, &2u32.to_ne_bytes());
    bytes
}

/// 2001:db8::/32 nexthop via fe80::1 dev 2 weight 1 nexthop dev 3 weight 256
fn two_ways() -> Vec<u8> {
    let mut gateway = [0; 16];
    (gateway[0], gateway[1], gateway[15]) = (0xfe, 0x80, 1);
    let mut first = vec![28, 0, 0, 0];
    first[..2].copy_from_slice(&28u16.to_ne_bytes());
    first.extend_from_slice(&2u32.to_ne_bytes());
    push(&mut first, 5, &gateway);
    let mut second = vec![0, 0, 0, 255];
    second[..2].copy_from_slice(&8u16.to_ne_bytes());
    second.extend_from_slice(&3u32.to_ne_bytes());
    let mut bytes = rtmsg(10, 32, 3, 1);
    let mut destination = [0; 16];
    destination[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    push(&mut bytes, 1, &destination);
    push(&mut bytes, 9, &[first, second].concat());
    bytes
}

fn tcmsg(parent: u32) -> Vec<u8> {
    [0, 2, 0, parent, 1]
        .into_iter()
        .flat_map(u32::to_ne_bytes)
        .collect()
}

fn basic() -> Vec<u8> {
    [
        &7_000_000_000u64.to_ne_bytes()[..],
        &5u32.to_ne_bytes(),
        &[0; 4],
    ]
    .concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect()
}

/// fq_codel at the root of device 2, as 6.18 sends it, without its own attributes.
fn root() -> Vec<u8> {
    let mut stats = Vec::new();
    push(&mut stats, 1, &basic());
    push(&mut stats, 3, &numbers(&[6, 7, 8, 9, 10]));
    let mut bytes = tcmsg(u32::MAX);
    push(&mut bytes, 1, b"fq_codel\0");
    push_nested(&mut bytes, 7, &stats);
    let older = [
        &7_000_000_000u64.to_ne_bytes()[..],
        &numbers(&[5, 8, 10, 0, 0, 6, 7]),
    ]
    .concat();
    push(&mut bytes, 3, &older);
    bytes
}

const STATS: Stats = Stats {
    bytes: 7_000_000_000,
    packets: 5,
    drops: 8,
    requeues: 9,
    overlimits: 10,
    queue_length: 6,
    backlog: 7,
};

#[test]
fn parses() {
    let expected = Route {
        length: 0,
        destination: IpAddr::from([0; 4]),
        priority: 100,
        gateway: Some(IpAddr::from([192, 0, 2, 1])),
        source: Some(IpAddr::from([192, 0, 2, 2])),
        protocol: Some(16),
        weight: None,
    };
    assert_eq!(routes_in(&default_route()), Ok(vec![(2, expected)]));
    let expected = Qdisc {
        index: 2,
        kind: b"fq_codel",
        stats: STATS,
    };
    assert_eq!(qdisc(&root()), Ok(Some(expected)));
}

#[test]
fn each_of_several_ways_is_a_route() {
    let found = routes_in(&two_ways()).expect("two ways");
    let told: Vec<_> = found
        .iter()
        .map(|(index, route)| {
            (
                *index,
                route.gateway.map(|address| address.to_string()),
                route.weight,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (2, Some("fe80::1".to_string()), Some(1)),
            (3, None, Some(256))
        ]
    );
    assert_eq!(found[1].1.destination.to_string(), "2001:db8::");
    assert_eq!(found[1].1.length, 32);
}

#[test]
fn what_is_no_unicast_route_of_ip_is_passed_over() {
    for header in [
        rtmsg(2, 32, 2, 2),
        rtmsg(10, 8, 2, 5),
        rtmsg(28, 20, 4, 1),
        rtmsg(128, 32, 17, 1),
    ] {
        assert_eq!(routes_in(&header), Ok(Vec::new()));
    }
}

#[test]
fn what_is_at_no_root_or_has_no_statistics_is_passed_over() {
    for parent in [0xffff_fff1, 0x1_0001] {
        let child = [&tcmsg(parent)[..], &root()[20..]].concat();
        assert_eq!(qdisc(&child), Ok(None));
    }
    assert_eq!(qdisc(&tcmsg(u32::MAX)), Ok(None));
}

#[test]
fn statistics_of_older_and_newer_kernels() {
    let mut older = tcmsg(u32::MAX);
    let stats = [
        &7_000_000_000u64.to_ne_bytes()[..],
        &numbers(&[5, 8, 10, 0, 0, 6, 7]),
    ]
    .concat();
    push(&mut older, 3, &stats);
    let found = qdisc(&older).expect("a message").expect("a root");
    assert_eq!(
        found.stats,
        Stats {
            requeues: 0,
            ..STATS
        }
    );

    let mut stats = Vec::new();
    push(&mut stats, 1, &basic());
    push(&mut stats, 8, &5_000_000_000u64.to_ne_bytes());
    let mut newer = tcmsg(u32::MAX);
    push(&mut newer, 7, &stats);
    let found = qdisc(&newer).expect("a message").expect("a root");
    assert_eq!(found.stats.packets, 5_000_000_000);
}

#[test]
fn short() {
    assert_eq!(
        routes_in(&default_route()[..11]),
        Err(Cause::Malformed("an rtmsg of 12 bytes", 11))
    );
    assert_eq!(
        qdisc(&root()[..19]),
        Err(Cause::Malformed("a tcmsg of 20 bytes", 19))
    );
    for (kind, value, rule) in [
        (4, &[0; 3][..], "an RTA_OIF of 4 bytes"),
        (6, &[0; 3], "an RTA_PRIORITY of 4 bytes"),
        (1, &[0; 3], "an address as long as those of its family"),
        (5, &[0; 16], "an address as long as those of its family"),
        (9, &[8, 0, 0], "an rtnexthop of 8 bytes"),
    ] {
        let mut bytes = rtmsg(2, 24, 2, 1);
        push(&mut bytes, kind, value);
        assert_eq!(routes_in(&bytes), Err(Cause::Malformed(rule, value.len())));
    }
    assert!(routes_in(&rtmsg(2, 33, 2, 1)).is_err());
    for (kind, length, rule) in [
        (1, 11, "a gnet_stats_basic of 12 bytes"),
        (3, 19, "a gnet_stats_queue of 20 bytes"),
        (8, 7, "a TCA_STATS_PKT64 of 8 bytes"),
    ] {
        let mut stats = Vec::new();
        push(&mut stats, kind, &vec![0; length]);
        let mut bytes = tcmsg(u32::MAX);
        push(&mut bytes, 7, &stats);
        assert_eq!(qdisc(&bytes), Err(Cause::Malformed(rule, length)));
    }
}

#[test]
fn empty() {
    assert!(routes_in(&[]).is_err() && qdisc(&[]).is_err());
}

#[test]
fn ends_abruptly() {
    let whole = two_ways();
    for end in 13..whole.len() {
        // Behind the destination the message could be whole.
        assert_eq!(routes_in(&whole[..end]).is_ok(), end == 32, "cut at {end}");
    }
    let whole = root();
    let between: Vec<_> = (21..whole.len())
        .filter(|end| qdisc(&whole[..*end]).is_ok())
        .collect();
    // The kind's last bytes are padding; then come the two statistics.
    assert_eq!(between, [33, 34, 35, 36, 84]);
}

#[test]
fn a_way_that_ends_behind_the_message() {
    for length in [0u16, 7, 200] {
        let mut bytes = two_ways();
        bytes[36..38].copy_from_slice(&length.to_ne_bytes());
        let rule = "an rtnexthop that ends inside its message";
        assert_eq!(
            routes_in(&bytes),
            Err(Cause::Malformed(rule, usize::from(length)))
        );
    }
}

#[test]
fn garbling_never_panics() {
    for whole in [default_route(), two_ways(), root()] {
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let _ = (routes_in(&bytes), qdisc(&bytes));
            }
        }
    }
}

#[test]
fn what_an_emulator_refuses_is_absent_and_want_of_memory_is_not() {
    use rustix::io::Errno;
    let is_absent = |cause| {
        super::is_absent(&crate::netlink::NetlinkError {
            request: "RTM_GETROUTE",
            cause,
        })
    };
    assert!(is_absent(Cause::Call("socket", Errno::AFNOSUPPORT)));
    assert!(is_absent(Cause::Refused(Errno::OPNOTSUPP)));
    assert!(!is_absent(Cause::Call("socket", Errno::MFILE)));
    assert!(!is_absent(Cause::Call("recv", Errno::AGAIN)));
    assert!(!is_absent(Cause::Malformed("a message", 0)));
}
