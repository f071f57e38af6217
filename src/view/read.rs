//! A scrape's batch as a [`View`]: family by family, by their names in /metrics.

use crate::metric::Batch;
use crate::sampler::Device;
use crate::sampler::Sampler;

use super::About;
use super::Destination;
use super::Interface;
use super::Listener;
use super::Past;
use super::Peer;
use super::Peers;
use super::Pool;
use super::Ports;
use super::Record;
use super::Tcp;
use super::Use;
use super::View;

/// The numbers of a device: the family, and the key in the JSON.
pub(super) const NUMBERS: [(&str, &str); 14] = [
    (
        "weir_network_receive_bytes_per_second",
        "receive_bytes_per_second",
    ),
    (
        "weir_network_transmit_bytes_per_second",
        "transmit_bytes_per_second",
    ),
    (
        "weir_network_receive_packets_per_second",
        "receive_packets_per_second",
    ),
    (
        "weir_network_transmit_packets_per_second",
        "transmit_packets_per_second",
    ),
    ("node_network_receive_bytes_total", "receive_bytes"),
    ("node_network_transmit_bytes_total", "transmit_bytes"),
    ("node_network_receive_errs_total", "receive_errors"),
    ("node_network_transmit_errs_total", "transmit_errors"),
    ("node_network_receive_drop_total", "receive_drops"),
    ("node_network_transmit_drop_total", "transmit_drops"),
    ("node_network_speed_bytes", "speed_bytes_per_second"),
    ("node_network_mtu_bytes", "mtu_bytes"),
    ("node_network_carrier", "carrier"),
    ("node_network_carrier_changes_total", "carrier_changes"),
];

/// Places in [`NUMBERS`].
pub(super) const RECEIVE: usize = 0;
pub(super) const TRANSMIT: usize = 1;
pub(super) const ERRORS: [usize; 2] = [6, 7];
pub(super) const DROPS: [usize; 2] = [8, 9];
pub(super) const SPEED: usize = 10;
const CARRIER: usize = 12;

/// The state of a device that is configured up and has no carrier.
pub(super) const CARRIER_LOST: &str = "no carrier";

/// The most interfaces that are shown: those with the most traffic, and those of which something is known to be wrong.
const INTERFACES: usize = 100;
/// The least scale of a device's picture, in bytes per second: the few packets of a link without users are no mountains.
pub(super) const LEAST_SCALE: f64 = 12_500.0;
/// The most peers that are shown in each direction.
const PEERS: usize = 10;
/// IFF_LOOPBACK of linux/if.h.
const LOOPBACK: u64 = 1 << 3;

pub(super) fn view(about: About, batch: &Batch, sampler: &Sampler) -> View {
    let (interfaces, interfaces_left_out) = interfaces(batch, sampler);
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
fn each(batch: &Batch, family: &str, take: &mut dyn FnMut(&str, f64)) {
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
fn label(mut text: &str, wanted: &str) -> String {
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

/// The devices of the families, found quickly because all families list them in nearly the same order.
#[derive(Default)]
struct Rows {
    rows: Vec<Interface>,
    next: usize,
}

impl Rows {
    fn of(&mut self, labels: &str) -> Option<&mut Interface> {
        let name = label(labels, "device");
        let mut later = self.rows.iter().skip(self.next);
        let later = later
            .position(|row| row.name == name)
            .map(|at| at + self.next);
        let at = later.or_else(|| self.rows.iter().position(|row| row.name == name));
        let at = at.unwrap_or_else(|| {
            self.rows.push(Interface {
                name,
                ..Interface::default()
            });
            self.rows.len() - 1
        });
        self.next = at;
        self.rows.get_mut(at)
    }
}

fn interfaces(batch: &Batch, sampler: &Sampler) -> (Vec<Interface>, usize) {
    let mut rows = Rows::default();
    // The kernel's order, and not that of devices that happen to have a rate already.
    each(
        batch,
        "node_network_receive_bytes_total",
        &mut |labels, _| {
            rows.of(labels);
        },
    );
    for (place, (family, _)) in NUMBERS.iter().enumerate() {
        each(batch, family, &mut |labels, value| {
            let number = rows.of(labels).and_then(|row| row.numbers.get_mut(place));
            // An unknown speed is told as -1 Mbit/s.
            if let Some(number) = number.filter(|_| place != SPEED || value > 0.0) {
                *number = Some(value);
            }
        });
    }
    each(batch, "node_network_info", &mut |labels, _| {
        if let Some(row) = rows.of(labels) {
            let carrier = row.numbers.get(CARRIER).copied().flatten();
            row.state = Some(match (&*label(labels, "adminstate"), carrier) {
                ("down", _) => "off".to_string(),
                (_, Some(0.0)) => CARRIER_LOST.to_string(),
                _ => match label(labels, "operstate") {
                    state if state.is_empty() || state == "unknown" => "up".to_string(),
                    state => state,
                },
            });
        }
    });
    each(
        batch,
        "node_network_carrier_up_changes_total",
        &mut |labels, value| {
            if let Some(row) = rows.of(labels) {
                row.had_carrier = Some(value > 0.0);
            }
        },
    );
    each(batch, "node_network_flags", &mut |labels, value| {
        if let Some(row) = rows.of(labels) {
            row.loopback = whole(value) & LOOPBACK != 0;
        }
    });
    rows.next = 0;
    for device in sampler.devices() {
        let row = rows
            .rows
            .iter()
            .skip(rows.next)
            .position(|row| row.name == device.label);
        let row = row.map(|at| at + rows.next);
        let row = row.or_else(|| rows.rows.iter().position(|row| row.name == device.label));
        // A device that no family has is not to be shown (--devices.exclude-kinds).
        if let Some((at, row)) = row.and_then(|at| Some((at, rows.rows.get_mut(at)?))) {
            rows.next = at;
            row.history = past(device, sampler);
        }
    }
    shown(rows.rows)
}

/// The loudest, in the order in which they came but with loopback last; and how many others there are.
fn shown(mut rows: Vec<Interface>) -> (Vec<Interface>, usize) {
    let left_out = rows.len().saturating_sub(INTERFACES);
    if left_out > 0 {
        let mut weights: Vec<u64> = rows.iter().map(weight).collect();
        weights.sort_unstable();
        let least = weights.get(left_out).copied().unwrap_or(0);
        let above = weights.iter().filter(|weight| **weight > least).count();
        // Of equals as many as there is room for.
        let mut room = INTERFACES.saturating_sub(above);
        rows.retain(|row| {
            let weight = weight(row);
            let equal = weight == least && room > 0;
            room -= usize::from(equal);
            weight > least || equal
        });
    }
    let mut all = Vec::with_capacity(rows.len());
    let (mut last, first): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.loopback);
    all.extend(first);
    all.append(&mut last);
    (all, left_out)
}

/// What decides whether a device is shown: losses, then traffic.
fn weight(row: &Interface) -> u64 {
    let lost = row.history.as_ref().is_some_and(|past| past.errors > 0.0);
    let now = [RECEIVE, TRANSMIT].map(|place| row.number(place).unwrap_or(0.0));
    let peak = row.history.as_ref().map_or(0.0, |past| past.peak);
    let traffic = now.into_iter().fold(peak, f64::max);
    whole(traffic).min(u64::MAX / 2) + if lost { u64::MAX / 2 } else { 0 }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, which is as good here"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

impl Interface {
    pub(super) fn number(&self, place: usize) -> Option<f64> {
        self.numbers.get(place).copied().flatten()
    }

    /// The sum of two numbers, where either is known.
    pub(super) fn sum(&self, places: [usize; 2]) -> Option<f64> {
        let [receive, transmit] = places.map(|place| self.number(place));
        receive.or(transmit)?;
        Some(receive.unwrap_or(0.0) + transmit.unwrap_or(0.0))
    }
}

fn past(device: &Device, sampler: &Sampler) -> Option<Past> {
    let mut past = Past::default();
    let rates: Vec<_> = sampler
        .history(device)?
        .map(|point| {
            past.errors += f64::from(point.errors);
            past.drops += f64::from(point.drops);
            [point.receive, point.transmit].map(f64::from)
        })
        .collect();
    past.peak = rates
        .iter()
        .flatten()
        .fold(0.0, |peak, rate| rate.max(peak));
    past.scale = past.peak.max(LEAST_SCALE);
    for [receive, transmit] in rates {
        past.receive.push(level(receive, past.scale));
        past.transmit.push(level(transmit, past.scale));
    }
    Some(past)
}

/// A rate as a digit; whatever is more than nothing is more than 0.
fn level(rate: f64, scale: f64) -> char {
    if rate.is_nan() {
        return '.';
    }
    let level = u32::try_from(whole((rate / scale * 35.0).ceil())).unwrap_or(35);
    char::from_digit(level.min(35), 36).unwrap_or('.')
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
    let (mut waiting, idle): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|row| row.backlog > 0.0);
    let fullness = |row: &Listener| row.ratio().unwrap_or(0.0);
    waiting.sort_by(|left, right| fullness(right).total_cmp(&fullness(left)));
    waiting.extend(idle);
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
    found.sort_by(|left, right| left.address.cmp(&right.address));
    found.dedup_by(|later, first| {
        let same = later.address == first.address;
        if same {
            first.connections += later.connections;
        }
        same
    });
    found.sort_by(|left, right| right.connections.total_cmp(&left.connections));
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

    #[test]
    fn levels_are_digits_of_base_36() {
        let levels = [0.0, 0.001, 1.0, 50.0, 100.0, f64::NAN].map(|rate| level(rate, 100.0));
        assert_eq!(levels, ['0', '1', '1', 'i', 'z', '.']);
    }
}
