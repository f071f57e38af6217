//! `/etc/localtime`: when the clock's offset from UTC changes, and to what.
//!
//! Documented in tzfile(5) and RFC 9636. Binary: a header with six counts, the times of the changes, which kind each is a
//! change to, the kinds (offset, summer time or not, place of the abbreviation), the abbreviations. Files since version 2
//! have all of it twice, the second time with times of 64 bits, and end with a line for the times after the last change
//! ([`super::tz_rule`]), which newer files use for nearly everything.
//!
//! ```text
//! TZif2 … TZif2 … CET-1CEST,M3.5.0,M10.5.0/3
//! ```

use super::ParseError;
use super::tz_rule;
use super::tz_rule::Zone;

const HEADER: usize = 44;

/// The counts of a header, as far as they matter: everything behind the abbreviations is only skipped.
struct Counts {
    version: u8,
    times: usize,
    kinds: usize,
    letters: usize,
    /// Bytes of a time in what follows.
    width: usize,
    /// Bytes of everything that follows, up to the next header or the last line.
    length: usize,
}

/// The zone at a time, in seconds since 1970.
///
/// # Errors
/// When this is no such file, it ends too early or contradicts itself.
pub fn at(bytes: &[u8], now: i64) -> Result<Zone, ParseError> {
    let wrong = |field, expected| ParseError::new(1, field, expected, bytes);
    let header =
        |bytes, width| counts(bytes, width).ok_or_else(|| wrong("header", "TZif and its counts"));
    const WHOLE: &str = "as much as the header tells";
    let mut counts = header(bytes, 4)?;
    let mut data = bytes.get(HEADER..).unwrap_or_default();
    if counts.version >= b'2' {
        let second = data.get(counts.length..);
        let second = second.ok_or_else(|| wrong("data", WHOLE))?;
        counts = header(second, 8)?;
        data = second.get(HEADER..).unwrap_or_default();
    }
    let (data, footer) = data
        .split_at_checked(counts.length)
        .ok_or_else(|| wrong("data", WHOLE))?;
    if let Some(line) = line(footer).filter(|_| counts.is_after_all(data, now)) {
        return tz_rule::at(line, now);
    }
    counts
        .zone(data, now)
        .ok_or_else(|| wrong("data", "a kind of time for each change"))
}

fn counts(bytes: &[u8], width: usize) -> Option<Counts> {
    let rest = bytes.strip_prefix(b"TZif")?;
    let (version, rest) = rest.split_first()?;
    let count = |place: usize| big_endian(rest.get(15 + 4 * place..19 + 4 * place)?);
    let count = |place| usize::try_from(count(place)?).ok();
    let (utc, standard, leaps) = (count(0)?, count(1)?, count(2)?);
    let (times, kinds, letters) = (count(3)?, count(4)?, count(5)?);
    let length = [
        (times, width + 1),
        (kinds, 6),
        (letters, 1),
        (leaps, width + 4),
        (standard, 1),
        (utc, 1),
    ];
    let length = length.into_iter().try_fold(0usize, |sum, (count, size)| {
        sum.checked_add(count.checked_mul(size)?)
    });
    Some(Counts {
        version: *version,
        times,
        kinds,
        letters,
        width,
        length: length?,
    })
}

impl Counts {
    fn time(&self, data: &[u8], place: usize) -> Option<i64> {
        big_endian(data.get(place * self.width..(place + 1) * self.width)?)
    }

    /// Whether the last change was before, so that the last line tells.
    fn is_after_all(&self, data: &[u8], now: i64) -> bool {
        let last = self.times.checked_sub(1);
        last.is_none_or(|last| self.time(data, last).is_some_and(|time| time <= now))
    }

    fn zone(&self, data: &[u8], now: i64) -> Option<Zone> {
        let begun = (0..self.times)
            .take_while(|place| self.time(data, *place).is_some_and(|time| time <= now));
        let (kinds_of, rest) = data
            .get(self.times * self.width..)?
            .split_at_checked(self.times)?;
        // Before the first change the first kind holds.
        let kind = match begun.last() {
            Some(place) => usize::from(*kinds_of.get(place)?),
            None => 0,
        };
        let (kinds, rest) = rest.split_at_checked(self.kinds * 6)?;
        let kind = kinds.get(kind * 6..kind * 6 + 6)?;
        let letters = rest
            .get(..self.letters)?
            .get(usize::from(*kind.get(5)?)..)?;
        let end = letters.iter().position(|letter| *letter == 0)?;
        Some(Zone {
            name: super::printable(letters.get(..end)?).into_owned(),
            offset: big_endian(kind.get(..4)?)?,
        })
    }
}

/// The line between two line feeds that ends the file; `None` where it is empty or there is none.
fn line(footer: &[u8]) -> Option<&[u8]> {
    let line = footer.strip_prefix(b"\n")?.strip_suffix(b"\n")?;
    (!line.is_empty()).then_some(line)
}

/// A signed number of 4 or 8 bytes.
fn big_endian(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        _ => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive_anywhere;
    use super::*;

    /// One block of a file: changes to kinds, kinds (offset, place of the name), names.
    fn block(
        version: u8,
        wide: bool,
        changes: &[(i64, u8)],
        kinds: &[(i32, u8)],
        names: &[u8],
    ) -> Vec<u8> {
        let mut bytes = b"TZif".to_vec();
        bytes.push(version);
        bytes.extend([0; 15]);
        for count in [0, 0, 0, changes.len(), kinds.len(), names.len()] {
            bytes.extend(u32::try_from(count).expect("few").to_be_bytes());
        }
        for (time, _) in changes {
            if wide {
                bytes.extend(time.to_be_bytes());
            } else {
                bytes.extend(i32::try_from(*time).expect("32 bits").to_be_bytes());
            }
        }
        bytes.extend(changes.iter().map(|(_, kind)| *kind));
        for (offset, name) in kinds {
            bytes.extend(offset.to_be_bytes());
            bytes.extend([0, *name]);
        }
        bytes.extend(names);
        bytes
    }

    fn sample() -> Vec<u8> {
        let first = block(b'2', false, &[], &[(0, 0)], b"\0");
        let kinds = [(3208, 0), (3600, 4), (7200, 8)];
        let second = block(
            b'2',
            true,
            &[(-2_422_054_408, 1), (100, 2), (200, 1)],
            &kinds,
            b"LMT\0CET\0CEST\0",
        );
        let footer = b"\nCET-1CEST,M3.5.0,M10.5.0/3\n";
        [&first[..], &second, footer].concat()
    }

    fn zone(bytes: &[u8], now: i64) -> (String, i64) {
        let zone = at(bytes, now).expect("a zone");
        (zone.name, zone.offset)
    }

    #[test]
    fn parses() {
        let sample = sample();
        for (now, name, offset) in [
            (i64::MIN / 4, "LMT", 3208),
            (0, "CET", 3600),
            (100, "CEST", 7200),
            (199, "CEST", 7200),
            (1_774_745_999, "CET", 3600),
            (1_774_746_000, "CEST", 7200),
        ] {
            assert_eq!(zone(&sample, now), (name.to_string(), offset), "{now}");
            survive_anywhere(&sample, |bytes| at(bytes, now));
        }
    }

    #[test]
    fn old_files_have_32_bits_and_no_last_line() {
        let old = block(0, false, &[(100, 1)], &[(0, 0), (3600, 4)], b"GMT\0BST\0");
        assert_eq!(zone(&old, 99), ("GMT".to_string(), 0));
        assert_eq!(zone(&old, 5000), ("BST".to_string(), 3600));
    }

    #[test]
    fn short() {
        let error = at(&sample()[..60], 0).map_err(|error| error.to_string());
        assert!(
            error.is_err_and(|error| error.starts_with("1: header: expected TZif and its counts"))
        );
        let error = at(&sample()[..150], 0).map_err(|error| error.to_string());
        assert!(
            error.is_err_and(|error| error.starts_with("1: data: expected as much as the header"))
        );
    }

    #[test]
    fn empty() {
        let error = at(b"", 0).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: header: expected TZif and its counts, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        let sample = sample();
        for place in 0..sample.len() {
            for now in [i64::MIN / 4, 0, 150, 1_774_746_000] {
                let _ = at(&sample[..place], now);
                for byte in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut garbled = sample.clone();
                    garbled[place] = byte;
                    let _ = at(&garbled, now);
                }
            }
        }
    }
}
