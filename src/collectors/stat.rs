//! What the kernel counted since the machine booted, from `/proc/stat`.
//!
//! The collector `cpu` reads the same file once more: that costs some 50 us, too little for a cache between two collectors
//! that can be switched off one by one.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::stat;
use crate::parse::stat::Count;
use crate::parse::stat::Entry;

/// The collector `stat`.
pub static SPEC: Spec = Spec {
    name: "stat",
    help: "boot time, context switches, forks and interrupts",
    on_by_default: true,
    families: &[
        &INTERRUPTS,
        &CONTEXT_SWITCHES,
        &BOOT_TIME,
        &FORKS,
        &PROCS_RUNNING,
        &PROCS_BLOCKED,
    ],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Stat),
};

static INTERRUPTS: Desc = Desc::counter(
    "node_intr_total",
    &[],
    "Interrupts serviced since the machine booted, from /proc/stat.",
);
static CONTEXT_SWITCHES: Desc = Desc::counter(
    "node_context_switches_total",
    &[],
    "Switches from one task to another since the machine booted, from /proc/stat.",
);
static BOOT_TIME: Desc = Desc::gauge(
    "node_boot_time_seconds",
    &[],
    "When the machine booted, in seconds since 1970, from /proc/stat.",
);
static FORKS: Desc = Desc::counter(
    "node_forks_total",
    &[],
    "Processes and threads made since the machine booted, from /proc/stat.",
);
static PROCS_RUNNING: Desc = Desc::gauge(
    "node_procs_running",
    &[],
    "Tasks that run or wait for a CPU, from /proc/stat.",
);
static PROCS_BLOCKED: Desc = Desc::gauge(
    "node_procs_blocked",
    &[],
    "Tasks that wait for a disk or the like, from /proc/stat.",
);

struct Stat;

impl Collector for Stat {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        context.files.proc("stat", |bytes| {
            for entry in stat::entries(bytes)? {
                if let Entry::Count(count, value) = entry? {
                    batch.push(family(count), NO_LABELS, float(value));
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn family(count: Count) -> &'static Desc {
    match count {
        Count::Interrupts => &INTERRUPTS,
        Count::ContextSwitches => &CONTEXT_SWITCHES,
        Count::BootTime => &BOOT_TIME,
        Count::Forks => &FORKS,
        Count::ProcsRunning => &PROCS_RUNNING,
        Count::ProcsBlocked => &PROCS_BLOCKED,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn every_count_has_its_family() {
        let tree = Tree::new("stat");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/stat",
            "cpu0 1 2 3 4\nintr 5 1 4\nctxt 6\nbtime 1795229640\nprocesses 7\nprocs_running 8\nprocs_blocked 9\nsoftirq 1 1\n",
        );
        let expected = "node_intr_total 5\n\
            node_context_switches_total 6\n\
            node_boot_time_seconds 1795229640\n\
            node_forks_total 7\n\
            node_procs_running 8\n\
            node_procs_blocked 9\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn a_broken_file_is_an_error() {
        let tree = Tree::new("stat-broken");
        tree.write("proc/stat", "ctxt -1\n");
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/stat:1: ctxt: expected an unsigned decimal number, found \"-1\"".to_string())
        );
    }
}
