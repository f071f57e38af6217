//! The answer at /health: a word, or NetProbe's JSON object.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// How the program is; filled by the application.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// Whether the last successful sample is too old: the status is then `stale` and 503.
    pub stale: bool,
    /// Now.
    pub now: SystemTime,
    /// The first TCP listener's port, else 0.
    pub port: u16,
    /// The requests answered so far.
    pub requests: u64,
    /// The samples in the last answer.
    pub metrics: u64,
    /// The ticks so far.
    pub collections: u64,
    /// When the last tick succeeded, if one has.
    pub last_collection: Option<SystemTime>,
}

impl Health {
    /// The status code of the answer.
    pub(super) fn code(&self) -> u16 {
        if self.stale { 503 } else { 200 }
    }

    /// The answer in one word.
    pub(super) fn word(&self) -> &'static str {
        if self.stale { "stale" } else { "OK" }
    }

    /// The answer as a JSON object.
    pub(super) fn json(&self) -> String {
        let last = self.last_collection.map_or_else(
            || "null".to_string(),
            |time| format!("\"{}\"", rfc3339(time)),
        );
        format!(
            "{{\"status\":\"{}\",\"timestamp\":\"{}\",\"server\":{{\"running\":true,\"port\":{},\"requests\":{},\
             \"metrics\":{},\"collections\":{},\"last_collection\":{last}}}}}\n",
            if self.stale { "stale" } else { "ok" },
            rfc3339(self.now),
            self.port,
            self.requests,
            self.metrics,
            self.collections,
        )
    }
}

/// A time in UTC to the second: `2023-12-07T10:30:00Z`. A router without a clock may live before 1970: that is shown as 1970.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Days since 1970 as a date of the Gregorian calendar. The year is counted from 1 March, so that the leap day is its
/// last; 719,468 is the number of days from 1 March of year 0 to 1970 (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_in_utc() {
        // From `date -u -d @N +%FT%TZ`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_701_945_000, "2023-12-07T10:30:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), expected);
        }
        assert_eq!(
            rfc3339(UNIX_EPOCH - Duration::from_secs(5)),
            "1970-01-01T00:00:00Z"
        );
    }

    #[test]
    fn the_object_is_netprobes() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut health = Health {
            stale: false,
            now: at(1_701_945_000),
            port: 8081,
            requests: 42,
            metrics: 16,
            collections: 8,
            last_collection: Some(at(1_701_944_995)),
        };
        let expected = "{\"status\":\"ok\",\"timestamp\":\"2023-12-07T10:30:00Z\",\"server\":{\"running\":true,\"port\":8081,\
            \"requests\":42,\"metrics\":16,\"collections\":8,\"last_collection\":\"2023-12-07T10:29:55Z\"}}\n";
        assert_eq!(health.json(), expected);
        health.last_collection = None;
        assert!(health.json().ends_with("\"last_collection\":null}}\n"));
    }
}
