//! When something that happens again and again is due next.

use std::time::Duration;
use std::time::Instant;

/// An instant that comes again after each interval, by the monotonic clock.
pub(super) struct Every {
    interval: Duration,
    next: Instant,
}

impl Every {
    /// Due at once, and again after each interval.
    pub(super) fn starting(now: Instant, interval: Duration) -> Self {
        Self {
            interval,
            next: now,
        }
    }

    /// Another interval from now on, counted from when it was last due. The same changes nothing.
    pub(super) fn set_interval(&mut self, now: Instant, interval: Duration) {
        if interval != self.interval {
            let left = self.next.saturating_duration_since(now);
            let passed = self.interval.saturating_sub(left);
            self.next = now + interval.saturating_sub(passed);
            self.interval = interval;
        }
    }

    /// When it is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Whether it is due; if so, the next time is one interval after the time it was due, so that being late a little
    /// each time does not add up. What was missed altogether, as while the machine slept, is not made up for.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let next = self.next + self.interval;
        self.next = if next > now {
            next
        } else {
            now + self.interval
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(15);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn lateness_does_not_add_up() {
        let start = Instant::now();
        let mut every = Every::starting(start, INTERVAL);
        for round in 0..100 {
            let due = start + INTERVAL * round;
            assert_eq!(every.next(), due);
            assert!(round == 0 || !every.is_due(due - seconds(0.001)));
            assert!(every.is_due(due + seconds(0.2)));
        }
    }

    #[test]
    fn another_interval_counts_from_the_last_time() {
        let start = Instant::now();
        let mut every = Every::starting(start, INTERVAL);
        assert!(every.is_due(start));
        let later = start + seconds(5.0);
        every.set_interval(later, INTERVAL);
        assert_eq!(every.next(), start + INTERVAL, "the same is no change");
        every.set_interval(later, seconds(60.0));
        assert_eq!(every.next(), start + seconds(60.0));
        every.set_interval(later, seconds(1.0));
        assert_eq!(every.next(), later, "it is overdue");
        assert!(every.is_due(later));
        assert_eq!(every.next(), later + seconds(1.0));
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let start = Instant::now();
        let mut every = Every::starting(start, INTERVAL);
        assert!(every.is_due(start));
        let late = start + seconds(1000.0);
        assert!(every.is_due(late));
        assert!(!every.is_due(late + seconds(14.9)));
        assert_eq!(every.next(), late + INTERVAL);
    }
}
