//! What is logged of something that breaks and heals: once when it breaks and once when it heals, and of one that does so all
//! the time one pair of lines a minute, with the number of those that were kept back.

use std::time::Duration;
use std::time::Instant;

/// How long after a line of the same thing the next one may come.
const REST: Duration = Duration::from_secs(60);

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Nothing, or nothing yet.
    Nothing,
    /// It is broken, and was so many times in other ways or for a moment since the last line.
    Broken(u64),
    /// It is whole again.
    Healed,
}

/// What was said.
#[derive(Debug, Default)]
pub struct Told {
    /// When it was last said that it is broken.
    at: Option<Instant>,
    /// Why, if that still stands.
    standing: Option<String>,
    /// Why it is broken now.
    now: Option<String>,
    kept_back: u64,
}

impl Told {
    /// Says what there is to say of a state that lasts since the last time or is new; `why` is `None` for whole.
    pub fn step(&mut self, why: Option<&str>, time: Instant) -> Say {
        let is_new = why.is_some() && self.now.as_deref() != why;
        if self.now.as_deref() != why {
            self.now = why.map(str::to_string);
        }
        let Some(why) = why else {
            return match self.standing.take() {
                Some(_) => Say::Healed,
                None => Say::Nothing,
            };
        };
        if self.standing.as_deref() == Some(why) {
            return Say::Nothing;
        }
        if self.at.is_some_and(|at| time.duration_since(at) < REST) {
            self.kept_back += u64::from(is_new);
            return Say::Nothing;
        }
        self.at = Some(time);
        self.standing = Some(why.to_string());
        // What was kept back last may be what is said now.
        let others = self.kept_back.saturating_sub(u64::from(!is_new));
        self.kept_back = 0;
        Say::Broken(others)
    }
}

/// What is logged: why, and how many times there was something to log that was not.
#[must_use]
pub fn counted(why: Option<&str>, others: u64) -> String {
    let why = why.unwrap_or_default();
    match others {
        0 => why.to_string(),
        _ => format!("{why} ({others} times since the last line)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flaps_is_told_once_a_minute_with_a_count() {
        let begun = Instant::now();
        let mut told = Told::default();
        let mut step =
            |seconds, why: Option<&str>| told.step(why, begun + Duration::from_secs(seconds));
        assert_eq!(step(0, None), Say::Nothing);
        assert_eq!(step(1, Some("gone")), Say::Broken(0));
        assert_eq!(step(2, Some("gone")), Say::Nothing);
        assert_eq!(step(3, None), Say::Healed);
        let mut lines = 0;
        for second in 4..604 {
            let why = Some("gone").filter(|_| second % 2 == 0);
            match step(second, why) {
                Say::Broken(others) => {
                    assert_eq!(others, 29, "{second}");
                    lines += 1;
                }
                Say::Healed => lines += 1,
                Say::Nothing => {}
            }
        }
        assert!((18..=20).contains(&lines), "{lines} lines in ten minutes");
    }

    #[test]
    fn what_breaks_again_for_good_is_told_in_the_end() {
        let begun = Instant::now();
        let mut told = Told::default();
        let mut step =
            |seconds, why: Option<&str>| told.step(why, begun + Duration::from_secs(seconds));
        assert_eq!(step(0, Some("gone")), Say::Broken(0));
        assert_eq!(step(1, None), Say::Healed);
        assert_eq!(step(2, Some("gone")), Say::Nothing);
        assert_eq!(step(59, Some("gone")), Say::Nothing);
        assert_eq!(step(60, Some("gone")), Say::Broken(0));
        assert_eq!(step(61, Some("line 7")), Say::Nothing);
        assert_eq!(step(62, Some("line 8")), Say::Nothing);
        assert_eq!(step(120, Some("line 8")), Say::Broken(1));
        assert_eq!(step(121, None), Say::Healed);
        assert_eq!(step(122, None), Say::Nothing);
    }
}
