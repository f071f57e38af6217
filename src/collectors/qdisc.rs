//! What the queueing discipline at the root of every device sent, dropped and holds, from rtnetlink.
//!
//! The kernel tells this nowhere else, so that a captured tree, or an emulator without rtnetlink, has no such family.
//! Packets are 64 bits wide where the kernel tells them so; node_exporter's start again at zero after 4,294,967,295.
//! Devices are bounded by `--limit.devices`: the ones with the lowest numbers stay.

use std::collections::BTreeMap;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::DeviceFilter;
use crate::config::ExcludedKinds;
use crate::devices::keep_lowest;
use crate::devices::kinds::Excluded;
use crate::links::Names;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::parse::printable;
use crate::rtnetlink;
use crate::rtnetlink::NetlinkError;
use crate::rtnetlink::qdiscs::Qdisc;
use crate::rtnetlink::qdiscs::Stats;
use crate::rtnetlink::settled;

/// The collector `qdisc`.
pub static SPEC: Spec = Spec {
    name: "qdisc",
    help: "what the queueing discipline of every network device sent, dropped and holds",
    on_by_default: false,
    families: &[
        &BYTES,
        &PACKETS,
        &DROPS,
        &REQUEUES,
        &OVERLIMITS,
        &QUEUE_LENGTH,
        &BACKLOG,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(QdiscCollector {
            devices: config.qdisc_devices.clone(),
            kinds: config.excluded_kinds,
            limit: config.limit_devices,
        })
    },
};

const LABELS: &[&str] = &["device", "kind"];

static BYTES: Desc = Desc::counter(
    "node_qdisc_bytes_total",
    LABELS,
    "Bytes that the device's root queueing discipline sent, from rtnetlink.",
);
static PACKETS: Desc = Desc::counter(
    "node_qdisc_packets_total",
    LABELS,
    "Packets that the device's root queueing discipline sent, from rtnetlink.",
);
static DROPS: Desc = Desc::counter(
    "node_qdisc_drops_total",
    LABELS,
    "Packets that the device's root queueing discipline dropped, from rtnetlink.",
);
static REQUEUES: Desc = Desc::counter(
    "node_qdisc_requeues_total",
    LABELS,
    "Packets that the device could not send and gave back to its root queueing discipline, from rtnetlink.",
);
static OVERLIMITS: Desc = Desc::counter(
    "node_qdisc_overlimits_total",
    LABELS,
    "Times that a limit of the device's root queueing discipline held packets back, from rtnetlink.",
);
static QUEUE_LENGTH: Desc = Desc::gauge(
    "node_qdisc_current_queue_length",
    LABELS,
    "Packets that wait in the device's root queueing discipline now, from rtnetlink.",
);
static BACKLOG: Desc = Desc::gauge(
    "node_qdisc_backlog",
    LABELS,
    "Bytes that wait in the device's root queueing discipline now, from rtnetlink.",
);

struct QdiscCollector {
    devices: DeviceFilter,
    kinds: ExcludedKinds,
    limit: usize,
}

/// The root of each device by the device's number.
type Roots = BTreeMap<u32, (String, Stats)>;

impl Collector for QdiscCollector {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if !context.files.live() {
            return Ok(());
        }
        match from_netlink() {
            Ok(roots) => {
                // Emulators that have not this either have no disciplines.
                let names = context.links.names(context.files)?;
                let mut names = names.unwrap_or_default();
                let excluded = Excluded::ask(self.kinds, context.links, context.files);
                names.retain(|_, name| !excluded.has(name));
                context.left_out = Some(self.write(&roots, &names, batch));
                Ok(())
            }
            // Emulators have no rtnetlink, or not all of it.
            Err(error) if rtnetlink::is_absent(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn from_netlink() -> Result<Roots, NetlinkError> {
    let mut roots = Roots::new();
    settled(|| {
        roots.clear();
        rtnetlink::qdiscs(|qdisc| add(&mut roots, qdisc))
    })?;
    Ok(roots)
}

/// A device has one root; should the kernel tell two, the first one stays, so that no series is there twice.
fn add(roots: &mut Roots, qdisc: &Qdisc<'_>) {
    let root = || (printable(qdisc.kind).into_owned(), qdisc.stats);
    roots.entry(qdisc.index).or_insert_with(root);
}

impl QdiscCollector {
    /// Writes the roots in the order of the devices' numbers, and says how many devices the limit left out.
    fn write(&self, roots: &Roots, names: &Names, batch: &mut Batch) -> usize {
        // A device that is gone by now has no name.
        let named = roots.iter().filter_map(|(index, root)| {
            let device = printable(names.get(index)?);
            self.devices
                .shows(&device)
                .then_some((*index, device, root))
        });
        let mut shown: Vec<_> = named.collect();
        let left_out = keep_lowest(&mut shown, self.limit, |(index, _, _)| {
            Some((*index).into())
        });
        for (_, device, (kind, stats)) in shown {
            let labels = batch.labels(&[("device", &*device), ("kind", kind)]);
            batch.push(&BYTES, labels, float(stats.bytes));
            batch.push(&PACKETS, labels, float(stats.packets));
            batch.push(&DROPS, labels, f64::from(stats.drops));
            batch.push(&REQUEUES, labels, f64::from(stats.requeues));
            batch.push(&OVERLIMITS, labels, f64::from(stats.overlimits));
            batch.push(&QUEUE_LENGTH, labels, f64::from(stats.queue_length));
            batch.push(&BACKLOG, labels, f64::from(stats.backlog));
        }
        left_out
    }
}

#[cfg(test)]
mod tests {
    use regex_lite::Regex;

    use super::super::tree::Tree;
    use super::*;
    use crate::exposition;

    fn page(roots: &Roots, names: &Names, devices: DeviceFilter, limit: usize) -> (String, usize) {
        let mut batch = Batch::default();
        let collector = QdiscCollector {
            devices,
            kinds: ExcludedKinds::default(),
            limit,
        };
        let left_out = collector.write(roots, names, &mut batch);
        let mut text = Vec::new();
        exposition::encode(&batch, &mut text);
        let text = String::from_utf8(text).expect("UTF-8");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        (samples.map(|line| format!("{line}\n")).collect(), left_out)
    }

    fn root(index: u32, packets: u64) -> Qdisc<'static> {
        let stats = Stats {
            bytes: 1,
            packets,
            drops: 3,
            requeues: 4,
            overlimits: 5,
            queue_length: 6,
            backlog: 7,
        };
        Qdisc {
            index,
            kind: b"fq_codel",
            stats,
        }
    }

    #[test]
    fn the_first_root_of_each_device_that_has_a_name_and_is_shown() {
        let mut roots = Roots::new();
        for qdisc in [root(3, 2), root(3, 99), root(2, 9), root(7, 9)] {
            add(&mut roots, &qdisc);
        }
        let names = [(2, b"lo".to_vec()), (3, b"wan.1".to_vec())].into();
        let devices = DeviceFilter {
            include: None,
            exclude: Some(Regex::new("^lo$").expect("a pattern")),
        };
        let labels = "{device=\"wan.1\",kind=\"fq_codel\"}";
        let expected = format!(
            "node_qdisc_bytes_total{labels} 1\n\
            node_qdisc_packets_total{labels} 2\n\
            node_qdisc_drops_total{labels} 3\n\
            node_qdisc_requeues_total{labels} 4\n\
            node_qdisc_overlimits_total{labels} 5\n\
            node_qdisc_current_queue_length{labels} 6\n\
            node_qdisc_backlog{labels} 7\n"
        );
        assert_eq!(page(&roots, &names, devices, 1), (expected, 0));
    }

    #[test]
    fn the_lowest_numbers_stay() {
        let (mut roots, mut names) = (Roots::new(), Names::new());
        for index in (1..=5).rev() {
            add(&mut roots, &root(index, 2));
            names.insert(index, format!("d{index}").into_bytes());
        }
        let (text, left_out) = page(&roots, &names, DeviceFilter::default(), 3);
        assert_eq!((text.lines().count(), left_out), (7 * 3, 2));
        assert!(text.starts_with("node_qdisc_bytes_total{device=\"d1\",") && !text.contains("d4"));
    }

    #[test]
    fn nothing_of_a_captured_tree() {
        assert_eq!(Tree::new("qdisc").once(&SPEC), Ok(String::new()));
    }
}
