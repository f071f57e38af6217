//! `/proc/sys/net/ipv4/ip_local_reserved_ports`: ports that the kernel leaves alone when it picks one.
//!
//! Kernel: `proc_do_large_bitmap` (kernel/sysctl.c), Documentation/networking/ip-sysctl.rst. Since Linux 2.6.35, for each
//! network namespace since 3.17. Ports and ranges in ascending order; an empty line when there are none.
//!
//! ```text
//! 8080,9148-9150
//! ```

use super::ParseError;
use super::ip_local_port_range::PortRange;
use super::ip_local_port_range::port;
use super::lines;

/// Below procfs.
pub const PATH: &str = "sys/net/ipv4/ip_local_reserved_ports";

const EXPECTED: &str = "ascending ports or ranges such as 8080,9148-9150";

/// How many reserved ports are inside `range`.
///
/// # Errors
/// When the list is not in order or holds anything but ports.
pub fn parse(bytes: &[u8], range: PortRange) -> Result<u32, ParseError> {
    let line = lines(bytes).expect("ports", EXPECTED)?;
    let text = line.text().trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let mut total = 0;
    let mut after = None;
    for item in text.split(|byte| *byte == b',') {
        let reserved = one(item)
            .filter(|reserved| after < Some(reserved.low))
            .ok_or_else(|| line.error("ports", EXPECTED, item))?;
        after = Some(reserved.high);
        let low = reserved.low.max(range.low);
        let high = reserved.high.min(range.high);
        if low <= high {
            total += PortRange { low, high }.total();
        }
    }
    Ok(total)
}

fn one(item: &[u8]) -> Option<PortRange> {
    let mut ends = item.splitn(2, |byte| *byte == b'-');
    let low = port(ends.next()?)?;
    let high = ends.next().map_or(Some(low), port)?;
    (low <= high).then_some(PortRange { low, high })
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    const RANGE: PortRange = PortRange {
        low: 9000,
        high: 9149,
    };

    #[test]
    fn parses() {
        assert_eq!(parse(b"8080,9148-9150\n", RANGE), Ok(2));
        assert_eq!(parse(b"0-65535\n", RANGE), Ok(150));
        assert_eq!(parse(b"9000\n", RANGE), Ok(1));
    }

    #[test]
    fn short() {
        assert_eq!(
            parse(b"8080,9148-\n", RANGE).unwrap_err().to_string(),
            "1: ports: expected ascending ports or ranges such as 8080,9148-9150, found \"9148-\""
        );
    }

    #[test]
    fn an_empty_line_is_an_empty_list() {
        assert_eq!(parse(b"\n", RANGE), Ok(0));
    }

    #[test]
    fn empty() {
        assert!(parse(b"", RANGE).is_err());
    }

    #[test]
    fn buffer_ends_abruptly() {
        survive(b"8080,9148-9150\n", |bytes| parse(bytes, RANGE));
    }

    #[test]
    fn disorder_and_garbage_are_errors() {
        for bad in [
            &b"9150-9148\n"[..],
            b"9000,9000\n",
            b"9001,9000\n",
            b"65536\n",
            b",\n",
            b"1,,2\n",
            b"-5\n",
            b"\xff\n",
            b"1 2\n",
        ] {
            assert!(parse(bad, RANGE).is_err(), "{bad:?}");
        }
    }
}
