//! How many IPv4 neighbours every device has, from `/proc/net/arp`.
//!
//! Entries of proxy ARP are not counted: they are no neighbours, and node_exporter, which asks netlink, has none of them
//! either. A device without a neighbour has no sample, as there.

use std::collections::BTreeMap;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::DeviceFilter;
use crate::config::ExcludedKinds;
use crate::devices::ifindex;
use crate::devices::keep_lowest;
use crate::devices::kinds::Excluded;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::arp;
use crate::parse::float;
use crate::parse::printable;

/// The collector `arp`.
pub static SPEC: Spec = Spec {
    name: "arp",
    help: "IPv4 neighbours of every network device",
    on_by_default: true,
    families: &[&ENTRIES],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Arp {
            devices: config.arp_devices.clone(),
            kinds: config.excluded_kinds,
            limit: config.limit_devices,
            counts: BTreeMap::new(),
        })
    },
};

static ENTRIES: Desc = Desc::gauge(
    "node_arp_entries",
    &["device"],
    "Entries of the ARP table for the device, complete or not, from /proc/net/arp.",
);

struct Arp {
    devices: DeviceFilter,
    kinds: ExcludedKinds,
    limit: usize,
    /// Kept from one scrape to the next, so that only a new device costs an allocation; sorted, because the kernel's
    /// order is that of its hash table.
    counts: BTreeMap<Vec<u8>, u64>,
}

impl Collector for Arp {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        self.counts.values_mut().for_each(|count| *count = 0);
        let files = context.files;
        let found = files.net("arp", |bytes| {
            for entry in arp::entries(bytes)? {
                let entry = entry?;
                if entry.proxy {
                    continue;
                }
                match self.counts.get_mut(entry.device) {
                    Some(count) => *count += 1,
                    None => {
                        self.counts.insert(entry.device.to_vec(), 1);
                    }
                }
            }
            Ok(())
        })?;
        self.counts.retain(|_, count| *count > 0);
        let mut shown: Vec<_> = self
            .counts
            .iter()
            .map(|(name, count)| (name, printable(name), *count))
            .collect();
        let excluded = Excluded::ask(self.kinds, context.links, files);
        shown.retain(|(name, device, _)| self.devices.shows(device) && !excluded.has(name));
        let left_out = keep_lowest(&mut shown, self.limit, |(name, _, _)| ifindex(files, name));
        context.left_out = found.map(|()| left_out);
        for (_, device, count) in shown {
            let labels = batch.labels(&[("device", &device)]);
            batch.push(&ENTRIES, labels, float(count));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use regex_lite::Regex;

    const HEADER: &str =
        "IP address       HW type     Flags       HW address            Mask     Device\n";

    fn table(rows: &[(&str, &str)]) -> String {
        let rows = rows.iter().map(|(flags, device)| {
            format!("192.0.2.1        0x1         {flags}         02:00:00:00:00:01     *        {device}\n")
        });
        HEADER.to_string() + &rows.collect::<String>()
    }

    #[test]
    fn neighbours_are_counted_and_proxies_are_not() {
        let tree = Tree::new("arp-counted");
        let rows = [
            ("0x2", "wan.1"),
            ("0x0", "lan"),
            ("0x2", "wan.1"),
            ("0xc", "*"),
            ("0x6", "veth0"),
        ];
        tree.write("proc/net/arp", table(&rows));
        let mut arp = Tree::make(&SPEC, |config| {
            config.arp_devices.exclude = Some(Regex::new("^veth").expect("a pattern"));
        });
        let expected = "node_arp_entries{device=\"lan\"} 1\nnode_arp_entries{device=\"wan.1\"} 2\n";
        for _ in 0..2 {
            assert_eq!(tree.scrape(&SPEC, &mut *arp).as_deref(), Ok(expected));
        }
        tree.write("proc/net/arp", HEADER);
        assert_eq!(tree.scrape(&SPEC, &mut *arp), Ok(String::new()));
    }

    #[test]
    fn a_missing_file_is_no_family_and_a_broken_one_an_error() {
        let tree = Tree::new("arp-broken");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/arp", "");
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/net/arp:1: header: expected IP address … Device, found \"\"".to_string())
        );
    }
}
