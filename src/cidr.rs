//! A range of addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3): what flags name peers by.
//!
//! Addresses come as sixteen bytes with IPv4 in its mapped form `::ffff:a.b.c.d`, as the sockets have them. The families
//! stay apart all the same: `::/0` is all of IPv6 and none of IPv4, and a range that is written as a mapped one
//! (`::ffff:10.0.0.0/104`) is the IPv4 range that it means.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv6Addr;

/// What errors expect.
pub const EXPECTED: &str = "an address or a range such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32, without bits behind the prefix";

/// Where IPv4 begins within IPv6: behind `::ffff:`.
const MAPPED: u8 = 96;

/// All addresses that share the first bits of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The lowest address, IPv4 in mapped form.
    lowest: u128,
    /// How many of the 128 bits count.
    length: u8,
    v4: bool,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address.
    ///
    /// # Errors
    /// With what was expected: no address, a prefix longer than the family's, bits behind the prefix.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(prefix(length).ok_or(EXPECTED)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let (bits, begin) = match address {
            IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), MAPPED),
            IpAddr::V6(address) => (address.to_bits(), 0),
        };
        let length = length.unwrap_or(128 - begin).checked_add(begin);
        let length = length.filter(|length| *length <= 128).ok_or(EXPECTED)?;
        if bits & !mask(length) != 0 {
            return Err(EXPECTED);
        }
        Ok(Self {
            lowest: bits,
            length,
            v4: length >= MAPPED && is_v4(bits),
        })
    }

    /// Whether an address is in the range; sixteen bytes in network order, IPv4 in mapped form.
    #[must_use]
    pub fn contains(&self, address: [u8; 16]) -> bool {
        let bits = u128::from_be_bytes(address);
        bits & mask(self.length) == self.lowest && is_v4(bits) == self.v4
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.lowest);
        if self.v4 {
            let (address, length) = (address.to_canonical(), self.length - MAPPED);
            write!(f, "{address}/{length}")
        } else {
            write!(f, "{address}/{}", self.length)
        }
    }
}

/// How long the prefixes are that stand for the addresses of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Bits of an IPv4 address, at most 32, which groups nothing.
    pub v4: u8,
    /// Bits of an IPv6 address, at most 128, which groups nothing.
    pub v6: u8,
}

impl Grouping {
    /// Every address for itself.
    pub const NONE: Self = Self { v4: 32, v6: 128 };

    /// Reads `/24,/64`: IPv4's prefix, then IPv6's, which may be left out; nothing groups nothing.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "the lengths of IPv4's and IPv6's prefixes such as /24,/64, at most /32,/128";
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let (v4, v6) = text.split_once(',').unwrap_or((text, "/128"));
        let read = |text: &str, most: u8| {
            let length = text.strip_prefix('/').and_then(prefix);
            length.filter(|length| *length <= most).ok_or(EXPECTED)
        };
        Ok(Self {
            v4: read(v4, 32)?,
            v6: read(v6, 128)?,
        })
    }

    /// The lowest address of the group that an address belongs to; IPv4 in mapped form.
    #[must_use]
    pub fn lowest(self, address: [u8; 16]) -> [u8; 16] {
        let bits = u128::from_be_bytes(address);
        let length = if is_v4(bits) {
            MAPPED + self.v4
        } else {
            self.v6
        };
        (bits & mask(length)).to_be_bytes()
    }

    /// A group as text: its range, or the address itself where there is no grouping.
    #[must_use]
    pub fn text(self, lowest: [u8; 16]) -> String {
        let address = Ipv6Addr::from(lowest).to_canonical();
        match address {
            IpAddr::V4(address) if self.v4 < 32 => format!("{address}/{}", self.v4),
            IpAddr::V6(address) if self.v6 < 128 => format!("{address}/{}", self.v6),
            address => address.to_string(),
        }
    }

    /// Whether an address stands for itself alone, so that it can have a name.
    #[must_use]
    pub fn is_single(self, address: [u8; 16]) -> bool {
        if is_v4(u128::from_be_bytes(address)) {
            self.v4 == 32
        } else {
            self.v6 == 128
        }
    }
}

/// Digits only, without a sign; at most three.
fn prefix(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits && text.len() <= 3)
}

fn is_v4(bits: u128) -> bool {
    bits >> 32 == 0xffff
}

fn mask(length: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(length.min(128)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> [u8; 16] {
        match text.parse().unwrap() {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }
    }

    #[test]
    fn ranges_and_addresses_are_read_and_told() {
        for (text, told) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/32", "192.0.2.7/32"),
            ("::/0", "::/0"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:DB8:0:0::/33", "2001:db8::/33"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/95", "::/95"),
        ] {
            assert_eq!(
                Cidr::parse(text).map(|cidr| cidr.to_string()).as_deref(),
                Ok(told),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "10.0.0/8",
            "10.0.0.0.0/8",
            "010.0.0.0/8",
            "::/129",
            "::1/127",
            "2001:db8::1/32",
            "fe80::1%eth0",
            "10.0.0.0/8/8",
            " 10.0.0.0/8",
            "10.0.0.0/8 ",
            "a/8",
            "[::1]/128",
            "10.0.0.0/0008",
            "10.0.0.0/256",
            "::ffff:10.0.0.1/104",
        ] {
            assert_eq!(Cidr::parse(text), Err(EXPECTED), "{text:?}");
        }
    }

    #[test]
    fn a_range_holds_its_first_and_last_address_and_no_other() {
        for (range, inside, outside) in [
            (
                "10.16.0.0/12",
                ["10.16.0.0", "10.31.255.255"],
                ["10.15.255.255", "10.32.0.0"],
            ),
            (
                "10.0.0.1/32",
                ["10.0.0.1", "::ffff:10.0.0.1"],
                ["10.0.0.0", "10.0.0.2"],
            ),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
            (
                "::/0",
                ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
                ["10.0.0.1", "::ffff:1.2.3.4"],
            ),
            (
                "2001:db8::/33",
                ["2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"],
                ["2001:db8:8000::", "2001:db7:ffff::"],
            ),
            ("::1", ["::1", "::1"], ["::", "::2"]),
        ] {
            let cidr = Cidr::parse(range).unwrap();
            assert_eq!(
                inside.map(|one| cidr.contains(bytes(one))),
                [true; 2],
                "{range}"
            );
            assert_eq!(
                outside.map(|one| cidr.contains(bytes(one))),
                [false; 2],
                "{range}"
            );
        }
    }

    #[test]
    fn groups() {
        for (text, address, told) in [
            ("/24,/64", "10.1.2.3", "10.1.2.0/24"),
            ("/24,/64", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("/0,/0", "10.1.2.3", "0.0.0.0/0"),
            ("/0,/0", "2001:db8::1", "::/0"),
            ("/32,/64", "10.1.2.3", "10.1.2.3"),
            ("/24", "2001:db8::1", "2001:db8::1"),
            ("", "10.1.2.3", "10.1.2.3"),
        ] {
            let grouping = Grouping::parse(text).unwrap();
            let lowest = grouping.lowest(bytes(address));
            assert_eq!(grouping.text(lowest), told, "{text} {address}");
            assert_eq!(
                grouping.is_single(lowest),
                !told.contains('/'),
                "{text} {address}"
            );
        }
        for text in [
            "24",
            "/33",
            "/24,",
            "/24,64",
            "/24,/129",
            "/24,/64,/3",
            "/,/",
            "/-1",
            "/24 ,/64",
        ] {
            assert!(Grouping::parse(text).is_err(), "{text:?}");
        }
    }
}
