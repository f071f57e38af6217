//! What the machine's memory is used for, from `/proc/meminfo`.
//!
//! Families are named `node_memory_<Key>_bytes`, without the unit where the kernel tells none (`HugePages_*`), and
//! `Active(anon)` becomes `Active_anon`, as in node_exporter. The names come from the kernel, which writes the same ones
//! each time: a family is made when its key first stands at its place, and kept.

use std::borrow::Cow;
use std::sync::Arc;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Kind;
use crate::metric::NO_LABELS;
use crate::parse::ParseError;
use crate::parse::float;
use crate::parse::meminfo;
use crate::parse::meminfo::Entry;
use crate::parse::printable;

/// The collector `meminfo`.
pub static SPEC: Spec = Spec {
    name: "meminfo",
    help: "what the machine's memory is used for",
    on_by_default: true,
    families: &[],
    patterns: &[&BYTES, &COUNTS],
    verdict: None,
    make: |_| Box::new(Meminfo { known: Vec::new() }),
};

static BYTES: Desc = Desc {
    name: Cow::Borrowed("node_memory_<Key>_bytes"),
    kind: Kind::Gauge,
    labels: &[],
    help: Cow::Borrowed("The kernel's figure of that name in bytes, from /proc/meminfo."),
};
static COUNTS: Desc = Desc {
    name: Cow::Borrowed("node_memory_<Key>"),
    kind: Kind::Gauge,
    labels: &[],
    help: Cow::Borrowed(
        "The kernel's figure of that name where it is no amount of memory (HugePages_*), from /proc/meminfo.",
    ),
};

struct Meminfo {
    known: Vec<Known>,
}

/// A line's family, for as long as the same key stands at that place.
struct Known {
    key: Vec<u8>,
    kibibytes: bool,
    family: Arc<Desc>,
}

impl Known {
    fn is(&self, entry: &Entry<'_>) -> bool {
        self.key == entry.key && self.kibibytes == entry.kibibytes
    }
}

impl Collector for Meminfo {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        context.files.proc("meminfo", |bytes| {
            for (place, entry) in meminfo::entries(bytes)?.enumerate() {
                let entry = entry?;
                // What is known behind a new key has moved, and is forgotten with it.
                if !self.known.get(place).is_some_and(|known| known.is(&entry)) {
                    self.known.truncate(place);
                    let known = known(&entry, &self.known)?;
                    self.known.push(known);
                }
                if let Some(known) = self.known.get(place) {
                    let unit = if entry.kibibytes { 1024.0 } else { 1.0 };
                    batch.push_shared(&known.family, NO_LABELS, float(entry.value) * unit);
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn known(entry: &Entry<'_>, before: &[Known]) -> Result<Known, ParseError> {
    let wrong = |expected| ParseError::new(entry.line, "key", expected, entry.key);
    let key = printable(entry.key);
    let name: String = key
        .chars()
        .filter(|letter| *letter != ')')
        .map(|letter| if letter == '(' { '_' } else { letter })
        .collect();
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(fine) {
        return Err(wrong("letters, digits, _ and brackets"));
    }
    let (unit, of) = if entry.kibibytes {
        ("_bytes", "in bytes")
    } else {
        ("", "as a count")
    };
    let family = Desc::at_run_time(
        format!("node_memory_{name}{unit}"),
        Kind::Gauge,
        &[],
        format!("The kernel's figure {key} {of}, from /proc/meminfo."),
    );
    if before.iter().any(|known| known.family.name == family.name) {
        return Err(wrong("each key once"));
    }
    Ok(Known {
        key: entry.key.to_vec(),
        kibibytes: entry.kibibytes,
        family,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn names_are_those_of_node_exporter() {
        let tree = Tree::new("meminfo-names");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/meminfo",
            "MemTotal: 2 kB\nActive(anon): 1 kB\nHugePages_Total: 3\nDirectMap4k: 4 kB\n",
        );
        let expected = "node_memory_MemTotal_bytes 2048\n\
            node_memory_Active_anon_bytes 1024\n\
            node_memory_HugePages_Total 3\n\
            node_memory_DirectMap4k_bytes 4096\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn keys_may_come_and_go() {
        let tree = Tree::new("meminfo-keys");
        let mut collector = Tree::make(&SPEC, |_| {});
        for (text, expected) in [
            (
                "A: 1 kB\nC: 2 kB\n",
                "node_memory_A_bytes 1024\nnode_memory_C_bytes 2048\n",
            ),
            (
                "A: 1 kB\nB: 3\nC: 2 kB\n",
                "node_memory_A_bytes 1024\nnode_memory_B 3\nnode_memory_C_bytes 2048\n",
            ),
            ("C: 2\n", "node_memory_C 2\n"),
        ] {
            tree.write("proc/meminfo", text);
            assert_eq!(tree.scrape(&SPEC, &mut *collector).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_stands_twice_or_is_no_name_is_an_error() {
        let tree = Tree::new("meminfo-broken");
        tree.write("proc/meminfo", "Active(anon): 1 kB\nActive_anon: 1 kB\n");
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/meminfo:2: key: expected each key once, found \"Active_anon\"".to_string())
        );
        tree.write("proc/meminfo", "Mem Total: 1 kB\n");
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/meminfo:1: key: expected letters, digits, _ and brackets, found \"Mem Total\"".to_string())
        );
    }
}
