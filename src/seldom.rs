//! How often the log tells that one thing changes: a record, a source or a file that flaps must not fill a router's flash.
//!
//! Whoever watches something asks at every look whether there is something to tell. The first changes are told at once; from then
//! on there is one line a minute, which says how things are then and how many changes were left out before it. What comes to
//! rest is therefore told as it is a minute later at most.

use std::fmt;
use std::time::Duration;
use std::time::Instant;

/// Between two lines about one thing, in the long run.
const EACH: Duration = Duration::from_secs(60);

/// How far lines may be ahead of that: four at once, so that what breaks, heals, breaks and heals is told in full.
const AHEAD: Duration = Duration::from_secs(3 * 60);

/// What was told of one thing.
#[derive(Clone, Debug, Default)]
pub struct Seldom {
    /// Up to when lines are used up, at one each [`EACH`].
    used: Option<Instant>,
    /// Changes since the last line.
    changes: u32,
}

/// How many changes were left out before a line; displayed, the end of its message, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut(u32);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} changes before were left out)"),
        }
    }
}

impl Seldom {
    /// Whether to tell now how things are. `changed` is whether they have changed since this was last asked.
    #[must_use]
    pub fn tell(&mut self, changed: bool, now: Instant) -> Option<LeftOut> {
        self.changes = self.changes.saturating_add(changed.into());
        let left_out = self.changes.checked_sub(1)?;
        let used = self.used.map_or(now, |used| used.max(now));
        if used > now + AHEAD {
            return None;
        }
        self.used = Some(used + EACH);
        self.changes = 0;
        Some(LeftOut(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told when it is asked every second, and each second given is a change.
    fn told(seconds: u64, change: impl Fn(u64) -> bool) -> Vec<(u64, u32)> {
        let (begin, mut seldom) = (Instant::now(), Seldom::default());
        let mut lines = Vec::new();
        for second in 0..seconds {
            let now = begin + Duration::from_secs(second);
            if let Some(LeftOut(count)) = seldom.tell(change(second), now) {
                lines.push((second, count));
            }
        }
        lines
    }

    #[test]
    fn what_changes_now_and_then_is_told_at_once_and_in_full() {
        assert_eq!(told(100, |_| false), []);
        let few = [3, 4, 9, 10];
        let expected = few.map(|second| (second, 0));
        assert_eq!(told(1000, |second| few.contains(&second)), expected);
        let hourly = told(36_000, |second| second % 3600 < 2);
        assert_eq!(hourly.len(), 20);
        assert!(hourly.iter().all(|line| line.0 % 3600 < 2 && line.1 == 0));
    }

    #[test]
    fn what_flaps_is_told_once_a_minute_with_what_was_left_out() {
        let lines = told(3600, |_| true);
        assert!((60..=64).contains(&lines.len()), "{}", lines.len());
        let (first, rest) = lines.split_at(4);
        assert_eq!(first, [(0, 0), (1, 0), (2, 0), (3, 0)]);
        assert!(rest.iter().skip(1).all(|line| line.1 == 59), "{rest:?}");
        let last = lines.last().map_or(0, |line| line.0);
        let sum: u64 = lines.iter().map(|line| u64::from(line.1) + 1).sum();
        assert_eq!(sum, last + 1, "every change is told or counted");
    }

    #[test]
    fn what_comes_to_rest_is_told_once_more() {
        let lines = told(600, |second| second < 10);
        assert_eq!(lines.len(), 5);
        assert_eq!(lines.last(), Some(&(60, 5)), "{lines:?}");
    }

    #[test]
    fn the_message_says_what_is_missing() {
        assert_eq!(LeftOut(0).to_string(), "");
        let some = LeftOut(7).to_string();
        assert_eq!(some, " (7 changes before were left out)");
    }
}
