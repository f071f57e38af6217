//! Lines of a key and a value: `KEY=VALUE` as in /etc/os-release and shell scripts, `KEY VALUE` and `KEY: VALUE` as in
//! /proc/vmstat, /proc/meminfo and memory.stat of cgroups.
//!
//! ```text
//! battery.charge: 100
//! MemFree:  123456 kB
//! load="0.25"
//! ```
//!
//! With white space between them, what stands behind the value (a unit) does not count. Lines without the separator, empty
//! ones and those that begin with `#` do not either: they are of no key.

use super::ParseError;
use super::measure::NUMBER;
use super::measure::number;

/// The number that stands behind a key, which must be there once. Without a separator white space is one, and a colon at
/// the key's end is none of its own.
///
/// # Errors
/// When the key is not there, is there twice, or has no number.
pub fn value(bytes: &[u8], key: &str, separator: Option<u8>) -> Result<f64, ParseError> {
    let mut found = None;
    let mut lines = 0;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        lines = index + 1;
        let Some((name, text)) = pair(line.trim_ascii(), separator) else {
            continue;
        };
        let bare = name.strip_suffix(b":").filter(|_| separator.is_none());
        if name != key.as_bytes() && bare != Some(key.as_bytes()) {
            continue;
        }
        if found.is_some() {
            let line = line.trim_ascii();
            return Err(ParseError::new(
                lines,
                key.to_string(),
                "this key once",
                line,
            ));
        }
        let value = number(text);
        found = Some(value.ok_or_else(|| ParseError::new(lines, key.to_string(), NUMBER, text))?);
    }
    found.ok_or_else(|| ParseError::new(lines, key.to_string(), "a line with this key", b""))
}

fn pair(line: &[u8], separator: Option<u8>) -> Option<(&[u8], &[u8])> {
    if line.starts_with(b"#") {
        return None;
    }
    let between = |byte: &u8| match separator {
        Some(separator) => *byte == separator,
        None => byte.is_ascii_whitespace(),
    };
    let at = line.iter().position(between)?;
    let (name, rest) = (line.get(..at)?, line.get(at + 1..)?.trim_ascii());
    if separator.is_none() {
        let mut words = rest.split(u8::is_ascii_whitespace);
        return Some((name, words.next()?));
    }
    let quoted = [b'"', b'\''].into_iter().find_map(|quote| {
        let inside = rest.strip_prefix(&[quote])?;
        inside.strip_suffix(&[quote])
    });
    Some((name.trim_ascii(), quoted.unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[u8] =
        b"# a comment 1\nMemFree:  123456 kB\nbattery.charge: 99.5\nload 0.25\n\nempty\nbad full\n";
    const SHELL: &[u8] =
        b"# load=1\nload = \"0.25\"\ncharge=99\nexport x=1\nempty=\nname='two'\nsum=1 2\n";

    fn read(bytes: &[u8], key: &str, separator: Option<u8>) -> Result<f64, String> {
        value(bytes, key, separator).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_and_its_number() {
        for (key, expected) in [
            ("MemFree", 123_456.0),
            ("MemFree:", 123_456.0),
            ("battery.charge", 99.5),
            ("load", 0.25),
        ] {
            assert_eq!(read(WORDS, key, None), Ok(expected), "{key}");
        }
        for (key, expected) in [("load", 0.25), ("charge", 99.0)] {
            assert_eq!(read(SHELL, key, Some(b'=')), Ok(expected), "{key}");
        }
        assert_eq!(read(b"a 1", "a", None), Ok(1.0), "without a line feed");
        assert_eq!(read(b"a 1\r\nb 2\r\n", "b", None), Ok(2.0));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (key, expected) in [
            ("bad", "7: bad: expected a number, found \"full\""),
            (
                "empty",
                "8: empty: expected a line with this key, found \"\"",
            ),
            ("none", "8: none: expected a line with this key, found \"\""),
        ] {
            assert_eq!(read(WORDS, key, None), Err(expected.to_string()));
        }
        for (key, expected) in [
            ("empty", "5: empty: expected a number, found \"\""),
            ("name", "6: name: expected a number, found \"two\""),
            ("sum", "7: sum: expected a number, found \"1 2\""),
            ("x", "8: x: expected a line with this key, found \"\""),
        ] {
            assert_eq!(read(SHELL, key, Some(b'=')), Err(expected.to_string()));
        }
        assert_eq!(
            read(b"a 1\na 2\n", "a", None),
            Err("2: a: expected this key once, found \"a 2\"".to_string())
        );
        assert!(read(b"", "a", None).is_err());
    }

    #[test]
    fn any_bytes_are_survived() {
        for (sample, separator) in [(WORDS, None), (SHELL, Some(b'='))] {
            for cut in 0..sample.len() {
                let _ = value(&sample[..cut], "load", separator);
                for byte in 0..=u8::MAX {
                    let mut garbled = sample.to_vec();
                    garbled[cut] = byte;
                    let _ = value(&garbled, "load", separator);
                }
            }
        }
    }
}
