//! Who talks to whom: established connections by pair of hosts and direction, and by the local port that accepted them.
//!
//! ESTABLISHED sockets only, as `ss state established` lists them: also those that still wait for accept, none in a
//! handshake and none that is closing. A connection between two sockets of this namespace (loopback, or one of its own
//! addresses) is both: one end was accepted, the other opened, so it counts once in each direction.
//!
//! Direction, measured on constructed cases (src/sockets/peers/direction.rs): accepted when a listener has the local end, or
//! had it not long ago ([`Listening`]); else accepted when the kernel could not have picked the local port but could
//! have picked the other; else opened here. Where the range is unknown (another namespace's), listeners alone decide.
//!
//! Memory is bounded, whoever connects: [`PAIRS`] pairs are told apart, 1.5 MB when full. The largest
//! [`MOST_SERIES`](crate::config::CONNECTIONS_MOST_SERIES) are pinned from walk to walk, so that [`Tally`] promises: with
//! N connections a pair of more than N/9,000 (in the first walk N/14,000) is found at once, and exact in every walk after
//! that; 22 of 200,000.

use std::hash::Hash;
use std::hash::Hasher;

use crate::config::Connections;
use crate::parse::ip_local_port_range::PortRange;
use crate::parse::net_tcp::Address;
use crate::parse::net_tcp::Socket;
use crate::parse::net_tcp::State;

use super::listening::Listening;
use super::ports::Ports;
use super::quality::Quality;
use super::tally::Tally;

/// The most pairs that are told apart: what std's table holds in 32768 places, before it doubles.
pub const PAIRS: usize = 28_672;

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The other end; it was accepted here.
    Input,
    /// This end.
    Output,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Input, Self::Output];

    /// The word in labels.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// A local address, a peer (or the lowest address of its group) and a direction.
///
/// The bytes stand together so that one call hashes them: direction, local address, peer. Their order is the order in
/// which equal counts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair([u8; 33]);

impl Pair {
    fn new(direction: Direction, local: Address, peer: [u8; 16]) -> Self {
        let mut bytes = [0; 33];
        let (first, rest) = bytes.split_at_mut(1);
        first.fill(u8::from(direction == Direction::Output));
        let (head, tail) = rest.split_at_mut(16);
        head.copy_from_slice(&local.bytes());
        tail.copy_from_slice(&peer);
        Self(bytes)
    }

    /// Who opened the connections.
    #[must_use]
    pub fn direction(&self) -> Direction {
        if self.0.first() == Some(&0) {
            Direction::Input
        } else {
            Direction::Output
        }
    }

    /// This host's address.
    #[must_use]
    pub fn local(&self) -> Address {
        let bytes = self.0.get(1..17).and_then(<[u8]>::first_chunk);
        bytes.copied().map_or_else(Address::default, Address::v6)
    }

    /// The peer's address, the lowest of its group where peers are grouped; IPv4 in mapped form.
    #[must_use]
    pub fn peer(&self) -> [u8; 16] {
        self.0.last_chunk().copied().unwrap_or_default()
    }
}

impl Hash for Pair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// What one walk found of peers.
#[derive(Debug)]
pub struct Peers {
    settings: Connections,
    listening: Listening,
    pairs: Tally<Pair>,
    /// Connections with peers that are counted, by direction.
    counted: [u64; 2],
    /// Accepted connections by local port, whoever the peer: one place for each port.
    accepted: Box<[u32]>,
    /// Opened connections, whoever the peer.
    opened: u64,
    /// The ports that have a listener now, or accepted a connection.
    used: Ports,
    quality: Option<Quality>,
}

impl Peers {
    /// Nothing is found yet, and no listener remembered.
    #[must_use]
    pub fn new(settings: &Connections) -> Self {
        Self {
            settings: settings.clone(),
            listening: Listening::default(),
            pairs: Tally::default(),
            counted: [0; 2],
            accepted: vec![0; 1 << 16].into_boxed_slice(),
            opened: 0,
            used: Ports::default(),
            quality: settings.tcp_info.then(|| Quality::new(settings)),
        }
    }

    /// A new walk begins. Memory is kept, and so are the listeners of the last walks.
    pub fn restart(&mut self) {
        self.listening.restart();
        self.pairs.restart(PAIRS, self.settings.max_series);
        self.counted = [0; 2];
        // Nothing is read or written where nothing was counted: of a namespace without connections the kernel then gives no
        // memory for these places.
        for port in self.used.iter() {
            if let Some(count) = self.accepted.get_mut(usize::from(port)) {
                *count = 0;
            }
        }
        self.used.clear();
        self.opened = 0;
    }

    /// Counts one socket; `range` is where the kernel picks local ports from, when that is known. All listeners of a
    /// family must come before its other sockets.
    pub fn add(&mut self, socket: &Socket, range: Option<PortRange>) {
        match socket.state {
            State::ESTABLISHED => self.connected(socket, range),
            State::LISTEN => {
                self.listening.add(socket);
                self.used.insert(socket.local_port);
            }
            _ => {}
        }
    }

    fn connected(&mut self, socket: &Socket, range: Option<PortRange>) {
        let direction = self.direction(socket, range);
        match direction {
            Direction::Input => {
                if let Some(count) = self.accepted.get_mut(usize::from(socket.local_port)) {
                    *count += 1;
                }
                self.used.insert(socket.local_port);
            }
            Direction::Output => self.opened += 1,
        }
        let peer = socket.remote.bytes();
        if self.settings.counts(peer) {
            let [input, output] = &mut self.counted;
            *(match direction {
                Direction::Input => input,
                Direction::Output => output,
            }) += 1;
            let group = self.settings.group.lowest(peer);
            self.pairs.add(Pair::new(direction, socket.local, group));
        }
    }

    fn direction(&mut self, socket: &Socket, range: Option<PortRange>) -> Direction {
        let picked_there = |range: PortRange| {
            !range.contains(socket.local_port) && range.contains(socket.remote_port)
        };
        if self.listening.accepted(socket, range) || range.is_some_and(picked_there) {
            Direction::Input
        } else {
            Direction::Output
        }
    }

    /// The walk is over.
    pub fn finish(&mut self) {
        self.pairs.finish();
    }

    /// The pairs that were told apart.
    #[must_use]
    pub fn pairs(&self) -> &Tally<Pair> {
        &self.pairs
    }

    /// Connections with peers that are counted, input and output.
    #[must_use]
    pub fn counted(&self) -> [u64; 2] {
        self.counted
    }

    /// Connections that were opened here, whoever the peer.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Round-trip times and retransmissions, when they are wanted; only netlink fills them.
    #[must_use]
    pub fn quality(&self) -> Option<&Quality> {
        self.quality.as_ref()
    }

    /// The same, to be filled.
    pub(super) fn quality_mut(&mut self) -> Option<&mut Quality> {
        self.quality.as_mut()
    }

    /// The local ports that accepted connections that still are, or that have a listener, and how many; in the order of
    /// ports, whoever the peer.
    pub fn accepted(&self) -> impl Iterator<Item = (u16, u32)> {
        let count = |port: u16| self.accepted.get(usize::from(port)).copied();
        self.used
            .iter()
            .map(move |port| (port, count(port).unwrap_or(0)))
    }
}

#[cfg(test)]
mod direction;
#[cfg(test)]
mod tests;
