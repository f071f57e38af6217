//! What every CPU spent its time on, from `/proc/stat`.
//!
//! The kernel's idle and iowait of a CPU may go back a little; a counter must not, or rates would jump. As in node_exporter the
//! old value stays until the new one has passed it, unless idle went back by three seconds or more: then the CPU was off
//! and starts anew. A column that this kernel does not have gives no sample.

use std::fmt::Write;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::parse::stat;
use crate::parse::stat::COLUMNS;
use crate::parse::stat::Cpu;
use crate::parse::stat::Entry;
use crate::parse::stat::USER_HZ;

/// The collector `cpu`.
pub static SPEC: Spec = Spec {
    name: "cpu",
    help: "what every CPU spends its time on",
    on_by_default: true,
    families: &[&SECONDS, &GUEST_SECONDS],
    patterns: &[],
    verdict: None,
    make: |_| {
        Box::new(Cpus {
            before: Vec::new(),
            now: Vec::new(),
            label: String::new(),
        })
    },
};

static SECONDS: Desc = Desc::counter(
    "node_cpu_seconds_total",
    &["cpu", "mode"],
    "Seconds that the CPU spent in the mode since the machine booted, from /proc/stat.",
);
static GUEST_SECONDS: Desc = Desc::counter(
    "node_cpu_guest_seconds_total",
    &["cpu", "mode"],
    "Seconds that the CPU ran virtual machines, counted in user and nice too, from /proc/stat.",
);

/// Family and mode of each column.
const MODES: [(&Desc, &str); COLUMNS] = [
    (&SECONDS, "user"),
    (&SECONDS, "nice"),
    (&SECONDS, "system"),
    (&SECONDS, "idle"),
    (&SECONDS, "iowait"),
    (&SECONDS, "irq"),
    (&SECONDS, "softirq"),
    (&SECONDS, "steal"),
    (&GUEST_SECONDS, "user"),
    (&GUEST_SECONDS, "nice"),
];

/// The column of idle.
const IDLE: usize = 3;

/// How far idle goes back, in ticks, when a CPU was off meanwhile.
const OFF: u64 = 300;

struct Cpus {
    /// What was told at the last scrape, by ascending number.
    before: Vec<Cpu>,
    /// What is told in this one.
    now: Vec<Cpu>,
    /// The label's text, kept for its memory.
    label: String,
}

impl Collector for Cpus {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        self.now.clear();
        context.files.proc("stat", |bytes| {
            for entry in stat::entries(bytes)? {
                if let Entry::Cpu(cpu) = entry? {
                    let before = self
                        .before
                        .binary_search_by_key(&cpu.number, |before| before.number);
                    let before = before.ok().and_then(|place| self.before.get(place));
                    self.now.push(Cpu {
                        number: cpu.number,
                        ticks: onwards(before.map(|before| before.ticks), cpu.ticks),
                    });
                }
            }
            Ok(())
        })?;
        for cpu in &self.now {
            self.label.clear();
            // Writing into a String cannot fail.
            let _ = write!(self.label, "{}", cpu.number);
            for ((desc, mode), ticks) in MODES.into_iter().zip(cpu.ticks) {
                if let Some(ticks) = ticks {
                    let labels = batch.labels(&[("cpu", &self.label), ("mode", mode)]);
                    batch.push(desc, labels, float(ticks) / USER_HZ);
                }
            }
        }
        std::mem::swap(&mut self.before, &mut self.now);
        Ok(())
    }
}

type Ticks = [Option<u64>; COLUMNS];

/// The ticks to tell: none is less than before, unless the CPU was off.
fn onwards(before: Option<Ticks>, now: Ticks) -> Ticks {
    let Some(before) = before else { return now };
    let idle = |ticks: &Ticks| ticks.get(IDLE).copied().flatten().unwrap_or(0);
    if idle(&before).saturating_sub(idle(&now)) >= OFF {
        return now;
    }
    let mut told = now;
    for (told, before) in told.iter_mut().zip(before) {
        *told = told.map(|now| now.max(before.unwrap_or(0)));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn every_column_has_its_mode() {
        let tree = Tree::new("cpu-columns");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/stat",
            "cpu  1 2 3 4\ncpu10 100 200 300 400 500 600 700 800 901 1005\nintr 5\n",
        );
        let expected = "node_cpu_seconds_total{cpu=\"10\",mode=\"user\"} 1\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"nice\"} 2\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"system\"} 3\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"idle\"} 4\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"iowait\"} 5\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"irq\"} 6\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"softirq\"} 7\n\
            node_cpu_seconds_total{cpu=\"10\",mode=\"steal\"} 8\n\
            node_cpu_guest_seconds_total{cpu=\"10\",mode=\"user\"} 9.01\n\
            node_cpu_guest_seconds_total{cpu=\"10\",mode=\"nice\"} 10.05\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn a_counter_that_goes_back_a_little_stays() {
        let tree = Tree::new("cpu-back");
        let mut collector = Tree::make(&SPEC, |_| {});
        let mut scrape = |text: &str| {
            tree.write("proc/stat", text);
            let page = tree.scrape(&SPEC, &mut *collector).expect("a scrape");
            let value = |line: &str| line.rsplit(' ').next().map(str::to_string);
            page.lines().filter_map(value).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(scrape("cpu0 100 0 0 1000 500\n"), "1 0 0 10 5");
        assert_eq!(scrape("cpu0 200 0 0 999 400\n"), "2 0 0 10 5");
        assert_eq!(scrape("cpu0 300 0 0 1100 501\n"), "3 0 0 11 5.01");
        // Off and on again: idle goes back by three seconds.
        assert_eq!(scrape("cpu0 1 0 0 800 3\n"), "0.01 0 0 8 0.03");
        // Another one is new; the first is gone and starts anew when it is back.
        assert_eq!(scrape("cpu1 7 0 0 7 7\n"), "0.07 0 0 0.07 0.07");
        assert_eq!(
            scrape("cpu0 1 0 0 1 1\ncpu1 7 0 0 7 6\n"),
            "0.01 0 0 0.01 0.01 0.07 0 0 0.07 0.07"
        );
    }

    #[test]
    fn an_old_kernel_has_no_guests() {
        let tree = Tree::new("cpu-old");
        tree.write("proc/stat", "cpu0 1 2 3 4 5 6 7 8\n");
        let page = tree.once(&SPEC).expect("a scrape");
        assert_eq!(page.lines().count(), 8);
        assert!(!page.contains("guest"));
    }
}
