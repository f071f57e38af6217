//! A packet's headers: where each begins, and which protocol it is of.
//!
//! Read with `bpf_skb_load_bytes_relative`, so that it does not matter which part of a packet lies in one piece. Documented
//! in IEEE 802.1Q, RFC 791, RFC 8200 (section 4), RFC 4302 (the authentication header) and RFC 9293.

use super::super::assembler::Assembler;
use super::super::assembler::Condition::Is;
use super::super::assembler::Condition::IsNot;
use super::super::assembler::Function;
use super::super::assembler::Label;
use super::super::assembler::Register::R0;
use super::super::assembler::Register::R1;
use super::super::assembler::Register::R2;
use super::super::assembler::Register::R3;
use super::super::assembler::Register::R4;
use super::super::assembler::Register::R5;
use super::super::assembler::Register::R6;
use super::super::assembler::Register::R7;
use super::super::assembler::Register::R8;
use super::super::assembler::Register::R9;
use super::super::assembler::Register::R10;
use super::super::assembler::Size::Byte;
use super::super::assembler::Size::Double;
use super::super::assembler::Size::Half;
use super::super::assembler::Size::Word;
use super::super::counters::LINK_HEADER;
use super::super::counters::PROTOCOLS;
use super::super::counters::ROW;

/// The context's EtherType.
const SKB_PROTOCOL: i16 = 16;

// The stack, below R10 and the map's key.
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
/// `rows`, R7 moves to the packet's.
pub(super) fn network_layer(a: &mut Assembler, rows: bool) {
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
    if rows {
        a.add(R7, ROW);
        move_to_row(a, ICMP, done);
    }
    a.jump(done);

    a.place(ipv6);
    ipv6_headers(a);
    if rows {
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
pub(super) fn transport_layer(a: &mut Assembler) {
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
