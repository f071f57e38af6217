//! How long the machine has been up, from `/proc/uptime`.
//!
//! node_exporter has no such family: dashboards subtract `node_boot_time_seconds` from `node_time_seconds`. That is wrong on
//! a router without a battery behind its clock, which boots in the past and then learns the time.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::uptime;

/// The collector `uptime`.
pub static SPEC: Spec = Spec {
    name: "uptime",
    help: "how long the machine has been up, by a clock that nobody sets",
    on_by_default: true,
    families: &[&UPTIME],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Uptime),
};

static UPTIME: Desc = Desc::gauge(
    "weir_uptime_seconds",
    &[],
    "How long the machine has been up in seconds, time asleep included, from /proc/uptime.",
);

struct Uptime;

impl Collector for Uptime {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if let Some(seconds) = context.files.proc("uptime", uptime::parse)? {
            batch.push(&UPTIME, NO_LABELS, seconds);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn the_first_number_is_exported() {
        let tree = Tree::new("uptime");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/uptime", "1687.51 3053.84\n");
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("weir_uptime_seconds 1687.51\n")
        );
    }
}
