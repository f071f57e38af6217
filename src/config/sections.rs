//! The sections of a configuration file: top-level keys that are no flags' names and hold more than a flag can, each with
//! the function that reads it. A section is one entry of [`SECTIONS`]; docs/ and deploy/weir.yml show it.

mod dhcp;
mod dns;
mod sources;

use super::Config;
use super::node::Node;
use super::node::Wrong;

/// A top-level key that is no flag.
pub struct Section {
    /// The key. Where a collector has the same name, a change of the section makes only that collector anew.
    pub key: &'static str,
    /// Reads it into the configuration, and files everything that is wrong with it.
    pub read: fn(&Node, &mut Config, &mut Vec<Wrong>),
}

/// All sections.
pub static SECTIONS: &[Section] = &[
    Section {
        key: "dhcp",
        read: dhcp::read,
    },
    Section {
        key: "dns",
        read: dns::read,
    },
    Section {
        key: "sources",
        read: sources::read,
    },
];
