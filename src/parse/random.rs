//! `/proc/sys/kernel/random/entropy_avail` and `poolsize`: the kernel's pool of entropy.
//!
//! Documented in random(4); the kernel's drivers/char/random.c. A number of bits each, `poolsize` since 2.6 (in bytes
//! before). Since 5.18 both are always 256 once the pool has been filled.
//!
//! ```text
//! 256
//! ```

use super::ParseError;
use super::lines;

/// Reads the bits; `field` is the file's name.
///
/// # Errors
/// When it is no number.
pub fn bits(bytes: &[u8], field: &'static str) -> Result<u64, ParseError> {
    lines(bytes)
        .expect(field, super::DECIMAL)?
        .expect_decimal(field)
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    fn error(bytes: &[u8]) -> String {
        let result = bits(bytes, "poolsize");
        result.map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        assert_eq!(bits(b"4096\n", "poolsize"), Ok(4096));
        survive(b"4096\n", |bytes| bits(bytes, "poolsize"));
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"\n"),
            "1: poolsize: expected an unsigned decimal number, found \"\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(
            error(b""),
            "1: poolsize: expected an unsigned decimal number, found \"\""
        );
    }

    #[test]
    fn ends_abruptly() {
        assert!(error(b"40").contains("a line feed at its end"));
    }
}
