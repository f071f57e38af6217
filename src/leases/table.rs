//! What a server's lease files say, address by address.

use std::cmp::Ordering;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::net::IpAddr;

use crate::parse::leases::Binding;
use crate::parse::leases::Expiry;
use crate::parse::leases::Hardware;
use crate::parse::leases::Lease;
use crate::parse::leases::whole;
use crate::parse::printable;

/// The longest host name that DNS allows, in bytes; what is longer is cut.
const NAME: usize = 255;

/// How long a lease that vanished from a file is remembered, in seconds, should it only have been missing from a file that
/// was just being written anew.
const REMEMBERED: i64 = 600;

/// For how long, in seconds, it may also have been renewed meanwhile: the look after the next one at the latest sees the file
/// whole.
const REWRITTEN: i64 = 10;

/// What an address is to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A client has it for a time.
    Active,
    /// Its time is over, or it was given back.
    Expired,
    /// A client has it for ever, or it is kept for that client.
    Static,
    /// Somebody else uses it, so that it cannot be given out for a while.
    Declined,
}

impl State {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Active, Self::Expired, Self::Static, Self::Declined];

    /// Its label.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Static => "static",
            Self::Declined => "declined",
        }
    }
}

/// One address or delegated prefix.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The address, or the first of the prefix.
    pub address: IpAddr,
    /// The prefix's length.
    pub prefix: u8,
    /// The client's hardware address.
    pub hardware: Hardware,
    /// When it ends, in seconds since 1970; the greatest number for never.
    pub expires: i64,
    binding: Binding,
    reserved: bool,
    /// Of what tells the client from others.
    client: u64,
    /// Where the name stands in the table's text.
    name: (usize, u8),
}

impl Entry {
    /// What it is at a time; `kept` says whether the configuration keeps this address for one client.
    #[must_use]
    pub fn state(&self, now: i64, kept: bool) -> State {
        match self.binding {
            Binding::Bound | Binding::Declined if self.expires <= now => State::Expired,
            Binding::Declined => State::Declined,
            Binding::Free | Binding::Forgotten => State::Expired,
            Binding::Bound if self.expires == i64::MAX || self.reserved || kept => State::Static,
            Binding::Bound => State::Active,
        }
    }

    /// Whether it is a delegated prefix and not one address.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.prefix != whole(self.address)
    }

    fn is_held(&self, now: i64) -> bool {
        self.binding == Binding::Bound && self.expires > now
    }

    fn place(&self) -> Place {
        place(self.address, self.prefix)
    }
}

/// An address and its prefix's length as numbers, which are compared faster than addresses: IPv4 before IPv6.
type Place = (bool, u128, u8);

fn place(address: IpAddr, prefix: u8) -> Place {
    match address {
        IpAddr::V4(address) => (false, u128::from(u32::from(address)), prefix),
        IpAddr::V6(address) => (true, u128::from(address), prefix),
    }
}

/// Every address that the files name, once each, in order.
#[derive(Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    names: String,
}

impl Table {
    /// Takes an entry as it stands in a file. A later one of the same address is what counts.
    pub(super) fn take(&mut self, lease: &Lease<'_>) {
        let mut hasher = DefaultHasher::new();
        lease.client.hash(&mut hasher);
        let begin = self.names.len();
        let mut name = &*printable(&lease.hostname);
        while name.len() > NAME {
            name = name
                .char_indices()
                .next_back()
                .and_then(|(at, _)| name.get(..at))
                .unwrap_or_default();
        }
        self.names.push_str(name);
        self.entries.push(Entry {
            address: lease.address,
            prefix: lease.prefix,
            hardware: lease.hardware,
            expires: match lease.expires {
                Expiry::At(time) => time,
                Expiry::Never => i64::MAX,
            },
            binding: lease.binding,
            reserved: lease.reserved,
            client: hasher.finish(),
            name: (begin, u8::try_from(name.len()).unwrap_or(u8::MAX)),
        });
    }

    /// How many entries were taken so far.
    pub(super) fn taken(&self) -> usize {
        self.entries.len()
    }

    /// Keeps the last entry of each address.
    pub(super) fn finish(&mut self) {
        // Stable: the later of two stays behind the earlier.
        self.entries.sort_by_key(Entry::place);
        self.entries.reverse();
        self.entries.dedup_by_key(|entry| entry.place());
        self.entries
            .retain(|entry| entry.binding != Binding::Forgotten);
        self.entries.reverse();
        self.entries.shrink_to_fit();
    }

    /// Every address, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The client's name; empty when it has none.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> &str {
        let (begin, length) = entry.name;
        self.names
            .get(begin..begin + usize::from(length))
            .unwrap_or_default()
    }

    /// The name of whoever holds an address now; `None` when nobody does, or without a name.
    #[must_use]
    pub fn holder(&self, address: IpAddr, now: i64) -> Option<&str> {
        let key = place(address, whole(address));
        let at = self.entries.binary_search_by_key(&key, Entry::place).ok()?;
        let entry = self.entries.get(at).filter(|entry| entry.is_held(now))?;
        Some(self.name(entry)).filter(|name| !name.is_empty())
    }
}

/// Counts the leases that are given out, from how a table changes.
#[derive(Debug, Default)]
pub(super) struct Issued {
    total: u64,
    /// Leases that vanished before their time, in the order of their addresses.
    vanished: Vec<Vanished>,
}

#[derive(Debug)]
struct Vanished {
    place: Place,
    client: u64,
    expires: i64,
    /// When that was seen; the least number once it is back.
    at: i64,
}

impl Issued {
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Counts what `new` holds at `now` and `old` did not hold when it was last looked at: another address, another client,
    /// or the same after its time was over. What vanishes and comes back unchanged, as while a file is written anew, is no
    /// new lease.
    pub(super) fn step(&mut self, old: &Table, looked: i64, new: &Table, now: i64) {
        self.vanished.retain(|gone| gone.at > now - REMEMBERED);
        let mut vanished = Vec::new();
        let mut vanish = |entry: &Entry| {
            if entry.is_held(looked) {
                vanished.push(Vanished {
                    place: entry.place(),
                    client: entry.client,
                    expires: entry.expires,
                    at: now,
                });
            }
        };
        let mut earlier = old.entries.iter().peekable();
        for entry in &new.entries {
            let mut before = None;
            while let Some(other) = earlier.peek() {
                match other.place().cmp(&entry.place()) {
                    Ordering::Greater => break,
                    Ordering::Equal => before = earlier.next(),
                    Ordering::Less => earlier.next().into_iter().for_each(&mut vanish),
                }
            }
            if !entry.is_held(now) {
                continue;
            }
            let back = self.take_back(entry, now);
            let known = match before.filter(|before| before.is_held(looked)) {
                Some(before) => before.client == entry.client,
                None => back,
            };
            self.total += u64::from(!known);
        }
        earlier.for_each(vanish);
        self.remember(vanished);
    }

    /// Whether a lease had vanished and is back unchanged, or soon; it is forgotten then.
    fn take_back(&mut self, entry: &Entry, now: i64) -> bool {
        let place = entry.place();
        let found = self
            .vanished
            .binary_search_by_key(&place, |gone| gone.place);
        let gone = found.ok().and_then(|at| self.vanished.get_mut(at));
        gone.is_some_and(|gone| {
            let before = std::mem::replace(&mut gone.at, i64::MIN);
            before != i64::MIN
                && gone.client == entry.client
                && (gone.expires == entry.expires || now - before < REWRITTEN)
        })
    }

    /// Adds what vanished now, which is in order too.
    fn remember(&mut self, vanished: Vec<Vanished>) {
        let before = std::mem::take(&mut self.vanished).into_iter();
        let mut before = before.filter(|gone| gone.at != i64::MIN).peekable();
        for new in vanished {
            while let Some(old) = before.next_if(|old| old.place < new.place) {
                self.vanished.push(old);
            }
            before.next_if(|old| old.place == new.place);
            self.vanished.push(new);
        }
        self.vanished.extend(before);
    }
}

#[cfg(test)]
mod tests;
