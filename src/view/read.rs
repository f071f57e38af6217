//! A scrape's batch as a [`View`]: family by family, by their names in /metrics.

use std::cmp::Ordering;

use crate::metric::Batch;
use crate::metric::Sample;
use crate::sampler::Sampler;

use super::View;
use super::interfaces;
use super::table::Row;
use super::table::Rows;

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
pub(super) const TRACKED_RATIO: usize = SINGLES.len() - 1;

/// The most peers that are shown in each direction.
const PEERS: usize = 10;

/// A batch whose families are looked up one after the other.
pub(super) struct Families<'a> {
    batch: &'a Batch,
    by_family: Vec<&'a Sample>,
}

/// Fills an empty view.
pub(super) fn fill(view: &mut View, batch: &Batch, sampler: &Sampler) {
    let families = &Families::new(batch);
    // One after the other and in place: a view that is put together from its parts is a tenth of the page's code.
    for (table, rows) in view.tables.iter_mut().enumerate().skip(1) {
        Rows::read(table, families, rows);
    }
    for (single, (family, _)) in view.singles.iter_mut().zip(SINGLES) {
        *single = families.value(family);
    }
    let minute = sampler.retransmissions();
    view.retransmitted = minute.map_or(0.0, |(_, count)| count);
    let limit = view.single(TRACKED_LIMIT).filter(|limit| *limit > 0.0);
    let tracked = view.single(TRACKED).zip(limit);
    let available = view.single(PORTS).unwrap_or(0.0) - view.single(PORTS_RESERVED).unwrap_or(0.0);
    let [_, in_a_minute, .., ratio] = &mut view.singles;
    *in_a_minute = minute.map(|(ratio, _)| ratio);
    *ratio = tracked.map(|(entries, limit)| entries / limit);
    let [
        devices,
        states,
        destinations,
        waiting,
        input,
        output,
        pools,
        records,
    ] = &mut view.tables;
    view.interfaces_left_out = interfaces::read(devices, families, sampler);
    for row in destinations {
        row.set(1, Some(available));
        row.ratio(0, 1, 2);
    }
    states.retain(|row| !row.text(0).ends_with("_bytes"));
    // What is in no pool, where nothing is outside of the pools.
    pools.retain(|row| !row.text(0).is_empty() || row.number(0).unwrap_or(0.0) > 0.0);
    sort_listeners(waiting);
    for peers in [input, output] {
        keep_largest(peers);
    }
    reasons(records, families);
    view.connects = families.value("weir_connections").is_some();
    view.listens = !waiting.is_empty();
    families.each("weir_source_info", &mut |labels, _| {
        view.listens |=
            label(labels, "collector") == "listeners" && label(labels, "source") != "absent";
    });
    families.each("weir_series_left_out", &mut |labels, count| {
        if label(labels, "collector") == "listeners" {
            view.listeners_left_out = usize::try_from(whole(count)).unwrap_or(usize::MAX);
        }
    });
    families.each("weir_dhcp_success", &mut |labels, value| {
        if value == 0.0 {
            view.unread.push(label(labels, "server"));
        }
    });
}

impl<'a> Families<'a> {
    pub(super) fn new(batch: &'a Batch) -> Self {
        Self {
            batch,
            by_family: batch.by_family(),
        }
    }

    /// Gives each sample of a family, its labels as they stand in the text format.
    pub(super) fn each(&self, family: &str, take: &mut dyn FnMut(&str, f64)) {
        let mut families = self.batch.families().iter();
        let place = families.position(|found| found.name == family);
        let Some(place) = place.and_then(|place| u32::try_from(place).ok()) else {
            return;
        };
        let first = self
            .by_family
            .partition_point(|sample| sample.family < place);
        let samples = self.by_family.iter().skip(first);
        for sample in samples.take_while(|sample| sample.family == place) {
            take(self.batch.label_text(sample.labels), sample.value);
        }
    }

    /// The value of a family without labels.
    fn value(&self, family: &str) -> Option<f64> {
        let mut found = None;
        self.each(family, &mut |_, value| found = Some(value));
        found
    }
}

/// The value of a label in `{a="x",b="y"}`; empty where there is no such label.
pub(super) fn label(labels: &str, wanted: &str) -> String {
    let mut text = String::new();
    add_label(labels, wanted, &mut text);
    text
}

/// Appends the value of a label.
pub(super) fn add_label(labels: &str, wanted: &str, text: &mut String) {
    add_plain(escaped(labels, wanted), text);
}

/// A label's value as it stands there.
fn escaped<'a>(labels: &'a str, wanted: &str) -> &'a str {
    let found = pairs(labels).find(|(name, _)| *name == wanted);
    found.map_or("", |(_, value)| value)
}

/// Labels and their values, escaped as they stand there, as far as they can be read.
pub(super) fn pairs(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = labels.strip_prefix('{').unwrap_or(labels);
    std::iter::from_fn(move || {
        let (name, behind) = rest.split_at_checked(rest.bytes().position(|byte| byte == b'=')?)?;
        let behind = behind.strip_prefix("=\"")?;
        // Behind a backslash a quotation mark ends nothing.
        let mut escaped = false;
        let end = behind.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let (value, behind) = behind.split_at_checked(end?)?;
        rest = behind.trim_start_matches(['"', ',']);
        Some((name, value))
    })
}

/// Appends a label's value without its escapes.
pub(super) fn add_plain(mut value: &str, plain: &mut String) {
    while let Some((before, behind)) = value.split_once('\\') {
        plain.push_str(before);
        let mut rest = behind.chars();
        match rest.next() {
            Some('n') => plain.push('\n'),
            Some(other) => plain.push(other),
            None => plain.push('\\'),
        }
        value = rest.as_str();
    }
    plain.push_str(value);
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
fn sort_listeners(rows: &mut [Row]) {
    let mut count = 0;
    for at in 0..rows.len() {
        let Some(row) = rows.get_mut(at) else { return };
        row.ratio(0, 1, 2);
        if row.number(0) <= Some(0.0) {
            continue;
        }
        let fullness = row.number(2);
        let before = rows.iter().take(count);
        let place = before
            .take_while(|other| other.number(2) >= fullness)
            .count();
        if let Some(moved) = rows.get_mut(place..=at) {
            moved.rotate_right(1);
        }
        count += 1;
    }
}

/// The peers with the most connections, whatever the local address.
fn keep_largest(rows: &mut Vec<Row>) {
    // One sort serves both orders.
    let sort =
        |rows: &mut Vec<Row>, order: fn(&Row, &Row) -> Ordering| rows.sort_unstable_by(order);
    sort(rows, |left, right| left.text(0).cmp(right.text(0)));
    rows.dedup_by(|later, first| {
        let same = later.text(0) == first.text(0);
        if same {
            first.add(0, later.number(0).unwrap_or(0.0));
        }
        same
    });
    sort(rows, |left, right| {
        let [left_count, right_count] = [left, right].map(|row| row.number(0).unwrap_or(0.0));
        let more = right_count.total_cmp(&left_count);
        more.then_with(|| left.text(0).cmp(right.text(0)))
    });
    rows.truncate(PEERS);
}

/// Why records are not valid.
fn reasons(records: &mut [Row], families: &Families<'_>) {
    families.each("weir_dns_record_status", &mut |labels, value| {
        if value == 1.0 {
            let (name, kind) = (label(labels, "name"), label(labels, "type"));
            let same = |row: &&mut Row| row.text(0) == name && row.text(1) == kind;
            if let Some(row) = records.iter_mut().find(same) {
                row.tell(2, escaped(labels, "reason"));
            }
        }
    });
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
