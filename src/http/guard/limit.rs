//! The limit on requests: a bucket that holds `burst` of them and fills by one in each interval, as in exporter-toolkit.

use std::time::Instant;

use crate::config::web::RateLimit;

/// How full the bucket is.
pub(super) struct Bucket {
    limit: RateLimit,
    /// Whole requests that may come.
    left: u32,
    /// Up to when the time that passed has been turned into requests.
    counted: Instant,
}

impl Bucket {
    pub(super) fn full(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            left: limit.burst,
            counted: now,
        }
    }

    /// Takes one request out; says whether there was one.
    pub(super) fn takes(&mut self, now: Instant) -> bool {
        let interval = self.limit.interval.as_nanos().max(1);
        let passed = now.saturating_duration_since(self.counted).as_nanos();
        let room = self.limit.burst - self.left;
        let more = u32::try_from(passed / interval).unwrap_or(u32::MAX);
        if more >= room {
            // A full bucket saves no time for later.
            self.left = self.limit.burst;
            self.counted = now;
        } else {
            self.left += more;
            self.counted += self.limit.interval * more;
        }
        let taken = self.left > 0;
        if taken {
            if self.left == self.limit.burst {
                self.counted = now;
            }
            self.left -= 1;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(burst: u32, times: &[u64]) -> Vec<bool> {
        let start = Instant::now();
        let limit = RateLimit {
            interval: Duration::from_millis(1000),
            burst,
        };
        let mut bucket = Bucket::full(limit, start);
        let at = |time: &u64| start + Duration::from_millis(*time);
        times.iter().map(|time| bucket.takes(at(time))).collect()
    }

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        let found = run(2, &[0, 0, 0, 900, 1000, 1500, 2000, 9000, 9000, 9000]);
        assert_eq!(
            found,
            [
                true, true, false, false, true, false, true, true, true, false
            ]
        );
    }

    #[test]
    fn an_empty_bucket_stays_so() {
        assert_eq!(run(0, &[0, 5000, 50_000]), [false; 3]);
    }
}
