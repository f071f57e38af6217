//! The view as JSON. The keys are promised in docs/page.md: they stay, and what was not measured is null.

use crate::exposition;
use crate::rfc3339;

use super::Interface;
use super::Past;
use super::Peer;
use super::Use;
use super::View;
use super::interfaces;

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

    fn usage(&mut self, used: &str, limit: &str, found: Use) {
        self.number(used, Some(found.used));
        self.number(limit, Some(found.limit));
        self.number("usage_ratio", found.ratio());
    }
}

pub(super) fn render(view: &View, revision: &str) -> String {
    let mut json = Json {
        text: Vec::with_capacity(16 << 10),
        comma: false,
    };
    json.open("", b'{');
    about(&mut json, view, revision);
    interfaces(&mut json, view);
    sockets(&mut json, view);
    services(&mut json, view);
    collectors(&mut json, view);
    json.close(b'}');
    json.text.push(b'\n');
    String::from_utf8(json.text).unwrap_or_default()
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

fn interfaces(json: &mut Json, view: &View) {
    json.open("interfaces", b'[');
    for row in &view.interfaces {
        interface(json, row);
    }
    json.close(b']');
    json.word("interfaces_left_out", &view.interfaces_left_out.to_string());
}

fn interface(json: &mut Json, row: &Interface) {
    json.open("", b'{');
    json.text("name", &row.name);
    json.maybe("state", row.state.as_deref());
    for ((_, key), value) in interfaces::NUMBERS.iter().zip(row.numbers) {
        json.number(key, value);
    }
    let lost = |of: fn(&Past) -> f64| row.history.as_ref().map(of);
    json.number("errors", row.sum(interfaces::ERRORS));
    json.number("drops", row.sum(interfaces::DROPS));
    json.number("errors_in_ten_minutes", lost(|past| past.errors));
    json.number("drops_in_ten_minutes", lost(|past| past.drops));
    match &row.history {
        None => json.word("history", "null"),
        Some(past) => {
            json.open("history", b'{');
            json.number("peak_bytes_per_second", Some(past.peak));
            json.number("scale_bytes_per_second", Some(past.scale));
            json.text("receive", &past.receive);
            json.text("transmit", &past.transmit);
            json.close(b'}');
        }
    }
    json.close(b'}');
}

fn sockets(json: &mut Json, view: &View) {
    match &view.tcp {
        None => json.word("tcp", "null"),
        Some(tcp) => {
            json.open("tcp", b'{');
            json.open("states", b'{');
            for (state, count) in &tcp.states {
                json.number(state, Some(*count));
            }
            json.close(b'}');
            json.number("retransmission_ratio", tcp.retransmission_ratio);
            json.number(
                "retransmission_ratio_in_one_minute",
                tcp.minute.map(|(ratio, _)| ratio),
            );
            json.close(b'}');
        }
    }
    match &view.ports {
        None => json.word("ports", "null"),
        Some(ports) => {
            json.open("ports", b'{');
            json.usage("used", "total", ports.all);
            json.number("reserved", Some(ports.reserved));
            json.open("destinations", b'[');
            for row in &ports.destinations {
                json.open("", b'{');
                json.text("source", &row.source);
                json.text("address", &row.address);
                json.text("port", &row.port);
                json.usage("used", "available", row.ports);
                json.close(b'}');
            }
            json.close(b']');
            json.close(b'}');
        }
    }
    match &view.listeners {
        None => json.word("listeners", "null"),
        Some(rows) => {
            json.open("listeners", b'[');
            for row in rows {
                json.open("", b'{');
                json.text("address", &row.address);
                json.text("port", &row.port);
                json.number("backlog", Some(row.backlog));
                json.number("limit", row.limit);
                json.number("usage_ratio", row.ratio());
                json.close(b'}');
            }
            json.close(b']');
        }
    }
    json.word("listeners_left_out", &view.listeners_left_out.to_string());
}

fn services(json: &mut Json, view: &View) {
    match &view.peers {
        None => json.word("peers", "null"),
        Some(peers) => {
            json.open("peers", b'{');
            list(json, "input", &peers.input);
            list(json, "output", &peers.output);
            json.close(b'}');
        }
    }
    match view.conntrack {
        None => json.word("conntrack", "null"),
        Some(found) => {
            json.open("conntrack", b'{');
            json.usage("entries", "limit", found);
            json.close(b'}');
        }
    }
    json.open("dhcp", b'[');
    for row in &view.dhcp {
        json.open("", b'{');
        json.text("server", &row.server);
        json.text("pool", &row.pool);
        json.number("leases", Some(row.leases));
        json.number("addresses", row.addresses);
        json.number("usage_ratio", row.ratio);
        json.close(b'}');
    }
    json.close(b']');
    json.open("dns", b'[');
    for row in &view.dns {
        json.open("", b'{');
        json.text("name", &row.name);
        json.text("type", &row.kind);
        json.word("valid", if row.valid { "true" } else { "false" });
        json.maybe("reason", row.reason.as_deref());
        json.number("ttl_seconds", row.ttl);
        json.close(b'}');
    }
    json.close(b']');
}

fn list(json: &mut Json, key: &str, peers: &[Peer]) {
    json.open(key, b'[');
    for row in peers {
        json.open("", b'{');
        json.text("address", &row.address);
        json.text("name", &row.name);
        json.number("connections", Some(row.connections));
        json.close(b'}');
    }
    json.close(b']');
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
