//! How often the queries of one source may be asked: whoever wrote one that takes seconds, or never ends, has not thereby
//! given away a core.
//!
//! A source rests nine times as long as its queries took, and so takes a tenth of a core at most, however often it is scraped.
//! After a query that had to be given up it rests a minute, and twice as long each time, up to an hour.

use std::time::Duration;
use std::time::Instant;

/// What takes no longer than that may be asked at every scrape.
const QUICK: Duration = Duration::from_millis(10);

/// How much longer a source rests than it took.
const REST: u32 = 9;

/// The first rest after a query that was given up, and the longest.
const GIVEN_UP: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(60 * 60)];

/// When a source may be asked again.
#[derive(Default)]
pub(super) struct Budget {
    next: Option<Instant>,
    /// The last rest after a query that was given up; none since one came to its end.
    given_up: Duration,
}

impl Budget {
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| now < next)
    }

    /// Enters what all queries of the source took, and whether they came to their end.
    pub(super) fn enter(&mut self, took: Duration, ended: bool, now: Instant) {
        let rest = if ended {
            self.given_up = Duration::ZERO;
            if took <= QUICK {
                Duration::ZERO
            } else {
                took * REST
            }
        } else {
            let [least, most] = GIVEN_UP;
            self.given_up = (self.given_up * 2).clamp(least, most);
            self.given_up
        };
        self.next = Some(now + rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a source is asked in a day when it is scraped every 15 s, and for how many seconds it is busy.
    fn day(took: impl Fn(u32) -> (Duration, bool)) -> (u32, f64) {
        let mut now = Instant::now();
        let end = now + Duration::from_secs(24 * 60 * 60);
        let (mut budget, mut asked, mut busy) = (Budget::default(), 0, 0.0);
        while now < end {
            let mut past = Duration::ZERO;
            if !budget.is_spent(now) {
                let (took, ended) = took(asked);
                asked += 1;
                busy += took.as_secs_f64();
                past = took;
                budget.enter(took, ended, now + took);
            }
            now += past.max(Duration::from_secs(15));
        }
        (asked, busy)
    }

    #[test]
    fn a_source_takes_a_tenth_of_a_core_at_most() {
        assert_eq!(day(|_| (QUICK, true)).0, 24 * 60 * 4);
        assert_eq!(day(|_| (Duration::from_secs(1), true)).0, 24 * 60 * 4);
        let (asked, busy) = day(|_| (Duration::from_secs(3), true));
        assert!(busy <= 8640.0 && asked > 2000, "{asked} {busy}");
    }

    #[test]
    fn what_never_ends_is_asked_once_an_hour_until_it_does() {
        let (asked, busy) = day(|_| (Duration::from_secs(4), false));
        assert!(asked < 32 && busy < 128.0, "{asked} {busy}");
        let heals = |at: u32| (Duration::from_millis(1), at >= 4);
        assert!(day(heals).0 > 24 * 60 * 4 - 100);
    }
}
