//! Rows: what the families of one kind say of one thing. The tables below say which families and labels those are, and what
//! they are called in the JSON; reading them and writing them is the same for all.

use super::Past;
use super::read::Families;
use super::read::add_label;
use super::read::add_plain;
use super::read::label;

/// A table of rows.
pub(super) struct Spec {
    /// Where it stands in the JSON.
    pub(super) list: &'static str,
    /// The labels that tell rows apart, and their keys in the JSON.
    labels: &'static [(&'static str, &'static str)],
    /// The keys of what is told of a row besides, in words.
    words: &'static [&'static str],
    /// Families and the keys of their values; without a family, what is computed.
    numbers: &'static [(&'static str, &'static str)],
}

/// A table's place in [`SPECS`].
pub(super) type Table = usize;

pub(super) const INTERFACES: Table = 0;
pub(super) const STATES: Table = 1;
pub(super) const DESTINATIONS: Table = 2;
pub(super) const LISTENERS: Table = 3;
pub(super) const INPUT: Table = 4;
pub(super) const OUTPUT: Table = 5;
pub(super) const POOLS: Table = 6;
pub(super) const RECORDS: Table = 7;

/// The most labels and words that a row has.
const TEXTS: usize = 3;

/// Leases that are over or in the way, which nobody holds.
const NOT_HELD: [&str; 2] = ["expired", "declined"];

pub(super) static SPECS: [Spec; 8] = [
    Spec {
        list: "interfaces",
        labels: &[("device", "name")],
        words: &["state"],
        // What every device has comes first: in that order they stand.
        numbers: &[
            ("node_network_receive_bytes_total", "receive_bytes"),
            ("node_network_transmit_bytes_total", "transmit_bytes"),
            (
                "weir_network_receive_bytes_per_second",
                "receive_bytes_per_second",
            ),
            (
                "weir_network_transmit_bytes_per_second",
                "transmit_bytes_per_second",
            ),
            ("node_network_receive_errs_total", "receive_errors"),
            ("node_network_transmit_errs_total", "transmit_errors"),
            ("node_network_receive_drop_total", "receive_drops"),
            ("node_network_transmit_drop_total", "transmit_drops"),
            ("node_network_speed_bytes", "speed_bytes_per_second"),
            ("node_network_mtu_bytes", "mtu_bytes"),
            ("node_network_flags", "flags"),
            ("node_network_carrier", "carrier"),
            (
                "node_network_carrier_up_changes_total",
                "carrier_up_changes",
            ),
            ("", "errors"),
            ("", "drops"),
            ("", "errors_in_ten_minutes"),
            ("", "drops_in_ten_minutes"),
        ],
    },
    Spec {
        list: "tcp.states",
        labels: &[("state", "")],
        words: &[],
        numbers: &[("node_tcp_connection_states", "")],
    },
    Spec {
        list: "ports.destinations",
        labels: &[
            ("dest_ip", "address"),
            ("dest_port", "port"),
            ("src_ip", "source"),
        ],
        words: &[],
        numbers: &[
            ("weir_ephemeral_ports_destination_used", "used"),
            ("", "available"),
            ("", "usage_ratio"),
        ],
    },
    Spec {
        list: "listeners",
        labels: &[("address", "address"), ("port", "port")],
        words: &[],
        numbers: &[
            ("weir_listener_backlog", "backlog"),
            ("weir_listener_backlog_limit", "limit"),
            ("", "usage_ratio"),
        ],
    },
    Spec {
        list: "peers.input",
        labels: &[("src_ip", "address"), ("peer_hostname", "name")],
        words: &[],
        numbers: &[("network_connections_input_total", "connections")],
    },
    Spec {
        list: "peers.output",
        labels: &[("dest_ip", "address"), ("peer_hostname", "name")],
        words: &[],
        numbers: &[("network_connections_output_total", "connections")],
    },
    Spec {
        list: "dhcp",
        labels: &[("pool", "pool"), ("server", "server")],
        words: &[],
        numbers: &[
            ("weir_dhcp_leases", "leases"),
            ("weir_dhcp_pool_addresses", "addresses"),
            ("weir_dhcp_pool_usage_ratio", "usage_ratio"),
        ],
    },
    Spec {
        list: "dns",
        labels: &[("name", "name"), ("type", "type")],
        words: &["reason"],
        numbers: &[
            ("weir_dns_record_valid", "valid"),
            ("weir_dns_record_ttl_seconds", "ttl_seconds"),
        ],
    },
];

impl Spec {
    /// The keys of the JSON, each list in the order of a row's parts; of words whether they may be missing.
    pub(super) fn text_keys(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let labels = self.labels.iter().map(|(_, key)| (*key, false));
        labels.chain(self.words.iter().map(|key| (*key, true)))
    }

    pub(super) fn number_keys(&self) -> impl Iterator<Item = &'static str> {
        self.numbers.iter().map(|(_, key)| *key)
    }
}

/// What is known of one thing.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Labels, then words; empty where there is none.
    texts: [String; TEXTS],
    numbers: Vec<Option<f64>>,
    /// The last ten minutes of a device.
    pub(super) history: Option<Box<Past>>,
}

impl Row {
    /// Becomes a row of which nothing but its labels is known.
    fn begin(&mut self, spec: &Spec, labels: &str) {
        for (place, text) in self.texts.iter_mut().enumerate() {
            text.clear();
            if let Some((name, _)) = spec.labels.get(place) {
                add_label(labels, name, text);
            }
        }
        self.numbers.clear();
        self.numbers.resize(spec.numbers.len(), None);
    }

    pub(super) fn text(&self, place: usize) -> &str {
        self.texts.get(place).map_or("", String::as_str)
    }

    pub(super) fn number(&self, place: usize) -> Option<f64> {
        self.numbers.get(place).copied().flatten()
    }

    /// Gives it a word, escaped as a label's value is.
    pub(super) fn tell(&mut self, place: usize, escaped: &str) {
        if let Some(found) = self.texts.get_mut(place) {
            found.clear();
            add_plain(escaped, found);
        }
    }

    pub(super) fn set(&mut self, place: usize, value: Option<f64>) {
        if let Some(found) = self.numbers.get_mut(place) {
            *found = value;
        }
    }

    /// Adds to a number, or begins it.
    pub(super) fn add(&mut self, place: usize, value: f64) {
        self.set(place, Some(self.number(place).unwrap_or(0.0) + value));
    }

    /// What a number is of another; where that is more than nothing.
    pub(super) fn ratio(&mut self, used: usize, limit: usize, ratio: usize) {
        let limit = self.number(limit).filter(|limit| *limit > 0.0);
        let found = self.number(used).zip(limit);
        self.set(ratio, found.map(|(used, limit)| used / limit));
    }
}

/// Rows while they are read. Families list them in nearly the same order, so that each is found where the last search ended.
pub(super) struct Rows<'a> {
    spec: &'static Spec,
    /// Behind those that are told of are rows of the last view, which become new ones.
    rows: &'a mut Vec<Row>,
    told: usize,
    next: usize,
    /// Whether the family that is read is the first one that anything is told by.
    first: bool,
}

impl<'a> Rows<'a> {
    /// Reads a table into the memory of the last one.
    pub(super) fn read(table: Table, families: &Families<'_>, rows: &'a mut Vec<Row>) {
        Self::read_with(table, families, rows, |_| {});
    }

    /// The same, and then what `more` reads.
    pub(super) fn read_with(
        table: Table,
        families: &Families<'_>,
        rows: &'a mut Vec<Row>,
        more: impl FnOnce(&mut Self),
    ) {
        let Some(spec) = SPECS.get(table) else { return };
        let mut rows = Self {
            spec,
            rows,
            told: 0,
            next: 0,
            first: true,
        };
        for (place, (family, _)) in spec.numbers.iter().enumerate() {
            rows.first = rows.told == 0;
            families.each(family, &mut |labels, value| {
                if table != POOLS || !NOT_HELD.contains(&label(labels, "state").as_str()) {
                    rows.of(labels, &mut |row| row.add(place, value));
                }
            });
        }
        rows.first = rows.told == 0;
        more(&mut rows);
        rows.rows.truncate(rows.told);
    }

    /// Changes the row of these labels, a new one where there is none.
    pub(super) fn of(&mut self, labels: &str, change: &mut dyn FnMut(&mut Row)) {
        let at = self.next(labels).unwrap_or_else(|| self.search(labels));
        self.next = at + 1;
        if let Some(row) = self.rows.get_mut(at) {
            change(row);
        }
    }

    /// The row behind the last one, if that is it and one label tells it. Nothing is copied for that.
    fn next(&self, labels: &str) -> Option<usize> {
        let [(name, _)] = self.spec.labels else {
            return None;
        };
        let at = if self.next < self.told { self.next } else { 0 };
        let text = self.told().get(at)?.text(0);
        let rest = labels.strip_prefix('{')?.strip_prefix(name)?;
        let rest = rest.strip_prefix("=\"")?.strip_prefix(text)?;
        // Behind a backslash a quotation mark is none.
        let ends = rest.starts_with("\"}") || rest.starts_with("\",");
        (ends && !text.contains('\\')).then_some(at)
    }

    fn told(&self) -> &[Row] {
        self.rows.get(..self.told).unwrap_or_default()
    }

    fn search(&mut self, labels: &str) -> usize {
        let new = self.told;
        if self.rows.len() == new {
            self.rows.push(Row::default());
        }
        if let Some(row) = self.rows.get_mut(new) {
            row.begin(self.spec, labels);
        }
        // Of one family no two are alike, and there may be thousands.
        let alone = self.spec.numbers.len() == 1 || self.first && self.spec.labels.len() == 1;
        let found = if alone { None } else { self.find() };
        found.unwrap_or_else(|| {
            self.told += 1;
            new
        })
    }

    /// The row that has the texts of the one behind the last.
    fn find(&self) -> Option<usize> {
        let wanted = self.rows.get(self.told)?;
        let labels = self.spec.labels.len();
        let same = |row: &Row| {
            row.texts
                .iter()
                .zip(&wanted.texts)
                .take(labels)
                .all(|(row, wanted)| row == wanted)
        };
        let (before, behind) = self.told().split_at_checked(self.next)?;
        let behind = behind.iter().position(same).map(|at| at + self.next);
        behind.or_else(|| before.iter().position(same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Batch;
    use crate::metric::Desc;

    static BYTES: Desc = Desc::gauge("node_network_receive_bytes_total", &["device"], "Bytes.");
    static FLAGS: Desc = Desc::gauge("node_network_flags", &["device"], "Flags.");

    #[test]
    fn a_row_has_room_for_its_words() {
        for spec in &SPECS {
            let count = spec.labels.len() + spec.words.len();
            assert!((1..=TEXTS).contains(&count), "{}", spec.list);
        }
    }

    #[test]
    fn rows_are_found_whatever_their_names_and_order() {
        let names = ["a\\", "a", "b\"}", "a\",", "a\\\"}x", "", "b"];
        let mut batch = Batch::default();
        let mut push = |desc, name: &str, value: usize| {
            let labels = batch.labels(&[("device", name)]);
            batch.push(desc, labels, f64::from(u32::try_from(value).unwrap()));
        };
        for (value, name) in names.iter().enumerate() {
            push(&BYTES, name, value);
        }
        for (value, name) in names.iter().enumerate().rev() {
            push(&FLAGS, name, value);
        }
        push(&FLAGS, "late", 9);
        let mut rows = Vec::new();
        Rows::read(INTERFACES, &Families::new(&batch), &mut rows);
        for (place, (row, name)) in rows.iter().zip(names).enumerate() {
            let value = Some(f64::from(u32::try_from(place).unwrap()));
            assert_eq!(
                (row.text(0), row.number(0), row.number(10)),
                (name, value, value)
            );
        }
        let late = &rows[names.len()];
        assert_eq!(
            (late.text(0), late.number(0), late.number(10)),
            ("late", None, Some(9.0))
        );
    }
}
