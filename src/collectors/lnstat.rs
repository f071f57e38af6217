//! The counters of routing cache, neighbour tables, connection tracker and SYN proxy for each CPU: every file of
//! `/proc/net/stat`.
//!
//! Families are named `node_lnstat_<column>_total` after the files' columns, and typed counter, as node_exporter has them,
//! though `entries` is none. Files and columns are bounded; what is beyond is left out, the first in the order of names
//! and of columns stay.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Kind;
use crate::parse::ParseError;
use crate::parse::float;
use crate::parse::net_stat;
use crate::parse::net_stat::Table;
use crate::parse::printable;

/// The most files that are read; Linux 6.18 has five.
const FILES: usize = 32;
/// The most columns of a file; nf_conntrack has 17.
const COLUMNS: usize = 64;

/// The collector `lnstat`.
pub static SPEC: Spec = Spec {
    name: "lnstat",
    help: "each CPU's counters of the kernel's network caches",
    on_by_default: false,
    families: &[],
    patterns: &[&PATTERN],
    verdict: None,
    make: |_| Box::new(Lnstat::default()),
};

const LABELS: &[&str] = &["subsystem", "cpu"];

static PATTERN: Desc = Desc {
    name: Cow::Borrowed("node_lnstat_<column>_total"),
    kind: Kind::Counter,
    labels: LABELS,
    help: Cow::Borrowed(
        "The kernel's counter of that name for each file of /proc/net/stat and each CPU.",
    ),
};

#[derive(Default)]
struct Lnstat {
    /// The families by column. Several files have columns of one name.
    families: BTreeMap<Vec<u8>, Arc<Desc>>,
}

impl Collector for Lnstat {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let Some(files) = context.files.net_entries("stat")? else {
            return Ok(());
        };
        // A kernel whose columns change all the time is none: this only bounds the memory.
        if self.families.len() > FILES * COLUMNS {
            self.families.clear();
        }
        let mut left_out = 0;
        for (place, file) in files.iter().enumerate() {
            let subsystem = printable(file.as_bytes());
            let path = std::path::Path::new("stat").join(file);
            context.files.net(path, |bytes| {
                let mut table = net_stat::table(bytes)?;
                let families = self.columns(&table)?;
                let shown = if place < FILES {
                    families.len().min(COLUMNS)
                } else {
                    0
                };
                let (mut cpu, mut values) = (0usize, Vec::new());
                while table.next_cpu(&mut values)? {
                    let pairs = [("subsystem", &*subsystem), ("cpu", &cpu.to_string())];
                    let labels = batch.labels(&pairs);
                    for (desc, value) in families.iter().zip(&values).take(shown) {
                        batch.push_shared(desc, labels, float(*value));
                    }
                    left_out += families.len() - shown;
                    cpu += 1;
                }
                Ok(())
            })?;
        }
        context.left_out = Some(left_out);
        Ok(())
    }
}

impl Lnstat {
    /// The families of a file's columns, in their order.
    fn columns(&mut self, table: &Table<'_>) -> Result<Vec<Arc<Desc>>, ParseError> {
        let mut columns: Vec<Arc<Desc>> = Vec::new();
        for name in table.names() {
            if !name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            {
                return Err(table.error("letters, digits and _ in the name of a counter", name));
            }
            let desc = match self.families.get(name) {
                Some(desc) => Arc::clone(desc),
                None => {
                    let desc = family(&printable(name));
                    self.families.insert(name.to_vec(), Arc::clone(&desc));
                    desc
                }
            };
            if columns.iter().any(|other| Arc::ptr_eq(other, &desc)) {
                return Err(table.error("each counter once", name));
            }
            columns.push(desc);
        }
        Ok(columns)
    }
}

fn family(column: &str) -> Arc<Desc> {
    let help =
        format!("The kernel's counter {column} for each file of /proc/net/stat and each CPU.");
    let name = format!("node_lnstat_{column}_total");
    Desc::at_run_time(name, Kind::Counter, LABELS, help)
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn files_with_columns_of_one_name_share_the_family() {
        let tree = Tree::new("lnstat");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/net/stat/arp_cache",
            "entries  hits\n00000003 0000000a\n00000003 0000000b\n",
        )
        .write(
            "proc/net/stat/rt_cache",
            "entries  in_hit\n00000007 00000001\n",
        );
        let expected = "node_lnstat_entries_total{subsystem=\"arp_cache\",cpu=\"0\"} 3\n\
            node_lnstat_entries_total{subsystem=\"arp_cache\",cpu=\"1\"} 3\n\
            node_lnstat_entries_total{subsystem=\"rt_cache\",cpu=\"0\"} 7\n\
            node_lnstat_hits_total{subsystem=\"arp_cache\",cpu=\"0\"} 10\n\
            node_lnstat_hits_total{subsystem=\"arp_cache\",cpu=\"1\"} 11\n\
            node_lnstat_in_hit_total{subsystem=\"rt_cache\",cpu=\"0\"} 1\n";
        let mut lnstat = Tree::make(&SPEC, |_| {});
        for _ in 0..2 {
            assert_eq!(tree.scrape(&SPEC, &mut *lnstat).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn files_and_columns_are_bounded() {
        let tree = Tree::new("lnstat-many");
        let names: Vec<_> = (0..COLUMNS + 3)
            .map(|number| format!("c{number}"))
            .collect();
        let values = vec!["1"; names.len()].join(" ");
        tree.write(
            "proc/net/stat/a",
            format!("{}\n{values}\n", names.join(" ")),
        );
        for number in 0..FILES + 1 {
            tree.write(format!("proc/net/stat/f{number:03}"), "hits\n1\n");
        }
        let lines = tree.once(&SPEC).expect("samples");
        assert_eq!(lines.lines().count(), COLUMNS + FILES - 1);
    }

    #[test]
    fn names_that_make_no_family_or_the_same_one() {
        let tree = Tree::new("lnstat-broken");
        for (text, error) in [
            (
                "a{}\n1\n",
                "letters, digits and _ in the name of a counter, found \"a{}\"",
            ),
            ("hits hits\n1 2\n", "each counter once, found \"hits\""),
        ] {
            tree.write("proc/net/stat/x", text);
            let expected = format!("proc/net/stat/x:1: header: expected {error}");
            assert_eq!(tree.once(&SPEC), Err(expected));
        }
    }
}
