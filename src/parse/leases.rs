//! What the lease files of all DHCP servers have in common. There is one parser for each format, leases_FORMAT.rs, and each
//! hands over what it finds entry by entry.
//!
//! These files are written by daemons, some of them by appending, and read while that goes on: an entry that the file ends
//! in the middle of is left out without a word, one that breaks its format is handed over as an error with its line, and
//! the entries around it count. Only a file that cannot be of this format at all is an error as a whole.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::ParseError;

/// What a parser hands each entry to.
pub type Each<'e, 'a> = &'e mut dyn FnMut(Result<Lease<'a>, ParseError>);

/// One leased address or prefix, as its server wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease<'a> {
    /// The address, or the first one of the prefix.
    pub address: IpAddr,
    /// The length of a delegated prefix; 32 and 128 for addresses.
    pub prefix: u8,
    /// What tells this client from others in this format: its hardware address, client identifier or DUID as the file
    /// spells it.
    pub client: &'a [u8],
    /// The hardware address, where the file or the DUID tells it.
    pub hardware: Hardware,
    /// The client's name without the format's escapes, any bytes; empty for none.
    pub hostname: Cow<'a, [u8]>,
    /// When it ends.
    pub expires: Expiry,
    /// Whether the client has it.
    pub binding: Binding,
    /// Whether the server says that this address is kept for this client.
    pub reserved: bool,
}

/// When a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// At this time, in seconds since 1970.
    At(i64),
    /// Never.
    Never,
}

/// What a server says of an address, the time apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A client has it until it expires.
    Bound,
    /// A client had it: released, expired, reclaimed.
    Free,
    /// Somebody else was found to use it, and it is not given out for a while.
    Declined,
    /// The server has forgotten it: earlier entries of this address no longer count, nor does this.
    Forgotten,
}

/// A hardware address of at most 16 bytes, as DHCP can carry; longer ones are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    bytes: [u8; 16],
    length: u8,
}

impl Hardware {
    /// From the bytes themselves.
    pub fn from_bytes(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut found = Self::default();
        for (place, byte) in found.bytes.iter_mut().zip(bytes) {
            *place = byte;
            found.length += 1;
        }
        found
    }

    /// From pairs of hexadecimal digits with colons between them, or with nothing. `None` when it is not that.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        for byte in hex_bytes(text) {
            let byte = byte?;
            if let Some(place) = found.bytes.get_mut(usize::from(found.length)) {
                *place = byte;
                found.length += 1;
            }
        }
        Some(found)
    }

    /// The hardware address in a DUID of the types 1 and 3 (RFC 8415, 11.2 and 11.4), spelt as for
    /// [`from_hex`](Self::from_hex); none in others.
    #[must_use]
    pub fn from_duid(text: &[u8]) -> Self {
        let mut bytes = hex_bytes(text).map_while(|byte| byte);
        let kind = [bytes.next(), bytes.next()];
        let skipped = match kind {
            [Some(0), Some(1)] => 6,
            [Some(0), Some(3)] => 2,
            _ => return Self::default(),
        };
        Self::from_bytes(bytes.skip(skipped))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.bytes().iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// The bytes of `0102..` or `01:02:..`; `None` where no byte stands.
fn hex_bytes(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let byte = rest.split_at_checked(2).and_then(|(pair, after)| {
            rest = match after {
                [b':', _, ..] => after.get(1..)?,
                _ => after,
            };
            u8::try_from(super::hex(pair)?).ok()
        });
        if byte.is_none() {
            rest = &[];
        }
        Some(byte)
    })
}

/// An address as people write it.
#[must_use]
pub fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The length of a prefix that is one address.
#[must_use]
pub fn whole(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Seconds since 1970 of a time in UTC; `None` where a part is out of its range.
#[must_use]
pub fn epoch(date: [u64; 3], time: [u64; 3]) -> Option<i64> {
    let [year, month, day] = date;
    let [hour, minute, second] = time;
    let fits = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !fits {
        return None;
    }
    // Years that begin in March, so that the leap day is their last (the days of a month then follow a line).
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let seconds = i64::try_from(days).ok()? - 719_468;
    Some(seconds * 86_400 + i64::try_from(hour * 3600 + minute * 60 + second).ok()?)
}

/// Complete lines of a text that may end in the middle of one, with their numbers.
pub fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = super::Line<'_>> {
    super::lines(bytes).map_while(Result::ok)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a parser makes of a text: entries in short words, errors as they are told, and the error of the whole.
    pub(crate) fn told(
        parse: impl for<'a> Fn(&'a [u8], Each<'_, 'a>) -> Result<(), ParseError>,
        bytes: &[u8],
    ) -> Vec<String> {
        let mut told = Vec::new();
        let whole = parse(bytes, &mut |entry| {
            told.push(match entry {
                Ok(lease) => shown(&lease),
                Err(error) => format!("error: {error}"),
            });
        });
        told.extend(whole.err().map(|error| format!("whole: {error}")));
        told
    }

    pub(crate) fn shown(lease: &Lease<'_>) -> String {
        let expires = match lease.expires {
            Expiry::At(time) => time.to_string(),
            Expiry::Never => "never".to_string(),
        };
        let reserved = if lease.reserved { " reserved" } else { "" };
        format!(
            "{}/{} {} {:?} {expires} {:?}{reserved}",
            lease.address,
            lease.prefix,
            lease.hardware,
            crate::parse::printable(&lease.hostname),
            lease.binding
        )
    }

    /// Runs a parser over every prefix of a sample and over the sample with each byte removed or garbled. Nothing may
    /// panic, and a text that only ends too early gives no error but that of the whole.
    pub(crate) fn survive(
        parse: impl for<'a> Fn(&'a [u8], Each<'_, 'a>) -> Result<(), ParseError>,
        sample: &[u8],
    ) {
        for cut in 0..sample.len() {
            let (head, tail) = sample.split_at(cut);
            let _ = parse(head, &mut |entry| {
                assert!(entry.is_ok(), "cut at byte {cut}: {entry:?}");
            });
            let without = [head, &tail[1..]].concat();
            let _ = parse(&without, &mut |_| {});
            for junk in [
                b"".as_slice(),
                b"\xff\xfe",
                b"{",
                b"}",
                b"\"",
                b"\n",
                b",,",
                b"99999999999999999999",
            ] {
                let garbled = [head, junk, &tail[1..]].concat();
                let _ = parse(&garbled, &mut |_| {});
            }
        }
    }

    #[test]
    fn hardware_addresses_in_all_spellings() {
        let shown = |text: &[u8]| Hardware::from_hex(text).map(|found| found.to_string());
        for text in [b"02:00:5e:00:53:0a".as_slice(), b"02005E00530a"] {
            assert_eq!(shown(text).as_deref(), Some("02:00:5e:00:53:0a"));
        }
        assert_eq!(shown(b"").as_deref(), Some(""));
        for bad in [b"0".as_slice(), b"02:", b"02:0", b"zz", b"02::03", b":02"] {
            assert_eq!(shown(bad), None, "{bad:?}");
        }
        assert_eq!(shown(&[b'a'; 100]).map(|text| text.len()), Some(16 * 3 - 1));
        let duid = |text: &[u8]| Hardware::from_duid(text).to_string();
        assert_eq!(duid(b"00:03:00:01:02:00:00:00:01:05"), "02:00:00:00:01:05");
        assert_eq!(duid(b"000100013294602c12f7d5689cc5"), "12:f7:d5:68:9c:c5");
        assert_eq!(duid(b"00:02:00:00:ab:11"), "");
        assert_eq!(duid(b"00:01"), "");
    }

    #[test]
    fn times_of_day_and_leap_years() {
        for (date, time, expected) in [
            ([1970, 1, 1], [0, 0, 0], Some(0)),
            ([2000, 2, 29], [23, 59, 59], Some(951_868_799)),
            ([2026, 11, 22], [1, 59, 27], Some(1_795_312_767)),
            ([1969, 12, 31], [23, 59, 59], Some(-1)),
            ([2026, 13, 1], [0, 0, 0], None),
            ([0, 1, 1], [0, 0, 0], None),
            ([2026, 1, 1], [24, 0, 0], None),
            ([u64::MAX, 1, 1], [0, 0, 0], None),
        ] {
            assert_eq!(epoch(date, time), expected, "{date:?} {time:?}");
        }
    }
}
