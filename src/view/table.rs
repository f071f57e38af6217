//! Rows: what the families of one kind say of one thing. The tables below say which families and labels those are, and what
//! they are called in the JSON; reading them and writing them is the same for all.

use super::Past;
use super::read::Families;
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
    pub(super) fn text(&self, place: usize) -> &str {
        self.texts.get(place).map_or("", String::as_str)
    }

    pub(super) fn number(&self, place: usize) -> Option<f64> {
        self.numbers.get(place).copied().flatten()
    }

    pub(super) fn tell(&mut self, place: usize, text: String) {
        if let Some(found) = self.texts.get_mut(place) {
            *found = text;
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
pub(super) struct Rows {
    spec: &'static Spec,
    pub(super) rows: Vec<Row>,
    next: usize,
}

impl Rows {
    pub(super) fn read(table: Table, families: &Families<'_>) -> Option<Self> {
        let spec = SPECS.get(table)?;
        let mut rows = Self {
            spec,
            rows: Vec::new(),
            next: 0,
        };
        for (place, (family, _)) in spec.numbers.iter().enumerate() {
            families.each(family, &mut |labels, value| {
                if table != POOLS || !NOT_HELD.contains(&label(labels, "state").as_str()) {
                    rows.of(labels, &mut |row| row.add(place, value));
                }
            });
        }
        Some(rows)
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
        let at = if self.next < self.rows.len() {
            self.next
        } else {
            0
        };
        let text = self.rows.get(at)?.text(0);
        let rest = labels.strip_prefix('{')?.strip_prefix(name)?;
        let rest = rest.strip_prefix("=\"")?.strip_prefix(text)?;
        // Behind a backslash a quotation mark is none.
        let ends = rest.starts_with("\"}") || rest.starts_with("\",");
        (ends && !text.contains('\\')).then_some(at)
    }

    fn search(&mut self, labels: &str) -> usize {
        let names = self.spec.labels.iter();
        let mut texts: [String; TEXTS] = Default::default();
        for (text, (name, _)) in texts.iter_mut().zip(names) {
            *text = label(labels, name);
        }
        // Of one family no two are alike, and there may be thousands.
        let search = self.spec.numbers.len() > 1;
        let found = search.then(|| self.find(&texts)).flatten();
        found.unwrap_or_else(|| {
            self.rows.push(Row {
                texts,
                numbers: vec![None; self.spec.numbers.len()],
                history: None,
            });
            self.rows.len() - 1
        })
    }

    fn find(&self, texts: &[String; TEXTS]) -> Option<usize> {
        let labels = texts.iter().take(self.spec.labels.len());
        let count = self.rows.len();
        let places = (self.next..count).chain(0..self.next.min(count));
        let mut places = places.filter(|at| {
            let row = self.rows.get(*at);
            row.is_some_and(|row| labels.clone().eq(row.texts.iter().take(labels.len())))
        });
        places.next()
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
        let rows = Rows::read(INTERFACES, &Families::new(&batch)).unwrap().rows;
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
