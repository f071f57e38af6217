//! Points in time as RFC 3339 writes them, in UTC: `2023-12-07T10:30:00Z`. A router without a clock may live before 1970:
//! that is shown as 1970.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// To the second.
#[must_use]
pub fn seconds(time: SystemTime) -> String {
    format!("{}Z", date_and_time(since_1970(time).as_secs()))
}

/// To the millisecond.
#[must_use]
pub fn milliseconds(time: SystemTime) -> String {
    let since = since_1970(time);
    format!(
        "{}.{:03}Z",
        date_and_time(since.as_secs()),
        since.subsec_millis()
    )
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn date_and_time(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Days since 1970 as a date of the Gregorian calendar. The year is counted from 1 March, so that the leap day is its
/// last; 719,468 is the number of days from 1 March of year 0 to 1970 (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_years_and_centuries() {
        // From `date -u -d @N +%FT%TZ`.
        for (after, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_701_945_000, "2023-12-07T10:30:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(seconds(UNIX_EPOCH + Duration::from_secs(after)), expected);
        }
    }

    #[test]
    fn before_1970_and_between_two_seconds() {
        assert_eq!(
            seconds(UNIX_EPOCH - Duration::from_secs(5)),
            "1970-01-01T00:00:00Z"
        );
        let time = UNIX_EPOCH + Duration::from_millis(1_767_323_045_078);
        assert_eq!(milliseconds(time), "2026-01-02T03:04:05.078Z");
    }
}
