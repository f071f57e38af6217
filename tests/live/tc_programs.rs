//! The TC programs in the kernel, on packets that no device has seen (BPF_PROG_TEST_RUN), with the counts that each
//! packet must give.
//!
//! The packets come in and go out as if by the loopback device of the thread's network namespace, which is not touched.

mod kernel;
mod packets;
mod segments;
mod traffic;
mod wire;

use weir::sys::bpf::TestRun;
use weir::sys::bpf::prog_test_run;
use weir::tc::Counts;
use weir::tc::Direction;
use weir::tc::Programs;
use weir::tc::ProtocolCounts;

use self::packets::Context;
use self::packets::Packet;
use self::packets::Row;
use self::packets::Row::*;
use self::packets::captured;
use self::packets::tcp;
use crate::support::skip;

/// Where BPF_PROG_TEST_RUN has packets pass: the loopback device.
const IFINDEX: u32 = 1;
const ETHERNET: u32 = 14;

/// Both kinds of programs.
fn programs() -> Result<[Programs; 2], String> {
    let load = |protocols| Programs::load(protocols).map_err(|error| error.to_string());
    Ok([load(false)?, load(true)?])
}

/// A packet, and what must be counted of it.
struct Case {
    name: &'static str,
    packet: Packet,
    context: Context,
    row: Row,
    packets: u64,
    /// Coming in; going out it is the context's `wire_len`, else the packet's length.
    bytes: u64,
}

/// A packet that is itself what the wire had.
fn one(name: &'static str, packet: Packet, row: Row) -> Case {
    let bytes = packet.0.len() as u64;
    Case {
        name,
        packet,
        context: Context::default(),
        row,
        packets: 1,
        bytes,
    }
}

/// What both directions and both kinds of programs count of a packet on a device of this kind.
fn check(programs: &[Programs; 2], link_header: u32, case: &Case) {
    for (program, protocols) in programs.iter().zip([false, true]) {
        for direction in Direction::ALL {
            program.add(IFINDEX, link_header).unwrap();
            let run = run(program, direction, &case.packet, &case.context);
            let found = program.read(IFINDEX, direction).unwrap().unwrap();
            let bytes = match direction {
                Direction::Egress if case.context.wire_len > 0 => case.context.wire_len.into(),
                _ => case.bytes,
            };
            let expected = Counts {
                skbs: 1,
                skb_bytes: case.packet.0.len() as u64,
                packets: case.packets,
                bytes,
                protocols: protocols.then(|| {
                    let packets = case.packets;
                    case.row.with(ProtocolCounts { packets, bytes })
                }),
            };
            let name = case.name;
            assert_eq!(found, expected, "{name}, {direction:?}, {protocols}");
            assert_eq!(run.returned, -1, "{name}");
            assert_eq!(run.packet, case.packet.0, "{name}");
            // Nothing passed in the other direction.
            let other = Direction::ALL.into_iter().find(|other| *other != direction);
            let other = program.read(IFINDEX, other.unwrap()).unwrap().unwrap();
            assert_eq!((other.skbs, other.packets, other.bytes), (0, 0, 0));
        }
    }
}

fn run(programs: &Programs, direction: Direction, packet: &Packet, context: &Context) -> TestRun {
    let program = match direction {
        Direction::Ingress => programs.ingress(),
        Direction::Egress => programs.egress(),
    };
    prog_test_run(program, &packet.0, &context.bytes(), 1)
        .unwrap_or_else(|error| panic!("{error}: {packet:?} {context:?}"))
}

#[test]
fn packets_count_for_their_ip_version_and_protocol() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    // In a VLAN, because BPF_PROG_TEST_RUN itself refuses IP that is cut short.
    let cut_short = |ether_type, bytes: &[u8]| Packet::of(ether_type, bytes).tagged(0x8100);
    let cases = [
        one("captured ping", captured::ping(), Ipv4(2)),
        one("captured ping -6", captured::ping6(), Ipv6(2)),
        one("captured datagram", captured::datagram(), Ipv4(1)),
        one("captured SYN over IPv6", captured::syn6(), Ipv6(0)),
        one("TCP over IPv4", Packet::ipv4(6, &[0; 20]), Ipv4(0)),
        one("UDP over IPv6", Packet::ipv6(17, &[0; 8]), Ipv6(1)),
        one("GRE over IPv4", Packet::ipv4(47, &[0; 40]), Ipv4(3)),
        one("ESP over IPv6", Packet::ipv6(50, &[0; 40]), Ipv6(3)),
        one("ICMPv6 in IPv4", Packet::ipv4(58, &[0; 8]), Ipv4(3)),
        one("ICMP in IPv6", Packet::ipv6(1, &[0; 8]), Ipv6(3)),
        one("ARP", Packet::of(0x0806, &[0; 28]), NotIp),
        one("PPPoE", Packet::of(0x8864, &[0; 40]), NotIp),
        one("LLC of 17 bytes", Packet::of(17, &[0; 17]), NotIp),
        one("IPv4 cut short", cut_short(0x0800, &[0x45; 9]), Ipv4(3)),
        one("IPv6 cut short", cut_short(0x86dd, &[0x60; 7]), Ipv6(3)),
        one("no payload", Packet::of(0x0806, &[0]), NotIp),
    ];
    for case in &cases {
        check(&programs, ETHERNET, case);
    }
}

#[test]
fn tags_in_the_packet_are_passed() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    let tcp = || Packet::ipv4(6, &[0; 20]);
    let cases = [
        one("VLAN", tcp().tagged(0x8100), Ipv4(0)),
        one("service VLAN", tcp().tagged(0x88a8), Ipv4(0)),
        one("QinQ", tcp().tagged(0x8100).tagged(0x88a8), Ipv4(0)),
        one(
            "VLAN, IPv6",
            Packet::ipv6(58, &[0; 8]).tagged(0x8100),
            Ipv6(2),
        ),
        one(
            "three tags",
            tcp().tagged(0x8100).tagged(0x8100).tagged(0x88a8),
            NotIp,
        ),
        one(
            "VLAN, ARP",
            Packet::of(0x0806, &[0; 28]).tagged(0x8100),
            NotIp,
        ),
        one("a tag cut short", Packet::of(0x8100, &[0; 3]), NotIp),
    ];
    for case in &cases {
        check(&programs, ETHERNET, case);
    }
}

#[test]
fn fragments_count_for_the_protocol_they_say() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    // More fragments follow; then an offset of 1480 bytes.
    let (first, later) = (0x2000, 0x00b9);
    let (first6, later6) = ([17, 0, 0, 1, 0, 0, 0, 7], [17, 0, 0x05, 0xc8, 0, 0, 0, 7]);
    // What begins a fragment in the middle is data: here it would be taken for the header of a fragment of TCP.
    let data6 = [44, 0, 0x05, 0xc8, 0, 0, 0, 7, 6, 0, 0, 0, 0, 0, 0, 0];
    let cases = [
        one(
            "IPv4, first",
            Packet::ipv4_fragment(17, first, &[0; 1480]),
            Ipv4(1),
        ),
        one(
            "IPv4, later",
            Packet::ipv4_fragment(17, later, &[0; 100]),
            Ipv4(1),
        ),
        one("IPv6, first", Packet::ipv6(44, &first6), Ipv6(1)),
        one("IPv6, later", Packet::ipv6(44, &later6), Ipv6(1)),
        one("IPv6, later, of options", Packet::ipv6(44, &data6), Ipv6(3)),
    ];
    for case in &cases {
        check(&programs, ETHERNET, case);
    }
}

#[test]
fn extension_headers_are_passed() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    // Each says what follows and its length in the units of its kind: 8, 24, 12 and 16 bytes.
    let mut headers = vec![43, 0, 1, 4, 0, 0, 0, 0];
    headers.extend([[51, 2, 0, 0].as_slice(), &[0xff; 20]].concat());
    headers.extend([[60, 1, 0, 0].as_slice(), &[0xff; 8]].concat());
    headers.extend([[6, 1, 1, 12].as_slice(), &[0; 12]].concat());
    headers.extend([0; 20]);
    let options = |count: usize, then: u8| {
        let mut bytes = [0, 0, 1, 4, 0, 0, 0, 0].repeat(count);
        let last = bytes.len() - 8;
        bytes[last] = then;
        bytes.extend([0; 8]);
        Packet::ipv6(0, &bytes)
    };
    let cases = [
        one("four kinds", Packet::ipv6(0, &headers), Ipv6(0)),
        one("six headers", options(6, 58), Ipv6(2)),
        one("seven headers", options(7, 58), Ipv6(3)),
        one("cut short", Packet::ipv6(0, &[6, 0, 0]), Ipv6(3)),
        one(
            "longer than the packet",
            Packet::ipv6(0, &[60, 255, 0, 0]),
            Ipv6(3),
        ),
    ];
    for case in &cases {
        check(&programs, ETHERNET, case);
    }
}

#[test]
fn counts_add_up_until_the_device_is_added_anew() {
    let [_, programs] = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    programs.add(IFINDEX, ETHERNET).unwrap();
    for _ in 0..3 {
        for (packet, gso_segs) in [(captured::ping(), 0), (captured::syn6(), 4)] {
            let context = Context {
                gso_segs,
                ..Context::default()
            };
            run(&programs, Direction::Ingress, &packet, &context);
        }
    }
    run(
        &programs,
        Direction::Ingress,
        &Packet::of(0x0806, &[0; 28]),
        &Context::default(),
    );
    let read = || programs.read(IFINDEX, Direction::Ingress).unwrap();
    let counts = read().unwrap();
    assert_eq!((counts.skbs, counts.skb_bytes), (7, 3 * (50 + 94) + 42));
    // Headers of 94 bytes without payload, four times; ping has 50 and ARP 42.
    let bytes = 3 * (50 + 4 * 94) + 42;
    assert_eq!((counts.packets, counts.bytes), (16, bytes));
    let protocols = counts.protocols.unwrap();
    let rows = protocols.as_flattened();
    let not_ip = counts.not_ip().unwrap();
    assert_eq!((not_ip.packets, not_ip.bytes), (1, 42));
    let sum: u64 = rows.iter().map(|row| row.bytes).sum();
    assert_eq!(sum + not_ip.bytes, counts.bytes);
    programs.add(IFINDEX, ETHERNET).unwrap();
    assert_eq!(read().unwrap().packets, 0);
    programs.remove(IFINDEX).unwrap();
    assert_eq!(read(), None);
}

#[test]
fn a_packet_of_an_unknown_device_passes_uncounted() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    for programs in &programs {
        programs.add(IFINDEX + 1, ETHERNET).unwrap();
        for direction in Direction::ALL {
            let packet = captured::ping();
            let run = run(programs, direction, &packet, &Context::default());
            assert_eq!((run.returned, run.packet), (-1, packet.0));
            assert_eq!(programs.read(IFINDEX, direction), Ok(None));
            let counts = programs.read(IFINDEX + 1, direction).unwrap().unwrap();
            assert_eq!((counts.skbs, counts.packets), (0, 0));
        }
    }
}

#[test]
fn what_the_kernel_keeps_with_a_packet_stays() {
    let programs = match programs() {
        Ok(programs) => programs,
        Err(reason) => return skip(&reason),
    };
    let mut context = Context::default().bytes();
    // mark, priority, ingress_ifindex, ifindex, cb, tstamp, wire_len, gso_segs, gso_size.
    for (at, length) in [(8, 4), (32, 4), (48, 20), (152, 8)] {
        for byte in &mut context[at..at + length] {
            *byte = 0x11;
        }
    }
    for (at, value) in [(36, 1u32), (40, 1), (160, 3000), (164, 2), (176, 1448)] {
        context[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    for programs in &programs {
        programs.add(IFINDEX, ETHERNET).unwrap();
        for program in [programs.ingress(), programs.egress()] {
            let packet = Packet::ipv4(6, &tcp(5, 2000));
            let run = prog_test_run(program, &packet.0, &context, 1).unwrap();
            assert_eq!(run.packet, packet.0);
            for (at, length) in [(8, 4), (32, 4), (48, 20), (152, 8), (160, 4), (164, 4)] {
                let range = at..at + length;
                assert_eq!(run.context[range.clone()], context[range], "{at}");
            }
        }
    }
}
