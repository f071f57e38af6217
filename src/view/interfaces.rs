//! The devices of a scrape, and their last ten minutes.

use crate::metric::Batch;
use crate::sampler::Device;
use crate::sampler::Sampler;

use super::Interface;
use super::Past;
use super::read::each;
use super::read::label;
use super::read::whole;

/// The numbers of a device: the family, and the key in the JSON.
pub(super) const NUMBERS: [(&str, &str); 14] = [
    (
        "weir_network_receive_bytes_per_second",
        "receive_bytes_per_second",
    ),
    (
        "weir_network_transmit_bytes_per_second",
        "transmit_bytes_per_second",
    ),
    (
        "weir_network_receive_packets_per_second",
        "receive_packets_per_second",
    ),
    (
        "weir_network_transmit_packets_per_second",
        "transmit_packets_per_second",
    ),
    ("node_network_receive_bytes_total", "receive_bytes"),
    ("node_network_transmit_bytes_total", "transmit_bytes"),
    ("node_network_receive_errs_total", "receive_errors"),
    ("node_network_transmit_errs_total", "transmit_errors"),
    ("node_network_receive_drop_total", "receive_drops"),
    ("node_network_transmit_drop_total", "transmit_drops"),
    ("node_network_speed_bytes", "speed_bytes_per_second"),
    ("node_network_mtu_bytes", "mtu_bytes"),
    ("node_network_carrier", "carrier"),
    ("node_network_carrier_changes_total", "carrier_changes"),
];

/// Places in [`NUMBERS`].
pub(super) const RECEIVE: usize = 0;
pub(super) const TRANSMIT: usize = 1;
pub(super) const ERRORS: [usize; 2] = [6, 7];
pub(super) const DROPS: [usize; 2] = [8, 9];
pub(super) const SPEED: usize = 10;
const CARRIER: usize = 12;

/// The state of a device that is configured up and has no carrier.
pub(super) const CARRIER_LOST: &str = "no carrier";

/// The most interfaces that are shown: those with the most traffic, and those of which something is known to be wrong.
const INTERFACES: usize = 100;
/// The least scale of a device's picture, in bytes per second: the few packets of a link without users are no mountains.
pub(super) const LEAST_SCALE: f32 = 12_500.0;
/// IFF_LOOPBACK of linux/if.h.
const LOOPBACK: u64 = 1 << 3;

/// The devices of the families, found quickly because all families list them in nearly the same order.
#[derive(Default)]
struct Rows {
    rows: Vec<Interface>,
    next: usize,
}

impl Rows {
    fn of(&mut self, labels: &str) -> Option<&mut Interface> {
        let name = label(labels, "device");
        let mut later = self.rows.iter().skip(self.next);
        let later = later
            .position(|row| row.name == name)
            .map(|at| at + self.next);
        let at = later.or_else(|| self.rows.iter().position(|row| row.name == name));
        let at = at.unwrap_or_else(|| {
            self.rows.push(Interface {
                name,
                ..Interface::default()
            });
            self.rows.len() - 1
        });
        self.next = at;
        self.rows.get_mut(at)
    }
}

/// The devices that are shown, and how many others there are.
pub(super) fn read(batch: &Batch, sampler: &Sampler) -> (Vec<Interface>, usize) {
    let mut rows = Rows::default();
    // The kernel's order, and not that of devices that happen to have a rate already.
    each(
        batch,
        "node_network_receive_bytes_total",
        &mut |labels, _| {
            rows.of(labels);
        },
    );
    for (place, (family, _)) in NUMBERS.iter().enumerate() {
        each(batch, family, &mut |labels, value| {
            let number = rows.of(labels).and_then(|row| row.numbers.get_mut(place));
            // An unknown speed is told as -1 Mbit/s.
            if let Some(number) = number.filter(|_| place != SPEED || value > 0.0) {
                *number = Some(value);
            }
        });
    }
    each(batch, "node_network_info", &mut |labels, _| {
        if let Some(row) = rows.of(labels) {
            let carrier = row.numbers.get(CARRIER).copied().flatten();
            row.state = Some(match (&*label(labels, "adminstate"), carrier) {
                ("down", _) => "off".to_string(),
                (_, Some(0.0)) => CARRIER_LOST.to_string(),
                _ => match label(labels, "operstate") {
                    state if state.is_empty() || state == "unknown" => "up".to_string(),
                    state => state,
                },
            });
        }
    });
    each(
        batch,
        "node_network_carrier_up_changes_total",
        &mut |labels, value| {
            if let Some(row) = rows.of(labels) {
                row.had_carrier = Some(value > 0.0);
            }
        },
    );
    each(batch, "node_network_flags", &mut |labels, value| {
        if let Some(row) = rows.of(labels) {
            row.loopback = whole(value) & LOOPBACK != 0;
        }
    });
    rows.next = 0;
    for device in sampler.devices() {
        let row = rows
            .rows
            .iter()
            .skip(rows.next)
            .position(|row| row.name == device.label);
        let row = row.map(|at| at + rows.next);
        let row = row.or_else(|| rows.rows.iter().position(|row| row.name == device.label));
        // A device that no family has is not to be shown (--devices.exclude-kinds).
        if let Some((at, row)) = row.and_then(|at| Some((at, rows.rows.get_mut(at)?))) {
            rows.next = at;
            row.history = past(device, sampler);
        }
    }
    shown(rows.rows)
}

/// The loudest, in the order in which they came but with loopback last; and how many others there are.
fn shown(mut rows: Vec<Interface>) -> (Vec<Interface>, usize) {
    let left_out = rows.len().saturating_sub(INTERFACES);
    if left_out > 0 {
        let mut weights: Vec<u64> = rows.iter().map(weight).collect();
        weights.sort_unstable();
        let least = weights.get(left_out).copied().unwrap_or(0);
        let above = weights.iter().filter(|weight| **weight > least).count();
        // Of equals as many as there is room for.
        let mut room = INTERFACES.saturating_sub(above);
        rows.retain(|row| {
            let weight = weight(row);
            let equal = weight == least && room > 0;
            room -= usize::from(equal);
            weight > least || equal
        });
    }
    let mut all = Vec::with_capacity(rows.len());
    let (mut last, first): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.loopback);
    all.extend(first);
    all.append(&mut last);
    (all, left_out)
}

/// What decides whether a device is shown: losses, then traffic.
fn weight(row: &Interface) -> u64 {
    let lost = row.history.as_ref().is_some_and(|past| past.errors > 0.0);
    let now = [RECEIVE, TRANSMIT].map(|place| row.number(place).unwrap_or(0.0));
    let peak = row.history.as_ref().map_or(0.0, |past| past.peak);
    let traffic = now.into_iter().fold(peak, f64::max);
    whole(traffic).min(u64::MAX / 2) + if lost { u64::MAX / 2 } else { 0 }
}

impl Interface {
    pub(super) fn number(&self, place: usize) -> Option<f64> {
        self.numbers.get(place).copied().flatten()
    }

    /// The sum of two numbers, where either is known.
    pub(super) fn sum(&self, places: [usize; 2]) -> Option<f64> {
        let [receive, transmit] = places.map(|place| self.number(place));
        receive.or(transmit)?;
        Some(receive.unwrap_or(0.0) + transmit.unwrap_or(0.0))
    }
}

fn past(device: &Device, sampler: &Sampler) -> Option<Past> {
    let mut past = Past::default();
    let mut peak = 0.0_f32;
    for point in sampler.history(device)? {
        past.errors += f64::from(point.errors);
        past.drops += f64::from(point.drops);
        peak = peak.max(point.receive).max(point.transmit);
    }
    past.peak = f64::from(peak);
    past.scale = past.peak.max(f64::from(LEAST_SCALE));
    let scale = peak.max(LEAST_SCALE);
    for point in sampler.history(device)? {
        past.receive.push(level(point.receive, scale));
        past.transmit.push(level(point.transmit, scale));
    }
    Some(past)
}

/// A rate as a digit; whatever is more than nothing is more than 0.
fn level(rate: f32, scale: f32) -> char {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    if rate.is_nan() {
        return '.';
    }
    let level = rate / scale * 35.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 35, and saturates"
    )]
    let whole = level as u8;
    let level = whole + u8::from(level > f32::from(whole));
    char::from(DIGITS.get(usize::from(level)).copied().unwrap_or(b'z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_digits_of_base_36() {
        let levels = [0.0, 0.001, 1.0, 50.0, 100.0, f32::NAN].map(|rate| level(rate, 100.0));
        assert_eq!(levels, ['0', '1', '1', 'i', 'z', '.']);
    }
}
