//! The load averages, from `/proc/loadavg`.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::loadavg;

/// The collector `loadavg`.
pub static SPEC: Spec = Spec {
    name: "loadavg",
    help: "load averages over 1, 5 and 15 minutes",
    on_by_default: true,
    families: &[&LOAD1, &LOAD5, &LOAD15],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Loadavg),
};

static LOAD1: Desc = Desc::gauge(
    "node_load1",
    &[],
    "Tasks that ran or waited for a CPU or a disk, on average over the last minute, from /proc/loadavg.",
);
static LOAD5: Desc = Desc::gauge(
    "node_load5",
    &[],
    "Tasks that ran or waited for a CPU or a disk, on average over the last 5 minutes, from /proc/loadavg.",
);
static LOAD15: Desc = Desc::gauge(
    "node_load15",
    &[],
    "Tasks that ran or waited for a CPU or a disk, on average over the last 15 minutes, from /proc/loadavg.",
);

struct Loadavg;

impl Collector for Loadavg {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if let Some(load) = context.files.proc("loadavg", loadavg::parse)? {
            batch.push(&LOAD1, NO_LABELS, load.one);
            batch.push(&LOAD5, NO_LABELS, load.five);
            batch.push(&LOAD15, NO_LABELS, load.fifteen);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn the_three_averages() {
        let tree = Tree::new("loadavg");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/loadavg", "0.90 0.59 0.25 1/108 18153\n");
        let expected = "node_load1 0.9\nnode_load5 0.59\nnode_load15 0.25\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }
}
