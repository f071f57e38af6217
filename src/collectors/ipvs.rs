//! What went through the load balancer IPVS, and the connections and the weight of every server behind it, from
//! `/proc/net/ip_vs_stats` and `/proc/net/ip_vs`.
//!
//! `--collector.ipvs.backend-labels` picks the labels that tell servers apart; those that share the picked ones are
//! summed. A label that was not picked is exported empty, which Prometheus takes for none. The label sets with the most
//! connections are exported; what the limit leaves out is summed into one whose labels are all `other`.

use std::cmp::Reverse;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::IPVS_BACKEND_LABELS;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::ip_vs;
use crate::parse::ip_vs::Backend;
use crate::parse::printable;

/// How many label sets are exported, those with the most connections before others.
const SHOWN: usize = 500;

/// The collector `ipvs`.
pub static SPEC: Spec = Spec {
    name: "ipvs",
    help: "traffic of the load balancer IPVS, and connections of the servers behind it",
    on_by_default: false,
    families: &[
        &CONNECTIONS,
        &INCOMING_PACKETS,
        &OUTGOING_PACKETS,
        &INCOMING_BYTES,
        &OUTGOING_BYTES,
        &BACKEND_ACTIVE,
        &BACKEND_INACTIVE,
        &BACKEND_WEIGHT,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Ipvs {
            picked: IPVS_BACKEND_LABELS.map(|label| config.ipvs_backend_labels.contains(&label)),
        })
    },
};

static CONNECTIONS: Desc = Desc::counter(
    "node_ipvs_connections_total",
    &[],
    "Connections that the balancer made, from /proc/net/ip_vs_stats.",
);
static INCOMING_PACKETS: Desc = Desc::counter(
    "node_ipvs_incoming_packets_total",
    &[],
    "Packets that came in to the balancer, from /proc/net/ip_vs_stats.",
);
static OUTGOING_PACKETS: Desc = Desc::counter(
    "node_ipvs_outgoing_packets_total",
    &[],
    "Packets that went out of the balancer, from /proc/net/ip_vs_stats.",
);
static INCOMING_BYTES: Desc = Desc::counter(
    "node_ipvs_incoming_bytes_total",
    &[],
    "Bytes that came in to the balancer, from /proc/net/ip_vs_stats.",
);
static OUTGOING_BYTES: Desc = Desc::counter(
    "node_ipvs_outgoing_bytes_total",
    &[],
    "Bytes that went out of the balancer, from /proc/net/ip_vs_stats.",
);
static BACKEND_ACTIVE: Desc = Desc::gauge(
    "node_ipvs_backend_connections_active",
    &IPVS_BACKEND_LABELS,
    "Connections in use to the server of a virtual service, from /proc/net/ip_vs.",
);
static BACKEND_INACTIVE: Desc = Desc::gauge(
    "node_ipvs_backend_connections_inactive",
    &IPVS_BACKEND_LABELS,
    "Connections to the server of a virtual service that are closing or idle, from /proc/net/ip_vs.",
);
static BACKEND_WEIGHT: Desc = Desc::gauge(
    "node_ipvs_backend_weight",
    &IPVS_BACKEND_LABELS,
    "The share of new connections that the server of a virtual service is given, relative to others, from /proc/net/ip_vs.",
);

struct Ipvs {
    picked: [bool; IPVS_BACKEND_LABELS.len()],
}

/// The values of the labels, in their order.
type Key = [String; IPVS_BACKEND_LABELS.len()];

/// What servers of one label set have together.
#[derive(Clone, Copy, Default)]
struct Sums {
    active: u64,
    inactive: u64,
    weight: u64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.active = self.active.saturating_add(other.active);
        self.inactive = self.inactive.saturating_add(other.inactive);
        self.weight = self.weight.saturating_add(other.weight);
    }
}

impl Collector for Ipvs {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if let Some(stats) = context.files.net("ip_vs_stats", ip_vs::stats)? {
            for (desc, value) in [
                (&CONNECTIONS, stats.connections),
                (&INCOMING_PACKETS, stats.incoming_packets),
                (&OUTGOING_PACKETS, stats.outgoing_packets),
                (&INCOMING_BYTES, stats.incoming_bytes),
                (&OUTGOING_BYTES, stats.outgoing_bytes),
            ] {
                batch.push(desc, NO_LABELS, float(value));
            }
        }
        let all = context.files.net("ip_vs", |bytes| {
            let mut all = Vec::new();
            for backend in ip_vs::backends(bytes)? {
                let backend = backend?;
                let sums = Sums {
                    active: backend.active,
                    inactive: backend.inactive,
                    weight: backend.weight,
                };
                all.push((self.key(&backend), sums));
            }
            Ok(all)
        })?;
        if let Some(mut all) = all {
            merge(&mut all);
            context.left_out = Some(write(all, batch));
        }
        Ok(())
    }
}

impl Ipvs {
    fn key(&self, backend: &Backend<'_>) -> Key {
        let service = &backend.service;
        let (address, port) = service.local.unzip();
        let mut key = [
            address.map_or_else(String::new, |address| address.to_string()),
            port.unwrap_or(0).to_string(),
            backend.address.to_string(),
            backend.port.to_string(),
            printable(service.protocol).into_owned(),
            printable(service.mark).into_owned(),
        ];
        for (value, picked) in key.iter_mut().zip(self.picked) {
            if !picked {
                value.clear();
            }
        }
        key
    }
}

/// Brings the label sets into their order, each once.
fn merge(all: &mut Vec<(Key, Sums)>) {
    sort(all);
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1.add(&next.1);
        }
        same
    });
}

fn sort(all: &mut [(Key, Sums)]) {
    all.sort_unstable_by(|left, right| left.0.cmp(&right.0));
}

/// Writes the label sets in their order, and says how many the limit left out.
fn write(mut all: Vec<(Key, Sums)>, batch: &mut Batch) -> usize {
    let left_out = all.len().saturating_sub(SHOWN);
    if left_out > 0 {
        // Of equals, the first in order stay.
        let connections = |sums: &Sums| Reverse(sums.active.saturating_add(sums.inactive));
        all.sort_unstable_by(|left, right| {
            (connections(&left.1), &left.0).cmp(&(connections(&right.1), &right.0))
        });
        let mut other = Sums::default();
        for (_, sums) in all.drain(SHOWN..) {
            other.add(&sums);
        }
        sort(&mut all);
        all.push((std::array::from_fn(|_| "other".to_string()), other));
    }
    for (key, sums) in &all {
        let mut pairs = [("", ""); IPVS_BACKEND_LABELS.len()];
        for (pair, (label, value)) in pairs.iter_mut().zip(IPVS_BACKEND_LABELS.iter().zip(key)) {
            *pair = (label, value);
        }
        let labels = batch.labels(&pairs);
        batch.push(&BACKEND_ACTIVE, labels, float(sums.active));
        batch.push(&BACKEND_INACTIVE, labels, float(sums.inactive));
        batch.push(&BACKEND_WEIGHT, labels, float(sums.weight));
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    const HEADER: &str = "IP Virtual Server version 1.2.1 (size=4096)\n\
        Prot LocalAddress:Port Scheduler Flags\n  \
        -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";

    fn key(name: &str) -> Key {
        std::array::from_fn(|_| name.to_string())
    }

    #[test]
    fn totals_and_servers() {
        let tree = Tree::new("ipvs");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/ip_vs_stats", "a\nb\n A B C D E\n")
            .write(
                "proc/net/ip_vs",
                format!("{HEADER}FWM  00000010 wlc \n  -> C0000252:0CEA Route 1 2 3\n"),
            );
        let labels = "{local_address=\"\",local_port=\"0\",remote_address=\"192.0.2.82\",remote_port=\"3306\",\
            proto=\"FWM\",local_mark=\"00000010\"}";
        let expected = format!(
            "node_ipvs_connections_total 10\n\
            node_ipvs_incoming_packets_total 11\n\
            node_ipvs_outgoing_packets_total 12\n\
            node_ipvs_incoming_bytes_total 13\n\
            node_ipvs_outgoing_bytes_total 14\n\
            node_ipvs_backend_connections_active{labels} 2\n\
            node_ipvs_backend_connections_inactive{labels} 3\n\
            node_ipvs_backend_weight{labels} 1\n"
        );
        assert_eq!(tree.once(&SPEC), Ok(expected));
    }

    #[test]
    fn servers_that_share_the_picked_labels_are_summed() {
        let tree = Tree::new("ipvs-picked");
        tree.write(
            "proc/net/ip_vs",
            format!(
                "{HEADER}TCP  C0000216:0CEA wlc \n  -> C0000252:0CEA Route 1 2 3\n  -> C0000253:0CEA Route 10 20 30\n"
            ),
        );
        let mut ipvs = Tree::make(&SPEC, |config| {
            config.ipvs_backend_labels = vec!["proto"];
        });
        let labels = "{local_address=\"\",local_port=\"\",remote_address=\"\",remote_port=\"\",proto=\"TCP\",\
            local_mark=\"\"}";
        let expected = format!(
            "node_ipvs_backend_connections_active{labels} 22\n\
            node_ipvs_backend_connections_inactive{labels} 33\n\
            node_ipvs_backend_weight{labels} 11\n"
        );
        assert_eq!(tree.scrape(&SPEC, &mut *ipvs), Ok(expected));
    }

    #[test]
    fn what_the_limit_leaves_out_is_summed() {
        let sums = |active| Sums {
            active,
            inactive: 1,
            weight: 1,
        };
        let mut all: Vec<_> = (0..SHOWN)
            .map(|n| (key(&format!("b{n:03}")), sums(1)))
            .collect();
        all.insert(0, (key("a"), sums(0)));
        all.push((key("c"), sums(7)));
        let mut batch = Batch::default();
        assert_eq!(write(all, &mut batch), 2);
        let samples = batch.samples();
        assert_eq!(samples.len(), 3 * (SHOWN + 1));
        let last = &samples[samples.len() - 3..];
        let values: Vec<_> = last.iter().map(|sample| sample.value).collect();
        assert!(
            batch
                .label_text(last[0].labels)
                .starts_with("{local_address=\"other\"")
        );
        assert_eq!(values, [1.0, 2.0, 2.0]);
        assert!(
            batch
                .label_text(samples[0].labels)
                .starts_with("{local_address=\"b000\"")
        );
    }

    #[test]
    fn a_broken_file_is_an_error() {
        let tree = Tree::new("ipvs-broken");
        tree.write("proc/net/ip_vs", "");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/net/ip_vs:1: header: expected IP Virtual Server …, Prot … and -> RemoteAddress:Port …, found \"\""
                    .to_string()
            )
        );
    }
}
