//! What is wrong, in words. Thresholds and levels are those of the alert rules (deploy/prometheus), so that who is called by an
//! alert finds it on the page; rules wait some minutes first, and the page tells at once. docs/page.md has them as a table.

use super::View;
use super::interfaces::CARRIER_LOST;
use super::units;

/// Accept queues, as a share of their limit.
pub(super) const BACKLOG: f64 = 0.8;
/// Ephemeral ports to one destination, as a share of those that there are.
pub(super) const PORTS: f64 = 0.8;
/// Entries of the connection tracker, as a share of their limit.
pub(super) const CONNTRACK: f64 = 0.8;
/// A DHCP pool's addresses.
pub(super) const POOL: f64 = 0.9;
/// TCP segments that were sent again, as a share of those sent in the last minute;
pub(super) const RETRANSMISSIONS: f64 = 0.05;
/// and the least number of them that is worth a word.
const RETRANSMITTED: f64 = 10.0;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work, or soon will not.
    Critical,
    /// It should be looked at.
    Warning,
    /// It may well be meant.
    Note,
}

impl Level {
    /// The word in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// Of what kind: a word for the JSON.
    pub kind: &'static str,
    /// A sentence.
    pub text: String,
}

/// All that is wrong, the worst first.
pub(super) fn of(view: &View) -> Vec<Problem> {
    let mut found = Vec::new();
    collectors(view, &mut found);
    links(view, &mut found);
    queues(view, &mut found);
    supplies(view, &mut found);
    names(view, &mut found);
    found
}

fn push(found: &mut Vec<Problem>, level: Level, kind: &'static str, words: &[&str]) {
    let text = words.concat();
    let worse = found.iter().take_while(|problem| problem.level <= level);
    found.insert(worse.count(), Problem { level, kind, text });
}

fn collectors(view: &View, found: &mut Vec<Problem>) {
    for run in &view.about.collectors {
        if let Some(error) = &run.error {
            push(
                found,
                Level::Warning,
                "collector",
                &["The collector ", run.name, " fails: ", error],
            );
        }
    }
}

fn links(view: &View, found: &mut Vec<Problem>) {
    let mut never = Vec::new();
    for device in &view.interfaces {
        let errors = device.history.as_ref().map_or(0.0, |past| past.errors);
        if errors > 0.0 {
            let count = units::count(errors);
            let errors = if count == "1" { " error" } else { " errors" };
            push(
                found,
                Level::Warning,
                "errors",
                &[
                    &device.name,
                    ": ",
                    &count,
                    errors,
                    " in the last ten minutes.",
                ],
            );
        }
        if device.state.as_deref() != Some(CARRIER_LOST)
            || view.about.bridges.contains(&device.name)
        {
            continue;
        }
        if device.had_carrier == Some(false) {
            never.push(device.name.as_str());
        } else {
            push(
                found,
                Level::Critical,
                "carrier",
                &[&device.name, " is configured up and has lost its carrier."],
            );
        }
    }
    let have = match never.len() {
        0 => return,
        1 => " is configured up and has no carrier.",
        _ => " are configured up and have no carrier.",
    };
    push(found, Level::Note, "carrier", &[&never.join(", "), have]);
}

fn queues(view: &View, found: &mut Vec<Problem>) {
    for listener in view.listeners.iter().flatten() {
        let (Some(limit), Some(ratio)) = (listener.limit, listener.ratio()) else {
            continue;
        };
        let full = ratio >= 1.0;
        if !full && ratio < BACKLOG {
            continue;
        }
        let (level, word) = if full {
            (Level::Critical, "full")
        } else {
            (Level::Warning, "nearly full")
        };
        let counts = [listener.backlog, limit].map(units::count);
        let [backlog, limit] = &counts;
        push(
            found,
            level,
            "backlog",
            &[
                "The accept queue of ",
                &listener.name(),
                " is ",
                word,
                ": ",
                backlog,
                " connections wait, ",
                limit,
                " may.",
            ],
        );
    }
    let minute = view.tcp.as_ref().and_then(|tcp| tcp.minute);
    let minute =
        minute.filter(|(ratio, again)| *ratio > RETRANSMISSIONS && *again >= RETRANSMITTED);
    if let Some((ratio, _)) = minute {
        let share = units::percent(ratio);
        push(
            found,
            Level::Warning,
            "retransmissions",
            &[
                &share,
                " of the TCP segments of the last minute were sent again.",
            ],
        );
    }
}

fn supplies(view: &View, found: &mut Vec<Problem>) {
    let mut push = |level, kind, ratio: Option<f64>, limit: f64, words: &[&str]| {
        if let Some(ratio) = ratio.filter(|ratio| *ratio > limit) {
            let share = units::percent(ratio);
            push(
                found,
                level,
                kind,
                &[&words.concat(), ": ", &share, " are in use."],
            );
        }
    };
    for destination in view.ports.iter().flat_map(|ports| &ports.destinations) {
        let to = super::endpoint(&destination.address, &destination.port);
        push(
            Level::Critical,
            "ports",
            destination.ports.ratio(),
            PORTS,
            &[
                "Local ports from ",
                &destination.source,
                " to ",
                &to,
                " run out",
            ],
        );
    }
    if let Some(conntrack) = view.conntrack {
        push(
            Level::Critical,
            "conntrack",
            conntrack.ratio(),
            CONNTRACK,
            &["The connection tracker's table fills up"],
        );
    }
    for pool in &view.dhcp {
        push(
            Level::Warning,
            "pool",
            pool.ratio,
            POOL,
            &[
                "Addresses of the DHCP pool ",
                &pool.pool,
                " (",
                &pool.server,
                ") run out",
            ],
        );
    }
}

fn names(view: &View, found: &mut Vec<Problem>) {
    for server in &view.unread {
        push(
            found,
            Level::Warning,
            "dhcp",
            &[
                "The lease files of the DHCP server ",
                server,
                " cannot be read.",
            ],
        );
    }
    for record in view.dns.iter().filter(|record| !record.valid) {
        let reason = record
            .reason
            .as_deref()
            .unwrap_or("unknown")
            .replace('_', " ");
        push(
            found,
            Level::Critical,
            "dns",
            &[
                "The DNS record ",
                &record.name,
                " ",
                &record.kind,
                " is not as it should be: ",
                &reason,
                ".",
            ],
        );
    }
}
