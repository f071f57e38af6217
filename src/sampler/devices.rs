//! Devices from one tick to the next: rates, and the highest of the last minute.

use crate::config::DeviceFilter;
use crate::parse::dev::Counters;
use crate::parse::dev::Row;
use crate::parse::float;
use crate::parse::printable;

use super::SLOTS;
use super::history::History;
use super::history::Point;
use super::history::Span;

/// What changed in one second, on average over the last tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Bytes received in a second.
    pub receive_bytes: f64,
    /// Packets received in a second.
    pub receive_packets: f64,
    /// Receive errors in a second.
    pub receive_errors: f64,
    /// Bytes sent in a second.
    pub transmit_bytes: f64,
    /// Packets sent in a second.
    pub transmit_packets: f64,
    /// Transmit errors in a second.
    pub transmit_errors: f64,
}

/// One device between two ticks.
#[derive(Debug)]
pub struct Device {
    /// The name as the kernel has it.
    pub(super) name: Vec<u8>,
    /// The name as it is exported.
    pub label: String,
    pub(super) ifindex: Option<u64>,
    counters: Option<Counters>,
    /// The rates of the last tick; `None` until there are two samples.
    pub rates: Option<Rates>,
    /// The highest rates, receive and transmit, of each slot of the last minute.
    pub(super) peaks: [(f64, f64); SLOTS],
    /// The last ten minutes, of the first devices.
    pub(super) history: Option<History>,
}

impl Device {
    /// The name as the kernel has it.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Its row of `/proc/net/dev`, as of the last tick.
    #[must_use]
    pub fn row(&self) -> Option<Row<'_>> {
        let name = &self.name;
        self.counters.map(|counters| Row { name, counters })
    }

    /// The device's index, as of the last tick.
    #[must_use]
    pub fn ifindex(&self) -> Option<u64> {
        self.ifindex
    }

    /// The highest byte rates of any tick of the last 60 seconds, receive and transmit.
    #[must_use]
    pub fn peak(&self) -> (f64, f64) {
        self.peaks
            .iter()
            .fold((0.0, 0.0), |(receive, transmit), slot| {
                (slot.0.max(receive), slot.1.max(transmit))
            })
    }
}

/// The devices of the last tick. They come again in the same order, so that each is found where the last search ended;
/// a machine may have ten thousand.
pub(super) struct Known {
    pub(super) devices: Vec<Option<Device>>,
    next: usize,
}

impl Known {
    pub(super) fn new(devices: Vec<Device>) -> Self {
        Self {
            devices: devices.into_iter().map(Some).collect(),
            next: 0,
        }
    }

    pub(super) fn take(&mut self, name: &[u8]) -> Option<Device> {
        let is =
            |device: &Option<Device>| device.as_ref().is_some_and(|device| device.name == name);
        let behind = self
            .devices
            .iter()
            .skip(self.next)
            .position(is)
            .map(|at| at + self.next);
        let at = behind.or_else(|| self.devices.iter().take(self.next).position(is))?;
        self.next = at + 1;
        self.devices.get_mut(at)?.take()
    }
}

impl Device {
    pub(super) fn new(name: &[u8], filter: &DeviceFilter) -> Option<Self> {
        let label = printable(name).into_owned();
        filter.shows(&label).then(|| Self {
            name: name.to_vec(),
            label,
            ifindex: None,
            counters: None,
            rates: None,
            peaks: [(0.0, 0.0); SLOTS],
            history: None,
        })
    }

    pub(super) fn advance(
        &mut self,
        ifindex: Option<u64>,
        counters: Counters,
        elapsed: Option<f64>,
        span: Span,
    ) {
        if self.ifindex != ifindex {
            // Another device took the name.
            self.counters = None;
            self.peaks = [(0.0, 0.0); SLOTS];
            self.history = self.history.take().map(|_| History::default());
        }
        self.ifindex = ifindex;
        let before = self.counters.replace(counters);
        self.rates = before
            .zip(elapsed)
            .and_then(|(before, elapsed)| Rates::between(&before, &counters, elapsed));
        if let Some(history) = &mut self.history {
            let found = self
                .rates
                .zip(before)
                .map(|(rates, before)| point(rates, &before, &counters));
            history.write(span, found.unwrap_or(Point::NONE));
        }
    }
}

/// A tick on the page: rates, and what was lost meanwhile.
#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are more than a picture shows"
)]
fn point(rates: Rates, before: &Counters, now: &Counters) -> Point {
    let lost = |of: fn(&Counters) -> u64| float(of(now).saturating_sub(of(before))) as f32;
    Point {
        receive: rates.receive_bytes as f32,
        transmit: rates.transmit_bytes as f32,
        errors: lost(|counters| counters.receive_errs) + lost(|counters| counters.transmit_errs),
        drops: lost(|counters| counters.receive_drop) + lost(|counters| counters.transmit_drop),
    }
}

impl Rates {
    /// `None` when any counter went back: the device was reset, and the difference says nothing.
    fn between(before: &Counters, now: &Counters, elapsed: f64) -> Option<Self> {
        let rate = |before, now| rate(before, now, elapsed);
        Some(Self {
            receive_bytes: rate(before.receive_bytes, now.receive_bytes)?,
            receive_packets: rate(before.receive_packets, now.receive_packets)?,
            receive_errors: rate(before.receive_errs, now.receive_errs)?,
            transmit_bytes: rate(before.transmit_bytes, now.transmit_bytes)?,
            transmit_packets: rate(before.transmit_packets, now.transmit_packets)?,
            transmit_errors: rate(before.transmit_errs, now.transmit_errs)?,
        })
    }
}

/// What a counter grew by in a second; `None` where it went back.
pub(super) fn rate(before: u64, now: u64, elapsed: f64) -> Option<f64> {
    now.checked_sub(before).map(|grown| float(grown) / elapsed)
}
