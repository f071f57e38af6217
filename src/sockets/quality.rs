//! Round-trip times and retransmissions of the established connections, as distributions over groups of peers.
//!
//! Bounded: [`GROUPS`] groups are told apart, those that come first; the connections of others are together.

use std::collections::HashMap;

use crate::cidr::Grouping;
use crate::config::Connections;
use crate::netlink::NetlinkError;

use super::tcp_info::Measured;

/// The most groups that are told apart.
pub const GROUPS: usize = 1024;

/// Upper bounds of the round-trip times, in microseconds, and as text in seconds.
pub const ROUND_TRIP: [(u32, &str); 10] = [
    (100, "0.0001"),
    (300, "0.0003"),
    (1_000, "0.001"),
    (3_000, "0.003"),
    (10_000, "0.01"),
    (30_000, "0.03"),
    (100_000, "0.1"),
    (300_000, "0.3"),
    (1_000_000, "1"),
    (3_000_000, "3"),
];

/// Upper bounds of the retransmissions, in segments.
pub const RETRANSMITS: [(u32, &str); 7] = [
    (0, "0"),
    (1, "1"),
    (3, "3"),
    (10, "10"),
    (30, "30"),
    (100, "100"),
    (300, "300"),
];

/// How many values are in each bucket, those of lower buckets not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distribution<const N: usize> {
    /// For each bound.
    pub buckets: [u64; N],
    /// All, also those above the last bound.
    pub count: u64,
    /// Of all values.
    pub sum: u64,
}

impl<const N: usize> Default for Distribution<N> {
    fn default() -> Self {
        Self {
            buckets: [0; N],
            count: 0,
            sum: 0,
        }
    }
}

impl<const N: usize> Distribution<N> {
    fn add(&mut self, value: u32, bounds: &[(u32, &str); N]) {
        let fits = self.buckets.iter_mut().zip(bounds);
        if let Some((bucket, _)) = fits.into_iter().find(|(_, (bound, _))| value <= *bound) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += u64::from(value);
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// The connections with one group of peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Smoothed round-trip times in microseconds, of connections that have one.
    pub round_trip: Distribution<{ ROUND_TRIP.len() }>,
    /// Segments sent again since each connection began.
    pub retransmits: Distribution<{ RETRANSMITS.len() }>,
}

impl Group {
    /// Adds all connections of another.
    pub fn merge(&mut self, other: &Self) {
        self.round_trip.merge(&other.round_trip);
        self.retransmits.merge(&other.retransmits);
    }
}

/// What one dump found.
#[derive(Debug)]
pub struct Quality {
    settings: Connections,
    grouping: Grouping,
    groups: HashMap<[u8; 16], Group>,
    others: Group,
    outcome: Result<(), NetlinkError>,
}

impl Quality {
    /// Nothing is found yet. Peers are grouped by /24 and /64 unless the settings say otherwise.
    #[must_use]
    pub fn new(settings: &Connections) -> Self {
        let grouping = match settings.group {
            Grouping::NONE => Grouping { v4: 24, v6: 64 },
            group => group,
        };
        Self {
            settings: settings.clone(),
            grouping,
            groups: HashMap::new(),
            others: Group::default(),
            outcome: Ok(()),
        }
    }

    /// Begins anew.
    pub fn restart(&mut self) {
        self.groups.clear();
        self.others = Group::default();
    }

    /// The dump is over, well or not.
    pub fn finish(&mut self, outcome: Result<(), NetlinkError>) {
        self.outcome = outcome;
    }

    /// How the dump went.
    ///
    /// # Errors
    /// Why it failed.
    pub fn outcome(&self) -> Result<(), NetlinkError> {
        self.outcome
    }

    /// Counts one connection, when its peer is one of those that are counted.
    pub fn add(&mut self, measured: &Measured) {
        let peer = measured.remote.bytes();
        if !self.settings.counts(peer) {
            return;
        }
        let lowest = self.grouping.lowest(peer);
        let known = self.groups.len() < GROUPS || self.groups.contains_key(&lowest);
        let group = if known {
            self.groups.entry(lowest).or_default()
        } else {
            &mut self.others
        };
        if let Some(time) = measured.round_trip {
            group.round_trip.add(time, &ROUND_TRIP);
        }
        group.retransmits.add(measured.retransmits, &RETRANSMITS);
    }

    /// The groups with the most connections, at most `most`, in the order of their addresses; all others in one, and how
    /// many groups that is, at most.
    #[must_use]
    pub fn largest(&self, most: usize) -> (Vec<([u8; 16], Group)>, Group, usize) {
        let mut all: Vec<_> = self
            .groups
            .iter()
            .map(|(key, group)| (*key, *group))
            .collect();
        all.sort_unstable_by_key(|(key, group)| (std::cmp::Reverse(group.retransmits.count), *key));
        let rest = all.split_off(most.min(all.len()));
        all.sort_unstable_by_key(|(key, _)| *key);
        let mut others = self.others;
        rest.iter().for_each(|(_, group)| others.merge(group));
        let crowded = usize::try_from(self.others.retransmits.count).unwrap_or(usize::MAX);
        (all, others, rest.len().saturating_add(crowded))
    }

    /// A group as text.
    #[must_use]
    pub fn text(&self, lowest: [u8; 16]) -> String {
        self.grouping.text(lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::net_tcp::Address;

    fn measured(remote: [u8; 4], round_trip: Option<u32>, retransmits: u32) -> Measured {
        Measured {
            remote: Address::v4(remote),
            round_trip,
            retransmits,
        }
    }

    #[test]
    fn values_fall_into_the_first_bucket_that_holds_them() {
        let mut quality = Quality::new(&Connections::default());
        for (time, again) in [
            (Some(100), 0),
            (Some(101), 1),
            (Some(3_000_001), 2),
            (None, 301),
        ] {
            quality.add(&measured([10, 0, 0, 7], time, again));
        }
        quality.add(&measured([127, 0, 0, 1], Some(1), 0));
        let (groups, others, left_out) = quality.largest(10);
        assert_eq!((groups.len(), others, left_out), (1, Group::default(), 0));
        let (key, group) = groups[0];
        assert_eq!(quality.text(key), "10.0.0.0/24");
        assert_eq!(group.round_trip.buckets, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            (group.round_trip.count, group.round_trip.sum),
            (3, 3_000_202)
        );
        assert_eq!(group.retransmits.buckets, [1, 1, 1, 0, 0, 0, 0]);
        assert_eq!((group.retransmits.count, group.retransmits.sum), (4, 304));
    }

    #[test]
    fn groups_are_bounded_and_nothing_is_lost() {
        let mut quality = Quality::new(&Connections::default());
        for number in 0..5000u32 {
            let [_, _, high, low] = number.to_be_bytes();
            quality.add(&measured([10, high, low, 1], Some(50), 0));
        }
        quality.add(&measured([10, 0, 3, 1], Some(50), 0));
        let (groups, others, left_out) = quality.largest(100);
        assert_eq!(
            (quality.groups.len(), groups.len(), left_out),
            (GROUPS, 100, 4900)
        );
        assert_eq!(others.retransmits.count, 4900);
        let shown: u64 = groups.iter().map(|(_, group)| group.round_trip.count).sum();
        assert_eq!(shown + others.round_trip.count, 5001);
        let largest = quality.largest(1).0;
        assert_eq!(quality.text(largest[0].0), "10.0.3.0/24");
        quality.restart();
        assert_eq!(quality.largest(10).0, []);
    }
}
