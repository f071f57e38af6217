//! The tick: every `--collect.interval` the cheap counters (/proc/net/dev, the Tcp line of /proc/net/snmp) are sampled,
//! from which rates, maxima between scrapes and the retransmission ratio come.
//!
//! Rates are over the time that really passed between two samples, by the monotonic clock. A device that was made anew
//! (another ifindex) or whose counters went back starts again: it has no rate until the next tick, never a negative or a
//! huge one. Memory is some 300 bytes a device, and the page's [`history`].

mod devices;
pub mod history;
mod tc;

use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::config::Config;
use crate::config::DeviceFilter;
use crate::devices::Indexes;
use crate::files::FileError;
use crate::files::Files;
use crate::parse::ParseError;
use crate::parse::dev;
use crate::parse::netstat;
use crate::tc::attach::Watch;

pub use self::devices::Device;
use self::devices::Known;
pub use self::devices::Rates;
use self::history::Clock;
use self::history::History;
use self::history::Point;
use self::history::Span;
pub use self::tc::Tc;
pub use self::tc::TcRates;

/// How far back [`Device::peak`] looks, in slots; with ticks of 5 s each slot is one tick.
const SLOTS: usize = 12;

/// The least that a slot covers.
const SLOT: Duration = Duration::from_secs(5);

/// For how long what a tick counted is not counted again for the page.
const FRESH: Duration = Duration::from_secs(10);

/// What the ticks have sampled so far.
#[derive(Default)]
pub struct Sampler {
    filter: DeviceFilter,
    devices: Vec<Device>,
    taken: Option<Instant>,
    slot: usize,
    slot_begun: Option<Instant>,
    clock: Clock,
    segments: Option<Segments>,
    retransmission_ratio: Option<f64>,
    /// The segments of each slot of the last minute: sent, and sent again.
    sent: [(f64, f64); SLOTS],
    ticks: u64,
    last_success: Option<(Instant, SystemTime)>,
    error: Option<Rc<FileError>>,
    tc: Option<Tc>,
}

/// TCP segments sent, retransmissions apart (RFC 4022: tcpOutSegs, tcpRetransSegs).
#[derive(Clone, Copy, Debug)]
struct Segments {
    sent: f64,
    retransmitted: f64,
}

impl Sampler {
    /// Nothing sampled yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            filter: config.netdev_devices.clone(),
            ..Self::default()
        }
    }

    /// Samples the TC counters too.
    #[must_use]
    pub fn with_tc(mut self, watch: Option<Watch>) -> Self {
        self.tc = watch.map(Tc::new);
        self
    }

    /// Samples the devices of another configuration from now on. Those that were sampled before keep what is known of them.
    pub fn reload(&mut self, config: &Config) {
        self.filter = config.netdev_devices.clone();
        let filter = &self.filter;
        self.devices.retain(|device| filter.shows(&device.label));
    }

    /// Takes a sample. What cannot be read is logged once and has no rates until it can be read again.
    pub fn tick(&mut self, files: &Files, now: Instant) {
        self.ticks += 1;
        self.next_slot(now);
        let span = self.clock.advance(now);
        let result = self
            .sample_devices(files, now, span)
            .and(self.sample_segments(files));
        if let Some(tc) = &mut self.tc {
            tc.tick(elapsed(self.taken, now));
        }
        self.taken = Some(now);
        match result {
            Ok(()) => {
                if self.error.take().is_some() {
                    log::info!("sampling works again");
                }
                self.last_success = Some((now, SystemTime::now()));
            }
            Err(error) => {
                let text = error.to_string();
                if self.error.as_ref().map(ToString::to_string).as_ref() != Some(&text) {
                    log::error!(err = text.as_str(); "sampling failed: no rates");
                }
                self.error = Some(Rc::new(error));
            }
        }
    }

    /// Why the last tick failed.
    #[must_use]
    pub fn error(&self) -> Option<Rc<FileError>> {
        self.error.clone()
    }

    /// The devices, in the kernel's order.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The devices with their counters, where the last tick had them all and was not long ago.
    #[must_use]
    pub fn counted(&self, now: Instant) -> Option<&[Device]> {
        let (counted, _) = self.last_success?;
        let fresh = now.saturating_duration_since(counted) < FRESH;
        (fresh && self.error.is_none()).then_some(&self.devices)
    }

    /// The share of the segments sent during the last tick that were sent again; `None` when nothing was sent.
    #[must_use]
    pub fn retransmission_ratio(&self) -> Option<f64> {
        self.retransmission_ratio
    }

    /// The share of the segments sent during the last minute that were sent again, and how many those were.
    #[must_use]
    pub fn retransmissions(&self) -> Option<(f64, f64)> {
        let (sent, again) = self
            .sent
            .iter()
            .fold((0.0, 0.0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1));
        (sent > 0.0).then(|| (again / sent, again))
    }

    /// Copies the last ten minutes of a device, the oldest point first; false of a device that has no history.
    pub fn history(&self, device: &Device, points: &mut Vec<Point>) -> bool {
        let history = device.history.as_ref();
        if let Some(history) = history {
            self.clock.copy(history, points);
        }
        history.is_some()
    }

    /// Ticks since the start.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The TC counters, where they are switched on.
    #[must_use]
    pub fn tc(&self) -> Option<&Tc> {
        self.tc.as_ref()
    }

    /// When a sample last succeeded.
    #[must_use]
    pub fn last_success(&self) -> Option<(Instant, SystemTime)> {
        self.last_success
    }

    fn sample_devices(&mut self, files: &Files, now: Instant, span: Span) -> Result<(), FileError> {
        let elapsed = elapsed(self.taken, now);
        let mut known = Known::new(std::mem::take(&mut self.devices));
        let found = files.net("dev", |bytes| {
            let mut found = Vec::with_capacity(known.devices.len());
            for row in dev::rows(bytes)? {
                let row = row?;
                if let Some(device) = known
                    .take(row.name)
                    .or_else(|| Device::new(row.name, &self.filter))
                {
                    found.push((device, row.counters));
                }
            }
            Ok(found)
        })?;
        let indexes = Indexes::new(files);
        let found = found.unwrap_or_default();
        let kept = found.iter().filter(|(device, _)| device.history.is_some());
        let mut room = history::DEVICES.saturating_sub(kept.count());
        for (mut device, counters) in found {
            let ifindex = indexes.of(&device.name, device.ifindex);
            if device.history.is_none() && room > 0 {
                room -= 1;
                device.history = Some(History::default());
            }
            device.advance(ifindex, counters, elapsed, span);
            if let (Some(rates), Some(peak)) = (device.rates, device.peaks.get_mut(self.slot)) {
                *peak = (
                    peak.0.max(rates.receive_bytes),
                    peak.1.max(rates.transmit_bytes),
                );
            }
            self.devices.push(device);
        }
        Ok(())
    }

    /// Moves on to the slot that `now` falls into; what a new slot held a minute ago is forgotten.
    fn next_slot(&mut self, now: Instant) {
        let Some(begun) = self.slot_begun else {
            self.slot_begun = Some(now);
            return;
        };
        let passed = now.saturating_duration_since(begun).as_millis() / SLOT.as_millis();
        let passed = usize::try_from(passed).unwrap_or(SLOTS);
        for _ in 0..passed.min(SLOTS) {
            self.slot = (self.slot + 1) % SLOTS;
            if let Some(sent) = self.sent.get_mut(self.slot) {
                *sent = (0.0, 0.0);
            }
            for device in &mut self.devices {
                if let Some(peak) = device.peaks.get_mut(self.slot) {
                    *peak = (0.0, 0.0);
                }
            }
        }
        if passed > 0 {
            self.slot_begun = begun
                .checked_add(SLOT.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX)))
                .or(Some(now));
        }
    }

    fn sample_segments(&mut self, files: &Files) -> Result<(), FileError> {
        let before = self.segments.take();
        self.retransmission_ratio = None;
        let now = files.net("snmp", segments)?.flatten();
        self.segments = now;
        let grown = now.zip(before).map(|(now, before)| {
            let sent = now.sent - before.sent;
            (sent, now.retransmitted - before.retransmitted)
        });
        let grown = grown.filter(|(sent, again)| *sent > 0.0 && *again >= 0.0);
        self.retransmission_ratio = grown.map(|(sent, again)| again / sent);
        if let (Some((sent, again)), Some(slot)) = (grown, self.sent.get_mut(self.slot)) {
            *slot = (slot.0 + sent, slot.1 + again);
        }
        Ok(())
    }
}

/// The seconds between two samples; `None` where there was none before.
fn elapsed(before: Option<Instant>, now: Instant) -> Option<f64> {
    let elapsed = now.saturating_duration_since(before?).as_secs_f64();
    Some(elapsed).filter(|elapsed| *elapsed > 0.0)
}

/// The two counters of the Tcp line of /proc/net/snmp, where this kernel has both.
fn segments(bytes: &[u8]) -> Result<Option<Segments>, ParseError> {
    let (mut sent, mut retransmitted) = (None, None);
    for section in netstat::sections(bytes)? {
        let section = section?;
        if section.protocol() == b"Tcp" {
            for (name, value) in section.names().zip(section.values()) {
                match name {
                    b"OutSegs" => sent = Some(value?),
                    b"RetransSegs" => retransmitted = Some(value?),
                    _ => {}
                }
            }
        }
    }
    Ok(sent
        .zip(retransmitted)
        .map(|(sent, retransmitted)| Segments {
            sent,
            retransmitted,
        }))
}
