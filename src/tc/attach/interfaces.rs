//! Which interfaces there are, which of them are counted, and what is to be done next: no system calls here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::config::DeviceFilter;
use crate::links::Link;
use crate::parse::printable;

use super::AttachError;
use super::Interface;

/// After this long an interface that could not be attached is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(60);

const IFF_LOOPBACK: u32 = 1 << 3;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// `struct ethhdr`, in bytes.
const ETHERNET: u32 = 14;

/// An interface of this network namespace, and what holds the programs to it.
pub(super) struct Known<A> {
    name: Arc<str>,
    kind: Vec<u8>,
    address: Vec<u8>,
    loopback: bool,
    link_header: u32,
    attachment: Option<A>,
    failed: Option<(Instant, Arc<AttachError>)>,
}

/// The interfaces, by index. `A` is what holds the programs to one.
pub(super) struct Interfaces<A> {
    filter: DeviceFilter,
    limit: usize,
    known: BTreeMap<u32, Known<A>>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Attach to this one, whose packets begin with a header of so many bytes.
    Attach(u32, u32),
    /// Detach from this one: another has the lower index, or its name is no longer one that is wanted.
    Detach(u32),
    /// Nothing, until something happens or this long has passed.
    Rest(Option<Duration>),
}

impl<A> Interfaces<A> {
    pub(super) fn new(filter: DeviceFilter, limit: usize) -> Self {
        Self {
            filter,
            limit,
            known: BTreeMap::new(),
        }
    }

    /// The kernel told of a device: a new one, or one that may have another name now.
    pub(super) fn there(&mut self, link: &Link) {
        let name = printable(&link.name);
        match self.known.get_mut(&link.ifindex) {
            Some(known) => {
                if *known.name != *name {
                    known.name = Arc::from(name);
                }
                // Not every report has the address.
                if !link.address.is_empty() {
                    known.address.clone_from(&link.address);
                }
            }
            None => {
                self.known.insert(link.ifindex, Known::new(link, &name));
            }
        }
    }

    /// The kernel told that a device is gone. Gives what held the programs to it.
    pub(super) fn gone(&mut self, ifindex: u32) -> Option<A> {
        self.known.remove(&ifindex)?.attachment
    }

    /// All devices that there are. Gives what held the programs to those that are gone, or were made anew with the same
    /// index while nobody told.
    pub(super) fn scanned(&mut self, links: &[Link]) -> Vec<(u32, A)> {
        let found: BTreeMap<u32, &Link> = links.iter().map(|link| (link.ifindex, link)).collect();
        let is_same = |ifindex: &u32, known: &Known<A>| {
            let link = found.get(ifindex);
            link.is_some_and(|link| link.kind == known.kind && link.address == known.address)
        };
        let (kept, gone) = std::mem::take(&mut self.known)
            .into_iter()
            .partition(|(ifindex, known)| is_same(ifindex, known));
        self.known = kept;
        for link in links {
            self.there(link);
        }
        let gone: BTreeMap<u32, Known<A>> = gone;
        gone.into_iter()
            .filter_map(|(ifindex, known)| Some((ifindex, known.attachment?)))
            .collect()
    }

    /// The interfaces to be counted, those with the lowest indexes, and how many others the limit leaves out.
    fn wanted(&self) -> (impl Iterator<Item = (u32, &Known<A>)>, usize) {
        let shown = || {
            let shown = |(_, known): &(&u32, &Known<A>)| known.is_shown(&self.filter);
            self.known.iter().filter(shown)
        };
        let left_out = shown().count().saturating_sub(self.limit);
        let wanted = shown().map(|(ifindex, known)| (*ifindex, known));
        (wanted.take(self.limit), left_out)
    }

    /// What is to be done next.
    pub(super) fn step(&self, now: Instant) -> Step {
        let (wanted, _) = self.wanted();
        let wanted: BTreeMap<u32, &Known<A>> = wanted.collect();
        let surplus = self
            .known
            .iter()
            .find(|(ifindex, known)| known.attachment.is_some() && !wanted.contains_key(ifindex));
        if let Some((ifindex, _)) = surplus {
            return Step::Detach(*ifindex);
        }
        let mut rest: Option<Duration> = None;
        for (ifindex, known) in wanted {
            if known.attachment.is_some() {
                continue;
            }
            let passed = |(failed, _): &(Instant, _)| now.saturating_duration_since(*failed);
            match known.failed.as_ref().map(passed) {
                Some(passed) if passed < RETRY => {
                    let left = RETRY.saturating_sub(passed);
                    rest = Some(rest.map_or(left, |rest| rest.min(left)));
                }
                _ => return Step::Attach(ifindex, known.link_header),
            }
        }
        Step::Rest(rest)
    }

    pub(super) fn attached(&mut self, ifindex: u32, attachment: A) {
        if let Some(known) = self.known.get_mut(&ifindex) {
            known.attachment = Some(attachment);
            known.failed = None;
        }
    }

    pub(super) fn detached(&mut self, ifindex: u32) -> Option<A> {
        self.known.get_mut(&ifindex)?.attachment.take()
    }

    /// Says whether this is another failure than the last one.
    pub(super) fn failed(&mut self, ifindex: u32, now: Instant, error: Arc<AttachError>) -> bool {
        let Some(known) = self.known.get_mut(&ifindex) else {
            return false;
        };
        let text = error.to_string();
        let before = known.failed.replace((now, error));
        before.is_none_or(|(_, before)| before.to_string() != text)
    }

    /// The interface's name as it is exported.
    pub(super) fn name(&self, ifindex: u32) -> &str {
        self.known.get(&ifindex).map_or("", |known| &known.name)
    }

    pub(super) fn is_attached(&self, ifindex: u32) -> bool {
        let known = self.known.get(&ifindex);
        known.is_some_and(|known| known.attachment.is_some())
    }

    /// The wanted interfaces and how many the limit leaves out, for those who scrape.
    pub(super) fn report(&self) -> (Vec<Interface>, usize) {
        let (wanted, left_out) = self.wanted();
        let interface = |(ifindex, known): (u32, &Known<A>)| Interface {
            ifindex,
            name: Arc::clone(&known.name),
            attached: known.attachment.is_some(),
            error: known.failed.as_ref().map(|(_, error)| Arc::clone(error)),
        };
        (wanted.map(interface).collect(), left_out)
    }

    /// Forgets everything; gives what held the programs.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = (u32, A)> {
        let known = std::mem::take(&mut self.known).into_iter();
        known.filter_map(|(ifindex, known)| Some((ifindex, known.attachment?)))
    }
}

impl<A> Known<A> {
    fn new(link: &Link, name: &str) -> Self {
        let ethernet = matches!(link.hardware_type, ARPHRD_ETHER | ARPHRD_LOOPBACK);
        Self {
            name: Arc::from(name),
            kind: link.kind.clone(),
            address: link.address.clone(),
            loopback: link.flags & IFF_LOOPBACK != 0,
            link_header: if ethernet { ETHERNET } else { 0 },
            attachment: None,
            failed: None,
        }
    }

    /// What goes over lo stays on the machine, and what goes over a veth is counted again where it leaves: neither is
    /// wanted unless asked for.
    fn is_shown(&self, filter: &DeviceFilter) -> bool {
        let asked = filter.include.is_some();
        (asked || !self.loopback && self.kind != b"veth") && filter.shows(&self.name)
    }
}

#[cfg(test)]
mod tests;
