//! Which capabilities(7) enabled features need, and giving up the others.

use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;

use crate::config::Config;
use crate::config::Listen;
use crate::config::Netns;

/// Those that any feature needs, by name.
const NAMES: [(CapabilitySet, &str); 8] = [
    (CapabilitySet::CHOWN, "chown"),
    (CapabilitySet::DAC_OVERRIDE, "dac_override"),
    (CapabilitySet::DAC_READ_SEARCH, "dac_read_search"),
    (CapabilitySet::FOWNER, "fowner"),
    (CapabilitySet::NET_ADMIN, "net_admin"),
    (CapabilitySet::SYS_PTRACE, "sys_ptrace"),
    (CapabilitySet::SYS_ADMIN, "sys_admin"),
    (CapabilitySet::BPF, "bpf"),
];

/// Those for files of other users.
pub(super) const FILES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER);

/// What this thread may use or take up.
pub(super) fn now() -> CapabilitySet {
    rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted)
}

/// What the configuration needs of what there is.
pub(super) fn wanted(config: &Config, permitted: CapabilitySet) -> CapabilitySet {
    let one_of = |least: CapabilitySet, most| {
        if permitted.contains(least) {
            least
        } else {
            most
        }
    };
    // What other users write for nobody else to read, and mount points below their directories. Containers have the larger
    // of the two.
    let mut wanted = one_of(CapabilitySet::DAC_READ_SEARCH, CapabilitySet::DAC_OVERRIDE);
    let unix = |listen: &Listen| matches!(listen, Listen::Unix(_));
    if config.textfile_output.is_some() || config.listen.iter().any(unix) {
        // The directory may be another user's.
        wanted |= CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
    }
    if config.databases().next().is_some() {
        // Whoever opens a database first makes files beside it, and gives them to its owner.
        wanted |= CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER | CapabilitySet::CHOWN;
    }
    if config.collectors.contains(&"tc") {
        // Before Linux 5.8 there is no CAP_BPF.
        wanted |= CapabilitySet::NET_ADMIN | one_of(CapabilitySet::BPF, CapabilitySet::SYS_ADMIN);
    }
    if config.netns != Netns::Own {
        wanted |= CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE;
    }
    wanted.intersection(permitted)
}

/// Empties the bounding set, where this process may, and the ambient set: a program that this one would start gets nothing
/// of them, and with no_new_privs nothing at all.
pub(super) fn empty_sets() {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if rustix::thread::remove_capability_from_bounding_set(capability).is_err() {
            break;
        }
    }
    // Not before Linux 4.3, which has none.
    let _ = rustix::thread::clear_ambient_capability_set();
}

/// Keeps these and no others.
pub(super) fn keep(capabilities: CapabilitySet) -> Result<(), Errno> {
    let sets = CapabilitySets {
        effective: capabilities,
        permitted: capabilities,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets)
}

/// In words that are in the order of their numbers.
pub(super) fn names(capabilities: CapabilitySet) -> String {
    let mut left = capabilities;
    let mut words = Vec::new();
    for (capability, name) in NAMES {
        if left.contains(capability) {
            left.remove(capability);
            words.push(name);
        }
    }
    if !left.is_empty() {
        words.push("others");
    }
    if words.is_empty() {
        words.push("none");
    }
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;

    #[test]
    fn each_feature_keeps_its_own() {
        let all = CapabilitySet::all();
        let named = |change: fn(&mut Config), permitted| {
            let mut config = Config::default();
            change(&mut config);
            names(wanted(&config, permitted))
        };
        assert_eq!(named(|_| (), all), "dac_read_search");
        let output = |config: &mut Config| config.textfile_output = Some(PathBuf::from("/x"));
        assert_eq!(named(output, all), "dac_override,dac_read_search,fowner");
        let unix = |config: &mut Config| config.listen = vec![Listen::Unix(PathBuf::from("/x"))];
        assert_eq!(named(unix, all), "dac_override,dac_read_search,fowner");
        let tc = |config: &mut Config| config.collectors = vec!["tc"];
        assert_eq!(named(tc, all), "dac_read_search,net_admin,bpf");
        let netns = |config: &mut Config| config.netns = Netns::All;
        assert_eq!(named(netns, all), "dac_read_search,sys_ptrace,sys_admin");
        // A kernel without CAP_BPF, a container without CAP_DAC_READ_SEARCH, and nothing at all.
        let old = all.difference(CapabilitySet::BPF);
        assert_eq!(named(tc, old), "dac_read_search,net_admin,sys_admin");
        let container = CapabilitySet::DAC_OVERRIDE | CapabilitySet::NET_RAW;
        assert_eq!(named(tc, container), "dac_override");
        assert_eq!(named(netns, CapabilitySet::empty()), "none");
    }

    #[test]
    fn what_has_no_name_here_is_told_too() {
        assert_eq!(names(CapabilitySet::SYS_TIME), "others");
        assert_eq!(
            names(CapabilitySet::SYS_TIME | CapabilitySet::BPF),
            "bpf,others"
        );
    }
}
