//! Names of peers: from /etc/hosts below the root file system, read again when it is another file.
//!
//! Leases and reverse DNS, which a thread of its own asks for, come after it, in `connections.rs`. Nothing here may block.

use std::collections::HashMap;

use crate::files::FileError;
use crate::files::Files;
use crate::files::Reread;
use crate::files::Stamp;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::hosts;
use crate::parse::hosts::Refused;
use crate::parse::net_tcp::Address;
use crate::parse::printable;

/// Below the root file system.
const PATH: &str = "etc/hosts";

/// The largest file, in bytes. Lists against advertisements are larger, but theirs is one address.
const FILE: usize = 1 << 20;

/// The most addresses that have names.
const ENTRIES: usize = 10_000;

pub(super) static ADDRESSES: Desc = Desc::gauge(
    "weir_hosts_addresses",
    &[],
    "Addresses that have a name, from /etc/hosts; absent where that file is not asked for or cannot be read.",
);
pub(super) static REFUSED: Desc = Desc::gauge(
    "weir_hosts_lines_refused",
    &[],
    "Lines of /etc/hosts that are neither an address with a name nor a comment, or for which there was no more room; \
     the log tells the first.",
);

/// What is known of names.
#[derive(Default)]
pub(super) struct Names {
    stamp: Option<Stamp>,
    hosts: HashMap<Address, Box<str>>,
    refused: u64,
    /// Why the file could not be read when it was last tried.
    error: Option<String>,
}

impl Names {
    /// Looks whether the file is another. One that cannot be read names nobody, which the log tells once.
    pub(super) fn refresh(&mut self, files: &Files) {
        let mut hosts = HashMap::new();
        let mut crowded = 0;
        let reread = files.root_when_changed(PATH, FILE, self.stamp, |bytes| {
            hosts::read(bytes, |address, name| {
                if hosts.len() < ENTRIES || hosts.contains_key(&address) {
                    // The first line of an address counts, as for the C library.
                    let name = || printable(name).into_owned().into_boxed_str();
                    hosts.entry(address).or_insert_with(name);
                } else {
                    crowded += 1;
                }
            })
        });
        match reread {
            Ok(Reread::Same) => {}
            Ok(Reread::Missing) => *self = Self::default(),
            Ok(Reread::New(stamp, refused)) => {
                tell(&refused, crowded);
                *self = Self {
                    stamp: Some(stamp),
                    hosts,
                    refused: refused.lines + crowded,
                    error: None,
                };
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &FileError) {
        let error = error.to_string();
        if self.error.as_ref() != Some(&error) {
            log::error!(collector = super::SPEC.name, err = error.as_str(); "names of peers are unknown");
        }
        *self = Self {
            error: Some(error),
            ..Self::default()
        };
    }

    /// The name of an address, if it has one.
    pub(super) fn of(&self, address: Address) -> Option<&str> {
        self.hosts.get(&address).map(|name| &**name)
    }

    /// Writes how many names there are, when there is a file.
    pub(super) fn write(&self, batch: &mut Batch) {
        if self.stamp.is_some() {
            batch.push(&ADDRESSES, NO_LABELS, float(self.hosts.len() as u64));
            batch.push(&REFUSED, NO_LABELS, float(self.refused));
        }
    }
}

fn tell(refused: &Refused, crowded: u64) {
    if let Some(first) = &refused.first {
        let (lines, first) = (refused.lines, first.to_string());
        log::warn!(collector = super::SPEC.name, lines, err = first.as_str(); "lines of /etc/hosts are refused");
    }
    if crowded > 0 {
        log::warn!(collector = super::SPEC.name, lines = crowded; "/etc/hosts names more than {ENTRIES} addresses");
    }
}
