//! The range of udhcpd's configuration, `/etc/udhcpd.conf`.
//!
//! Documented in the sample that BusyBox brings (examples/udhcp/udhcpd.conf). One range, and addresses that are kept:
//!
//! ```text
//! start 192.0.2.20
//! end   192.0.2.254
//! static_lease 00:60:08:11:CE:4E 192.0.2.54
//! ```

use std::borrow::Cow;

use super::Line;
use super::leases::address;
use super::pools::Each;
use super::pools::Setting;
use super::pools::ends;

/// Hands over the range and every kept address, also of a last line without end: people write this file.
pub fn settings<'a>(bytes: &'a [u8], each: Each<'_, 'a>) {
    const ADDRESS: &str = "an IPv4 address";
    const END: &str = "an address that is not below start";
    let (mut first, mut last) = (None, None);
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (number, text) in lines {
        let text = text.split(|byte| *byte == b'#').next().unwrap_or_default();
        let mut line = Line::new(number + 1, text);
        let mut read = |line: &mut Line<'_>, field| match line.word() {
            Some(word) if address(word).is_some() => address(word),
            word => {
                each(Err(line.error(field, ADDRESS, word.unwrap_or_default())));
                None
            }
        };
        match line.word() {
            Some(b"start") => first = read(&mut line, "start"),
            Some(b"end") => last = read(&mut line, "end").map(|last| (last, line)),
            Some(b"static_lease") => {
                line.word();
                if let Some(address) = read(&mut line, "static_lease") {
                    each(Ok(Setting::Host(address)));
                }
            }
            _ => {}
        }
    }
    if let (Some(first), Some((last, line))) = (first, last) {
        each(match ends(first, last) {
            Some((first, last)) => Ok(Setting::Range {
                name: Cow::Borrowed(b""),
                first,
                last,
            }),
            None => Err(line.error("end", END, line.text())),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::pools::tests::survive;
    use super::super::pools::tests::told;
    use super::*;

    const SAMPLE: &[u8] =
        b"# a comment\nstart 192.0.2.20 # first\nend\t\t192.0.2.254\ninterface s0\n\
        static_lease 00:60:08:11:CE:4E 192.0.2.54\noption lease 43200";

    #[test]
    fn parses() {
        assert_eq!(
            told(settings, SAMPLE),
            ["host 192.0.2.54", " 192.0.2.20-192.0.2.254"]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(settings, b"start\nend x\nstatic_lease 00:60 y\n"),
            [
                "error: 1: start: expected an IPv4 address, found \"\"",
                "error: 2: end: expected an IPv4 address, found \"x\"",
                "error: 3: static_lease: expected an IPv4 address, found \"y\"",
            ]
        );
        assert_eq!(
            told(settings, b"start 10.0.0.9\nend 10.0.0.1\n"),
            ["error: 2: end: expected an address that is not below start, found \"end 10.0.0.1\""]
        );
    }

    #[test]
    fn empty() {
        assert!(told(settings, b"").is_empty());
        assert!(told(settings, b"start 10.0.0.9\n").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(settings, SAMPLE);
    }
}
