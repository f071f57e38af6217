//! A scrape's batch as a [`View`]: family by family, by their names in /metrics.

use std::cmp::Ordering;

use crate::metric::Batch;
use crate::sampler::Sampler;

use super::About;
use super::View;
use super::interfaces;
use super::table;
use super::table::Row;
use super::table::Rows;
use super::table::Table;

/// The families without labels, and their keys in the JSON; without a family, what is computed.
pub(super) const SINGLES: [(&str, &str); 9] = [
    ("weir_tcp_retransmission_ratio", "retransmission_ratio"),
    ("", "retransmission_ratio_in_one_minute"),
    ("ephemeral_ports_used", "used"),
    ("ephemeral_ports_total", "total"),
    ("ephemeral_ports_usage_ratio", "usage_ratio"),
    ("weir_ephemeral_ports_reserved", "reserved"),
    ("node_nf_conntrack_entries", "entries"),
    ("node_nf_conntrack_entries_limit", "limit"),
    ("", "usage_ratio"),
];

/// Places in [`SINGLES`].
pub(super) const RETRANSMITTED: usize = 0;
pub(super) const RETRANSMITTED_IN_A_MINUTE: usize = 1;
pub(super) const PORTS_USED: usize = 2;
pub(super) const PORTS: usize = 3;
pub(super) const PORTS_RATIO: usize = 4;
const PORTS_RESERVED: usize = 5;
pub(super) const TRACKED: usize = 6;
pub(super) const TRACKED_LIMIT: usize = 7;
pub(super) const TRACKED_RATIO: usize = 8;

/// The most peers that are shown in each direction.
const PEERS: usize = 10;

pub(super) fn view(about: About, batch: &Batch, sampler: &Sampler) -> View {
    let rows = |table: Table| Rows::read(table, batch).map_or_else(Vec::new, |rows| rows.rows);
    let (interfaces, interfaces_left_out) = interfaces::read(batch, sampler);
    let mut singles = SINGLES.map(|(family, _)| value(batch, family));
    let minute = sampler.retransmissions();
    let of = |place: usize| singles.get(place).copied().flatten();
    let ratio = of(TRACKED).zip(of(TRACKED_LIMIT).filter(|limit| *limit > 0.0));
    let available = of(PORTS).unwrap_or(0.0) - of(PORTS_RESERVED).unwrap_or(0.0);
    for (place, value) in [
        (RETRANSMITTED_IN_A_MINUTE, minute.map(|(ratio, _)| ratio)),
        (TRACKED_RATIO, ratio.map(|(entries, limit)| entries / limit)),
    ] {
        if let Some(single) = singles.get_mut(place) {
            *single = value;
        }
    }
    let mut destinations = rows(table::DESTINATIONS);
    for row in &mut destinations {
        row.set(1, Some(available));
        row.ratio(0, 1, 2);
    }
    let mut states = rows(table::STATES);
    states.retain(|row| !row.text(0).ends_with("_bytes"));
    let mut pools = rows(table::POOLS);
    // What is in no pool, where nothing is outside of the pools.
    pools.retain(|row| !row.text(0).is_empty() || row.number(0).unwrap_or(0.0) > 0.0);
    let (mut listens, mut left_out) = (false, 0.0);
    each(batch, "weir_source_info", &mut |labels, _| {
        listens |= label(labels, "collector") == "listeners" && label(labels, "source") != "absent";
    });
    each(batch, "weir_series_left_out", &mut |labels, count| {
        if label(labels, "collector") == "listeners" {
            left_out = count;
        }
    });
    let mut unread = Vec::new();
    each(batch, "weir_dhcp_success", &mut |labels, value| {
        if value == 0.0 {
            unread.push(label(labels, "server"));
        }
    });
    let listeners = listeners(rows(table::LISTENERS));
    View {
        about,
        problems: Vec::new(),
        listens: listens || !listeners.is_empty(),
        connects: value(batch, "weir_connections").is_some(),
        tables: [
            interfaces,
            states,
            destinations,
            listeners,
            largest(rows(table::INPUT)),
            largest(rows(table::OUTPUT)),
            pools,
            records(batch),
        ],
        singles,
        interfaces_left_out,
        listeners_left_out: usize::try_from(whole(left_out)).unwrap_or(usize::MAX),
        retransmitted: minute.map_or(0.0, |(_, count)| count),
        unread,
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

/// Those on which somebody waits come first, the fuller ones before others.
fn listeners(rows: Vec<Row>) -> Vec<Row> {
    let mut sorted: Vec<Row> = Vec::with_capacity(rows.len());
    let fullness = |row: &Row| row.number(2).unwrap_or(0.0);
    let waiting = |row: &Row| row.number(0) > Some(0.0);
    let mut count = 0;
    for mut row in rows {
        row.ratio(0, 1, 2);
        let mut at = sorted.len();
        if waiting(&row) {
            let before = sorted.iter().take(count);
            at = before
                .take_while(|other| fullness(other) >= fullness(&row))
                .count();
            count += 1;
        }
        sorted.insert(at, row);
    }
    sorted
}

/// The peers with the most connections, whatever the local address.
fn largest(mut rows: Vec<Row>) -> Vec<Row> {
    // One sort serves both orders.
    let sort =
        |rows: &mut Vec<Row>, order: fn(&Row, &Row) -> Ordering| rows.sort_unstable_by(order);
    sort(&mut rows, |left, right| left.text(0).cmp(right.text(0)));
    rows.dedup_by(|later, first| {
        let same = later.text(0) == first.text(0);
        if same {
            first.add(0, later.number(0).unwrap_or(0.0));
        }
        same
    });
    sort(&mut rows, |left, right| {
        let [left_count, right_count] = [left, right].map(|row| row.number(0).unwrap_or(0.0));
        let more = right_count.total_cmp(&left_count);
        more.then_with(|| left.text(0).cmp(right.text(0)))
    });
    rows.truncate(PEERS);
    rows
}

fn records(batch: &Batch) -> Vec<Row> {
    let Some(mut rows) = Rows::read(table::RECORDS, batch) else {
        return Vec::new();
    };
    each(batch, "weir_dns_record_status", &mut |labels, value| {
        if value == 1.0 {
            rows.of(labels, &mut |row| row.tell(2, label(labels, "reason")));
        }
    });
    rows.rows
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
