//! `/sys/devices/system/clocksource/clocksourceN/available_clocksource` and `current_clocksource`: which hardware the kernel
//! tells the time by.
//!
//! Documented in the kernel's Documentation/admin-guide/kernel-parameters.txt (`clocksource=`); written by its
//! kernel/time/clocksource.c, since 2.6.18.
//!
//! ```text
//! tsc kvm-clock acpi_pm
//! ```
//!
//! Names with a blank behind each, the best first. The caller has taken away the white space at the end.

use super::Line;
use super::ParseError;

/// The names, in the kernel's order.
///
/// # Errors
/// When there is none: the kernel always has `jiffies`.
pub fn names(bytes: &[u8], field: &'static str) -> Result<Vec<String>, ParseError> {
    let mut line = Line::new(1, bytes);
    let mut names = Vec::new();
    while let Some(word) = line.word() {
        let name = super::printable(word).into_owned();
        if names.contains(&name) {
            return Err(line.error(field, "each clock source once", word));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(line.error(field, "a clock source", bytes));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive_anywhere;
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
        names(bytes, "available_clocksource").map_err(|error| error.to_string())
    }

    #[test]
    fn parses() {
        let expected = ["tsc", "kvm-clock", "acpi_pm"].map(str::to_string);
        assert_eq!(
            read(b"tsc kvm-clock acpi_pm ").as_deref(),
            Ok(&expected[..])
        );
        survive_anywhere(b"tsc kvm-clock acpi_pm", |bytes| {
            names(bytes, "available_clocksource")
        });
    }

    #[test]
    fn short() {
        assert_eq!(read(b"t").as_deref(), Ok(&["t".to_string()][..]));
    }

    #[test]
    fn empty() {
        assert_eq!(
            read(b""),
            Err("1: available_clocksource: expected a clock source, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        assert_eq!(
            read(b"tsc tsc"),
            Err(
                "1: available_clocksource: expected each clock source once, found \"tsc\""
                    .to_string()
            )
        );
        for cut in 0..10 {
            let _ = read(&b"tsc \xff\xfe hpet"[..cut]);
        }
    }
}
