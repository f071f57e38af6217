//! The last ten minutes of a device, for the page: [`POINTS`] points of [`POINT`] each, whatever the interval of the ticks.
//!
//! Where several ticks fall into one point it holds the highest rate; where one tick covers several points, each of them
//! holds its average. Memory is bounded: 1920 bytes for each of the first [`DEVICES`] devices, 192 KB in all.

use std::time::Duration;
use std::time::Instant;

/// How many points are kept.
pub const POINTS: usize = 120;

/// What a point covers.
pub const POINT: Duration = Duration::from_secs(5);

/// The most devices that have a history; those that come later have none until one of these goes.
pub const DEVICES: usize = 100;

/// What happened during one point. Rates are NaN where nothing was measured.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Bytes received in a second.
    pub receive: f32,
    /// Bytes sent in a second.
    pub transmit: f32,
    /// Errors in either direction.
    pub errors: f32,
    /// Dropped packets in either direction.
    pub drops: f32,
}

impl Point {
    /// Nothing was measured.
    pub const NONE: Self = Self {
        receive: f32::NAN,
        transmit: f32::NAN,
        errors: 0.0,
        drops: 0.0,
    };
}

/// The points of one device, in a ring that begins again after [`POINTS`].
#[derive(Clone, Debug)]
pub struct History(Box<[Point]>);

impl Default for History {
    fn default() -> Self {
        Self(vec![Point::NONE; POINTS].into_boxed_slice())
    }
}

impl History {
    /// Writes what a tick found into the points that it covers; what was lost or dropped goes into the last of them.
    pub(super) fn write(&mut self, span: Span, found: Point) {
        for number in span.first..=span.last {
            let Some(point) = self.0.get_mut(place(number)) else {
                return;
            };
            let before = if number == span.first && span.again {
                *point
            } else {
                Point::NONE
            };
            let counts = number == span.last;
            *point = Point {
                // The greater of the two, and the one that is a number.
                receive: before.receive.max(found.receive),
                transmit: before.transmit.max(found.transmit),
                errors: before.errors + if counts { found.errors } else { 0.0 },
                drops: before.drops + if counts { found.drops } else { 0.0 },
            };
        }
    }

    /// The points, the oldest first; `last` is the number of the newest.
    fn points(&self, last: u64) -> impl Iterator<Item = Point> {
        (last + 1..=last + POINTS as u64).map(|number| {
            let point = self.0.get(place(number));
            point.copied().unwrap_or(Point::NONE)
        })
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % POINTS as u64).unwrap_or(0)
}

/// Numbers the points from the first tick on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    begun: Option<Instant>,
    last: u64,
}

/// The points that a tick covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    first: u64,
    last: u64,
    /// Whether an earlier tick has written the first of them.
    again: bool,
}

impl Clock {
    /// The points since the last tick. The first tick is in the middle of its point, so that ticks of just that interval
    /// fall into one each, though they come a little early or late.
    pub(super) fn advance(&mut self, now: Instant) -> Span {
        let begun = *self.begun.get_or_insert(now);
        let since = now.saturating_duration_since(begun) + POINT / 2;
        let number = u64::try_from(since.as_millis() / POINT.as_millis()).unwrap_or(u64::MAX / 2);
        let number = number.max(self.last);
        let again = number == self.last;
        let first = (self.last + u64::from(!again)).max(number.saturating_sub(POINTS as u64 - 1));
        self.last = number;
        Span {
            first,
            last: number,
            again,
        }
    }

    pub(super) fn points(self, history: &History) -> impl Iterator<Item = Point> {
        history.points(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(receive: f32) -> Point {
        Point {
            receive,
            transmit: 0.0,
            errors: 1.0,
            drops: 0.0,
        }
    }

    /// The newest points' rates, -1 where nothing was measured, and all errors.
    fn newest(clock: Clock, history: &History, count: usize) -> (Vec<f32>, f32) {
        let points: Vec<_> = clock.points(history).collect();
        let shown = points.iter().skip(POINTS - count);
        let rates = shown
            .map(|point| point.receive)
            .map(|rate| if rate.is_nan() { -1.0 } else { rate });
        (
            rates.collect(),
            points.iter().map(|point| point.errors).sum(),
        )
    }

    #[test]
    fn ticks_that_come_early_or_late_have_a_point_each() {
        let (mut clock, mut history, start) =
            (Clock::default(), History::default(), Instant::now());
        for (tick, late) in [0_u32, 40, 3, 900, 0, 1].into_iter().enumerate() {
            let now =
                start + POINT * u32::try_from(tick).unwrap() + Duration::from_millis(late.into());
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let rate = tick as f32;
            history.write(clock.advance(now), found(rate));
        }
        let expected = vec![-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(newest(clock, &history, 7), (expected, 6.0));
    }

    #[test]
    fn a_point_of_many_ticks_has_the_highest_and_a_tick_of_many_points_fills_them() {
        let (mut clock, mut history, start) =
            (Clock::default(), History::default(), Instant::now());
        for (after, rate) in [(0, 1.0), (1, 7.0), (2, 5.0), (20, 2.0)] {
            history.write(
                clock.advance(start + Duration::from_secs(after)),
                found(rate),
            );
        }
        assert_eq!(
            newest(clock, &history, 6),
            (vec![-1.0, 7.0, 2.0, 2.0, 2.0, 2.0], 4.0)
        );
        // Longer than all that is kept.
        history.write(clock.advance(start + POINT * 1000), found(9.0));
        assert_eq!(newest(clock, &history, POINTS), (vec![9.0; POINTS], 1.0));
        history.write(clock.advance(start + POINT * 1001), Point::NONE);
        assert_eq!(newest(clock, &history, 2).0, [9.0, -1.0]);
    }

    #[test]
    fn all_histories_together_are_below_300_kb() {
        let one = POINTS * size_of::<Point>() + size_of::<History>();
        assert!(one * DEVICES <= 300_000, "{one}");
    }
}
