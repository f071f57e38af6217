//! `/proc/uptime`: how long the machine has been up.
//!
//! Documented in proc_uptime(5); written by `uptime_proc_show` in the kernel's fs/proc/uptime.c, since 1.0.
//!
//! ```text
//! 1687.51 3053.84
//! ```
//!
//! Units: seconds, time asleep included. The second number, the CPUs' idle time, is not read: it is in /proc/stat. In a
//! container with a time namespace it is the namespace's.

use super::ParseError;
use super::lines;
use super::loadavg::expect_fraction;

/// Reads the seconds since the machine booted.
///
/// # Errors
/// When the first word is no number.
pub fn parse(bytes: &[u8]) -> Result<f64, ParseError> {
    let mut line = lines(bytes).expect("uptime", "seconds")?;
    expect_fraction(&mut line, "uptime")
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    fn error(bytes: &[u8]) -> String {
        parse(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        assert_eq!(parse(b"1687.51 3053.84\n"), Ok(1687.51));
        survive(b"1687.51 3053.84\n", parse);
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"\n"),
            "1: uptime: expected a decimal number with two decimals, found \"\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(error(b""), "1: uptime: expected seconds, found \"\"");
    }

    #[test]
    fn ends_abruptly() {
        assert!(error(b"1687.51").contains("a line feed at its end"));
    }
}
