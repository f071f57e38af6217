//! Names of addresses from /etc/hosts below the root file system, read again when it is another file: hosts(5).
//!
//! It is read once for all network namespaces. Leases and reverse DNS, which a thread of its own asks for, come after it
//! where names are shown. Nothing here may block.

use std::collections::HashMap;

use crate::files::FileError;
use crate::files::Files;
use crate::files::Reread;
use crate::files::Stamp;
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

/// What the file says.
#[derive(Default)]
pub struct Hosts {
    stamp: Option<Stamp>,
    hosts: HashMap<Address, Box<str>>,
    refused: u64,
    /// Why the file could not be read when it was last tried.
    error: Option<String>,
}

impl Hosts {
    /// Looks whether the file is another. One that cannot be read names nobody, which the log tells once.
    pub fn refresh(&mut self, files: &Files) {
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
            log::error!(err = error.as_str(); "names of hosts are unknown");
        }
        *self = Self {
            error: Some(error),
            ..Self::default()
        };
    }

    /// The name of an address, if it has one.
    #[must_use]
    pub fn of(&self, address: Address) -> Option<&str> {
        self.hosts.get(&address).map(|name| &**name)
    }

    /// How many addresses have a name, and how many lines were refused; `None` without a file.
    #[must_use]
    pub fn counts(&self) -> Option<(u64, u64)> {
        self.stamp?;
        Some((self.hosts.len() as u64, self.refused))
    }
}

fn tell(refused: &Refused, crowded: u64) {
    if let Some(first) = &refused.first {
        let (lines, first) = (refused.lines, first.to_string());
        log::warn!(lines, err = first.as_str(); "lines of /etc/hosts are refused");
    }
    if crowded > 0 {
        log::warn!(lines = crowded; "/etc/hosts names more than {ENTRIES} addresses");
    }
}
