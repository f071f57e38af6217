//! A file that is nothing but a number, as the attributes of /sys are (`/sys/class/thermal/thermal_zone0/temp`), and what
//! counts as a number in files that people and programs write.

use super::ParseError;

/// How errors name a number.
pub const NUMBER: &str = "a number";

/// Reads the number.
///
/// # Errors
/// When the file holds anything else.
pub fn value(bytes: &[u8]) -> Result<f64, ParseError> {
    let text = bytes.trim_ascii();
    number(text).ok_or_else(|| {
        let first = text.split(|byte| *byte == b'\n').next();
        ParseError::new(1, "number", NUMBER, first.unwrap_or_default())
    })
}

/// A decimal number with or without sign, fraction and exponent. Neither infinite nor none: files that say `nan` have no
/// number to tell.
#[must_use]
pub fn number(text: &[u8]) -> Option<f64> {
    let plain = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    if !text.iter().all(plain) {
        return None;
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_what_is_none() {
        for (text, expected) in [
            ("0", 0.0),
            ("45123\n", 45123.0),
            ("  -7.25 \n\n", -7.25),
            ("+3", 3.0),
            ("1e3", 1000.0),
            (".5", 0.5),
        ] {
            assert_eq!(value(text.as_bytes()), Ok(expected), "{text}");
        }
        for (text, found) in [
            ("", "\"\""),
            ("\n", "\"\""),
            ("nan", "\"nan\""),
            ("inf", "\"inf\""),
            ("1e999", "\"1e999\""),
            ("0x10", "\"0x10\""),
            ("1,5", "\"1,5\""),
            ("1 2", "\"1 2\""),
            ("1\n2", "\"1\""),
            ("--1", "\"--1\""),
        ] {
            let error = value(text.as_bytes()).map_err(|error| error.to_string());
            let expected = format!("1: number: expected a number, found {found}");
            assert_eq!(error, Err(expected), "{text:?}");
        }
    }

    #[test]
    fn any_bytes_are_survived() {
        let sample = b"-12.5e3\n";
        for cut in 0..sample.len() {
            let _ = value(&sample[..cut]);
            for byte in 0..=u8::MAX {
                let mut garbled = sample.to_vec();
                garbled[cut] = byte;
                let _ = value(&garbled);
            }
        }
    }
}
