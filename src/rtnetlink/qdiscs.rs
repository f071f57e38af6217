//! The queueing disciplines at the root of every device: one RTM_GETQDISC dump.
//!
//! ```text
//! struct tcmsg             0 family  4 index i32  8 handle  12 parent  16 info  20 attributes
//! struct gnet_stats_basic  0 bytes u64  8 packets
//! struct gnet_stats_queue  0 qlen  4 backlog  8 drops  12 requeues  16 overlimits
//! struct tc_stats          0 bytes u64  8 packets  12 drops  16 overlimits  20 bps  24 pps  28 qlen  32 backlog
//! ```
//!
//! `tc_fill_qdisc` in the kernel's net/sched/sch_api.c and `gnet_stats_copy_basic` in net/core/gen_stats.c;
//! include/uapi/linux/pkt_sched.h and gen_stats.h. The statistics are in TCA_STATS2 since 2.6.13, and once more, without
//! requeues, in the older TCA_STATS. Drops and what else is not bytes are 32 bits wide and start again at zero; packets are
//! 64 bits wide since 5.5, where TCA_STATS_PKT64 follows as soon as they no longer fit in 32.
//!
//! Traps: the disciplines below a root and those for what comes in (ingress, clsact) are in the dump too, with another
//! parent.

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::Attribute;
use crate::netlink::attributes::attributes;
use crate::netlink::bytes;
use crate::netlink::word;

const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;
const TCMSG: usize = 20;
const TC_H_ROOT: u32 = 0xffff_ffff;
const TCA_KIND: u16 = 1;
const TCA_STATS: u16 = 3;
const TCA_STATS2: u16 = 7;
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;
const TCA_STATS_PKT64: u16 = 8;

/// The discipline at the root of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qdisc<'a> {
    /// The device's number.
    pub index: u32,
    /// The discipline's name: `fq_codel`, `noqueue`.
    pub kind: &'a [u8],
    /// What it did.
    pub stats: Stats,
}

/// What a discipline did, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes sent.
    pub bytes: u64,
    /// Packets sent.
    pub packets: u64,
    /// Packets dropped.
    pub drops: u32,
    /// Packets given back because the device could not send them.
    pub requeues: u32,
    /// Times that a limit held packets back.
    pub overlimits: u32,
    /// Packets waiting now.
    pub queue_length: u32,
    /// Bytes waiting now.
    pub backlog: u32,
}

/// Gives the root of each device of this network namespace to `each`, and says whether the dump was interrupted and had
/// better be repeated.
///
/// # Errors
/// When the kernel refuses or sends what breaks the format.
pub fn qdiscs(mut each: impl FnMut(&Qdisc<'_>)) -> Result<bool, NetlinkError> {
    let request = Request {
        name: "RTM_GETQDISC",
        protocol: None,
        kind: RTM_GETQDISC,
        answer: RTM_NEWQDISC,
        dump: true,
        body: &[0; TCMSG],
    };
    request.ask(|payload| {
        if let Some(qdisc) = qdisc(payload)? {
            each(&qdisc);
        }
        Ok(())
    })
}

/// The discipline in one message; `None` for one that is at no root, or without statistics.
///
/// # Errors
/// When something is shorter than its structure, or an attribute ends behind the message.
pub fn qdisc(payload: &[u8]) -> Result<Option<Qdisc<'_>>, Cause> {
    let Some((header, rest)) = payload.split_first_chunk::<TCMSG>() else {
        let expected = "a tcmsg of 20 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    let (mut kind, mut stats, mut older) = (&b""[..], None, None);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            TCA_KIND => kind = attribute.text(),
            TCA_STATS => older = Some(stats_of_2_4(&attribute)?),
            TCA_STATS2 => stats = Some(stats_of_2_6(&attribute)?),
            _ => {}
        }
    }
    // The parent 0, which no kernel gives to a root, is taken for one as in node_exporter.
    if !matches!(word(header, 12), TC_H_ROOT | 0) {
        return Ok(None);
    }
    let index = word(header, 4);
    let stats = stats.or(older);
    Ok(stats.map(|stats| Qdisc { index, kind, stats }))
}

fn stats_of_2_6(nest: &Attribute<'_>) -> Result<Stats, Cause> {
    let (mut stats, mut packets) = (Stats::default(), None);
    for attribute in nest.nested() {
        let attribute = attribute?;
        match attribute.kind {
            TCA_STATS_BASIC => {
                let fixed = attribute.array::<12>("a gnet_stats_basic of 12 bytes")?;
                stats.bytes = u64::from_ne_bytes(bytes(&fixed, 0));
                stats.packets = u64::from(word(&fixed, 8));
            }
            TCA_STATS_QUEUE => {
                let fixed = attribute.array::<20>("a gnet_stats_queue of 20 bytes")?;
                stats.queue_length = word(&fixed, 0);
                stats.backlog = word(&fixed, 4);
                stats.drops = word(&fixed, 8);
                stats.requeues = word(&fixed, 12);
                stats.overlimits = word(&fixed, 16);
            }
            TCA_STATS_PKT64 => {
                let fixed = attribute.array("a TCA_STATS_PKT64 of 8 bytes")?;
                packets = Some(u64::from_ne_bytes(fixed));
            }
            _ => {}
        }
    }
    stats.packets = packets.unwrap_or(stats.packets);
    Ok(stats)
}

fn stats_of_2_4(attribute: &Attribute<'_>) -> Result<Stats, Cause> {
    let fixed = attribute.array::<36>("a tc_stats of 36 bytes")?;
    Ok(Stats {
        bytes: u64::from_ne_bytes(bytes(&fixed, 0)),
        packets: u64::from(word(&fixed, 8)),
        drops: word(&fixed, 12),
        requeues: 0,
        overlimits: word(&fixed, 16),
        queue_length: word(&fixed, 28),
        backlog: word(&fixed, 32),
    })
}
