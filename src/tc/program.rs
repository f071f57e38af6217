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

mod headers;

use std::os::fd::BorrowedFd;

use self::headers::network_layer;
use self::headers::transport_layer;
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
use super::assembler::Register::R6;
use super::assembler::Register::R7;
use super::assembler::Register::R8;
use super::assembler::Register::R10;
use super::assembler::Size::Double;
use super::assembler::Size::Word;
use super::counters::Direction;
use super::counters::ROWS;
use super::counters::SKB_BYTES;
use super::counters::SKBS;
use crate::parse::ByteOrder;

/// TCX_NEXT, and TC_ACT_UNSPEC of the older hook: what comes next decides about the packet.
const NEXT: i32 = -1;

// The context's fields, in bytes.
const SKB_LEN: i16 = 0;
const SKB_IFINDEX: i16 = 40;
/// Since Linux 5.0.
const SKB_WIRE_LEN: i16 = 160;
/// Since Linux 5.1.
const SKB_GSO_SEGS: i16 = 164;
/// Since Linux 5.7.
const SKB_GSO_SIZE: i16 = 176;

/// Where the map's key stands on the stack, below R10: ifindex and direction.
const KEY: i16 = -8;

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
        network_layer(a, variant.protocols);
    }
    branch_on_segments(a, variant, many, segments_known);

    // One packet.
    a.set(R2, 1);
    a.load(Word, R1, R6, length(variant));
    a.jump(add);

    // Nothing leads here in the third case, and the verifier refuses what cannot be reached.
    if variant.direction == Direction::Ingress || variant.gso_size {
        a.place(many);
        if !variant.protocols {
            network_layer(a, variant.protocols);
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

#[cfg(test)]
mod tests;
