//! A bounded table of counts: exact for every key it holds, and it says how much found no room.
//!
//! Keys are chosen by strangers, so the hash is std's seeded one. The kernel lists sockets in the order of its own hash,
//! that is at random, so a key with a notable share is met early and finds room. To make that certain, the fullest keys
//! of a walk that overflowed have their places before the next one begins.

use std::collections::HashMap;
use std::hash::Hash;

/// How many keys of an overflowing walk keep their places in the next.
const PINNED: usize = 64;

/// Counts by key.
#[derive(Debug)]
pub struct Tally<K> {
    counts: HashMap<K, u32>,
    capacity: usize,
    without_room: u64,
    /// The key that came last and how often it has come in a row: runs of one key are counted without hashing.
    run: Option<(K, u32)>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
            capacity: 0,
            without_room: 0,
            run: None,
        }
    }
}

impl<K: Copy + Ord + Hash> Tally<K> {
    /// Begins anew, with at most `capacity` keys, and keeps the memory.
    pub fn restart(&mut self, capacity: usize) {
        let pinned = if self.without_room > 0 {
            self.top(PINNED.min(capacity))
        } else {
            Vec::new()
        };
        self.counts.clear();
        self.counts.extend(pinned.iter().map(|(key, _)| (*key, 0)));
        self.capacity = capacity;
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
        self.counts.retain(|_, count| *count > 0);
    }

    fn close_run(&mut self) {
        let Some((key, count)) = self.run.take() else {
            return;
        };
        if let Some(total) = self.counts.get_mut(&key) {
            *total = total.saturating_add(count);
        } else if self.counts.len() < self.capacity {
            self.counts.insert(key, count);
        } else {
            self.without_room += u64::from(count);
        }
    }

    /// The fullest keys, at most `most`; equal counts in the order of the keys.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(K, u64)> {
        let mut all: Vec<_> = self
            .counts
            .iter()
            .map(|(key, count)| (*key, u64::from(*count)))
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

    /// How much was added under keys that found no room.
    #[must_use]
    pub fn without_room(&self) -> u64 {
        self.without_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(capacity: usize, keys: impl IntoIterator<Item = u32>) -> Tally<u32> {
        let mut tally = Tally::default();
        again(&mut tally, capacity, keys);
        tally
    }

    fn again(tally: &mut Tally<u32>, capacity: usize, keys: impl IntoIterator<Item = u32>) {
        tally.restart(capacity);
        keys.into_iter().for_each(|key| tally.add(key));
        tally.finish();
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
    fn a_full_table_counts_what_it_holds_exactly_and_the_rest_together() {
        let found = tally(2, [1, 2, 3, 3, 1, 4, 2, 2]);
        assert_eq!(found.top(9), [(2, 3), (1, 2)]);
        assert_eq!(found.without_room(), 3);
    }

    #[test]
    fn the_fullest_of_an_overflowing_walk_have_their_places_in_the_next() {
        let mut found = tally(100, (0..200).chain([7, 7]));
        assert_eq!(found.without_room(), 100);
        again(&mut found, 100, (1000..2000).chain([7, 7, 7]));
        assert_eq!(found.top(1), [(7, 3)]);
        assert_eq!(found.len(), 100 - 64 + 1);
        again(&mut found, 100, [1, 2]);
        assert_eq!((found.len(), found.without_room()), (2, 0));
    }

    #[test]
    fn nothing_gives_nothing() {
        let found = tally(10, []);
        assert!(found.is_empty() && found.top(10).is_empty());
        assert_eq!(tally(0, [1, 1]).without_room(), 2);
    }
}
