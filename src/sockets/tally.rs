//! A bounded table of counts that finds the largest keys of a walk, and says how much it could not keep.
//!
//! Lossy counting (Manku and Motwani, VLDB 2002) with the purges of Misra and Gries: when the table is full, the lighter
//! half is dropped, and every key that comes later may have been dropped up to `level` times before. With N counted and
//! room for C keys beside the pinned ones, `level` ends at 2N/C at most. So, whatever the order and whoever chose the keys:
//!
//! - a key that came more than 2N/C times is in the table at the end of the walk;
//! - its count is exact when it kept its place since it first came, else at most 2N/C too low, never too high;
//! - the counts and [`Tally::without_room`] add up to N.
//!
//! The fullest keys of a walk that overflowed are pinned: they have their places before the next walk begins, and are
//! exact in it. Of a walk that does not overflow everything is exact.
//!
//! Keys are chosen by strangers, so the hash is std's seeded one. What is kept depends on the order of the keys alone.

use std::collections::HashMap;
use std::hash::Hash;

/// Counts by key.
#[derive(Debug)]
pub struct Tally<K> {
    counts: HashMap<K, Slot>,
    capacity: usize,
    /// How many dropped counts a key that comes now may have had, at most.
    level: u32,
    without_room: u64,
    /// The key that came last and how often it has come in a row: runs of one key are counted without hashing.
    run: Option<(K, u32)>,
    /// What survives a purge, kept for its memory.
    survivors: Vec<(K, Slot)>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    count: u32,
    /// The level when the key came; [`PINNED`] for one that is never dropped.
    missed: u32,
}

const PINNED: u32 = u32::MAX;

impl Slot {
    /// What stands against the next purge: above zero for what is kept.
    fn weight(self, level: u32) -> u32 {
        self.count.saturating_add(self.missed).saturating_sub(level)
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
            capacity: 0,
            level: 0,
            without_room: 0,
            run: None,
            survivors: Vec::new(),
        }
    }
}

impl<K: Copy + Ord + Hash> Tally<K> {
    /// Begins anew, with at most `capacity` keys, and keeps the memory. Where the last walk overflowed, its `pinned`
    /// fullest keys have their places already, but a quarter stays free.
    pub fn restart(&mut self, capacity: usize, pinned: usize) {
        let pinned = if self.without_room > 0 {
            self.top(pinned.min(capacity - capacity / 4))
        } else {
            Vec::new()
        };
        let pin = |(key, _): (K, u64)| {
            (
                key,
                Slot {
                    count: 0,
                    missed: PINNED,
                },
            )
        };
        self.counts.clear();
        self.counts.extend(pinned.into_iter().map(pin));
        self.capacity = capacity;
        self.level = 0;
        self.without_room = 0;
        self.run = None;
    }

    /// Counts one.
    pub fn add(&mut self, key: K) {
        match &mut self.run {
            Some((last, count)) if *last == key => *count = count.saturating_add(1),
            _ => {
                self.close_run();
                self.run = Some((key, 1));
            }
        }
    }

    /// No more will come.
    pub fn finish(&mut self) {
        self.close_run();
        // What had its place from the last walk and did not come.
        self.counts.retain(|_, slot| slot.count > 0);
    }

    fn close_run(&mut self) {
        let Some((key, count)) = self.run.take() else {
            return;
        };
        if let Some(slot) = self.counts.get_mut(&key) {
            slot.count = slot.count.saturating_add(count);
            return;
        }
        if self.counts.len() >= self.capacity {
            self.purge();
        }
        if self.counts.len() < self.capacity {
            let missed = self.level;
            self.counts.insert(key, Slot { count, missed });
        } else {
            self.without_room += u64::from(count);
        }
    }

    /// Drops the lighter half of what is not pinned, equal weights with it.
    fn purge(&mut self) {
        let loose = self.counts.values().filter(|slot| slot.missed != PINNED);
        let mut weights: Vec<u32> = loose.map(|slot| slot.weight(self.level)).collect();
        // Nearly all are equal, and a standard library built for size selects among equals in quadratic time.
        weights.sort_unstable();
        let Some(median) = weights.get(weights.len().saturating_sub(1) / 2) else {
            return;
        };
        self.level = self.level.saturating_add(*median);
        // Emptied and filled again: a table that only loses keys keeps marks of them, and grows in the end.
        for (key, slot) in self.counts.drain() {
            if slot.missed == PINNED || slot.weight(self.level) > 0 {
                self.survivors.push((key, slot));
            } else {
                self.without_room += u64::from(slot.count);
            }
        }
        self.counts.extend(self.survivors.drain(..));
    }

    /// The fullest keys, at most `most`; equal counts in the order of the keys.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(K, u64)> {
        let mut all: Vec<_> = self
            .counts
            .iter()
            .map(|(key, slot)| (*key, u64::from(slot.count)))
            .collect();
        let order = |left: &(K, u64), right: &(K, u64)| {
            right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0))
        };
        if most < all.len() {
            all.select_nth_unstable_by(most, order);
            all.truncate(most);
        }
        all.sort_unstable_by(order);
        all
    }

    /// How many keys are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many keys there is memory for.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.counts.capacity()
    }

    /// How much was added that no held key's count has.
    #[must_use]
    pub fn without_room(&self) -> u64 {
        self.without_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINS: usize = 64;

    fn tally(capacity: usize, keys: impl IntoIterator<Item = u32>) -> Tally<u32> {
        let mut tally = Tally::default();
        again(&mut tally, capacity, keys);
        tally
    }

    fn again(tally: &mut Tally<u32>, capacity: usize, keys: impl IntoIterator<Item = u32>) {
        tally.restart(capacity, PINS);
        keys.into_iter().for_each(|key| tally.add(key));
        tally.finish();
    }

    /// All that was added is somewhere.
    fn sum(tally: &Tally<u32>) -> u64 {
        let held: u64 = tally.top(usize::MAX).iter().map(|(_, count)| *count).sum();
        held + tally.without_room()
    }

    #[test]
    fn counts_with_ties_in_the_order_of_the_keys() {
        let found = tally(10, [5, 5, 1, 5, 9, 9, 3, 1]);
        assert_eq!(found.top(10), [(5, 3), (1, 2), (9, 2), (3, 1)]);
        assert_eq!(found.top(2), [(5, 3), (1, 2)]);
        assert_eq!(found.top(0), []);
        assert_eq!((found.len(), found.without_room()), (4, 0));
    }

    #[test]
    fn what_found_no_room_is_counted_together() {
        let found = tally(2, [1, 2, 3, 3, 1, 4, 2, 2]);
        assert_eq!((found.top(9), found.without_room()), (vec![(2, 2)], 6));
        // The heavier half stays as it is.
        let found = tally(4, [1, 1, 1, 2, 2, 2, 3, 4, 5, 6]);
        assert_eq!(found.top(2), [(1, 3), (2, 3)]);
        assert_eq!(sum(&found), 10);
    }

    #[test]
    fn the_fullest_of_an_overflowing_walk_have_their_places_in_the_next() {
        let mut found = tally(100, (0..200).chain([7, 7]));
        assert_eq!(sum(&found), 202);
        again(&mut found, 100, (1000..2000).chain([7, 7, 7]));
        assert_eq!(found.top(1), [(7, 3)]);
        assert!(found.len() <= 100);
        again(&mut found, 100, [1, 2]);
        assert_eq!((found.len(), found.without_room()), (2, 0));
    }

    /// The promise of the module's header, with keys that come as late and as far apart as can be.
    #[test]
    fn what_came_often_enough_is_held_and_then_exact() {
        const CAPACITY: usize = 1000;
        // 60,000 keys once each; 200 keys 150 times each, one of them between any two others.
        let rare = |number: u32| 1_000_000 + number;
        let stream = || {
            (0..60_000u32).flat_map(move |number| {
                let often = number % 2 == 1;
                [Some(rare(number)), often.then_some(number / 2 % 200)]
                    .into_iter()
                    .flatten()
            })
        };
        let total = 90_000;
        let bound = 2 * total / CAPACITY as u64;
        let mut found = tally(CAPACITY, stream());
        assert_eq!(sum(&found), total);
        assert!(found.places() <= 1792, "{}", found.places());
        assert!(u64::from(found.level) <= bound, "{}", found.level);
        let top = found.top(200);
        assert!(
            top.iter()
                .all(|(key, count)| *key < 200 && *count <= 150 && *count + bound >= 150),
            "{top:?}"
        );
        // All that are pinned are exact from then on.
        again(&mut found, CAPACITY, stream());
        let exact = found
            .top(200)
            .into_iter()
            .filter(|(_, count)| *count == 150);
        assert!(exact.count() >= PINS);
        assert_eq!(sum(&found), total);
    }

    #[test]
    fn the_same_stream_gives_the_same_counts() {
        let stream = || (0..50_000u64).map(|number| u32::try_from(number * number % 7919).unwrap());
        let (one, other) = (tally(300, stream()), tally(300, stream()));
        assert_eq!(one.top(300), other.top(300));
        assert_eq!(sum(&one), 50_000);
    }

    #[test]
    fn nothing_gives_nothing() {
        let found = tally(10, []);
        assert!(found.is_empty() && found.top(10).is_empty());
        assert_eq!(tally(0, [1, 1]).without_room(), 2);
    }
}
