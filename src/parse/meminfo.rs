//! `/proc/meminfo`: what the machine's memory is used for.
//!
//! Documented in proc_meminfo(5); written by `meminfo_proc_show` in the kernel's fs/proc/meminfo.c, since 1.0 (as lines of key
//! and value since 2.6).
//!
//! ```text
//! MemTotal:       24684092 kB
//! MemAvailable:   24244912 kB
//! Active(anon):       1592 kB
//! HugePages_Total:       0
//! ```
//!
//! Units: kB are kibibytes; `HugePages_*` are pages of `Hugepagesize`.
//!
//! Traps: which keys there are depends on version, architecture and configuration (`MemAvailable` since 3.14, `HighTotal` on
//! 32-bit machines, `DirectMap*` on x86).

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// One key and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The line's number, counted from 1.
    pub line: usize,
    /// The key, without its colon.
    pub key: &'a [u8],
    /// The value, in kibibytes or a count.
    pub value: u64,
    /// Whether the value is in kibibytes.
    pub kibibytes: bool,
}

/// The entries of one file, in the kernel's order.
pub struct Entries<'a> {
    lines: Lines<'a>,
}

const KEY: &str = "a key and a colon";

/// Reads the file line by line.
///
/// # Errors
/// When it is empty.
pub fn entries(bytes: &[u8]) -> Result<Entries<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "key", KEY, bytes));
    }
    Ok(Entries {
        lines: lines(bytes),
    })
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(entry))
    }
}

fn entry(mut line: Line<'_>) -> Result<Entry<'_>, ParseError> {
    let key = line.expect_before(b':', "key", KEY)?;
    // An error names the field by its key.
    let word = line.word().unwrap_or_default();
    let value = super::decimal(word)
        .ok_or_else(|| line.error(super::printable(key).into_owned(), super::DECIMAL, word))?;
    let kibibytes = match line.word() {
        None => false,
        Some(b"kB") => true,
        Some(other) => {
            let field = super::printable(key).into_owned();
            return Err(line.error(field, "kB or nothing behind the number", other));
        }
    };
    Ok(Entry {
        line: line.number(),
        key,
        value,
        kibibytes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11, without most of its lines.
    const SAMPLE: &[u8] = b"\
MemTotal:       24684092 kB
MemAvailable:   24244912 kB
Active(anon):       1592 kB
HugePages_Total:       3
Hugepagesize:       2048 kB
";

    fn read(bytes: &[u8]) -> Result<Vec<(String, u64, bool)>, ParseError> {
        entries(bytes)?
            .map(|entry| {
                let entry = entry?;
                let key = super::super::printable(entry.key).into_owned();
                Ok((key, entry.value, entry.kibibytes))
            })
            .collect()
    }

    fn error(bytes: &[u8]) -> String {
        read(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        assert_eq!(found.len(), 5);
        assert_eq!(found[2], ("Active(anon)".to_string(), 1592, true));
        assert_eq!(found[3], ("HugePages_Total".to_string(), 3, false));
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"MemTotal:\n"),
            "1: MemTotal: expected an unsigned decimal number, found \"\""
        );
        assert_eq!(
            error(b"MemTotal\n"),
            "1: key: expected a key and a colon, found \"MemTotal\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(error(b""), "1: key: expected a key and a colon, found \"\"");
    }

    #[test]
    fn ends_abruptly() {
        assert!(error(&SAMPLE[..SAMPLE.len() - 4]).contains("a line feed at its end"));
    }

    #[test]
    fn another_unit_is_an_error() {
        assert_eq!(
            error(b"MemTotal: 1 MB\n"),
            "1: MemTotal: expected kB or nothing behind the number, found \"MB\""
        );
    }
}
