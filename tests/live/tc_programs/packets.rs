//! Packets: written header by header, and as this machine's kernel sent them.

use weir::tc::ProtocolCounts;

/// What stands with a packet in the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context {
    pub(crate) gso_segs: u32,
    pub(crate) gso_size: u32,
    /// 0 is the packet's own length.
    pub(crate) wire_len: u32,
}

impl Context {
    /// `struct __sk_buff` in include/uapi/linux/bpf.h.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 192];
        let fields = [
            (160, self.wire_len),
            (164, self.gso_segs),
            (176, self.gso_size),
        ];
        for (at, value) in fields {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        bytes
    }
}

/// Where a packet is counted: a row of an IP version (TCP, UDP, ICMP, other), or none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Row {
    NotIp,
    Ipv4(usize),
    Ipv6(usize),
}

impl Row {
    /// All rows, with these counts in this one.
    pub(crate) fn with(self, counts: ProtocolCounts) -> [[ProtocolCounts; 4]; 2] {
        let mut rows = <[[ProtocolCounts; 4]; 2]>::default();
        match self {
            Self::NotIp => {}
            Self::Ipv4(row) => rows[0][row] = counts,
            Self::Ipv6(row) => rows[1][row] = counts,
        }
        rows
    }
}

/// A packet from its Ethernet header on.
#[derive(Clone, Debug)]
pub(crate) struct Packet(pub(crate) Vec<u8>);

impl Packet {
    pub(crate) fn of(ether_type: u16, payload: &[u8]) -> Self {
        let mut bytes = vec![2; 12];
        bytes.extend(ether_type.to_be_bytes());
        bytes.extend(payload);
        Self(bytes)
    }

    pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Self {
        Self::ipv4_fragment(protocol, 0x4000, payload)
    }

    /// With the word of flags and offset.
    pub(crate) fn ipv4_fragment(protocol: u8, fragment: u16, payload: &[u8]) -> Self {
        let length = u16::try_from(20 + payload.len()).unwrap();
        let mut bytes = vec![0x45, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 7]);
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([64, protocol, 0, 0]);
        bytes.extend([192, 0, 2, 1, 192, 0, 2, 2]);
        bytes.extend(payload);
        Self::of(0x0800, &bytes)
    }

    /// With one word of options.
    pub(crate) fn ipv4_options(protocol: u8, payload: &[u8]) -> Self {
        let options = [1, 1, 1, 0];
        let mut packet = Self::ipv4(protocol, &[&options, payload].concat());
        packet.0[14] = 0x46;
        packet
    }

    pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Self {
        let length = u16::try_from(payload.len()).unwrap();
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([next, 64]);
        for last in [1, 2] {
            bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
        bytes.extend(payload);
        Self::of(0x86dd, &bytes)
    }

    /// In a VLAN, with the tag in the packet itself.
    pub(crate) fn tagged(mut self, ether_type: u16) -> Self {
        let [high, low] = ether_type.to_be_bytes();
        // Behind the addresses, before the EtherType that was there.
        self.0.splice(12..12, [high, low, 0, 7]);
        self
    }
}

/// TCP with a header of `words` words and `payload` bytes after it.
pub(crate) fn tcp(words: u8, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(words) * 4 + payload];
    bytes[12] = words << 4;
    bytes
}

/// Sent on the loopback device of Linux 6.18 (x86_64) by ping, a datagram and connect, and taken with AF_PACKET.
pub(crate) mod captured {
    use super::Packet;

    pub(crate) fn ping() -> Packet {
        packet(
            "000000000000000000000000080045000024b9c44000400183127f0000017f00000108008ce65f080001000102030405\
             0607",
        )
    }

    pub(crate) fn ping6() -> Packet {
        packet(
            "00000000000000000000000086dd600a0a9300103a4000000000000000000000000000000001000000000000000000000\
             00000000001800014995f0900010001020304050607",
        )
    }

    pub(crate) fn datagram() -> Packet {
        packet(
            "00000000000000000000000008004500002038164000401104b57f0000017f000001cd7e14e9000cfe1f77656972",
        )
    }

    pub(crate) fn syn6() -> Packet {
        packet(
            "00000000000000000000000086dd600da42b00280640000000000000000000000000000000010000000000000000000000\
             0000000001918408402597282a00000000a002ffc4003000000204ffc40402080ae2e513b4000000000103030a",
        )
    }

    fn packet(hex: &str) -> Packet {
        let digits: Vec<_> = hex
            .chars()
            .map(|digit| digit.to_digit(16).unwrap())
            .collect();
        let pairs = digits.chunks_exact(2);
        Packet(
            pairs
                .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
                .collect(),
        )
    }
}
