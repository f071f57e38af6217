//! `/proc/sys/net/ipv4/ip_local_port_range`: from which ports the kernel picks when a program does not, for IPv6 too.
//!
//! Kernel: `ipv4_local_port_range` (net/ipv4/sysctl_net_ipv4.c), Documentation/networking/ip-sysctl.rst. Since Linux 2.2,
//! for each network namespace since 3.18; the file shows the reader's namespace, whatever /proc it is read through.
//!
//! ```text
//! 32768   60999
//! ```
//!
//! A tab stands between the two ends; both belong to the range.

use super::ParseError;
use super::decimal;
use super::lines;

/// Below procfs.
pub const PATH: &str = "sys/net/ipv4/ip_local_port_range";

const EXPECTED: &str = "a port from 0 to 65535";

/// The ports from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub low: u16,
    /// The last port.
    pub high: u16,
}

impl PortRange {
    /// Whether the port is in the range.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        self.low <= port && port <= self.high
    }

    /// How many ports there are.
    #[must_use]
    pub fn total(self) -> u32 {
        u32::from(self.high.saturating_sub(self.low)) + 1
    }
}

/// Reads the two ends.
///
/// # Errors
/// When they are not two ports in order.
pub fn parse(bytes: &[u8]) -> Result<PortRange, ParseError> {
    let mut line = lines(bytes).expect("low", EXPECTED)?;
    let low = line.expect_word("low", EXPECTED)?;
    let low = port(low).ok_or_else(|| line.error("low", EXPECTED, low))?;
    let word = line.expect_word("high", EXPECTED)?;
    let high = port(word).ok_or_else(|| line.error("high", EXPECTED, word))?;
    if low > high {
        return Err(line.error("high", "at least the low end", word));
    }
    Ok(PortRange { low, high })
}

/// A port as a decimal number.
pub(super) fn port(word: &[u8]) -> Option<u16> {
    decimal(word).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    fn error(bytes: &[u8]) -> String {
        parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn parses() {
        let range = parse(b"32768\t60999\n").unwrap();
        assert_eq!(
            range,
            PortRange {
                low: 32768,
                high: 60999
            }
        );
        assert_eq!(range.total(), 28232);
        assert_eq!(
            [32767, 32768, 60999, 61000].map(|port| range.contains(port)),
            [false, true, true, false]
        );
        assert_eq!(parse(b"0\t65535\n").unwrap().total(), 65536);
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"32768\n"),
            "1: high: expected a port from 0 to 65535, found \"\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(
            error(b""),
            "1: low: expected a port from 0 to 65535, found \"\""
        );
        assert_eq!(
            error(b"\n"),
            "1: low: expected a port from 0 to 65535, found \"\""
        );
    }

    #[test]
    fn buffer_ends_abruptly() {
        survive(b"32768\t60999\n", parse);
    }

    #[test]
    fn contradictions_and_garbage_are_errors() {
        assert_eq!(
            error(b"60999\t32768\n"),
            "1: high: expected at least the low end, found \"32768\""
        );
        for bad in [
            &b"1 65536\n"[..],
            b"-1 5\n",
            b"+1 5\n",
            b"a b\n",
            b"\xff 1\n",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
