//! The devices of a scrape, and their last ten minutes.

use std::array;

use crate::sampler::Sampler;
use crate::sampler::history::Point;

use super::Past;
use super::read::Families;
use super::read::pairs;
use super::read::whole;
use super::table;
use super::table::Row;
use super::table::Rows;

/// Places of what a row says.
pub(super) const NAME: usize = 0;
pub(super) const STATE: usize = 1;
pub(super) const RECEIVE: usize = 2;
pub(super) const TRANSMIT: usize = 3;
pub(super) const SPEED: usize = 8;
const FLAGS: usize = 10;
const CARRIER: usize = 11;
pub(super) const CARRIER_UPS: usize = 12;
pub(super) const ERRORS: usize = 13;
pub(super) const DROPS: usize = 14;
pub(super) const RECENT_ERRORS: usize = 15;
pub(super) const RECENT_DROPS: usize = 16;

/// The state of a device that is configured up and has no carrier.
pub(super) const CARRIER_LOST: &str = "no carrier";
/// The least scale of a device's picture, in bytes per second: the few packets of a link without users are no mountains.
pub(super) const LEAST_SCALE: f32 = 12_500.0;

/// The most interfaces that are shown: those with the most traffic, and those of which something is known to be wrong.
const SHOWN: usize = 100;
/// IFF_LOOPBACK of linux/if.h.
const LOOPBACK: u64 = 1 << 3;

/// Reads the devices that are shown, and says how many others there are.
pub(super) fn read(rows: &mut Vec<Row>, families: &Families<'_>, sampler: &Sampler) -> usize {
    Rows::read_with(table::INTERFACES, families, rows, |rows| {
        families.each("node_network_info", &mut |labels, _| {
            rows.of(labels, &mut |row| row.tell(STATE, state(row, labels)));
        });
    });
    let last = rows.iter_mut().map(|row| row.history.take());
    let mut room: Vec<_> = last.flatten().collect();
    let (mut next, mut points) = (0, Vec::new());
    for device in sampler.devices() {
        let named = |row: &Row| row.text(NAME) == device.label;
        let later = rows.iter().skip(next).position(named);
        let later = later.map(|at| at + next);
        // A device that no family has is not to be shown (--devices.exclude-kinds).
        let at = later.or_else(|| rows.iter().position(named));
        if let Some((at, row)) = at.and_then(|at| Some((at, rows.get_mut(at)?))) {
            next = at + 1;
            if sampler.history(device, &mut points) {
                let past = past(&points, row);
                row.history = Some(match room.pop() {
                    Some(mut room) => {
                        *room = past;
                        room
                    }
                    None => Box::new(past),
                });
            }
        }
    }
    for row in rows.iter_mut() {
        // An unknown speed is told as -1 Mbit/s.
        row.set(SPEED, row.number(SPEED).filter(|speed| *speed > 0.0));
        for (sum, first) in [(ERRORS, 4), (DROPS, 6)] {
            for place in [first, first + 1] {
                if let Some(count) = row.number(place) {
                    row.add(sum, count);
                }
            }
        }
    }
    keep(rows)
}

/// A word for what a device does, escaped as the labels are.
fn state<'a>(row: &Row, labels: &'a str) -> &'a str {
    let (mut admin, mut operational) = ("", "");
    for (name, value) in pairs(labels) {
        match name {
            "adminstate" => admin = value,
            "operstate" => operational = value,
            _ => {}
        }
    }
    match (admin, row.number(CARRIER)) {
        ("down", _) => "off",
        (_, Some(0.0)) => CARRIER_LOST,
        _ if operational.is_empty() || operational == "unknown" => "up",
        _ => operational,
    }
}

/// Keeps the loudest, in the order in which they came but with loopback last; says how many others there are.
fn keep(rows: &mut Vec<Row>) -> usize {
    let left_out = rows.len().saturating_sub(SHOWN);
    if left_out > 0 {
        let mut weights: Vec<u64> = rows.iter().map(weight).collect();
        weights.sort_unstable();
        let least = weights.get(left_out).copied().unwrap_or(0);
        let above = weights.iter().filter(|weight| **weight > least).count();
        // Of equals as many as there is room for.
        let mut room = SHOWN.saturating_sub(above);
        rows.retain(|row| {
            let weight = weight(row);
            let equal = weight == least && room > 0;
            room -= usize::from(equal);
            weight > least || equal
        });
    }
    let loopback = |row: &Row| whole(row.number(FLAGS).unwrap_or(0.0)) & LOOPBACK != 0;
    if let Some(at) = rows.iter().position(loopback) {
        let last = rows.remove(at);
        rows.push(last);
    }
    left_out
}

/// What decides whether a device is shown: losses, then traffic.
fn weight(row: &Row) -> u64 {
    let lost = row.number(RECENT_ERRORS).is_some_and(|count| count > 0.0);
    whole(row.traffic()).min(u64::MAX / 2) + if lost { u64::MAX / 2 } else { 0 }
}

impl Row {
    /// The most that a device had to carry in the last ten minutes, in bytes per second.
    pub(super) fn traffic(&self) -> f64 {
        let now = [RECEIVE, TRANSMIT].map(|place| self.number(place).unwrap_or(0.0));
        let peak = self.history.as_ref().map_or(0.0, |past| past.peak);
        now.into_iter().fold(peak, f64::max)
    }
}

fn past(points: &[Point], row: &mut Row) -> Past {
    let mut peak = 0.0_f32;
    let (mut errors, mut drops) = (0.0, 0.0);
    for point in points {
        errors += point.errors;
        drops += point.drops;
        peak = peak.max(point.receive).max(point.transmit);
    }
    row.set(RECENT_ERRORS, Some(errors.into()));
    row.set(RECENT_DROPS, Some(drops.into()));
    let scale = peak.max(LEAST_SCALE);
    let levels = |rate: fn(&Point) -> f32| {
        let point = |at| points.get(at).unwrap_or(&Point::NONE);
        array::from_fn(|at| level(rate(point(at)), scale))
    };
    Past {
        peak: peak.into(),
        scale: scale.into(),
        receive: levels(|point| point.receive),
        transmit: levels(|point| point.transmit),
    }
}

/// A rate as a digit; whatever is more than nothing is more than 0.
fn level(rate: f32, scale: f32) -> u8 {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    if rate.is_nan() {
        return b'.';
    }
    let level = rate / scale * 35.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 35, and saturates"
    )]
    let whole = level as u8;
    let level = whole + u8::from(level > f32::from(whole));
    DIGITS.get(usize::from(level)).copied().unwrap_or(b'z')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::table::SPECS;

    #[test]
    fn levels_are_digits_of_base_36() {
        let levels = [0.0, 0.001, 1.0, 50.0, 100.0, f32::NAN].map(|rate| level(rate, 100.0));
        assert_eq!(&levels, b"011iz.");
    }

    #[test]
    fn places_are_those_of_the_table() {
        let keys: Vec<_> = SPECS[table::INTERFACES].number_keys().collect();
        for (place, key) in [
            (RECEIVE, "receive_bytes_per_second"),
            (TRANSMIT, "transmit_bytes_per_second"),
            (4, "receive_errors"),
            (6, "receive_drops"),
            (SPEED, "speed_bytes_per_second"),
            (FLAGS, "flags"),
            (CARRIER, "carrier"),
            (CARRIER_UPS, "carrier_up_changes"),
            (ERRORS, "errors"),
            (DROPS, "drops"),
            (RECENT_ERRORS, "errors_in_ten_minutes"),
            (RECENT_DROPS, "drops_in_ten_minutes"),
        ] {
            assert_eq!(keys[place], key);
        }
    }
}
