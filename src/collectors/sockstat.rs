//! How many sockets of each protocol there are and what memory they hold, from `/proc/net/sockstat` and `sockstat6`.
//!
//! `mem` is in pages; `mem_bytes` is the same in bytes, with the page size of the machine that wrote the file. A protocol or
//! key that is not in the table below is left out, as node_exporter leaves out unknown keys.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::sockstat;

/// The collector `sockstat`.
pub static SPEC: Spec = Spec {
    name: "sockstat",
    help: "sockets of each protocol and the memory they hold",
    on_by_default: true,
    families: &[
        &SOCKETS_USED,
        &TCP_INUSE,
        &TCP_ORPHAN,
        &TCP_TW,
        &TCP_ALLOC,
        &TCP_MEM,
        &TCP_MEM_BYTES,
        &UDP_INUSE,
        &UDP_MEM,
        &UDP_MEM_BYTES,
        &UDPLITE_INUSE,
        &RAW_INUSE,
        &FRAG_INUSE,
        &FRAG_MEMORY,
        &TCP6_INUSE,
        &UDP6_INUSE,
        &UDPLITE6_INUSE,
        &RAW6_INUSE,
        &FRAG6_INUSE,
        &FRAG6_MEMORY,
    ],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Sockstat),
};

static SOCKETS_USED: Desc = Desc::gauge(
    "node_sockstat_sockets_used",
    &[],
    "Sockets of all families in use, from /proc/net/sockstat.",
);
static TCP_INUSE: Desc = Desc::gauge(
    "node_sockstat_TCP_inuse",
    &[],
    "TCP sockets over IPv4 in use, from /proc/net/sockstat.",
);
static TCP_ORPHAN: Desc = Desc::gauge(
    "node_sockstat_TCP_orphan",
    &[],
    "TCP sockets that no process has open any more, those over IPv6 included, from /proc/net/sockstat.",
);
static TCP_TW: Desc = Desc::gauge(
    "node_sockstat_TCP_tw",
    &[],
    "TCP sockets in TIME_WAIT, those over IPv6 included, from /proc/net/sockstat.",
);
static TCP_ALLOC: Desc = Desc::gauge(
    "node_sockstat_TCP_alloc",
    &[],
    "TCP sockets allocated in any state, those over IPv6 included, from /proc/net/sockstat.",
);
static TCP_MEM: Desc = Desc::gauge(
    "node_sockstat_TCP_mem",
    &[],
    "Memory that TCP's buffers hold in pages, from /proc/net/sockstat.",
);
static TCP_MEM_BYTES: Desc = Desc::gauge(
    "node_sockstat_TCP_mem_bytes",
    &[],
    "Memory that TCP's buffers hold in bytes, from /proc/net/sockstat's pages.",
);
static UDP_INUSE: Desc = Desc::gauge(
    "node_sockstat_UDP_inuse",
    &[],
    "UDP sockets over IPv4 in use, from /proc/net/sockstat.",
);
static UDP_MEM: Desc = Desc::gauge(
    "node_sockstat_UDP_mem",
    &[],
    "Memory that UDP's buffers hold in pages, from /proc/net/sockstat.",
);
static UDP_MEM_BYTES: Desc = Desc::gauge(
    "node_sockstat_UDP_mem_bytes",
    &[],
    "Memory that UDP's buffers hold in bytes, from /proc/net/sockstat's pages.",
);
static UDPLITE_INUSE: Desc = Desc::gauge(
    "node_sockstat_UDPLITE_inuse",
    &[],
    "UDP-Lite sockets over IPv4 in use, from /proc/net/sockstat.",
);
static RAW_INUSE: Desc = Desc::gauge(
    "node_sockstat_RAW_inuse",
    &[],
    "Raw sockets over IPv4 in use, from /proc/net/sockstat.",
);
static FRAG_INUSE: Desc = Desc::gauge(
    "node_sockstat_FRAG_inuse",
    &[],
    "IPv4 packets waiting for their other fragments, from /proc/net/sockstat.",
);
static FRAG_MEMORY: Desc = Desc::gauge(
    "node_sockstat_FRAG_memory",
    &[],
    "Memory that IPv4 fragments hold in bytes, from /proc/net/sockstat.",
);
static TCP6_INUSE: Desc = Desc::gauge(
    "node_sockstat_TCP6_inuse",
    &[],
    "TCP sockets over IPv6 in use, from /proc/net/sockstat6.",
);
static UDP6_INUSE: Desc = Desc::gauge(
    "node_sockstat_UDP6_inuse",
    &[],
    "UDP sockets over IPv6 in use, from /proc/net/sockstat6.",
);
static UDPLITE6_INUSE: Desc = Desc::gauge(
    "node_sockstat_UDPLITE6_inuse",
    &[],
    "UDP-Lite sockets over IPv6 in use, from /proc/net/sockstat6.",
);
static RAW6_INUSE: Desc = Desc::gauge(
    "node_sockstat_RAW6_inuse",
    &[],
    "Raw sockets over IPv6 in use, from /proc/net/sockstat6.",
);
static FRAG6_INUSE: Desc = Desc::gauge(
    "node_sockstat_FRAG6_inuse",
    &[],
    "IPv6 packets waiting for their other fragments, from /proc/net/sockstat6.",
);
static FRAG6_MEMORY: Desc = Desc::gauge(
    "node_sockstat_FRAG6_memory",
    &[],
    "Memory that IPv6 fragments hold in bytes, from /proc/net/sockstat6.",
);

struct Sockstat;

impl Collector for Sockstat {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let page_size = float(context.files.page_size());
        // The families written so far, a bit each: a page with a series twice is refused as a whole.
        let mut seen = 0u32;
        for file in ["sockstat", "sockstat6"] {
            context.files.net(file, |bytes| {
                for protocol in sockstat::protocols(bytes)? {
                    let protocol = protocol?;
                    for pair in protocol.pairs() {
                        let (key, value) = pair?;
                        let Some(family) = family(protocol.name, key) else {
                            continue;
                        };
                        if !first(&mut seen, family) {
                            return Err(protocol.error(key, "each counter once"));
                        }
                        push(batch, family, value as f64, page_size);
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Which word of the file goes into which family.
fn family(protocol: &[u8], key: &[u8]) -> Option<&'static Desc> {
    Some(match (protocol, key) {
        (b"sockets", b"used") => &SOCKETS_USED,
        (b"TCP", b"inuse") => &TCP_INUSE,
        (b"TCP", b"orphan") => &TCP_ORPHAN,
        (b"TCP", b"tw") => &TCP_TW,
        (b"TCP", b"alloc") => &TCP_ALLOC,
        (b"TCP", b"mem") => &TCP_MEM,
        (b"UDP", b"inuse") => &UDP_INUSE,
        (b"UDP", b"mem") => &UDP_MEM,
        (b"UDPLITE", b"inuse") => &UDPLITE_INUSE,
        (b"RAW", b"inuse") => &RAW_INUSE,
        (b"FRAG", b"inuse") => &FRAG_INUSE,
        (b"FRAG", b"memory") => &FRAG_MEMORY,
        (b"TCP6", b"inuse") => &TCP6_INUSE,
        (b"UDP6", b"inuse") => &UDP6_INUSE,
        (b"UDPLITE6", b"inuse") => &UDPLITE6_INUSE,
        (b"RAW6", b"inuse") => &RAW6_INUSE,
        (b"FRAG6", b"inuse") => &FRAG6_INUSE,
        (b"FRAG6", b"memory") => &FRAG6_MEMORY,
        _ => return None,
    })
}

/// Whether the family has not been written yet; it counts as written from now on.
fn first(seen: &mut u32, family: &'static Desc) -> bool {
    let place = SPEC
        .families
        .iter()
        .position(|desc| std::ptr::eq(*desc, family));
    let bit = place.map_or(0, |place| 1 << place);
    let first = *seen & bit == 0;
    *seen |= bit;
    first
}

/// Pages are told in bytes too.
fn push(batch: &mut Batch, family: &'static Desc, value: f64, page_size: f64) {
    if std::ptr::eq(family, &raw const TCP_MEM) {
        batch.push(&TCP_MEM_BYTES, NO_LABELS, value * page_size);
    } else if std::ptr::eq(family, &raw const UDP_MEM) {
        batch.push(&UDP_MEM_BYTES, NO_LABELS, value * page_size);
    }
    batch.push(family, NO_LABELS, value);
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn both_files_and_pages_of_the_machine_that_wrote_them() {
        let tree = Tree::new("sockstat-both");
        tree.write("CAPTURE", "page_size: 65536\n")
            .write(
                "proc/net/sockstat",
                "sockets: used 16\nTCP: inuse 2 orphan 1 tw 4 alloc 5 mem 3 new 9\nUDP: inuse 6 mem 7\n\
                 UDPLITE: inuse 8\nNEW: inuse 1\nRAW: inuse 9\nFRAG: inuse 10 memory 11\n",
            )
            .write(
                "proc/net/sockstat6",
                "TCP6: inuse 12\nUDP6: inuse 13\nUDPLITE6: inuse 14\nRAW6: inuse 15\nFRAG6: inuse 16 memory 17\n",
            );
        let expected = "node_sockstat_sockets_used 16\n\
            node_sockstat_TCP_inuse 2\n\
            node_sockstat_TCP_orphan 1\n\
            node_sockstat_TCP_tw 4\n\
            node_sockstat_TCP_alloc 5\n\
            node_sockstat_TCP_mem_bytes 196608\n\
            node_sockstat_TCP_mem 3\n\
            node_sockstat_UDP_inuse 6\n\
            node_sockstat_UDP_mem_bytes 458752\n\
            node_sockstat_UDP_mem 7\n\
            node_sockstat_UDPLITE_inuse 8\n\
            node_sockstat_RAW_inuse 9\n\
            node_sockstat_FRAG_inuse 10\n\
            node_sockstat_FRAG_memory 11\n\
            node_sockstat_TCP6_inuse 12\n\
            node_sockstat_UDP6_inuse 13\n\
            node_sockstat_UDPLITE6_inuse 14\n\
            node_sockstat_RAW6_inuse 15\n\
            node_sockstat_FRAG6_inuse 16\n\
            node_sockstat_FRAG6_memory 17\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
        assert_eq!(expected.lines().count(), SPEC.families.len());
    }

    #[test]
    fn missing_files_are_no_families_and_a_broken_one_an_error() {
        let tree = Tree::new("sockstat-broken");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/sockstat6", "TCP6: inuse 1\n");
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("node_sockstat_TCP6_inuse 1\n")
        );
        tree.write("proc/net/sockstat", "TCP: inuse two\n");
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/net/sockstat:1: inuse: expected a decimal number, found \"two\"".to_string())
        );
    }
}
