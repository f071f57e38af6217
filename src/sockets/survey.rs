//! What one walk over the TCP sockets finds. Sockets stream in and are never held: each adds to sums, sets a bit for its
//! port, and counts in tables that are bounded.
//!
//! Walks bring all LISTEN sockets of a family before that family's others (both sources do), so that the survey knows
//! of every other socket whether a listener has its local port. The family counts: an accepted connection has its
//! listener's, and with /proc the listeners of tcp6 come after the connections of tcp.
//!
//! Who talks to whom is counted in [`Peers`] when a collector wants it; else it costs one look at each socket.

use std::collections::HashMap;
use std::hash::Hash;
use std::hash::Hasher;

use crate::config::Connections;
use crate::parse::ip_local_port_range::PortRange;
use crate::parse::net_tcp::Address;
use crate::parse::net_tcp::Family;
use crate::parse::net_tcp::Socket;
use crate::parse::net_tcp::State;

use super::Source;
use super::peers::Peers;
use super::ports::Ports;
use super::tally::Tally;

/// The most destinations that are told apart: what std's table holds in 4096 places, before it doubles.
pub const DESTINATIONS: usize = 3584;
/// How many destinations of an overflowing walk keep their places in the next.
const PINNED_DESTINATIONS: usize = 64;
/// The most listeners that are told apart.
pub const LISTENERS: usize = 896;

/// The states of include/net/tcp_states.h from 1, as metrics name them.
pub const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

/// A source address and where it connects to: what shares one supply of local ports.
///
/// The bytes stand together so that one call hashes them: source, destination, port in network order. Their order is
/// the order in which equal counts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination([u8; 34]);

impl Destination {
    fn new(source: Address, destination: Address, port: u16) -> Self {
        let mut bytes = [0; 34];
        let (head, tail) = bytes.split_at_mut(16);
        head.copy_from_slice(&source.bytes());
        let (middle, tail) = tail.split_at_mut(16);
        middle.copy_from_slice(&destination.bytes());
        tail.copy_from_slice(&port.to_be_bytes());
        Self(bytes)
    }

    /// The local address.
    #[must_use]
    pub fn source(&self) -> Address {
        self.0
            .first_chunk()
            .copied()
            .map_or_else(Address::default, Address::v6)
    }

    /// The remote address.
    #[must_use]
    pub fn destination(&self) -> Address {
        let bytes = self.0.get(16..32).and_then(<[u8]>::first_chunk);
        bytes.copied().map_or_else(Address::default, Address::v6)
    }

    /// The remote port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.last_chunk().copied().map_or(0, u16::from_be_bytes)
    }
}

impl Hash for Destination {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// The listening sockets of one address and port; those that share them (SO_REUSEPORT) are summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Connections that wait for accept.
    pub backlog: u64,
    /// The most that may wait; `None` when the source does not say. The kernel refuses when there are more than the
    /// limit, so one more than it can wait.
    pub limit: Option<u64>,
}

/// What one walk found.
#[derive(Debug, Default)]
pub struct Survey {
    source: Source,
    range: Option<PortRange>,
    states: [u64; STATES.len()],
    unknown_states: u64,
    send_queue: u64,
    receive_queue: u64,
    ports: Ports,
    listening_v4: Ports,
    listening_v6: Ports,
    listeners: HashMap<(Address, u16), Listener>,
    listeners_without_room: u64,
    destinations: Tally<Destination>,
    pub(super) peers: Option<Peers>,
}

impl Survey {
    /// A survey that counts peers too, where it is told how.
    #[must_use]
    pub fn new(peers: Option<&Connections>) -> Self {
        Self {
            peers: peers.map(Peers::new),
            ..Self::default()
        }
    }

    /// Begins anew and keeps the memory; `range` is where the kernel picks local ports from, when that is known.
    pub fn restart(&mut self, source: Source, range: Option<PortRange>) {
        self.source = source;
        self.range = range;
        self.states = [0; STATES.len()];
        self.unknown_states = 0;
        self.send_queue = 0;
        self.receive_queue = 0;
        self.ports.clear();
        self.listening_v4.clear();
        self.listening_v6.clear();
        self.listeners.clear();
        self.listeners_without_room = 0;
        self.destinations.restart(DESTINATIONS, PINNED_DESTINATIONS);
        if let Some(peers) = &mut self.peers {
            peers.restart();
        }
    }

    /// Counts one socket.
    pub fn add(&mut self, socket: &Socket) {
        let state = match socket.state {
            State::NEW_SYN_RECV => State::SYN_RECV,
            state => state,
        };
        match self.states.get_mut(usize::from(state.0).wrapping_sub(1)) {
            Some(count) => *count += 1,
            None => self.unknown_states += 1,
        }
        self.ports.insert(socket.local_port);
        self.receive_queue += u64::from(socket.receive_queue);
        if let Some(peers) = &mut self.peers {
            peers.add(socket, self.range);
        }
        if state == State::LISTEN {
            self.add_listener(socket);
            return;
        }
        self.send_queue += u64::from(socket.send_queue);
        // The kernel never picks a port that has a listener, so such a socket was accepted here.
        let picked = self
            .range
            .is_some_and(|range| range.contains(socket.local_port));
        if picked && socket.remote_port != 0 && !self.has_listener(socket) {
            let key = Destination::new(socket.local, socket.remote, socket.remote_port);
            self.destinations.add(key);
        }
    }

    /// The walk is over.
    pub fn finish(&mut self) {
        self.destinations.finish();
        if let Some(peers) = &mut self.peers {
            peers.finish();
        }
    }

    /// Whether a listening socket of the same family has this socket's local port.
    #[must_use]
    pub fn has_listener(&self, socket: &Socket) -> bool {
        match socket.family {
            Family::V4 => self.listening_v4.contains(socket.local_port),
            Family::V6 => self.listening_v6.contains(socket.local_port),
        }
    }

    fn add_listener(&mut self, socket: &Socket) {
        match socket.family {
            Family::V4 => self.listening_v4.insert(socket.local_port),
            Family::V6 => self.listening_v6.insert(socket.local_port),
        }
        let key = (socket.local, socket.local_port);
        if self.listeners.len() >= LISTENERS && !self.listeners.contains_key(&key) {
            self.listeners_without_room += 1;
            return;
        }
        let listener = self.listeners.entry(key).or_default();
        listener.backlog += u64::from(socket.receive_queue);
        // The tables of /proc do not tell the limit: their tx_queue column is of no meaning here.
        if self.source == Source::Netlink {
            let limit = listener.limit.get_or_insert(0);
            *limit += u64::from(socket.send_queue);
        }
    }

    /// Where the sockets were read from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The range the kernel picks local ports from, when it could be read.
    #[must_use]
    pub fn range(&self) -> Option<PortRange> {
        self.range
    }

    /// How many sockets are in each of [`STATES`].
    #[must_use]
    pub fn states(&self) -> &[u64; STATES.len()] {
        &self.states
    }

    /// How many sockets are in the state LISTEN.
    #[must_use]
    pub fn listening(&self) -> u64 {
        let place = usize::from(State::LISTEN.0).wrapping_sub(1);
        self.states.get(place).copied().unwrap_or(0)
    }

    /// How many sockets are in a state that has no name here.
    #[must_use]
    pub fn unknown_states(&self) -> u64 {
        self.unknown_states
    }

    /// Bytes sent and not yet acknowledged. LISTEN sockets are left out, whose netlink field is a limit.
    #[must_use]
    pub fn send_queue(&self) -> u64 {
        self.send_queue
    }

    /// Bytes received and not yet read, and one for each connection that waits for accept.
    #[must_use]
    pub fn receive_queue(&self) -> u64 {
        self.receive_queue
    }

    /// The local ports of all sockets, whatever their state.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The listeners by address and port, in no order.
    #[must_use]
    pub fn listeners(&self) -> &HashMap<(Address, u16), Listener> {
        &self.listeners
    }

    /// How many listening sockets found no room in the table of [`LISTENERS`].
    #[must_use]
    pub fn listeners_without_room(&self) -> u64 {
        self.listeners_without_room
    }

    /// How many of the picked local ports lead to which destination.
    #[must_use]
    pub fn destinations(&self) -> &Tally<Destination> {
        &self.destinations
    }

    /// Who talks to whom, when a collector wants to know.
    #[must_use]
    pub fn peers(&self) -> Option<&Peers> {
        self.peers.as_ref()
    }
}

#[cfg(test)]
mod tests;
