//! `/proc/loadavg`: how many tasks ran or waited for a CPU or a disk, on average.
//!
//! Documented in proc_loadavg(5); written by `loadavg_proc_show` in the kernel's fs/proc/loadavg.c, since 1.0.
//!
//! ```text
//! 0.90 0.59 0.25 1/108 18153
//! ```
//!
//! Units: tasks, over the last 1, 5 and 15 minutes. The tasks that run now of all there are, and the newest process's number
//! follow, which are not read.

use super::Line;
use super::ParseError;
use super::lines;

/// The three averages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadAverage {
    /// Over the last minute.
    pub one: f64,
    /// Over the last five minutes.
    pub five: f64,
    /// Over the last fifteen minutes.
    pub fifteen: f64,
}

/// Reads the averages.
///
/// # Errors
/// When one of them is missing or no number.
pub fn parse(bytes: &[u8]) -> Result<LoadAverage, ParseError> {
    let mut line = lines(bytes).expect("load1", FRACTION)?;
    Ok(LoadAverage {
        one: expect_fraction(&mut line, "load1")?,
        five: expect_fraction(&mut line, "load5")?,
        fifteen: expect_fraction(&mut line, "load15")?,
    })
}

const FRACTION: &str = "a decimal number with two decimals";

/// The next word as the kernel's fixed-point number.
pub(super) fn expect_fraction(line: &mut Line<'_>, field: &'static str) -> Result<f64, ParseError> {
    let word = line.expect_word(field, FRACTION)?;
    fraction(word).ok_or_else(|| line.error(field, FRACTION, word))
}

/// Digits, a point and two digits: what `f64::from_str` takes besides (`inf`, `1e5`, `+1`) the kernel never writes.
fn fraction(word: &[u8]) -> Option<f64> {
    let point = word.len().checked_sub(3)?;
    let (whole, rest) = word.split_at_checked(point)?;
    let decimals = rest.strip_prefix(b".")?;
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if whole.len() > 20 || !digits(whole) || !digits(decimals) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11.
    const SAMPLE: &[u8] = b"0.90 0.59 0.25 1/108 18153\n";

    fn error(bytes: &[u8]) -> String {
        parse(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        let found = parse(SAMPLE).expect("the sample");
        assert_eq!((found.one, found.five, found.fifteen), (0.9, 0.59, 0.25));
        assert_eq!(
            parse(b"12345.67 0.00 1.00 1/1 1\n").map(|found| found.one),
            Ok(12345.67)
        );
        survive(SAMPLE, parse);
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"0.90 0.59\n"),
            "1: load15: expected a decimal number with two decimals, found \"\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(
            error(b""),
            "1: load1: expected a decimal number with two decimals, found \"\""
        );
    }

    #[test]
    fn ends_abruptly() {
        assert!(error(b"0.90 0.59 0.2").contains("a line feed at its end"));
    }

    #[test]
    fn only_what_the_kernel_writes_is_a_number() {
        for bad in [
            "inf", "nan", "1e5", "+1.00", "-1.00", ".00", "1.", "1", "1.000", "1,00", "1.0x",
        ] {
            assert!(
                parse(format!("{bad} 0.00 0.00\n").as_bytes()).is_err(),
                "{bad}"
            );
        }
    }
}
