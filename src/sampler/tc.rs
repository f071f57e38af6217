//! The TC counters between two ticks.

use std::time::SystemTime;

use crate::tc::Counts;
use crate::tc::Direction;
use crate::tc::attach::State;
use crate::tc::attach::Watch;

use super::devices::rate;

/// More packets a second than this, in either direction, and an interface is active.
const ACTIVE: f64 = 0.1;

/// What went over an interface in one second, on average over the last tick, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TcRates {
    /// Packets on the wire in a second.
    pub packets: f64,
    /// Bytes on the wire in a second.
    pub bytes: f64,
}

impl TcRates {
    fn between(before: &Counts, now: &Counts, elapsed: f64) -> Option<Self> {
        Some(Self {
            packets: rate(before.packets, now.packets, elapsed)?,
            bytes: rate(before.bytes, now.bytes, elapsed)?,
        })
    }

    /// Whether an interface with these rates, ingress and egress, counts as active.
    #[must_use]
    pub fn is_active(rates: &[Self; 2]) -> bool {
        rates.iter().any(|rates| rates.packets > ACTIVE)
    }
}

/// One interface between two ticks, ingress and egress.
struct Sampled {
    counts: [Counts; 2],
    rates: Option<[TcRates; 2]>,
}

/// What the ticks sampled of the TC counters.
pub struct Tc {
    watch: Watch,
    /// By their indexes, in order.
    interfaces: Vec<(u32, Sampled)>,
    last_success: Option<SystemTime>,
}

impl Tc {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            interfaces: Vec::new(),
            last_success: None,
        }
    }

    /// What attaches the programs.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// When a tick last read the counters of every interface.
    #[must_use]
    pub fn last_success(&self) -> Option<SystemTime> {
        self.last_success
    }

    /// The rates of the last tick, ingress and egress; `None` until there are two samples.
    #[must_use]
    pub fn rates(&self, ifindex: u32) -> Option<[TcRates; 2]> {
        find(&self.interfaces, ifindex)?.rates
    }

    /// Takes a sample. Why one cannot be taken is what the collector says, which reads the same counters.
    pub(super) fn tick(&mut self, elapsed: Option<f64>) {
        let before = std::mem::take(&mut self.interfaces);
        let Ok(state) = self.watch.state() else {
            return;
        };
        let mut complete = state.is_up();
        for interface in state
            .interfaces
            .iter()
            .filter(|interface| interface.attached)
        {
            let Some(counts) = counts(&state, interface.ifindex) else {
                complete = false;
                continue;
            };
            let before = find(&before, interface.ifindex);
            let rates = before.zip(elapsed).and_then(|(before, elapsed)| {
                let [ingress, egress] = &counts;
                let [ingress_before, egress_before] = &before.counts;
                Some([
                    TcRates::between(ingress_before, ingress, elapsed)?,
                    TcRates::between(egress_before, egress, elapsed)?,
                ])
            });
            let sampled = Sampled { counts, rates };
            self.interfaces.push((interface.ifindex, sampled));
        }
        self.interfaces
            .sort_unstable_by_key(|(ifindex, _)| *ifindex);
        if complete {
            self.last_success = Some(SystemTime::now());
        }
    }
}

fn find(interfaces: &[(u32, Sampled)], ifindex: u32) -> Option<&Sampled> {
    let place = interfaces.binary_search_by_key(&ifindex, |(known, _)| *known);
    interfaces.get(place.ok()?).map(|(_, sampled)| sampled)
}

fn counts(state: &State, ifindex: u32) -> Option<[Counts; 2]> {
    let programs = state.programs.as_ref()?;
    let read = |direction| programs.read(ifindex, direction).ok().flatten();
    Some([read(Direction::Ingress)?, read(Direction::Egress)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(packets: u64, bytes: u64) -> Counts {
        Counts {
            packets,
            bytes,
            ..Counts::default()
        }
    }

    #[test]
    fn rates_are_over_the_time_that_really_passed() {
        let rates = TcRates::between(&counts(10, 1000), &counts(30, 9000), 8.0);
        let expected = TcRates {
            packets: 2.5,
            bytes: 1000.0,
        };
        assert_eq!(rates, Some(expected));
        let back = TcRates::between(&counts(10, 1000), &counts(11, 999), 8.0);
        assert_eq!(back, None, "a counter went back");
    }

    #[test]
    fn active_is_more_than_a_packet_in_ten_seconds_either_way() {
        let packets = |packets| TcRates {
            packets,
            bytes: 0.0,
        };
        let active = |one, other| TcRates::is_active(&[packets(one), packets(other)]);
        assert!(active(0.2, 0.0) && active(0.0, 0.2));
        assert!(!active(0.1, 0.1) && !active(0.0, 0.0));
    }
}
