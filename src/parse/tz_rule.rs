//! The time zone as one line: what TZ holds, `/etc/TZ` on OpenWrt, and what ends a tzfile(5).
//!
//! Documented in tzset(3) and POSIX.1 (Base Definitions, 8.3), with RFC 9636's hours from -167 to 167.
//!
//! ```text
//! CET-1CEST,M3.5.0,M10.5.0/3
//! <+0330>-3:30
//! ```
//!
//! Name and offset of standard time, name and offset of summer time (an hour more than standard where it is not told), when
//! summer time begins and when it ends: month, week (5 for the last) and day of the week, or a day of the year; and the
//! time of day, by the clock before the change, 2 o'clock where it is not told.
//!
//! Traps: offsets are west of Greenwich, so that Berlin's is -1.

use super::ParseError;

/// Which time it is somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The abbreviation, such as `CET`.
    pub name: String,
    /// Seconds east of Greenwich.
    pub offset: i64,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The zone at a time, in seconds since 1970.
///
/// # Errors
/// When the line is none of these.
pub fn at(text: &[u8], now: i64) -> Result<Zone, ParseError> {
    let rule = Cursor(text.trim_ascii()).rule(now);
    rule.ok_or_else(|| {
        ParseError::new(
            1,
            "TZ",
            "a time zone such as CET-1CEST,M3.5.0,M10.5.0/3",
            text,
        )
    })
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn rule(&mut self, now: i64) -> Option<Zone> {
        let name = self.name()?;
        let offset = -self.time(24)?;
        let standard = Zone { name, offset };
        if self.0.is_empty() {
            return Some(standard);
        }
        let name = self.name()?;
        let offset = match self.0.first() {
            None | Some(b',') => standard.offset + HOUR,
            Some(_) => -self.time(24)?,
        };
        let summer = Zone { name, offset };
        if self.0.is_empty() {
            // What the United States do, as everybody's C library has it.
            self.0 = b",M3.2.0,M11.1.0";
        }
        let year = year_of(now + standard.offset);
        let begin = self.change(year)? - standard.offset;
        let end = self.change(year)? - summer.offset;
        if !self.0.is_empty() {
            return None;
        }
        // In the south summer time begins in the year's last months.
        let is_summer = if begin < end {
            (begin..end).contains(&now)
        } else {
            !(end..begin).contains(&now)
        };
        Some(if is_summer { summer } else { standard })
    }

    /// Three letters or more, or what stands between < and >.
    fn name(&mut self) -> Option<String> {
        let quoted = self.0.first() == Some(&b'<');
        let text = if quoted { self.0.get(1..)? } else { self.0 };
        let inside = |byte: &u8| match byte {
            b'+' | b'-' => quoted,
            byte if byte.is_ascii_digit() => quoted,
            byte => byte.is_ascii_alphabetic(),
        };
        let length = text.iter().take_while(|byte| inside(byte)).count();
        let (name, rest) = text.split_at_checked(length)?;
        self.0 = if quoted {
            rest.strip_prefix(b">")?
        } else {
            rest
        };
        (length >= 3).then(|| name.iter().map(|byte| char::from(*byte)).collect())
    }

    /// `[+-]HH[:MM[:SS]]` in seconds.
    fn time(&mut self, hours: i64) -> Option<i64> {
        let sign = match self.0.first()? {
            b'-' => -1,
            _ => 1,
        };
        if matches!(self.0.first(), Some(b'-' | b'+')) {
            self.0 = self.0.get(1..)?;
        }
        let mut seconds = self.number(0, hours)? * HOUR;
        for unit in [60, 1] {
            if !self.skip(b':') {
                break;
            }
            seconds += self.number(0, 59)? * unit;
        }
        Some(sign * seconds)
    }

    fn number(&mut self, least: i64, most: i64) -> Option<i64> {
        let length = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let number = i64::try_from(super::decimal(digits)?).ok()?;
        (least..=most).contains(&number).then_some(number)
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// `,DATE[/TIME]` in a year, as seconds since 1970 of the clock on the wall.
    fn change(&mut self, year: i64) -> Option<i64> {
        if !self.skip(b',') {
            return None;
        }
        let first = days(year, 1);
        let leap = days(year, 3) - first == 60;
        let day = if self.skip(b'M') {
            let month = self.number(1, 12)?;
            let week = self.skip(b'.').then(|| self.number(1, 5))??;
            let weekday = self.skip(b'.').then(|| self.number(0, 6))??;
            let begin = days(year, month);
            let next = if month == 12 {
                days(year + 1, 1)
            } else {
                days(year, month + 1)
            };
            // 1970 began on a Thursday.
            let found = begin + (weekday - begin - 4).rem_euclid(7) + (week - 1) * 7;
            if found >= next { found - 7 } else { found }
        } else if self.skip(b'J') {
            // The 29th of February has no number.
            let day = self.number(1, 365)?;
            first + day - 1 + i64::from(leap && day >= 60)
        } else {
            first + self.number(0, 365)?
        };
        let time = if self.skip(b'/') {
            self.time(167)?
        } else {
            2 * HOUR
        };
        Some(day * DAY + time)
    }
}

/// Days from 1970 to the first of a month.
fn days(year: i64, month: i64) -> i64 {
    // Years that begin in March have their leap day last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 - 719_468
}

/// The year at so many seconds after 1970.
fn year_of(seconds: i64) -> i64 {
    let day = seconds.div_euclid(DAY);
    let mut year = 1970 + day.div_euclid(366);
    while days(year + 1, 1) <= day {
        year += 1;
    }
    year
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive_anywhere;
    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn zone(text: &str, now: i64) -> Option<(String, i64)> {
        at(text.as_bytes(), now)
            .ok()
            .map(|zone| (zone.name, zone.offset))
    }

    fn is(text: &str, now: i64, name: &str, offset: i64) {
        assert_eq!(
            zone(text, now),
            Some((name.to_string(), offset)),
            "{text} at {now}"
        );
    }

    #[test]
    fn parses() {
        // 2026-03-29 01:00 and 2026-10-25 01:00, both UTC.
        is(BERLIN, 1_774_745_999, "CET", 3600);
        is(BERLIN, 1_774_746_000, "CEST", 7200);
        is(BERLIN, 1_792_889_999, "CEST", 7200);
        is(BERLIN, 1_792_890_000, "CET", 3600);
        // Sydney: 2026-04-05 and 2026-10-04, both 16:00 UTC of the day before.
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        is(sydney, 1_775_318_399, "AEDT", 39_600);
        is(sydney, 1_775_318_400, "AEST", 36_000);
        is(sydney, 1_791_043_199, "AEST", 36_000);
        is(sydney, 1_791_043_200, "AEDT", 39_600);
        is("<+0330>-3:30", 0, "+0330", 12_600);
        is("UTC0\n", 0, "UTC", 0);
        // New York, and what stands for it without rules: 2026-03-08 07:00 UTC.
        for text in ["EST5EDT,M3.2.0,M11.1.0", "EST5EDT"] {
            is(text, 1_772_953_199, "EST", -18_000);
            is(text, 1_772_953_200, "EDT", -14_400);
        }
        // Days of the year: J60 is the first of March in 2024 too, 59 the 29th of February.
        is("AAA0BBB,J60/0,J300/0", 1_709_251_199, "AAA", 0);
        is("AAA0BBB,J60/0,J300/0", 1_709_251_200, "BBB", 3600);
        is("AAA0BBB,59/0,300/0", 1_709_164_800, "BBB", 3600);
        for text in [BERLIN, sydney, "<+0330>-3:30", "AAA0BBB,J60/0,J300/0"] {
            survive_anywhere(text.as_bytes(), |bytes| at(bytes, 1_774_746_000));
        }
    }

    #[test]
    fn short() {
        for bad in [
            "CET",
            "CE-1",
            "-1",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5,M10.5.0",
            "<+03-3",
            "CET-1CEST,M3.5.0,M10.5.0/",
        ] {
            assert_eq!(zone(bad, 0), None, "{bad}");
        }
    }

    #[test]
    fn empty() {
        let error = at(b"", 0).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err(
                "1: TZ: expected a time zone such as CET-1CEST,M3.5.0,M10.5.0/3, found \"\""
                    .to_string()
            )
        );
    }

    #[test]
    fn ends_abruptly() {
        let sample = b"<+0330>-3:30<+0430>-4:30:00,J79/24,M13.6.7/-167:59\n";
        for cut in 0..sample.len() {
            let _ = at(&sample[..cut], i64::from(u32::MAX));
            for byte in 0..=255 {
                let mut garbled = sample.to_vec();
                garbled[cut] = byte;
                let _ = at(&garbled, 1_774_746_000);
            }
        }
    }

    #[test]
    fn out_of_range_is_an_error() {
        for bad in [
            "CET-25",
            "CET-1:60",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,J0,J1",
            "CET-1CEST,366,1",
            "CET-1CEST,M3.5.0/168,M10.5.0",
            "CET-1CEST,M3.5.0,M10.5.0,x",
            "CET-99999999999999999999",
        ] {
            assert_eq!(zone(bad, 0), None, "{bad}");
        }
    }

    #[test]
    fn years_begin_where_they_should() {
        for (seconds, year) in [
            (0, 1970),
            (-1, 1969),
            (951_782_400, 2000),
            (978_307_199, 2000),
            (978_307_200, 2001),
            (4_102_444_800, 2100),
            (32_503_680_000, 3000),
        ] {
            assert_eq!(year_of(seconds), year, "{seconds}");
        }
    }
}
