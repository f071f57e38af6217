//! What is told of a collector beside its families.

use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;

use super::Families;
use super::Outcome;

pub(super) static SUCCESS: Desc = Desc::gauge(
    "node_scrape_collector_success",
    &["collector"],
    "Whether the collector succeeded in this scrape (1) or failed (0); the log says why.",
);
pub(super) static DURATION: Desc = Desc::gauge(
    "node_scrape_collector_duration_seconds",
    &["collector"],
    "How long the collector took in this scrape, in seconds.",
);
pub(super) static COMPANION_SUCCESS: Desc = Desc::gauge(
    "weir_collector_success",
    &["collector"],
    "Beside node_exporter: whether the collector succeeded in this scrape (1) or failed (0); the log says why.",
);
pub(super) static COMPANION_DURATION: Desc = Desc::gauge(
    "weir_collector_duration_seconds",
    &["collector"],
    "Beside node_exporter: how long the collector took in this scrape, in seconds.",
);
pub(super) static SOURCE: Desc = Desc::gauge(
    "weir_source_info",
    &["collector", "source"],
    "Where a collector that has a choice took its data from: netlink, proc, sysfs, or absent where this kernel has neither. Always 1.",
);
pub(super) static LEFT_OUT: Desc = Desc::gauge(
    "weir_series_left_out",
    &["collector"],
    "How many a collector's limit left out of this scrape: devices, destinations, pairs of hosts, listeners, routes, addresses, stations, mounts, servers of IPVS or counters of a cache, with all their series; of textfile the series of files that had no room.",
);

/// What is told of a collector beside its families.
pub(super) struct Health<'a> {
    pub(super) spec: &'static Spec,
    pub(super) outcome: Option<&'a Outcome>,
    pub(super) source: Option<&'static str>,
    pub(super) left_out: Option<usize>,
}

impl Health<'_> {
    pub(super) fn is_well(&self) -> bool {
        self.outcome.is_some_and(Outcome::is_well)
    }

    pub(super) fn write(&self, families: Families, batch: &mut Batch) {
        let name = self.spec.name;
        let [success, duration] = match families {
            Families::All => [&SUCCESS, &DURATION],
            Families::BesideNodeExporter => [&COMPANION_SUCCESS, &COMPANION_DURATION],
        };
        let labels = batch.labels(&[("collector", name)]);
        if let Some(outcome) = self.outcome {
            batch.push(duration, labels, outcome.duration.as_secs_f64());
            batch.push(success, labels, f64::from(u8::from(self.is_well())));
        }
        if let Some(count) = self.left_out {
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            batch.push(&LEFT_OUT, labels, count);
        }
        if let Some(source) = self.source {
            let labels = batch.labels(&[("collector", name), ("source", source)]);
            batch.push(&SOURCE, labels, 1.0);
        }
    }
}
