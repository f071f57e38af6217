//! `/proc/net/route`: the main routing table of IPv4. And what a route is, whichever file or message told it.
//!
//! Written by `fib_route_seq_show` in the kernel's net/ipv4/fib_trie.c, since 2.0; proc(5) says little. From 6.18, with the
//! blanks at the lines' ends cut off:
//!
//! ```text
//! Iface Destination Gateway  Flags RefCnt Use Metric Mask     MTU Window IRTT
//! eth0  00000000    010200C0 0003  0      0   0      00000000 0   0      0
//! eth0  000200C0    00000000 0001  0      0   0      00FFFFFF 0   0      0
//! ```
//!
//! Addresses are words of memory in hexadecimal: their bytes stand the other way round on a little-endian machine. Flags
//! are hexadecimal (include/uapi/linux/route.h), the other numbers decimal; the metric is printed as a signed number.
//!
//! Traps: a route over several gateways shows the first only. Routes that lead nowhere (`RTF_REJECT`) are of the device
//! `*`. Protocol, preferred source and weight are not told.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::ByteOrder;
use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// The route has a gateway.
pub(super) const RTF_GATEWAY: u64 = 0x2;
/// The route leads nowhere.
pub(super) const RTF_REJECT: u64 = 0x200;

/// A route, or one way of a route that has several. In order: the shortest prefixes, which most traffic takes, first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The length of the destination's prefix in bits; 0 for the default route.
    pub length: u8,
    /// The destination.
    pub destination: IpAddr,
    /// The metric; of two routes to one destination the lower one is taken.
    pub priority: u32,
    /// The next router, if there is one.
    pub gateway: Option<IpAddr>,
    /// The address that packets are sent from, where the route says so.
    pub source: Option<IpAddr>,
    /// Who made the route (`RTPROT_…`), where that is told.
    pub protocol: Option<u8>,
    /// The share of this way in a route that has several.
    pub weight: Option<u32>,
}

/// The unicast routes of one file, each with its device.
pub struct Routes<'a> {
    lines: Lines<'a>,
    order: ByteOrder,
}

/// Reads the file line by line.
///
/// # Errors
/// When the header is not there.
pub fn routes(bytes: &[u8], order: ByteOrder) -> Result<Routes<'_>, ParseError> {
    const HEADER: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask …";
    const NAMES: [&[u8]; 8] = [
        b"Iface",
        b"Destination",
        b"Gateway",
        b"Flags",
        b"RefCnt",
        b"Use",
        b"Metric",
        b"Mask",
    ];
    let mut lines = lines(bytes);
    let mut header = lines.expect("header", HEADER)?;
    for name in NAMES {
        if header.word() != Some(name) {
            return Err(header.error("header", HEADER, header.text()));
        }
    }
    Ok(Routes { lines, order })
}

/// `None` for a route that leads nowhere.
fn route<'a>(
    mut line: Line<'a>,
    order: ByteOrder,
) -> Result<Option<(&'a [u8], Route)>, ParseError> {
    const METRIC: &str = "a number of 32 bits";
    const MASK: &str = "a mask of ones and then zeros";
    let device = line.expect_word("Iface", "the name of a device")?;
    let destination = address(&mut line, "Destination", order)?;
    let gateway = address(&mut line, "Gateway", order)?;
    let flags = line.expect_hex("Flags")?;
    line.expect_word("RefCnt", super::DECIMAL)?;
    line.expect_word("Use", super::DECIMAL)?;
    let word = line.expect_word("Metric", METRIC)?;
    let metric = super::signed(word).and_then(|metric| {
        let negative = i32::try_from(metric).ok().map(i32::cast_unsigned);
        u32::try_from(metric).ok().or(negative)
    });
    let Some(priority) = metric else {
        return Err(line.error("Metric", METRIC, word));
    };
    let mask = address(&mut line, "Mask", order)?.to_bits();
    let length = mask.leading_ones();
    if mask.count_ones() != length {
        return Err(line.error("Mask", MASK, format!("{mask:08X}").as_bytes()));
    }
    if flags & RTF_REJECT != 0 {
        return Ok(None);
    }
    let route = Route {
        length: u8::try_from(length).unwrap_or(32),
        destination: IpAddr::V4(destination),
        priority,
        gateway: (flags & RTF_GATEWAY != 0).then_some(IpAddr::V4(gateway)),
        source: None,
        protocol: None,
        weight: None,
    };
    Ok(Some((device, route)))
}

fn address(
    line: &mut Line<'_>,
    field: &'static str,
    order: ByteOrder,
) -> Result<Ipv4Addr, ParseError> {
    const ADDRESS: &str = "eight hexadecimal digits";
    let word = line.expect_word(field, ADDRESS)?;
    let number = Some(word)
        .filter(|word| word.len() == 8)
        .and_then(super::hex);
    let Some(number) = number.and_then(|number| u32::try_from(number).ok()) else {
        return Err(line.error(field, ADDRESS, word));
    };
    Ok(Ipv4Addr::from(match order {
        ByteOrder::Little => number.to_le_bytes(),
        ByteOrder::Big => number.to_be_bytes(),
    }))
}

impl<'a> Iterator for Routes<'a> {
    type Item = Result<(&'a [u8], Route), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.lines.next()?;
            let read = line.and_then(|line| route(line, self.order)).transpose();
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

    /// x86_64 virtual machine, kernel 6.18, 2026-11, and a route that leads nowhere.
    const SAMPLE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0                                                                             
eth0\t000200C0\t00000000\t0001\t0\t0\t-1\t00FFFFFF\t0\t0\t0                                                                              
*\t0000000A\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0                                                                                  
";

    fn read(bytes: &[u8]) -> Result<Vec<(&[u8], Route)>, ParseError> {
        routes(bytes, ByteOrder::Little)?.collect()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE.as_bytes()).expect("the sample");
        let default = Route {
            length: 0,
            destination: IpAddr::from([0; 4]),
            priority: 100,
            gateway: Some(IpAddr::from([192, 0, 2, 1])),
            source: None,
            protocol: None,
            weight: None,
        };
        let lan = Route {
            length: 24,
            destination: IpAddr::from([192, 0, 2, 0]),
            priority: u32::MAX,
            gateway: None,
            ..default
        };
        assert_eq!(found, [(&b"eth0"[..], default), (&b"eth0"[..], lan)]);
        hostile::survive(SAMPLE.as_bytes(), |bytes| {
            read(bytes).map(|found| found.len())
        });
    }

    #[test]
    fn addresses_of_a_big_endian_machine() {
        let text = SAMPLE
            .replace("000200C0", "C0000200")
            .replace("00FFFFFF", "FFFFFF00")
            .replace("000000FF", "FF000000");
        let found: Result<Vec<_>, _> = routes(text.as_bytes(), ByteOrder::Big)
            .expect("the header")
            .collect();
        let (_, lan) = found.expect("the sample")[1];
        assert_eq!(
            (lan.destination, lan.length),
            (IpAddr::from([192, 0, 2, 0]), 24)
        );
    }

    #[test]
    fn short() {
        let header = SAMPLE.split_inclusive('\n').next().expect("a line");
        assert_eq!(read(header.as_bytes()), Ok(Vec::new()));
        let short = format!("{header}eth0\t00000000\n");
        let error = read(short.as_bytes());
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err("2: Gateway: expected eight hexadecimal digits, found \"\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err(
                "1: header: expected Iface Destination Gateway Flags RefCnt Use Metric Mask …, found \"\""
                    .to_string()
            )
        );
    }

    #[test]
    fn ends_abruptly() {
        let error =
            read(SAMPLE.trim_end().as_bytes()).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((4, "a line feed at its end")));
    }

    #[test]
    fn a_mask_with_a_hole() {
        let text = SAMPLE.replace("00FFFFFF", "FF00FFFF");
        let error = read(text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("3: Mask: expected a mask of ones and then zeros, found \"FFFF00FF\"".to_string())
        );
    }
}
