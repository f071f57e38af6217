//! A scrape's batch as a [`View`]: family by family, by their names in /metrics.

use std::cmp::Ordering;

use crate::metric::Batch;
use crate::sampler::Sampler;

use super::About;
use super::Destination;
use super::Listener;
use super::Peer;
use super::Peers;
use super::Pool;
use super::Ports;
use super::Record;
use super::Tcp;
use super::Use;
use super::View;
use super::interfaces;

/// The most peers that are shown in each direction.
const PEERS: usize = 10;
pub(super) fn view(about: About, batch: &Batch, sampler: &Sampler) -> View {
    let (interfaces, interfaces_left_out) = interfaces::read(batch, sampler);
    let (listeners, listeners_left_out) = listeners(batch);
    let (dhcp, unread) = dhcp(batch);
    let conntrack = value(batch, "node_nf_conntrack_entries");
    let conntrack = conntrack.zip(value(batch, "node_nf_conntrack_entries_limit"));
    View {
        about,
        problems: Vec::new(),
        interfaces,
        interfaces_left_out,
        tcp: tcp(batch, sampler),
        ports: ports(batch),
        listeners,
        listeners_left_out,
        peers: peers(batch),
        conntrack: conntrack.map(|(used, limit)| Use { used, limit }),
        dhcp,
        unread,
        dns: dns(batch),
    }
}

/// Gives each sample of a family, its labels as they stand in the text format.
pub(super) fn each(batch: &Batch, family: &str, take: &mut dyn FnMut(&str, f64)) {
    let places = batch
        .families()
        .iter()
        .position(|found| found.name == family);
    let Some(place) = places.and_then(|place| u32::try_from(place).ok()) else {
        return;
    };
    for sample in batch.samples() {
        if sample.family == place {
            take(batch.label_text(sample.labels), sample.value);
        }
    }
}

/// The value of a family without labels.
fn value(batch: &Batch, family: &str) -> Option<f64> {
    let mut found = None;
    each(batch, family, &mut |_, value| found = Some(value));
    found
}

/// The value of a label in `{a="x",b="y"}`; empty where there is no such label.
pub(super) fn label(mut text: &str, wanted: &str) -> String {
    let mut value = String::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        value.clear();
        let mut escaped = false;
        let mut end = rest.len();
        for (at, character) in rest.char_indices() {
            match character {
                _ if escaped => {
                    value.push(if character == 'n' { '\n' } else { character });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = at + 1;
                    break;
                }
                other => value.push(other),
            }
        }
        if name.trim_start_matches(['{', ',']) == wanted {
            return value;
        }
        text = rest.get(end..).unwrap_or_default();
    }
    String::new()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, which is as good here"
)]
pub(super) fn whole(value: f64) -> u64 {
    value as u64
}

fn tcp(batch: &Batch, sampler: &Sampler) -> Option<Tcp> {
    let mut tcp = Tcp {
        retransmission_ratio: value(batch, "weir_tcp_retransmission_ratio"),
        ..Tcp::default()
    };
    each(batch, "node_tcp_connection_states", &mut |labels, value| {
        let state = label(labels, "state");
        if !state.ends_with("_bytes") {
            tcp.states.push((state, value));
        }
    });
    tcp.minute = sampler.retransmissions();
    (!tcp.states.is_empty() || tcp.retransmission_ratio.is_some()).then_some(tcp)
}

fn ports(batch: &Batch) -> Option<Ports> {
    let used = value(batch, "ephemeral_ports_used")?;
    let limit = value(batch, "ephemeral_ports_total")?;
    let reserved = value(batch, "weir_ephemeral_ports_reserved").unwrap_or(0.0);
    let mut destinations = Vec::new();
    each(
        batch,
        "weir_ephemeral_ports_destination_used",
        &mut |labels, used| {
            destinations.push(Destination {
                source: label(labels, "src_ip"),
                address: label(labels, "dest_ip"),
                port: label(labels, "dest_port"),
                ports: Use {
                    used,
                    limit: limit - reserved,
                },
            });
        },
    );
    Some(Ports {
        all: Use { used, limit },
        reserved,
        destinations,
    })
}

/// The listeners, those whose queues are fuller first, and how many there are beyond.
fn listeners(batch: &Batch) -> (Option<Vec<Listener>>, usize) {
    let mut found: Vec<Listener> = Vec::new();
    each(batch, "weir_listener_backlog", &mut |labels, backlog| {
        found.push(Listener {
            address: label(labels, "address"),
            port: label(labels, "port"),
            backlog,
            limit: None,
        });
    });
    let mut next = 0;
    each(
        batch,
        "weir_listener_backlog_limit",
        &mut |labels, limit| {
            let (address, port) = (label(labels, "address"), label(labels, "port"));
            let mut rest = found.iter_mut().enumerate().skip(next);
            let row = rest.find(|(_, row)| row.address == address && row.port == port);
            if let Some((at, row)) = row {
                next = at + 1;
                row.limit = Some(limit);
            }
        },
    );
    let mut waiting: Vec<Listener> = Vec::new();
    let mut idle = Vec::new();
    for row in found {
        if row.backlog > 0.0 {
            let fuller = waiting
                .iter()
                .take_while(|other| other.ratio() >= row.ratio());
            waiting.insert(fuller.count(), row);
        } else {
            idle.push(row);
        }
    }
    waiting.append(&mut idle);
    let mut ran = false;
    let mut left_out = 0.0;
    each(batch, "weir_source_info", &mut |labels, _| {
        ran |= label(labels, "collector") == "listeners" && label(labels, "source") != "absent";
    });
    each(batch, "weir_series_left_out", &mut |labels, count| {
        if label(labels, "collector") == "listeners" {
            left_out = count;
        }
    });
    let left_out = usize::try_from(whole(left_out)).unwrap_or(usize::MAX);
    ((ran || !waiting.is_empty()).then_some(waiting), left_out)
}

fn peers(batch: &Batch) -> Option<Peers> {
    value(batch, "weir_connections")?;
    Some(Peers {
        input: largest(batch, "network_connections_input_total", "src_ip"),
        output: largest(batch, "network_connections_output_total", "dest_ip"),
    })
}

/// The peers with the most connections, whatever the local address.
fn largest(batch: &Batch, family: &str, side: &str) -> Vec<Peer> {
    let mut found: Vec<Peer> = Vec::new();
    each(batch, family, &mut |labels, connections| {
        found.push(Peer {
            address: label(labels, side),
            name: label(labels, "peer_hostname"),
            connections,
        });
    });
    // One sort serves both orders.
    let sort =
        |found: &mut Vec<Peer>, order: fn(&Peer, &Peer) -> Ordering| found.sort_unstable_by(order);
    sort(&mut found, |left, right| left.address.cmp(&right.address));
    found.dedup_by(|later, first| {
        let same = later.address == first.address;
        if same {
            first.connections += later.connections;
        }
        same
    });
    sort(&mut found, |left, right| {
        let more = right.connections.total_cmp(&left.connections);
        more.then_with(|| left.address.cmp(&right.address))
    });
    found.truncate(PEERS);
    found
}

fn dhcp(batch: &Batch) -> (Vec<Pool>, Vec<String>) {
    let mut pools: Vec<Pool> = Vec::new();
    let mut row = |labels: &str, change: &mut dyn FnMut(&mut Pool)| {
        let (server, pool) = (label(labels, "server"), label(labels, "pool"));
        let same = |row: &&mut Pool| row.server == server && row.pool == pool;
        if let Some(found) = pools.iter_mut().find(same) {
            return change(found);
        }
        let mut made = Pool {
            server,
            pool,
            leases: 0.0,
            addresses: None,
            ratio: None,
        };
        change(&mut made);
        pools.push(made);
    };
    each(batch, "weir_dhcp_pool_addresses", &mut |labels, value| {
        row(labels, &mut |pool| pool.addresses = Some(value));
    });
    each(batch, "weir_dhcp_pool_usage_ratio", &mut |labels, value| {
        row(labels, &mut |pool| pool.ratio = Some(value));
    });
    each(batch, "weir_dhcp_leases", &mut |labels, value| {
        if ["active", "static"].contains(&&*label(labels, "state")) {
            row(labels, &mut |pool| pool.leases += value);
        }
    });
    // What is in no pool, where nothing is outside of the pools.
    pools.retain(|pool| !pool.pool.is_empty() || pool.leases > 0.0);
    let mut unread = Vec::new();
    each(batch, "weir_dhcp_success", &mut |labels, value| {
        if value == 0.0 {
            unread.push(label(labels, "server"));
        }
    });
    (pools, unread)
}

fn dns(batch: &Batch) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    each(batch, "weir_dns_record_valid", &mut |labels, value| {
        records.push(Record {
            name: label(labels, "name"),
            kind: label(labels, "type"),
            valid: value == 1.0,
            reason: None,
            ttl: None,
        });
    });
    let mut row = |labels: &str, change: &mut dyn FnMut(&mut Record)| {
        let (name, kind) = (label(labels, "name"), label(labels, "type"));
        let same = |row: &&mut Record| row.name == name && row.kind == kind;
        if let Some(found) = records.iter_mut().find(same) {
            change(found);
        }
    };
    each(batch, "weir_dns_record_status", &mut |labels, value| {
        if value == 1.0 {
            row(labels, &mut |record| {
                record.reason = Some(label(labels, "reason"));
            });
        }
    });
    each(
        batch,
        "weir_dns_record_ttl_seconds",
        &mut |labels, value| {
            row(labels, &mut |record| record.ttl = Some(value));
        },
    );
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_back_as_they_were_written() {
        let mut batch = Batch::default();
        let evil = "a\"b\\c\nd,e=\"";
        let labels = batch.labels(&[("name", evil), ("device", "x\\"), ("empty", "")]);
        let text = batch.label_text(labels);
        assert_eq!(label(text, "name"), evil);
        assert_eq!(label(text, "device"), "x\\");
        assert_eq!(
            (label(text, "empty"), label(text, "ame")),
            (String::new(), String::new())
        );
        for broken in ["", "{", "{a=", "{a=\"", "{a=\"\\", "=\"=\"=\""] {
            assert_eq!(label(broken, "b"), "", "{broken}");
        }
    }
}
