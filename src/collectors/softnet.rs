//! What each CPU's receive path did, from `/proc/net/softnet_stat`.
//!
//! A column that this kernel does not have gives no sample; node_exporter exports zeros there.

use std::fmt::Write;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::parse::softnet_stat;

/// The collector `softnet`.
pub static SPEC: Spec = Spec {
    name: "softnet",
    help: "packets processed and dropped by each CPU's receive path",
    on_by_default: true,
    families: &[
        &PROCESSED,
        &DROPPED,
        &TIMES_SQUEEZED,
        &CPU_COLLISION,
        &RECEIVED_RPS,
        &FLOW_LIMIT_COUNT,
        &BACKLOG_LEN,
    ],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Softnet { cpu: String::new() }),
};

const CPU: &[&str] = &["cpu"];

static PROCESSED: Desc = Desc::counter(
    "node_softnet_processed_total",
    CPU,
    "Packets that the CPU's receive path processed, from /proc/net/softnet_stat.",
);
static DROPPED: Desc = Desc::counter(
    "node_softnet_dropped_total",
    CPU,
    "Packets dropped because the CPU's backlog was full, from /proc/net/softnet_stat.",
);
static TIMES_SQUEEZED: Desc = Desc::counter(
    "node_softnet_times_squeezed_total",
    CPU,
    "Times the CPU's receive path stopped with work left, its budget or time used up, from /proc/net/softnet_stat.",
);
static CPU_COLLISION: Desc = Desc::counter(
    "node_softnet_cpu_collision_total",
    CPU,
    "Times the CPU found a device's transmit lock taken, always 0 since Linux 4.7, from /proc/net/softnet_stat.",
);
static RECEIVED_RPS: Desc = Desc::counter(
    "node_softnet_received_rps_total",
    CPU,
    "Times another CPU woke this one to receive packets (RPS), from /proc/net/softnet_stat.",
);
static FLOW_LIMIT_COUNT: Desc = Desc::counter(
    "node_softnet_flow_limit_count_total",
    CPU,
    "Packets dropped because one flow filled the CPU's backlog, from /proc/net/softnet_stat.",
);
static BACKLOG_LEN: Desc = Desc::gauge(
    "node_softnet_backlog_len",
    CPU,
    "Packets in the CPU's backlog now, from /proc/net/softnet_stat.",
);

struct Softnet {
    /// The label's text, kept for its memory.
    cpu: String,
}

impl Collector for Softnet {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        context.files.net("softnet_stat", |bytes| {
            for row in softnet_stat::rows(bytes)? {
                let row = row?;
                self.cpu.clear();
                // Writing into a String cannot fail.
                let _ = write!(self.cpu, "{}", row.cpu);
                let labels = batch.labels(&[("cpu", &self.cpu)]);
                for (desc, value) in [
                    (&PROCESSED, Some(row.processed)),
                    (&DROPPED, Some(row.dropped)),
                    (&TIMES_SQUEEZED, Some(row.times_squeezed)),
                    (&CPU_COLLISION, Some(row.cpu_collision)),
                    (&RECEIVED_RPS, row.received_rps),
                    (&FLOW_LIMIT_COUNT, row.flow_limit_count),
                    (&BACKLOG_LEN, row.backlog_len),
                ] {
                    if let Some(value) = value {
                        batch.push(desc, labels, float(value));
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn every_column_has_its_family() {
        let tree = Tree::new("softnet-columns");
        let row =
            "00000001 00000002 00000003 0 0 0 0 0 00000009 0000000a 0000000b 0000000c 00000007\n";
        tree.write("proc/net/softnet_stat", row);
        let expected = "node_softnet_processed_total{cpu=\"7\"} 1\n\
            node_softnet_dropped_total{cpu=\"7\"} 2\n\
            node_softnet_times_squeezed_total{cpu=\"7\"} 3\n\
            node_softnet_cpu_collision_total{cpu=\"7\"} 9\n\
            node_softnet_received_rps_total{cpu=\"7\"} 10\n\
            node_softnet_flow_limit_count_total{cpu=\"7\"} 11\n\
            node_softnet_backlog_len{cpu=\"7\"} 12\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn an_old_kernel_has_fewer_families() {
        let tree = Tree::new("softnet-old");
        tree.write(
            "proc/net/softnet_stat",
            "1 2 3 0 0 0 0 0 9\n4 5 6 0 0 0 0 0 9\n",
        );
        let text = tree.once(&SPEC).expect("a scrape");
        assert_eq!(text.lines().count(), 8);
        assert!(text.contains("node_softnet_dropped_total{cpu=\"1\"} 5\n"));
    }

    #[test]
    fn a_missing_file_is_no_family_and_a_broken_one_an_error() {
        let tree = Tree::new("softnet-broken");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/softnet_stat", "1 2 x 0 0 0 0 0 9\n");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/net/softnet_stat:1: time_squeeze: expected a hexadecimal number, found \"x\""
                    .to_string()
            )
        );
    }
}
