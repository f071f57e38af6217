//! `/proc/net/xfrm_stat`: packets that IPsec dropped, one counter a line.
//!
//! Written by `xfrm_statistics_seq_show` in the kernel's net/xfrm/xfrm_proc.c, since 2.6.25, with CONFIG_XFRM_STATISTICS;
//! Documentation/networking/xfrm_proc.rst. The first lines on 6.18:
//!
//! ```text
//! XfrmInError              0
//! XfrmInBufferError        0
//! ```
//!
//! Units: packets, summed over the CPUs. Each CPU's counter is as wide as a `long`.

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

const NAME: &str = "the name of a counter";

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter<'a> {
    /// The kernel's name of it.
    pub name: &'a [u8],
    /// Packets.
    pub value: u64,
    line: usize,
}

impl Counter<'_> {
    /// An error about this counter's name.
    #[must_use]
    pub fn error(&self, expected: &'static str) -> ParseError {
        ParseError::new(self.line, "name", expected, self.name)
    }
}

/// The counters of one file.
pub struct Counters<'a> {
    lines: Lines<'a>,
}

/// Reads the file line by line.
///
/// # Errors
/// When it is empty: a kernel that has the file has counters.
pub fn counters(bytes: &[u8]) -> Result<Counters<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "name", NAME, bytes));
    }
    Ok(Counters {
        lines: lines(bytes),
    })
}

fn counter(mut line: Line<'_>) -> Result<Counter<'_>, ParseError> {
    let name = line.expect_word("name", NAME)?;
    let word = line.word().unwrap_or_default();
    let field = || super::printable(name).into_owned();
    let Some(value) = super::decimal(word) else {
        return Err(line.error(field(), super::DECIMAL, word));
    };
    match line.word() {
        Some(extra) => Err(line.error(field(), "one number", extra)),
        None => Ok(Counter {
            name,
            value,
            line: line.number(),
        }),
    }
}

impl<'a> Iterator for Counters<'a> {
    type Item = Result<Counter<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(counter))
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11, cut to three lines; figures that tell them apart.
    const SAMPLE: &[u8] = b"XfrmInError             \t1\nXfrmInBufferError       \t2\n\
        XfrmOutBundleCheckError \t18446744073709551615\n";

    fn read(bytes: &[u8]) -> Result<Vec<(&[u8], u64)>, ParseError> {
        counters(bytes)?
            .map(|counter| counter.map(|counter| (counter.name, counter.value)))
            .collect()
    }

    #[test]
    fn parses() {
        let expected = [
            (&b"XfrmInError"[..], 1),
            (b"XfrmInBufferError", 2),
            (b"XfrmOutBundleCheckError", u64::MAX),
        ];
        assert_eq!(read(SAMPLE).as_deref(), Ok(&expected[..]));
        hostile::survive(SAMPLE, |bytes| read(bytes).map(|found| found.len()));
    }

    #[test]
    fn short() {
        let error = read(b"XfrmInError\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: XfrmInError: expected an unsigned decimal number, found \"\"".to_string())
        );
        assert!(read(b"XfrmInError 1 2\n").is_err());
        assert!(read(b"\n").is_err());
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: name: expected the name of a counter, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((3, "a line feed at its end")));
    }
}
