//! The view as JSON. The keys are promised in docs/page.md: they stay, and what was not measured is null.

use crate::exposition;
use crate::rfc3339;

use super::Past;
use super::View;
use super::read;
use super::read::SINGLES;
use super::table;
use super::table::SPECS;
use super::table::Table;

/// A JSON text as it grows. Keys are ours and need no escapes.
struct Json {
    text: Vec<u8>,
    /// Whether something stands before what comes next, so that a comma is due.
    comma: bool,
}

impl Json {
    fn key(&mut self, key: &str) {
        if self.comma {
            self.text.push(b',');
        }
        self.comma = true;
        if !key.is_empty() {
            self.text.push(b'"');
            self.text.extend_from_slice(key.as_bytes());
            self.text.extend_from_slice(b"\":");
        }
    }

    /// An object or a list, by its first byte; rows of a list have no key.
    fn open(&mut self, key: &str, bracket: u8) {
        self.key(key);
        self.text.push(bracket);
        self.comma = false;
    }

    fn close(&mut self, bracket: u8) {
        self.text.push(bracket);
        self.comma = true;
    }

    fn word(&mut self, key: &str, word: &str) {
        self.key(key);
        self.text.extend_from_slice(word.as_bytes());
    }

    fn number(&mut self, key: &str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                self.key(key);
                exposition::number(value, &mut self.text);
            }
            None => self.word(key, "null"),
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.text.push(b'"');
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x7f);
        let mut rest = text.as_bytes();
        while let Some((plain, tail)) = rest
            .iter()
            .position(special)
            .and_then(|at| rest.split_at_checked(at))
        {
            self.text.extend_from_slice(plain);
            if let Some((byte, tail)) = tail.split_first() {
                let digit = |value: u8| {
                    char::from_digit(value.into(), 16).map_or(b'0', |digit| digit as u8)
                };
                let escape = [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)];
                self.text.extend_from_slice(&escape);
                rest = tail;
            }
        }
        self.text.extend_from_slice(rest);
        self.text.push(b'"');
    }

    fn maybe(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.word(key, "null"),
        }
    }

    /// Some of the numbers that stand alone.
    fn singles(&mut self, view: &View, from: usize, to: usize) {
        let keys = SINGLES.iter().zip(view.singles);
        for ((_, key), value) in keys.take(to).skip(from) {
            self.number(key, value);
        }
    }

    fn rows(&mut self, view: &View, table: Table) {
        let Some(spec) = SPECS.get(table) else { return };
        let key = spec.list.rsplit('.').next().unwrap_or_default();
        self.open(key, b'[');
        for row in view.rows(table) {
            self.open("", b'{');
            for (place, (key, missing)) in spec.text_keys().enumerate() {
                let text = row.text(place);
                self.maybe(key, Some(text).filter(|text| !missing || !text.is_empty()));
            }
            for (place, key) in spec.number_keys().enumerate() {
                self.number(key, row.number(place));
            }
            if table == table::INTERFACES {
                self.history(row.history.as_deref());
            }
            self.close(b'}');
        }
        self.close(b']');
    }

    fn history(&mut self, past: Option<&Past>) {
        let Some(past) = past else {
            return self.word("history", "null");
        };
        self.open("history", b'{');
        self.number("peak_bytes_per_second", Some(past.peak));
        self.number("scale_bytes_per_second", Some(past.scale));
        for (key, levels) in [("receive", &past.receive), ("transmit", &past.transmit)] {
            self.text(key, str::from_utf8(levels).unwrap_or_default());
        }
        self.close(b'}');
    }

    /// An object where it was measured, else null.
    fn object(&mut self, key: &str, measured: bool) -> bool {
        if measured {
            self.open(key, b'{');
        } else {
            self.word(key, "null");
        }
        measured
    }
}

/// Writes into `room`, which is empty and kept for its memory.
pub(super) fn render(view: &View, revision: &str, room: Vec<u8>) -> Vec<u8> {
    let mut json = Json {
        text: room,
        comma: false,
    };
    json.open("", b'{');
    about(&mut json, view, revision);
    json.rows(view, table::INTERFACES);
    json.word("interfaces_left_out", &view.interfaces_left_out.to_string());
    sockets(&mut json, view);
    json.rows(view, table::POOLS);
    json.rows(view, table::RECORDS);
    collectors(&mut json, view);
    json.close(b'}');
    json.text.push(b'\n');
    json.text
}

fn about(json: &mut Json, view: &View, revision: &str) {
    let about = &view.about;
    json.text("revision", revision);
    json.text("time", &rfc3339::seconds(about.time));
    json.text("host", &about.host);
    json.text("version", &about.version);
    json.number("uptime_seconds", Some(about.uptime.as_secs_f64().floor()));
    json.number("refresh_seconds", Some(about.refresh.as_secs_f64()));
    json.open("problems", b'[');
    for problem in &view.problems {
        json.open("", b'{');
        json.text("level", problem.level.word());
        json.text("kind", problem.kind);
        json.text("text", &problem.text);
        json.close(b'}');
    }
    json.close(b']');
}

fn sockets(json: &mut Json, view: &View) {
    let states = view.rows(table::STATES);
    if json.object("tcp", !states.is_empty() || view.single(0).is_some()) {
        json.open("states", b'{');
        for row in states {
            json.number(row.text(0), row.number(0));
        }
        json.close(b'}');
        json.singles(view, 0, 2);
        json.close(b'}');
    }
    if json.object("ports", view.single(read::PORTS_USED).is_some()) {
        json.singles(view, 2, 6);
        json.rows(view, table::DESTINATIONS);
        json.close(b'}');
    }
    if view.listens {
        json.rows(view, table::LISTENERS);
    } else {
        json.word("listeners", "null");
    }
    json.word("listeners_left_out", &view.listeners_left_out.to_string());
    if json.object("peers", view.connects) {
        json.rows(view, table::INPUT);
        json.rows(view, table::OUTPUT);
        json.close(b'}');
    }
    if json.object("conntrack", view.single(read::TRACKED).is_some()) {
        json.singles(view, 6, 9);
        json.close(b'}');
    }
}

fn collectors(json: &mut Json, view: &View) {
    json.open("collectors", b'[');
    for run in &view.about.collectors {
        json.open("", b'{');
        json.text("name", run.name);
        let success = match (&run.error, run.duration) {
            (Some(_), _) => "false",
            (None, Some(_)) => "true",
            (None, None) => "null",
        };
        json.word("success", success);
        json.number(
            "duration_seconds",
            run.duration.map(|duration| duration.as_secs_f64()),
        );
        json.maybe("error", run.error.as_deref());
        json.close(b'}');
    }
    json.close(b']');
}
