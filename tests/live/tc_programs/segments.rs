//! Packets that stand for many: how many, and with how many headers.

use super::Case;
use super::ETHERNET;
use super::check;
use super::one;
use super::packets::Context;
use super::packets::Packet;
use super::packets::Row;
use super::packets::Row::*;
use super::packets::tcp;
use super::programs;
use crate::support::skip;

/// A packet that stands for many.
fn many(
    name: &'static str,
    packet: Packet,
    row: Row,
    (gso_segs, gso_size): (u32, u32),
    (packets, bytes): (u64, u64),
) -> Case {
    let context = Context {
        gso_segs,
        gso_size,
        // Of no relation to the headers, and what BPF_PROG_TEST_RUN takes at most.
        wire_len: u32::try_from(bytes + 1000).unwrap().min(65_536),
    };
    Case {
        context,
        packets,
        bytes,
        ..one(name, packet, row)
    }
}

#[test]
fn a_packet_that_stands_for_many_counts_as_them() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    let options = Packet::ipv6(
        0,
        &[[6, 0, 1, 4, 0, 0, 0, 0].as_slice(), &tcp(8, 2000)].concat(),
    );
    let cases = [
        // 14 + 20 + 32 bytes of headers, for each packet but the first.
        many(
            "TCP over IPv4",
            Packet::ipv4(6, &tcp(8, 3000)),
            Ipv4(0),
            (3, 1448),
            (3, 3066 + 2 * 66),
        ),
        many(
            "TCP over IPv6",
            Packet::ipv6(6, &tcp(5, 3000)),
            Ipv6(0),
            (3, 1440),
            (3, 3074 + 2 * 74),
        ),
        many(
            "UDP",
            Packet::ipv4(17, &[0; 2008]),
            Ipv4(1),
            (20, 100),
            (20, 2042 + 19 * 42),
        ),
        many(
            "IPv4 options",
            Packet::ipv4_options(6, &tcp(5, 200)),
            Ipv4(0),
            (2, 100),
            (2, 258 + 58),
        ),
        many(
            "an extension header",
            options,
            Ipv6(0),
            (2, 1000),
            (2, 2094 + 94),
        ),
        many(
            "in a VLAN",
            Packet::ipv4(6, &tcp(5, 2000)).tagged(0x8100),
            Ipv4(0),
            (2, 1000),
            (2, 2058 + 58),
        ),
        many(
            "SCTP",
            Packet::ipv4(132, &[0; 2000]),
            Ipv4(3),
            (2, 0xffff),
            (2, 2034 + 34),
        ),
        many(
            "TCP cut short",
            Packet::ipv4(6, &[0; 12]),
            Ipv4(0),
            (2, 6),
            (2, 46 + 34),
        ),
        many(
            "not IP",
            Packet::of(0x8847, &[0xff; 2000]),
            NotIp,
            (2, 1000),
            (2, 2014 + 14),
        ),
        many(
            "the most there can be",
            Packet::ipv4(17, &[0; 8]),
            Ipv4(1),
            (65_535, 1),
            (65_535, 42 + 65_534 * 42),
        ),
    ];
    for case in &cases {
        check(&programs, ETHERNET, case);
    }
}

#[test]
fn packets_that_nobody_counted_are_counted_from_their_lengths() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    let cases = [
        many(
            "the last one shorter",
            Packet::ipv4(6, &tcp(8, 3000)),
            Ipv4(0),
            (0, 1448),
            (3, 3066 + 2 * 66),
        ),
        many(
            "all full",
            Packet::ipv6(6, &tcp(5, 2880)),
            Ipv6(0),
            (0, 1440),
            (2, 2954 + 74),
        ),
        many(
            "one byte more",
            Packet::ipv4(17, &[0; 2009]),
            Ipv4(1),
            (1, 1000),
            (3, 2043 + 2 * 42),
        ),
        many(
            "one in all",
            Packet::ipv4(6, &tcp(5, 1000)),
            Ipv4(0),
            (1, 1448),
            (1, 1054),
        ),
        many(
            "no payload",
            Packet::ipv4(6, &tcp(5, 0)),
            Ipv4(0),
            (0, 1448),
            (1, 54),
        ),
        many(
            "a header longer than the packet",
            Packet::ipv4(6, &{
                let mut bytes = tcp(5, 0);
                bytes[12] = 0xf0;
                bytes
            }),
            Ipv4(0),
            (0, 1448),
            (1, 54),
        ),
    ];
    for case in &cases {
        check(&programs, ETHERNET, case);
    }
}

#[test]
fn devices_without_a_link_layer_header_have_ip_first() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    // The kernel runs a program on Ethernet only; so the 14 bytes are in the length, but in none of the headers.
    let cases = [
        one("IPv6", Packet::ipv6(58, &[0; 8]), Ipv6(2)),
        one("not IP", Packet::of(0x0806, &[0; 28]), NotIp),
        many(
            "many",
            Packet::ipv4(6, &tcp(8, 3000)),
            Ipv4(0),
            (3, 1448),
            (3, 3066 + 2 * 52),
        ),
    ];
    for case in &cases {
        check(&programs, 0, case);
    }
}
