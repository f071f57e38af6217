//! `/etc/hosts`: names of addresses, written by people.
//!
//! hosts(5): an address, its canonical name, then other names, between blanks; `#` begins a comment. From Debian 12, 2025:
//!
//! ```text
//! 127.0.0.1       localhost
//! ::1     localhost ip6-localhost ip6-loopback
//! 192.0.2.10  db1.example.com db1   # rack 4
//! fe80::1%eth0  gateway
//! ```
//!
//! Good lines count and bad ones are reported: an address that is none, an address without a name. A zone (`%eth0`) is
//! cut off: sockets tell addresses without it. The C library takes the first line of an address, and so does the caller
//! who keeps the first name that it is given.

use std::net::IpAddr;

use super::Line;
use super::ParseError;
use super::net_tcp::Address;

/// The longest name, in bytes: what DNS allows (RFC 1035 section 2.3.4).
const NAME: usize = 255;

/// The lines that were refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub lines: u64,
    /// What was wrong with the first.
    pub first: Option<ParseError>,
}

/// Gives each address with its canonical name to `each`, in the order of the file, and says which lines were refused.
pub fn read(bytes: &[u8], mut each: impl FnMut(Address, &[u8])) -> Refused {
    let mut refused = Refused::default();
    for (number, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let end = text.iter().position(|byte| *byte == b'#');
        let text = end.and_then(|end| text.get(..end)).unwrap_or(text);
        match entry(Line::new(number, text)) {
            Ok(Some((address, name))) => each(address, name),
            Ok(None) => {}
            Err(error) => {
                refused.lines += 1;
                refused.first.get_or_insert(error);
            }
        }
    }
    refused
}

/// `None` for a line that says nothing.
fn entry(mut line: Line<'_>) -> Result<Option<(Address, &[u8])>, ParseError> {
    const ADDRESS: &str = "an IPv4 or IPv6 address";
    let Some(word) = line.word() else {
        return Ok(None);
    };
    let address = address(word).ok_or_else(|| line.error("IP_address", ADDRESS, word))?;
    let name = line.expect_word("canonical_hostname", "a name")?;
    if name.len() > NAME {
        return Err(line.error("canonical_hostname", "at most 255 bytes", name));
    }
    Ok(Some((address, name)))
}

fn address(word: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(word).ok()?;
    if let Some((address, zone)) = text.split_once('%') {
        let v6: std::net::Ipv6Addr = address.parse().ok()?;
        return (!zone.is_empty() && !zone.contains(':')).then(|| Address::v6(v6.octets()));
    }
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => Address::v4(address.octets()),
        IpAddr::V6(address) => Address::v6(address.octets()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> (Vec<String>, Refused) {
        let mut entries = Vec::new();
        let refused = read(bytes, |address, name| {
            entries.push(format!(
                "{} {}",
                address.ip(),
                String::from_utf8_lossy(name)
            ));
        });
        (entries, refused)
    }

    #[test]
    fn parses() {
        let (entries, refused) = told(
            b"# comment\n\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n  192.0.2.10  db1.example.com db1 # rack\n\
              fe80::1%eth0 gateway\n::ffff:192.0.2.11 mapped\r\n192.0.2.12 a#b\n192.0.2.12 last",
        );
        assert_eq!(
            entries,
            [
                "127.0.0.1 localhost",
                "::1 localhost",
                "192.0.2.10 db1.example.com",
                "fe80::1 gateway",
                "192.0.2.11 mapped",
                "192.0.2.12 a",
                "192.0.2.12 last",
            ]
        );
        assert_eq!(refused, Refused::default());
    }

    #[test]
    fn short() {
        let (entries, refused) = told(b"192.0.2.1\n192.0.2.2 # name\n192.0.2.3 name\n");
        assert_eq!(entries, ["192.0.2.3 name"]);
        assert_eq!(refused.lines, 2);
        assert_eq!(
            refused.first.map(|error| error.to_string()).as_deref(),
            Some("1: canonical_hostname: expected a name, found \"\"")
        );
    }

    #[test]
    fn empty() {
        assert_eq!(told(b""), (Vec::new(), Refused::default()));
        assert_eq!(told(b"\n \n\t\n#\n"), (Vec::new(), Refused::default()));
    }

    /// A file that people write may end without a line feed: no prefix is an error of the file, and none panics.
    #[test]
    fn buffer_ends_abruptly() {
        let sample = b"192.0.2.1 one two # three\nfe80::1%eth0 four\n";
        for cut in 0..=sample.len() {
            let (entries, refused) = told(&sample[..cut]);
            assert!(
                entries.len() <= 2 && refused.lines <= 1,
                "cut at byte {cut}"
            );
            assert!(
                cut <= 25
                    || entries
                        .first()
                        .is_some_and(|first| first == "192.0.2.1 one")
            );
        }
        for at in 0..sample.len() {
            for junk in [b'\0', b'%', b'#', b'\xff', b' ', b'\n', b':'] {
                let mut garbled = sample.to_vec();
                garbled[at] = junk;
                assert!(told(&garbled).0.iter().all(|entry| entry.len() > 3));
            }
        }
    }

    #[test]
    fn broken_lines_cost_only_themselves() {
        for bad in [
            &b"example.com 192.0.2.1"[..],
            b"192.0.2 short",
            b"192.0.2.256 large",
            b"010.0.0.1 octal",
            b"192.0.2.1%eth0 zone",
            b"fe80::1% nothing",
            b"fe80::%1::2 zone",
            b"\xff\xfe bytes",
            b"192.0.2.1/24 range",
            b"+1.2.3.4 sign",
        ] {
            let text = [b"192.0.2.9 before\n", bad, b"\n192.0.2.9 after\n"].concat();
            let (entries, refused) = told(&text);
            assert_eq!(
                (entries.len(), refused.lines),
                (2, 1),
                "{}",
                String::from_utf8_lossy(bad)
            );
            assert_eq!(refused.first.map(|error| error.line), Some(2));
        }
        let long = [b"192.0.2.1 ".as_slice(), &[b'a'; 256]].concat();
        assert_eq!(told(&long).1.lines, 1);
        assert_eq!(told(&long[..long.len() - 1]).1.lines, 0);
    }
}
