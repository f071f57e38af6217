//! A set of ports as a map of bits.

use crate::parse::ip_local_port_range::PortRange;

/// A set of ports, one bit each: 8 KiB.
#[derive(Clone, Debug)]
pub struct Ports(Box<[u64]>);

impl Default for Ports {
    fn default() -> Self {
        Self(vec![0; 1024].into_boxed_slice())
    }
}

impl Ports {
    /// Adds a port.
    pub fn insert(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }

    /// Whether the port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0
            .get(usize::from(port >> 6))
            .is_some_and(|word| (word >> (port & 63)) & 1 == 1)
    }

    /// How many ports of the set are in `range`.
    #[must_use]
    pub fn count_in(&self, range: PortRange) -> u32 {
        let (first, last) = (usize::from(range.low >> 6), usize::from(range.high >> 6));
        let words = self.0.iter().enumerate().take(last + 1).skip(first);
        words
            .map(|(at, word)| {
                let above = if at == first {
                    u64::MAX << (range.low & 63)
                } else {
                    u64::MAX
                };
                let below = if at == last {
                    u64::MAX >> (63 - (range.high & 63))
                } else {
                    u64::MAX
                };
                (word & above & below).count_ones()
            })
            .sum()
    }

    /// The ports of the set, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        (0..=u16::MAX)
            .step_by(64)
            .zip(self.0.iter())
            .flat_map(|(first, word)| {
                let mut left = *word;
                std::iter::from_fn(move || {
                    let bit = u16::try_from(left.trailing_zeros()).ok()?;
                    left &= left.checked_sub(1)?;
                    Some(first | bit)
                })
            })
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_within_a_range() {
        let mut ports = Ports::default();
        for port in [0, 63, 64, 127, 128, 65535] {
            ports.insert(port);
        }
        let count = |low, high| ports.count_in(PortRange { low, high });
        assert_eq!((count(0, 65535), count(0, 0), count(1, 62)), (6, 1, 0));
        assert_eq!((count(63, 64), count(64, 127), count(65, 126)), (2, 2, 0));
        assert_eq!((count(128, 65534), count(65535, 65535)), (1, 1));
    }

    #[test]
    fn a_port_is_in_the_set_until_it_is_emptied() {
        let mut ports = Ports::default();
        ports.insert(65535);
        assert!(ports.contains(65535) && !ports.contains(65534));
        ports.clear();
        assert!(!ports.contains(65535));
    }

    #[test]
    fn ports_come_in_their_order() {
        let mut ports = Ports::default();
        let wanted = [0, 1, 63, 64, 4095, 4096, 65534, 65535];
        for port in wanted.into_iter().rev() {
            ports.insert(port);
        }
        assert_eq!(ports.iter().collect::<Vec<_>>(), wanted);
        ports.clear();
        assert_eq!(ports.iter().next(), None);
    }
}
