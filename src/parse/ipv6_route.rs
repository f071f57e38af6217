//! `/proc/net/ipv6_route`: the routing tables of IPv6, one route a line and no header.
//!
//! Written by `ipv6_route_native_seq_show` in the kernel's net/ipv6/ip6_fib.c, since 2.2; proc(5) does not have it. A line
//! of 6.18, broken in two:
//!
//! ```text
//! 00000000000000000000000000000000 00 00000000000000000000000000000000 00
//!     fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
//! ```
//!
//! Destination and length of its prefix, source and length of its prefix, gateway, metric, references, uses, flags,
//! device. Everything but the device is hexadecimal, and addresses stand as in a packet on every machine. Flags are in
//! include/uapi/linux/ipv6_route.h.
//!
//! Traps: the machine's own addresses (`RTF_LOCAL`), anycast addresses and multicast destinations are in the list and are
//! no unicast routes. A route over several gateways has a line for each, without their weights. The source here is a
//! condition of the route, not the address that packets are sent from; protocol and preferred source are not told.

use std::net::IpAddr;
use std::net::Ipv6Addr;

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;
use super::route::RTF_GATEWAY;
use super::route::RTF_REJECT;
use super::route::Route;

const RTF_ANYCAST: u64 = 0x0010_0000;
const RTF_LOCAL: u64 = 0x8000_0000;

/// The unicast routes of one file, each with its device.
pub struct Routes<'a> {
    lines: Lines<'a>,
}

/// Reads the file line by line; one without a line is of a machine without an IPv6 address.
#[must_use]
pub fn routes(bytes: &[u8]) -> Routes<'_> {
    Routes {
        lines: lines(bytes),
    }
}

/// `None` for what is no unicast route.
fn route(mut line: Line<'_>) -> Result<Option<(&[u8], Route)>, ParseError> {
    let destination = address(&mut line, "destination")?;
    let length = length(&mut line, "destination's length")?;
    address(&mut line, "source")?;
    self::length(&mut line, "source's length")?;
    let gateway = address(&mut line, "gateway")?;
    let priority = word(&mut line, "metric")?;
    word(&mut line, "references")?;
    word(&mut line, "uses")?;
    let flags = u64::from(word(&mut line, "flags")?);
    let device = line.expect_word("device", "the name of a device")?;
    if flags & (RTF_REJECT | RTF_LOCAL | RTF_ANYCAST) != 0 || destination.is_multicast() {
        return Ok(None);
    }
    let route = Route {
        length,
        destination: IpAddr::V6(destination),
        priority,
        gateway: (flags & RTF_GATEWAY != 0).then_some(IpAddr::V6(gateway)),
        source: None,
        protocol: None,
        weight: None,
    };
    Ok(Some((device, route)))
}

fn address(line: &mut Line<'_>, field: &'static str) -> Result<Ipv6Addr, ParseError> {
    const ADDRESS: &str = "32 hexadecimal digits";
    let word = line.expect_word(field, ADDRESS)?;
    let number = word.split_at_checked(16).and_then(|(high, low)| {
        let low = Some(low).filter(|low| low.len() == 16)?;
        Some(u128::from(super::hex(high)?) << 64 | u128::from(super::hex(low)?))
    });
    let number = number.ok_or_else(|| line.error(field, ADDRESS, word))?;
    Ok(Ipv6Addr::from_bits(number))
}

fn length(line: &mut Line<'_>, field: &'static str) -> Result<u8, ParseError> {
    const LENGTH: &str = "a hexadecimal number of at most 80";
    let word = line.expect_word(field, LENGTH)?;
    let length = super::hex(word).filter(|length| *length <= 128);
    let length = length.and_then(|length| u8::try_from(length).ok());
    length.ok_or_else(|| line.error(field, LENGTH, word))
}

fn word(line: &mut Line<'_>, field: &'static str) -> Result<u32, ParseError> {
    const WORD: &str = "a hexadecimal number of 32 bits";
    let word = line.expect_word(field, WORD)?;
    let number = super::hex(word).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| line.error(field, WORD, word))
}

impl<'a> Iterator for Routes<'a> {
    type Item = Result<(&'a [u8], Route), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let read = self.lines.next()?.and_then(route).transpose();
            if read.is_some() {
                return read;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11: a network, the default route, an own address, multicast, and what is
    /// behind all: nothing.
    const SAMPLE: &str = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    fn read(bytes: &[u8]) -> Result<Vec<(&[u8], Route)>, ParseError> {
        routes(bytes).collect()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE.as_bytes()).expect("the sample");
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let network = Route {
            length: 64,
            destination: address("fd00::"),
            priority: 256,
            gateway: None,
            source: None,
            protocol: None,
            weight: None,
        };
        let default = Route {
            length: 0,
            destination: address("::"),
            priority: 1024,
            gateway: Some(address("fd00::1")),
            ..network
        };
        assert_eq!(found, [(&b"eth0"[..], network), (&b"eth0"[..], default)]);
        hostile::survive(SAMPLE.as_bytes(), |bytes| {
            read(bytes).map(|found| found.len())
        });
    }

    #[test]
    fn short() {
        let error =
            read(b"fd000000000000000000000000000000 40\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: source: expected 32 hexadecimal digits, found \"\"".to_string())
        );
    }

    #[test]
    fn an_error_names_the_field() {
        for (old, new, expected) in [
            (
                "fd000000000000000000000000000000",
                "fd00000000000000",
                "1: destination: expected 32 hexadecimal digits, found \"fd00000000000000\"",
            ),
            (
                " 40 ",
                " 81 ",
                "1: destination's length: expected a hexadecimal number of at most 80, found \"81\"",
            ),
            (
                "00000100",
                "100000100",
                "1: metric: expected a hexadecimal number of 32 bits, found \"100000100\"",
            ),
            (
                "    eth0",
                "",
                "1: device: expected the name of a device, found \"\"",
            ),
        ] {
            let text = SAMPLE.replacen(old, new, 1);
            let error = read(text.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected.to_string()));
        }
    }

    #[test]
    fn empty() {
        assert_eq!(read(b""), Ok(Vec::new()));
        assert!(read(b"\n").is_err());
    }

    #[test]
    fn ends_abruptly() {
        let error =
            read(SAMPLE.trim_end().as_bytes()).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((5, "a line feed at its end")));
    }
}
