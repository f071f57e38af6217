//! What the collector `connections` counts and how much of it is shown.

use crate::cidr::Cidr;
use crate::cidr::Grouping;

/// The default of `--collector.connections.exclude`.
pub const EXCLUDE: &str = "127.0.0.0/8,::1/128";

/// The most pairs that can be asked for: of more the largest could no longer be told for certain (src/sockets/peers.rs).
pub const MOST_SERIES: usize = 10_000;

/// The most ranges in one list: each is compared with the peer of each connection.
const RANGES: usize = 256;

/// Who is counted, how peers are told apart, and how many pairs are shown.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The most pairs of hosts that are shown, both directions together.
    pub max_series: usize,
    /// Peers whose connections are not counted.
    pub exclude: Vec<Cidr>,
    /// The only peers whose connections are counted; empty: all. Exclusion wins.
    pub include: Vec<Cidr>,
    /// Which peers are counted as one.
    pub group: Grouping,
    /// Whether round-trip times and retransmissions are asked for.
    pub tcp_info: bool,
    /// Where peers' names come from.
    pub hostnames: Hostnames,
}

/// Where the names of peers come from (`--collector.connections.hostnames`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostnames {
    /// There are none.
    Off,
    /// /etc/hosts below the root file system.
    Hosts,
    /// /etc/hosts, for who is not in it the leases of the DHCP servers here, and then reverse DNS.
    Dns,
}

impl Connections {
    /// Whether connections with this peer are counted; sixteen bytes, IPv4 in mapped form.
    #[must_use]
    pub fn counts(&self, peer: [u8; 16]) -> bool {
        let among = |list: &[Cidr]| list.iter().any(|range| range.contains(peer));
        (self.include.is_empty() || among(&self.include)) && !among(&self.exclude)
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max_series: 1000,
            exclude: cidrs(EXCLUDE).unwrap_or_default(),
            include: Vec::new(),
            group: Grouping::NONE,
            tcp_info: false,
            hostnames: Hostnames::Off,
        }
    }
}

/// Reads ranges separated by commas; nothing is an empty list.
///
/// # Errors
/// With what was expected, and what was found in its place.
pub fn cidrs(text: &str) -> Result<Vec<Cidr>, (&'static str, &str)> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.split(',').count() > RANGES {
        return Err(("at most 256 ranges", text));
    }
    let read = |text| Cidr::parse(text).map_err(|expected| (expected, text));
    text.split(',').map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(include: &str, exclude: &str, peer: [u8; 4]) -> bool {
        let connections = Connections {
            include: cidrs(include).unwrap(),
            exclude: cidrs(exclude).unwrap(),
            ..Connections::default()
        };
        let [a, b, c, d] = peer;
        connections.counts([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    #[test]
    fn the_default_leaves_loopback_out() {
        let default = Connections::default();
        assert_eq!(default.exclude.len(), 2);
        assert!(!counts("", EXCLUDE, [127, 1, 2, 3]) && counts("", EXCLUDE, [10, 0, 0, 1]));
        assert!(!default.counts([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn exclusion_wins_and_an_empty_list_excludes_nothing() {
        assert!(counts("", "", [127, 0, 0, 1]));
        assert!(counts("10.0.0.0/8", "10.1.0.0/16", [10, 0, 0, 1]));
        assert!(!counts("10.0.0.0/8", "10.1.0.0/16", [10, 1, 0, 1]));
        assert!(!counts("10.0.0.0/8", "10.1.0.0/16", [11, 0, 0, 1]));
    }

    #[test]
    fn a_list_names_what_is_wrong_in_it() {
        assert_eq!(cidrs("10.0.0.0/8,x,::1").unwrap_err().1, "x");
        assert_eq!(cidrs("10.0.0.0/8,").unwrap_err().1, "");
        let many = vec!["::1"; 257].join(",");
        assert_eq!(cidrs(&many).unwrap_err().0, "at most 256 ranges");
    }
}
