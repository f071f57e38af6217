//! The counters: what the programs add to, and how they are laid out in the map that both share.
//!
//! The key is the device's ifindex and the direction, 32 bits each. Entries are made before a program is attached, so that
//! the programs only look up and add; packets of a device without an entry are not counted. The value is made of 64-bit
//! words, once for each CPU: a CPU adds to its own without a lock, because the programs run with bottom halves off.
//!
//! ```text
//! 0 link header  8 skbs  16 their lengths  24 packets of row 0  32 bytes of row 0  40 packets of row 1 …
//! ```
//!
//! The programs without protocols have one row for all packets. Those with protocols have nine: what is not IP, then TCP,
//! UDP, ICMP and the rest of IPv4, then of IPv6. Totals are the sums of the rows, so that they always agree with them.
//! Words are read while programs add to them: each is right, but the packet of this moment may be in one and not yet in
//! the next. (A 32-bit machine with several CPUs writes a word in two halves; a reading between the two, once in 4 GiB and
//! for some nanoseconds, would be off by 4 GiB.)

use crate::sys::bpf::BpfError;
use crate::sys::bpf::Key;
use crate::sys::bpf::PerCpuHash;

/// The most devices that are counted at a time: two entries each.
pub const DEVICES: u32 = 4096;

/// Where the words stand in a value, in bytes: the link-layer header's length, which user space writes.
pub(super) const LINK_HEADER: i16 = 0;
/// How many socket buffers went past.
pub(super) const SKBS: i16 = 8;
/// The sum of their lengths.
pub(super) const SKB_BYTES: i16 = 16;
/// The first row: packets, and 8 bytes on, bytes.
pub(super) const ROWS: i16 = 24;
/// From one row to the next.
pub(super) const ROW: i32 = 16;
/// The words before the rows.
const FIXED: u8 = 3;
/// The rows of an IP version: TCP, UDP, ICMP and the rest.
pub(super) const PROTOCOLS: usize = 4;
/// The rows of the programs with protocols.
const PROTOCOL_ROWS: u8 = 9;

/// Which way packets go past a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into this machine.
    Ingress,
    /// Out of it.
    Egress,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// Its number in the map's keys.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Ingress => 0,
            Self::Egress => 1,
        }
    }

    /// As labels name it: `ingress` or `egress`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// What went past a device in one direction since its entries were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Socket buffers, of which one may stand for many packets: what devices that segment late count as packets.
    pub skbs: u64,
    /// Their lengths in bytes.
    pub skb_bytes: u64,
    /// Packets as they are on the wire.
    pub packets: u64,
    /// Bytes as they are on the wire, the link-layer header included.
    pub bytes: u64,
    /// By IP version (4, 6) and protocol (TCP, UDP, ICMP or ICMPv6, other); `None` without the programs for it.
    pub protocols: Option<[[ProtocolCounts; PROTOCOLS]; 2]>,
}

/// The wire's packets and bytes of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtocolCounts {
    /// Packets.
    pub packets: u64,
    /// Bytes, the link-layer header included.
    pub bytes: u64,
}

impl Counts {
    /// What is not IP (ARP, PPPoE, LLDP): what the protocols lack to the totals, which they never exceed. `None` where
    /// protocols are not counted.
    #[must_use]
    pub fn not_ip(&self) -> Option<ProtocolCounts> {
        let mut rest = ProtocolCounts {
            packets: self.packets,
            bytes: self.bytes,
        };
        for counts in self.protocols?.as_flattened() {
            rest.packets = rest.packets.wrapping_sub(counts.packets);
            rest.bytes = rest.bytes.wrapping_sub(counts.bytes);
        }
        Some(rest)
    }

    /// Adds what one CPU counted.
    fn add(&mut self, value: &[u64]) {
        let [_, skbs, skb_bytes, rows @ ..] = value else {
            return;
        };
        self.skbs = self.skbs.wrapping_add(*skbs);
        self.skb_bytes = self.skb_bytes.wrapping_add(*skb_bytes);
        let (rows, _) = rows.as_chunks::<2>();
        for (row, [packets, bytes]) in rows.iter().enumerate() {
            self.packets = self.packets.wrapping_add(*packets);
            self.bytes = self.bytes.wrapping_add(*bytes);
            let Some(row) = row.checked_sub(1) else {
                continue;
            };
            let protocols = self.protocols.get_or_insert_default();
            if let Some(counts) = protocols.as_flattened_mut().get_mut(row) {
                counts.packets = counts.packets.wrapping_add(*packets);
                counts.bytes = counts.bytes.wrapping_add(*bytes);
            }
        }
    }
}

/// The map.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) map: PerCpuHash,
}

impl Counters {
    /// # Errors
    /// When the kernel refuses the map.
    pub(super) fn create(protocols: bool) -> Result<Self, BpfError> {
        let rows = if protocols { PROTOCOL_ROWS } else { 1 };
        let words = FIXED + 2 * rows;
        let map = PerCpuHash::create("weir_tc", words, 2 * DEVICES)?;
        Ok(Self { map })
    }

    /// Makes an entry of zeros, in the place of one that was there.
    ///
    /// # Errors
    /// E2BIG when there are entries for [`DEVICES`] devices, ENOMEM.
    pub(super) fn insert(
        &self,
        ifindex: u32,
        direction: Direction,
        link_header: u32,
    ) -> Result<(), BpfError> {
        self.map
            .update(key(ifindex, direction), &[u64::from(link_header)])
    }

    /// # Errors
    /// When the kernel refuses.
    pub(super) fn remove(&self, ifindex: u32, direction: Direction) -> Result<bool, BpfError> {
        self.map.delete(key(ifindex, direction))
    }

    /// # Errors
    /// When the kernel refuses.
    pub(super) fn read(
        &self,
        ifindex: u32,
        direction: Direction,
    ) -> Result<Option<Counts>, BpfError> {
        let values = self.map.lookup(key(ifindex, direction))?;
        Ok(values.map(|values| sum(&values, self.map.words())))
    }
}

fn key(ifindex: u32, direction: Direction) -> Key {
    [ifindex, direction.number().cast_unsigned()]
}

/// All CPUs' words together.
fn sum(values: &[u64], words: usize) -> Counts {
    let mut counts = Counts::default();
    for value in values.chunks_exact(words) {
        counts.add(value);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_is_summed() {
        let counts = sum(&[14, 1, 100, 3, 300, 14, 2, 200, 4, 400], 5);
        let expected = Counts {
            skbs: 3,
            skb_bytes: 300,
            packets: 7,
            bytes: 700,
            protocols: None,
        };
        assert_eq!(counts, expected);
        assert_eq!(counts.not_ip(), None);
    }

    #[test]
    fn totals_are_the_sums_of_the_rows() {
        let mut value = vec![0, 50, 60];
        for row in 0..9 {
            value.extend([1 << row, 1000 << row]);
        }
        let counts = sum(&value, value.len());
        assert_eq!((counts.packets, counts.bytes), (511, 511_000));
        let [ipv4, ipv6] = counts.protocols.unwrap();
        assert_eq!(ipv4.map(|row| row.packets), [2, 4, 8, 16]);
        assert_eq!(
            ipv6.map(|row| row.bytes),
            [32_000, 64_000, 128_000, 256_000]
        );
        let rest = ProtocolCounts {
            packets: 1,
            bytes: 1000,
        };
        assert_eq!(counts.not_ip(), Some(rest));
    }

    #[test]
    fn values_have_a_row_where_the_programs_add() {
        assert_eq!(i32::from(ROWS), 8 * i32::from(FIXED));
        assert_eq!(usize::from(PROTOCOL_ROWS), 1 + 2 * PROTOCOLS);
    }
}
