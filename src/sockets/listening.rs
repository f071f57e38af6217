//! Which local ends accept connections: the listeners of this walk, and those of the walks before it.
//!
//! A connection outlives its listener (a server that stops taking more, passive FTP), and nothing else in the kernel's
//! tables says who opened it. So a listener is remembered for [`MEMORY`] walks after it was last seen, or after a
//! connection that it explains was last seen.
//!
//! The kernel never picks a port that has a listener; but one that is only remembered it may pick again. A connection
//! from such a port to a port below 1024 was opened here: no client is given a port there.

use std::collections::HashMap;

use crate::parse::ip_local_port_range::PortRange;
use crate::parse::net_tcp::Address;
use crate::parse::net_tcp::Family;
use crate::parse::net_tcp::Socket;

use super::ports::Ports;

/// The walks through which a listener is remembered.
pub const MEMORY: u32 = 20;

/// The most listeners that are told apart by address; of more only the ports are known.
const ENDS: usize = 1792;

/// The first port that a program without privilege may have.
const UNPRIVILEGED: u16 = 1024;

/// The listeners of one namespace.
#[derive(Debug, Default)]
pub struct Listening {
    walk: u32,
    ends: HashMap<(Family, Address, u16), Seen>,
    /// The ports of `ends`, and of listeners beyond its bound: most ports are none, and need no hash.
    v4: Ports,
    v6: Ports,
    crowded: bool,
}

/// The walks that last saw something.
#[derive(Clone, Copy, Debug)]
struct Seen {
    listener: u32,
    /// The listener, or a connection that it accepted.
    any: u32,
}

impl Listening {
    /// A new walk begins; what is too old is forgotten.
    pub fn restart(&mut self) {
        self.walk = self.walk.wrapping_add(1);
        // Half of the table is left for what listens now.
        for age in [MEMORY, 1, 0] {
            if age == MEMORY || self.ends.len() > ENDS / 2 {
                let walk = self.walk;
                self.ends
                    .retain(|_, seen| walk.wrapping_sub(seen.any) <= age);
            }
        }
        self.crowded = false;
        self.v4.clear();
        self.v6.clear();
        for (family, _, port) in self.ends.keys() {
            match family {
                Family::V4 => self.v4.insert(*port),
                Family::V6 => self.v6.insert(*port),
            }
        }
    }

    /// A listening socket. All of a family must come before that family's connections are asked about.
    pub fn add(&mut self, socket: &Socket) {
        match socket.family {
            Family::V4 => self.v4.insert(socket.local_port),
            Family::V6 => self.v6.insert(socket.local_port),
        }
        let end = (socket.family, socket.local, socket.local_port);
        let seen = Seen {
            listener: self.walk,
            any: self.walk,
        };
        if self.ends.len() < ENDS || self.ends.contains_key(&end) {
            self.ends.insert(end, seen);
        } else {
            self.crowded = true;
        }
    }

    /// Whether a connection's local end is that of a listener: its address and port, or its port on all addresses.
    ///
    /// `[::]` matches IPv4 peers of IPv6 sockets too: the sources do not both tell a listener that takes IPv6 only, and
    /// such a socket, unless it was accepted, has a port that was chosen for it by hand.
    pub fn accepted(&mut self, socket: &Socket, range: Option<PortRange>) -> bool {
        let (ports, family) = match socket.family {
            Family::V4 => (&self.v4, Family::V4),
            Family::V6 => (&self.v6, Family::V6),
        };
        if !ports.contains(socket.local_port) {
            return false;
        }
        let every = Address::v4([0; 4]);
        let ends = [
            (family == Family::V6).then(Address::default),
            socket.local.is_v4().then_some(every),
            Some(socket.local),
        ];
        let reused = range.is_some_and(|range| range.contains(socket.local_port))
            && socket.remote_port < UNPRIVILEGED;
        for address in ends.into_iter().flatten() {
            let end = (family, address, socket.local_port);
            if let Some(seen) = self.ends.get_mut(&end)
                && (seen.listener == self.walk || !reused)
            {
                seen.any = self.walk;
                return true;
            }
        }
        self.crowded
    }
}
