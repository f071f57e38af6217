//! `/proc/sys/fs/file-nr`: how many files are open on the whole machine.
//!
//! Documented in proc_sys_fs(5); written by `proc_nr_files` in the kernel's fs/file_table.c, since 2.2.
//!
//! ```text
//! 645     0       2466177
//! ```
//!
//! Units: open file descriptions; those that are allocated, those of them that are free (always 0 since 2.6), and the most that
//! there may be.

use super::ParseError;
use super::lines;

/// Open files of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileNr {
    /// Allocated now.
    pub allocated: u64,
    /// The most that may be.
    pub maximum: u64,
}

/// Reads the three numbers.
///
/// # Errors
/// When one of them is missing or no number.
pub fn parse(bytes: &[u8]) -> Result<FileNr, ParseError> {
    let mut line = lines(bytes).expect("allocated", super::DECIMAL)?;
    let allocated = line.expect_decimal("allocated")?;
    line.expect_decimal("free")?;
    let maximum = line.expect_decimal("maximum")?;
    Ok(FileNr { allocated, maximum })
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    const SAMPLE: &[u8] = b"645\t0\t9223372036854775807\n";

    fn error(bytes: &[u8]) -> String {
        parse(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        let expected = FileNr {
            allocated: 645,
            maximum: i64::MAX as u64,
        };
        assert_eq!(parse(SAMPLE), Ok(expected));
        survive(SAMPLE, parse);
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"645\t0\n"),
            "1: maximum: expected an unsigned decimal number, found \"\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(
            error(b""),
            "1: allocated: expected an unsigned decimal number, found \"\""
        );
    }

    #[test]
    fn ends_abruptly() {
        assert!(error(b"645\t0\t9").contains("a line feed at its end"));
    }
}
