//! Who opened a connection, case by case.

use super::tests::RANGE;
use super::tests::settings;
use super::tests::walk;
use super::*;

/// What a case says: its name, the listeners, those of an earlier walk, one connection's ends, and who opened it.
type Case<'a> = (
    &'a str,
    &'a [&'a str],
    &'a [&'a str],
    [&'a str; 2],
    Direction,
);

const IN: Direction = Direction::Input;
const OUT: Direction = Direction::Output;

const CASES: &[Case<'_>] = &[
    (
        "a service on all addresses",
        &["0.0.0.0:443"],
        &[],
        ["10.0.0.1:443", "10.0.0.2:50000"],
        IN,
    ),
    (
        "a service on one address",
        &["10.0.0.1:443"],
        &[],
        ["10.0.0.1:443", "10.0.0.2:50000"],
        IN,
    ),
    (
        "a client",
        &[],
        &[],
        ["10.0.0.1:50000", "10.0.0.2:443"],
        OUT,
    ),
    (
        "a client of a machine that serves the same",
        &["0.0.0.0:443"],
        &[],
        ["10.0.0.1:50000", "10.0.0.2:443"],
        OUT,
    ),
    (
        "IPv6",
        &["[::]:443"],
        &[],
        ["[2001:db8::1]:443", "[2001:db8::2]:50000"],
        IN,
    ),
    (
        "IPv6 on one address",
        &["[2001:db8::1]:443"],
        &[],
        ["[2001:db8::1]:443", "[2001:db8::2]:50000"],
        IN,
    ),
    (
        "an IPv6 client",
        &[],
        &[],
        ["[2001:db8::1]:50000", "[2001:db8::2]:443"],
        OUT,
    ),
    (
        "a dual-stack service's IPv4 peer",
        &["[::]:443"],
        &[],
        ["[::ffff:10.0.0.1]:443", "[::ffff:10.0.0.2]:50000"],
        IN,
    ),
    (
        "a mapped wildcard",
        &["[::ffff:0.0.0.0]:40000"],
        &[],
        ["[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.2]:50000"],
        IN,
    ),
    (
        "a mapped address",
        &["[::ffff:10.0.0.1]:40000"],
        &[],
        ["[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.2]:50000"],
        IN,
    ),
    (
        "an IPv4 client by an IPv6 socket",
        &[],
        &[],
        ["[::ffff:10.0.0.1]:50000", "[::ffff:10.0.0.2]:443"],
        OUT,
    ),
    (
        "a service on an ephemeral port",
        &["0.0.0.0:40000"],
        &[],
        ["10.0.0.1:40000", "10.0.0.2:50000"],
        IN,
    ),
    (
        "a dual-stack one on an ephemeral port",
        &["[::]:40000"],
        &[],
        ["[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.2]:50000"],
        IN,
    ),
    (
        "its client",
        &[],
        &[],
        ["10.0.0.2:50000", "10.0.0.1:40000"],
        OUT,
    ),
    (
        "its client, that serves the client's port elsewhere",
        &["10.0.0.9:50000"],
        &[],
        ["10.0.0.2:50000", "10.0.0.1:40000"],
        OUT,
    ),
    (
        "a client with a low port of its own (rsh)",
        &["0.0.0.0:514"],
        &[],
        ["10.0.0.1:514", "10.0.0.2:1023"],
        IN,
    ),
    (
        "that client",
        &[],
        &[],
        ["10.0.0.2:1023", "10.0.0.1:514"],
        OUT,
    ),
    (
        "a client behind NAT with a port outside the range",
        &["0.0.0.0:443"],
        &[],
        ["10.0.0.1:443", "203.0.113.1:1025"],
        IN,
    ),
    (
        "a listener that is closed, outside the range",
        &[],
        &[],
        ["10.0.0.1:8080", "10.0.0.2:50000"],
        IN,
    ),
    (
        "one remembered, its client outside the range",
        &[],
        &["0.0.0.0:8080"],
        ["10.0.0.1:8080", "10.0.0.2:1025"],
        IN,
    ),
    (
        "one remembered, inside the range (passive FTP)",
        &[],
        &["10.0.0.1:40000"],
        ["10.0.0.1:40000", "10.0.0.2:50000"],
        IN,
    ),
    (
        "a remembered port that the kernel picked again",
        &[],
        &["10.0.0.1:40000"],
        ["10.0.0.1:40000", "10.0.0.2:443"],
        OUT,
    ),
    (
        "a listener of the other family",
        &["[::1]:40000"],
        &[],
        ["10.0.0.1:40000", "10.0.0.2:50000"],
        OUT,
    ),
    (
        "two services that talk, the one that accepted",
        &["0.0.0.0:179"],
        &[],
        ["10.0.0.1:179", "10.0.0.2:179"],
        IN,
    ),
    (
        "loopback, the end that accepted",
        &["127.0.0.1:5432"],
        &[],
        ["127.0.0.1:5432", "127.0.0.1:50000"],
        IN,
    ),
    (
        "loopback, the end that opened",
        &["127.0.0.1:5432"],
        &[],
        ["127.0.0.1:50000", "127.0.0.1:5432"],
        OUT,
    ),
    (
        "a socket connected to itself",
        &[],
        &[],
        ["127.0.0.1:50000", "127.0.0.1:50000"],
        OUT,
    ),
];

#[test]
fn direction_on_constructed_cases() {
    assert!(CASES.len() >= 25);
    for (name, listeners, earlier, [local, remote], direction) in CASES {
        let mut peers = Peers::new(&settings(|_| {}));
        walk(&mut peers, earlier, &[], Some(RANGE));
        walk(&mut peers, listeners, &[(local, remote)], Some(RANGE));
        let found = peers.pairs().top(1)[0].0.direction();
        assert_eq!(found, *direction, "{name}");
    }
}

/// Another namespace's range cannot be read.
#[test]
fn without_the_range_listeners_alone_decide() {
    let by_range_only = ["a listener that is closed, outside the range"];
    // Where the kernel picks from is unknown, so that it may have picked again is too.
    let reused = ["a remembered port that the kernel picked again"];
    for (name, listeners, earlier, [local, remote], direction) in CASES {
        let mut peers = Peers::new(&settings(|_| {}));
        walk(&mut peers, earlier, &[], None);
        walk(&mut peers, listeners, &[(local, remote)], None);
        let found = peers.pairs().top(1)[0].0.direction();
        let expected = match *direction {
            IN if by_range_only.contains(name) => OUT,
            OUT if reused.contains(name) => IN,
            direction => direction,
        };
        assert_eq!(found, expected, "{name}");
    }
}
