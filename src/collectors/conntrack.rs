//! How full the connection tracker's table is, and what it could not track.
//!
//! From `/proc/sys/net/netfilter/nf_conntrack_count` and `nf_conntrack_max` (in kernels whose child network namespaces have
//! no limit of their own to show, `/proc/sys/net/nf_conntrack_max`) and `/proc/net/stat/nf_conntrack`, summed over the CPUs.
//! The counters are typed gauge, as node_exporter has them. A kernel that has not loaded the tracker has none of the files,
//! and one built without CONFIG_NF_CONNTRACK_PROCFS not the last.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::files::FileError;
use crate::files::Files;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::nf_conntrack;

/// The collector `conntrack`.
pub static SPEC: Spec = Spec {
    name: "conntrack",
    help: "entries of the connection tracker, their limit, and its counters",
    on_by_default: true,
    families: &[
        &ENTRIES,
        &ENTRIES_LIMIT,
        &FOUND,
        &INVALID,
        &IGNORE,
        &INSERT,
        &INSERT_FAILED,
        &DROP,
        &EARLY_DROP,
        &SEARCH_RESTART,
    ],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Conntrack),
};

static ENTRIES: Desc = Desc::gauge(
    "node_nf_conntrack_entries",
    &[],
    "Connections tracked now, from /proc/sys/net/netfilter/nf_conntrack_count.",
);
static ENTRIES_LIMIT: Desc = Desc::gauge(
    "node_nf_conntrack_entries_limit",
    &[],
    "The most connections that can be tracked at a time, from /proc/sys/net/netfilter/nf_conntrack_max.",
);
static FOUND: Desc = Desc::gauge(
    "node_nf_conntrack_stat_found",
    &[],
    "Look-ups that found an entry, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);
static INVALID: Desc = Desc::gauge(
    "node_nf_conntrack_stat_invalid",
    &[],
    "Packets that cannot be tracked, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);
static IGNORE: Desc = Desc::gauge(
    "node_nf_conntrack_stat_ignore",
    &[],
    "Packets that had an entry already, a counter that is 0 since Linux 5.10, from /proc/net/stat/nf_conntrack.",
);
static INSERT: Desc = Desc::gauge(
    "node_nf_conntrack_stat_insert",
    &[],
    "Entries put into the table, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);
static INSERT_FAILED: Desc = Desc::gauge(
    "node_nf_conntrack_stat_insert_failed",
    &[],
    "Entries that could not be put into the table, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);
static DROP: Desc = Desc::gauge(
    "node_nf_conntrack_stat_drop",
    &[],
    "Packets dropped for want of an entry or by a helper, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);
static EARLY_DROP: Desc = Desc::gauge(
    "node_nf_conntrack_stat_early_drop",
    &[],
    "Entries removed to make room in a full table, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);
static SEARCH_RESTART: Desc = Desc::gauge(
    "node_nf_conntrack_stat_search_restart",
    &[],
    "Look-ups that began anew as the table was resized, a counter summed over the CPUs, from /proc/net/stat/nf_conntrack.",
);

struct Conntrack;

impl Collector for Conntrack {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let files = context.files;
        if let Some(count) = sysctl(
            files,
            "sys/net/netfilter/nf_conntrack_count",
            "nf_conntrack_count",
        )? {
            batch.push(&ENTRIES, NO_LABELS, float(count));
            let limit = match sysctl(
                files,
                "sys/net/netfilter/nf_conntrack_max",
                "nf_conntrack_max",
            )? {
                None => sysctl(files, "sys/net/nf_conntrack_max", "nf_conntrack_max")?,
                limit => limit,
            };
            if let Some(limit) = limit {
                batch.push(&ENTRIES_LIMIT, NO_LABELS, float(limit));
            }
        }
        if let Some(stat) = files.net("stat/nf_conntrack", nf_conntrack::stat)? {
            for (desc, sum) in [
                (&FOUND, stat.found),
                (&INVALID, stat.invalid),
                (&IGNORE, stat.ignore),
                (&INSERT, stat.insert),
                (&INSERT_FAILED, stat.insert_failed),
                (&DROP, stat.drop),
                (&EARLY_DROP, stat.early_drop),
                (&SEARCH_RESTART, stat.search_restart),
            ] {
                if let Some(sum) = sum {
                    batch.push(desc, NO_LABELS, float(sum));
                }
            }
        }
        Ok(())
    }
}

fn sysctl(files: &Files, path: &str, name: &'static str) -> Result<Option<u64>, FileError> {
    files.proc(path, |bytes| nf_conntrack::number(bytes, name))
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    const STAT: &str = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
00000021  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010
00000021  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010
";

    #[test]
    fn the_whole_of_a_kernel_6_18() {
        let tree = Tree::new("conntrack-whole");
        tree.write("proc/sys/net/netfilter/nf_conntrack_count", "33\n")
            .write("proc/sys/net/netfilter/nf_conntrack_max", "262144\n")
            .write("proc/net/stat/nf_conntrack", STAT);
        let expected = "node_nf_conntrack_entries 33\n\
            node_nf_conntrack_entries_limit 262144\n\
            node_nf_conntrack_stat_found 4\n\
            node_nf_conntrack_stat_invalid 8\n\
            node_nf_conntrack_stat_ignore 10\n\
            node_nf_conntrack_stat_insert 16\n\
            node_nf_conntrack_stat_insert_failed 18\n\
            node_nf_conntrack_stat_drop 20\n\
            node_nf_conntrack_stat_early_drop 22\n\
            node_nf_conntrack_stat_search_restart 32\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn the_limit_where_older_kernels_have_it() {
        let tree = Tree::new("conntrack-old");
        tree.write("proc/sys/net/netfilter/nf_conntrack_count", "33\n")
            .write("proc/sys/net/nf_conntrack_max", "65536\n");
        let expected = "node_nf_conntrack_entries 33\nnode_nf_conntrack_entries_limit 65536\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn without_a_tracker_there_is_no_family_and_a_broken_file_is_an_error() {
        let tree = Tree::new("conntrack-broken");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/net/stat/nf_conntrack",
            STAT.replace("00000004", "0000000x"),
        );
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/net/stat/nf_conntrack:2: invalid: expected a hexadecimal number, found \"0000000x\"".to_string())
        );
        tree.write("proc/sys/net/netfilter/nf_conntrack_count", "");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/sys/net/netfilter/nf_conntrack_count:1: nf_conntrack_count: \
                expected an unsigned decimal number, found \"\""
                    .to_string()
            )
        );
    }
}
