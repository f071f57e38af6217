//! The network devices as the kernel lists them, asked at most once a scrape; collectors read the same [`Link`]s. For the page the
//! list of the last look or scrape stands while the kernel reports no change ([`events`]).
//!
//! One dump takes the kernel's lock for devices (RTNL) once, where reading the twenty attributes of one device in
//! /sys/class/net takes or tries it for several of them, and spins or waits while somebody else has it. Speed and duplex
//! are not in that list: a second dump, over generic netlink, has them where the kernel is new enough, and sysfs elsewhere.
//!
//! Whether the kernel is asked or sysfs read is decided at the first scrape and then kept, so that a series does not
//! change its meaning; only files are read when the tree is not the running kernel's.

pub mod events;
pub mod link;
pub mod linkmodes;

use std::collections::BTreeMap;

use crate::files::Files;
use crate::netlink::NetlinkError;
use crate::netlink::generic;
use crate::netlink::settled;

pub use self::link::Link;

/// Names by index.
pub type Names = BTreeMap<u32, Vec<u8>>;

/// What a device says of its speed and duplex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modes {
    /// The kernel was not asked, or did not get as far as this device: sysfs may know.
    #[default]
    Unasked,
    /// It has neither, and nothing in sysfs.
    Absent,
    /// Mbit/s, -1 where that is unknown, and DUPLEX_ of linux/ethtool.h.
    Told(i32, u8),
}

/// What is asked; [`Choice::Open`] until the kernel has answered once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Choice {
    #[default]
    Open,
    Netlink,
    Sysfs,
}

/// The number of the family `ethtool`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    #[default]
    Open,
    Number(u16),
    Missing,
}

/// The devices, asked for at most once a scrape.
#[derive(Debug, Default)]
pub struct Links {
    choice: Choice,
    family: Family,
    /// Sorted by name, and each name once.
    links: Vec<Link>,
    /// How this scrape's dump went, once there was one.
    asked: Option<Result<(), NetlinkError>>,
    /// Whether `links` has speeds.
    modes: bool,
}

impl Links {
    /// Never asks the kernel: sysfs is the source.
    #[must_use]
    pub fn never() -> Self {
        Self {
            choice: Choice::Sysfs,
            ..Self::default()
        }
    }

    /// A new scrape begins: the next question is a new dump.
    pub fn begin(&mut self) {
        self.asked = None;
        self.modes = false;
    }

    /// Whether there is a list that needs no new dump.
    #[must_use]
    pub fn stand(&self) -> bool {
        self.asked == Some(Ok(()))
    }

    /// The devices of this scrape, sorted by the bytes of their names; the first caller asks. `None` where sysfs is the
    /// source.
    ///
    /// # Errors
    /// The same for every caller of one scrape.
    pub fn all(&mut self, files: &Files) -> Result<Option<&[Link]>, NetlinkError> {
        let found = self.ask(files)?;
        Ok(found.then_some(&self.links))
    }

    /// The same with [`Link::modes`].
    ///
    /// # Errors
    /// The same for every caller of one scrape. Speeds that cannot be had are no error: they are unasked.
    pub fn with_modes(&mut self, files: &Files) -> Result<Option<&[Link]>, NetlinkError> {
        let found = self.ask(files)?;
        if found && !self.modes {
            self.modes = true;
            self.ask_modes();
        }
        Ok(found.then_some(&self.links))
    }

    /// The devices' names by their indexes, for lists that have only those. `None` where the kernel does not list them.
    ///
    /// # Errors
    /// The same for every caller of one scrape.
    pub fn names(&mut self, files: &Files) -> Result<Option<Names>, NetlinkError> {
        let name = |link: &Link| (link.ifindex, link.name.clone());
        let links = self.all(files)?;
        Ok(links.map(|links| links.iter().map(name).collect()))
    }

    /// Whether there is a dump of this scrape.
    fn ask(&mut self, files: &Files) -> Result<bool, NetlinkError> {
        if self.choice == Choice::Sysfs || !files.live() {
            return Ok(false);
        }
        let asked = match self.asked.take() {
            Some(asked) => asked,
            None => self.dump(),
        };
        match asked {
            // Says nothing about the kernel: the next scrape asks again.
            Err(error) if self.choice == Choice::Open && !error.is_passing() => {
                log::warn!("network devices are read from /sys/class/net: {error}");
                self.choice = Choice::Sysfs;
                return Ok(false);
            }
            Ok(()) if self.choice == Choice::Open => {
                log::debug!("network devices are read through netlink");
                self.choice = Choice::Netlink;
            }
            _ => {}
        }
        self.asked.insert(asked).map(|()| true)
    }

    fn dump(&mut self) -> Result<(), NetlinkError> {
        let links = &mut self.links;
        settled(|| {
            links.clear();
            link::dump(|link| links.push(link))
        })?;
        once_each(links);
        Ok(())
    }

    fn ask_modes(&mut self) {
        if self.family == Family::Open {
            self.family = match generic::family("ethtool") {
                Ok(number) => Family::Number(number),
                Err(error) if error.is_passing() => Family::Open,
                Err(error) => {
                    log::info!("speed and duplex are read from /sys/class/net: {error}");
                    Family::Missing
                }
            };
        }
        let Family::Number(family) = self.family else {
            return;
        };
        let mut told = Vec::with_capacity(self.links.len());
        let complete = settled(|| {
            told.clear();
            linkmodes::dump(family, |device| told.push(device))
        })
        .is_ok();
        told.sort_unstable_by_key(|(ifindex, _)| *ifindex);
        for link in &mut self.links {
            let found = told.binary_search_by_key(&link.ifindex, |(ifindex, _)| *ifindex);
            link.modes = match found.ok().and_then(|at| told.get(at)) {
                Some((_, modes)) => *modes,
                // A device that the whole dump passed over does not support the question, in sysfs neither.
                None if complete => Modes::Absent,
                None => Modes::Unasked,
            };
        }
    }
}

/// Sorts by name. A dump that lost its place may show a name twice; what it showed last is newer.
fn once_each(links: &mut Vec<Link>) {
    links.reverse();
    links.sort_by(|one, other| one.name.cmp(&other.name));
    links.dedup_by(|later, first| later.name == first.name);
}

/// The device of that name in a list sorted by name.
#[must_use]
pub fn find<'a>(links: &'a [Link], name: &[u8]) -> Option<&'a Link> {
    let at = links.binary_search_by(|link| link.name.as_slice().cmp(name));
    links.get(at.ok()?)
}

#[cfg(test)]
mod tests;
