//! The two programs, in to out: find the device's counters, count the socket buffer, tell which row it belongs to, find
//! out how many packets of the wire it stands for, add those. Neither ever changes a packet or decides about one.
//!
//! There are two because a program cannot see which way a packet goes, and each comes in two lengths: the base programs
//! read a packet's headers only where many packets came as one, those with protocols read them always.
//!
//! What is on the wire (`struct __sk_buff` in include/uapi/linux/bpf.h, `bpf_convert_ctx_access` in net/core/filter.c):
//! - A socket buffer that stands for many packets has `gso_segs` above 1. Where a guest or a network card that nobody
//!   checked made it (virtio), `gso_segs` is 0 and `gso_size`, the payload of each packet, is not: then the packets are
//!   counted from the lengths, as `qdisc_pkt_len_init` in net/core/dev.c does.
//! - Going out, `wire_len` is the length of all its packets, as the kernel reckons it. Coming in it is not kept, so the
//!   headers are read and added for each packet but the first.
//! - Tunnels: of a merged packet inside VXLAN, GRE or IP the outer headers are added, not those inside.
//!
//! Registers that are kept from begin to end:
//!
//! ```text
//! R6  the context
//! R7  the value in the map, later the row in it (its counters stand ROWS bytes on)
//! R8  where the next header begins, from the beginning that START says; at the end, the length of all headers
//! R9  the EtherType, later the protocol's number
//! ```

use std::os::fd::BorrowedFd;

use super::assembler::Assembler;
use super::assembler::AssemblyError;
use super::assembler::Condition::Above;
use super::assembler::Condition::Is;
use super::assembler::Condition::IsNot;
use super::assembler::Function;
use super::assembler::Label;
use super::assembler::Register;
use super::assembler::Register::R0;
use super::assembler::Register::R1;
use super::assembler::Register::R2;
use super::assembler::Register::R3;
use super::assembler::Register::R4;
use super::assembler::Register::R5;
use super::assembler::Register::R6;
use super::assembler::Register::R7;
use super::assembler::Register::R8;
use super::assembler::Register::R9;
use super::assembler::Register::R10;
use super::assembler::Size::Byte;
use super::assembler::Size::Double;
use super::assembler::Size::Half;
use super::assembler::Size::Word;
use super::counters::Direction;
use super::counters::LINK_HEADER;
use super::counters::PROTOCOLS;
use super::counters::ROW;
use super::counters::ROWS;
use super::counters::SKB_BYTES;
use super::counters::SKBS;
use crate::parse::ByteOrder;

/// TCX_NEXT, and TC_ACT_UNSPEC of the older hook: what comes next decides about the packet.
const NEXT: i32 = -1;

// The context's fields, in bytes.
const SKB_LEN: i16 = 0;
const SKB_PROTOCOL: i16 = 16;
const SKB_IFINDEX: i16 = 40;
/// Since Linux 5.0.
const SKB_WIRE_LEN: i16 = 160;
/// Since Linux 5.1.
const SKB_GSO_SEGS: i16 = 164;
/// Since Linux 5.7.
const SKB_GSO_SIZE: i16 = 176;

// The stack, below R10.
/// The map's key: ifindex and direction.
const KEY: i16 = -8;
/// Where offsets into the packet count from: one of the two below.
const START: i16 = -16;
/// What was loaded from the packet, 16 bytes.
const PACKET: i16 = -32;

/// BPF_HDR_START_MAC: the link-layer header.
const FROM_LINK: i32 = 0;
/// BPF_HDR_START_NET: the network layer's, where packets have no header before it.
const FROM_NETWORK: i32 = 1;

// EtherTypes.
const IPV4: i32 = 0x0800;
const IPV6: i32 = 0x86dd;
const VLAN: i32 = 0x8100;
const SERVICE_VLAN: i32 = 0x88a8;

/// VLAN tags that are passed: the kernel takes one out of the packet itself, so that this is more than QinQ needs.
const TAGS: usize = 2;

// Protocol numbers.
const HOP_BY_HOP: i32 = 0;
const ICMP: i32 = 1;
const TCP: i32 = 6;
const UDP: i32 = 17;
const ROUTING: i32 = 43;
const FRAGMENT: i32 = 44;
const AUTHENTICATION: i32 = 51;
const ICMPV6: i32 = 58;
const DESTINATION: i32 = 60;
/// Reserved: no protocol that is looked for.
const NONE: i32 = 255;

/// Extension headers that are passed; RFC 8200 names six in the order of its section 4.1.
const EXTENSIONS: usize = 6;

/// What a program is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Which packets it sees.
    pub direction: Direction,
    /// Whether it tells protocols apart.
    pub protocols: bool,
    /// Whether the kernel tells `gso_size`.
    pub gso_size: bool,
}

/// The program as a kernel of this byte order reads it.
///
/// # Errors
/// When the program is written wrongly.
pub fn assemble(
    variant: Variant,
    map: BorrowedFd<'_>,
    order: ByteOrder,
) -> Result<Vec<[u8; 8]>, AssemblyError> {
    let mut assembler = Assembler::default();
    let a = &mut assembler;
    let (many, segments_known, add, end) = (a.label(), a.label(), a.label(), a.label());
    find_counters(a, variant, map, end);
    count_skb(a);
    if variant.protocols {
        network_layer(a, variant);
    }
    branch_on_segments(a, variant, many, segments_known);

    // One packet.
    a.set(R2, 1);
    a.load(Word, R1, R6, length(variant));
    a.jump(add);

    // Going out, only the number of packets is looked for, which older kernels always know.
    if variant.direction == Direction::Ingress || variant.gso_size {
        a.place(many);
        if !variant.protocols {
            network_layer(a, variant);
        }
        transport_layer(a);
        count_segments(a, variant, segments_known);
    }
    a.place(segments_known);
    a.load(Word, R1, R6, length(variant));
    if variant.direction == Direction::Ingress {
        // Each packet but the first had its own headers.
        a.set(R3, R2);
        a.subtract(R3, 1);
        a.multiply_words(R3, R8);
        a.add(R1, R3);
    }

    // R2 packets of R1 bytes together.
    a.place(add);
    add_to(a, ROWS, R2);
    add_to(a, ROWS + 8, R1);

    a.place(end);
    a.set(R0, NEXT);
    a.exit();
    assembler.finish(order)
}

/// The field that tells the bytes.
fn length(variant: Variant) -> i16 {
    match variant.direction {
        Direction::Ingress => SKB_LEN,
        Direction::Egress => SKB_WIRE_LEN,
    }
}

/// R6 and R7; goes to `end` for a device that has no counters.
fn find_counters(a: &mut Assembler, variant: Variant, map: BorrowedFd<'_>, end: Label) {
    a.set(R6, R1);
    a.load(Word, R1, R6, SKB_IFINDEX);
    a.store(Word, R10, KEY, R1);
    a.store(Word, R10, KEY + 4, variant.direction.number());
    a.load_map(R1, map);
    a.set(R2, R10);
    a.add(R2, i32::from(KEY));
    a.call(Function::MapLookup);
    a.jump_if(R0, Is, 0, end);
    a.set(R7, R0);
}

/// One more socket buffer, and its length.
fn count_skb(a: &mut Assembler) {
    a.load(Double, R1, R7, SKBS);
    a.add(R1, 1);
    a.store(Double, R7, SKBS, R1);
    a.load(Word, R2, R6, SKB_LEN);
    add_to(a, SKB_BYTES, R2);
}

/// Adds a register to a counter.
fn add_to(a: &mut Assembler, counter: i16, amount: Register) {
    a.load(Double, R3, R7, counter);
    a.add(R3, amount);
    a.store(Double, R7, counter, R3);
}

/// Goes on with what follows for a socket buffer of one packet; to `many` where headers must be read to know how many
/// there are, or how long; to `segments_known` where R2, the number of packets, is all that is needed.
fn branch_on_segments(a: &mut Assembler, variant: Variant, many: Label, segments_known: Label) {
    a.load(Word, R2, R6, SKB_GSO_SEGS);
    match variant.direction {
        Direction::Ingress => a.jump_if(R2, Above, 1, many),
        Direction::Egress => a.jump_if(R2, Above, 1, segments_known),
    }
    if variant.gso_size {
        a.load(Word, R3, R6, SKB_GSO_SIZE);
        a.jump_if(R3, IsNot, 0, many);
    }
}

/// R2 = the number of packets, with R8 the length of all headers.
fn count_segments(a: &mut Assembler, variant: Variant, segments_known: Label) {
    a.load(Word, R2, R6, SKB_GSO_SEGS);
    if !variant.gso_size {
        return;
    }
    let payload = a.label();
    a.jump_if(R2, Above, 1, segments_known);
    a.set(R2, 1);
    a.load(Word, R3, R6, SKB_GSO_SIZE);
    a.load(Word, R1, R6, SKB_LEN);
    a.jump_if(R1, Above, R8, payload);
    // Headers longer than the packet: a packet that says wrong lengths.
    a.jump(segments_known);

    // The payload divided by that of each packet, rounded up.
    a.place(payload);
    a.subtract(R1, R8);
    a.subtract(R1, 1);
    a.divide_words(R1, R3);
    a.add(R2, R1);
}

/// Copies `count` bytes at the offset in R2 from the packet to the stack, or goes to `failed`.
fn load_packet(a: &mut Assembler, count: i32, failed: Label) {
    a.set(R1, R6);
    a.set(R3, R10);
    a.add(R3, i32::from(PACKET));
    a.set(R4, count);
    a.load(Double, R5, R10, START);
    a.call(Function::LoadBytesRelative);
    a.jump_if(R0, IsNot, 0, failed);
}

/// Reads the headers up to the transport layer: R8 is where that begins, R9 its protocol, NONE for what is not IP. With
/// protocols, R7 moves to the packet's row.
fn network_layer(a: &mut Assembler, variant: Variant) {
    let (ipv4, ipv6, not_ip, done) = (a.label(), a.label(), a.label(), a.label());
    ether_type(a, not_ip);
    vlan_tags(a, not_ip);
    a.jump_if(R9, Is, IPV4, ipv4);
    a.jump_if(R9, Is, IPV6, ipv6);
    a.place(not_ip);
    // The first row is of what is not IP.
    a.set(R9, NONE);
    a.jump(done);

    a.place(ipv4);
    ipv4_header(a);
    if variant.protocols {
        a.add(R7, ROW);
        move_to_row(a, ICMP, done);
    }
    a.jump(done);

    a.place(ipv6);
    ipv6_headers(a);
    if variant.protocols {
        a.add(R7, ROW * (1 + PROTOCOLS as i32));
        move_to_row(a, ICMPV6, done);
    }
    a.place(done);
}

/// R9 = the EtherType, R8 = the offset of what follows it.
fn ether_type(a: &mut Assembler, not_ip: Label) {
    let (bare, done) = (a.label(), a.label());
    // Loaded twice: the verifier would go through all that follows with an R8 that it knows to be 0, and once more.
    a.load(Double, R1, R7, LINK_HEADER);
    a.load(Double, R8, R7, LINK_HEADER);
    a.jump_if(R1, Is, 0, bare);
    a.store(Double, R10, START, FROM_LINK);
    a.set(R2, R8);
    a.subtract(R2, 2);
    load_packet(a, 2, not_ip);
    a.load(Half, R9, R10, PACKET);
    a.jump(done);

    a.place(bare);
    a.store(Double, R10, START, FROM_NETWORK);
    a.load(Word, R9, R6, SKB_PROTOCOL);
    a.place(done);
    a.from_network_half(R9);
}

/// Passes the tags that the packet itself carries: two bytes of priority and number, then another EtherType.
fn vlan_tags(a: &mut Assembler, not_ip: Label) {
    let untagged = a.label();
    for _ in 0..TAGS {
        let tag = a.label();
        a.jump_if(R9, Is, VLAN, tag);
        a.jump_if(R9, IsNot, SERVICE_VLAN, untagged);
        a.place(tag);
        a.set(R2, R8);
        load_packet(a, 4, not_ip);
        a.load(Half, R9, R10, PACKET + 2);
        a.from_network_half(R9);
        a.add(R8, 4);
    }
    a.place(untagged);
}

/// Every fragment says its protocol, so that all of them are counted alike.
fn ipv4_header(a: &mut Assembler) {
    let done = a.label();
    a.set(R9, NONE);
    a.set(R2, R8);
    load_packet(a, 10, done);
    a.load(Byte, R9, R10, PACKET + 9);
    // The lower half of the first byte is the header's length in words of 32 bits.
    a.load(Byte, R1, R10, PACKET);
    a.mask(R1, 0x0f);
    a.shift_left(R1, 2);
    a.add(R8, R1);
    a.place(done);
}

/// The header of 40 bytes and the extension headers after it. What is cut short, or has more of them, is of the protocol
/// that comes next: an extension header's number, which is none of those looked for.
fn ipv6_headers(a: &mut Assembler) {
    let done = a.label();
    a.set(R9, NONE);
    a.set(R2, R8);
    load_packet(a, 8, done);
    a.load(Byte, R9, R10, PACKET + 6);
    a.add(R8, 40);
    // Written out, because kernels before 5.3 have no loops.
    for _ in 0..EXTENSIONS {
        extension_header(a, done);
    }
    a.place(done);
}

/// Passes the header R9 if it is an extension header, else goes to `done`. The first byte says what comes next.
fn extension_header(a: &mut Assembler, done: Label) {
    let (header, fragment, words, advance, passed) =
        (a.label(), a.label(), a.label(), a.label(), a.label());
    for kind in [HOP_BY_HOP, ROUTING, DESTINATION, FRAGMENT, AUTHENTICATION] {
        a.jump_if(R9, Is, kind, header);
    }
    a.jump(done);

    a.place(header);
    a.set(R2, R8);
    load_packet(a, 4, done);
    a.jump_if(R9, Is, FRAGMENT, fragment);
    a.load(Byte, R1, R10, PACKET + 1);
    a.jump_if(R9, Is, AUTHENTICATION, words);
    // The second byte is the length in units of 8 bytes without the first unit,
    a.add(R1, 1);
    a.shift_left(R1, 3);
    a.jump(advance);

    // but in words of 4 bytes without the first two here.
    a.place(words);
    a.add(R1, 2);
    a.shift_left(R1, 2);
    a.place(advance);
    a.add(R8, R1);
    a.load(Byte, R9, R10, PACKET);
    a.jump(passed);

    a.place(fragment);
    a.add(R8, 8);
    a.load(Byte, R9, R10, PACKET);
    a.load(Half, R1, R10, PACKET + 2);
    a.from_network_half(R1);
    a.mask(R1, 0xfff8);
    // What follows in a fragment that is not the first is no header.
    a.jump_if(R1, IsNot, 0, done);
    a.place(passed);
}

/// Moves R7 from an IP version's first row to that of the protocol in R9.
fn move_to_row(a: &mut Assembler, icmp: i32, done: Label) {
    for protocol in [TCP, UDP, icmp] {
        a.jump_if(R9, Is, protocol, done);
        a.add(R7, ROW);
    }
}

/// Adds the length of the header of the protocol R9 to R8, where many packets can come as one with it.
fn transport_layer(a: &mut Assembler) {
    let (udp, done) = (a.label(), a.label());
    a.jump_if(R9, Is, UDP, udp);
    a.jump_if(R9, IsNot, TCP, done);
    a.set(R2, R8);
    a.add(R2, 12);
    load_packet(a, 1, done);
    // The upper half of byte 12 is the header's length in words of 32 bits.
    a.load(Byte, R1, R10, PACKET);
    a.shift_right(R1, 4);
    a.shift_left(R1, 2);
    a.add(R8, R1);
    a.jump(done);

    a.place(udp);
    a.add(R8, 8);
    a.place(done);
}
