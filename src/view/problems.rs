//! What is wrong, in words. Thresholds and levels are those of the alert rules (deploy/prometheus), so that who is called by an
//! alert finds it on the page; rules wait some minutes first, and the page tells at once. docs/page.md has them as a table.

use super::View;
use super::endpoint;
use super::interfaces;
use super::read;
use super::table;
use super::units::Unit;

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
    let mut never = String::new();
    let mut have = " is configured up and has no carrier.";
    for device in view.rows(table::INTERFACES) {
        let name = device.text(interfaces::NAME);
        let errors = device.number(interfaces::RECENT_ERRORS).unwrap_or(0.0);
        if errors > 0.0 {
            let count = Unit::Count.text(errors);
            let words = if count == "1" { " error" } else { " errors" };
            let words = [name, ": ", &count, words, " in the last ten minutes."];
            push(found, Level::Warning, "errors", &words);
        }
        let lost = device.text(interfaces::STATE) == interfaces::CARRIER_LOST;
        if !lost || view.about.bridges.iter().any(|bridge| bridge == name) {
            continue;
        }
        if device.number(interfaces::CARRIER_UPS) == Some(0.0) {
            if !never.is_empty() {
                never.push_str(", ");
                have = " are configured up and have no carrier.";
            }
            never.push_str(name);
        } else {
            let words = [name, " is configured up and has lost its carrier."];
            push(found, Level::Critical, "carrier", &words);
        }
    }
    if !never.is_empty() {
        push(found, Level::Note, "carrier", &[&never, have]);
    }
}

fn queues(view: &View, found: &mut Vec<Problem>) {
    for row in view.rows(table::LISTENERS) {
        let (backlog, limit) = (row.number(0), row.number(1));
        let Some(ratio) = row.number(2).filter(|ratio| *ratio >= BACKLOG) else {
            continue;
        };
        let (level, word) = if ratio >= 1.0 {
            (Level::Critical, " is full: ")
        } else {
            (Level::Warning, " is nearly full: ")
        };
        let name = endpoint(row.text(0), row.text(1));
        let [backlog, limit] = [backlog, limit].map(|count| Unit::Count.text(count.unwrap_or(0.0)));
        let words = [
            "The accept queue of ",
            &name,
            word,
            &backlog,
            " connections wait, ",
            &limit,
            " may.",
        ];
        push(found, level, "backlog", &words);
    }
    let minute = view.single(read::RETRANSMITTED_IN_A_MINUTE);
    let minute = minute.filter(|ratio| *ratio > RETRANSMISSIONS);
    if let Some(ratio) = minute.filter(|_| view.retransmitted >= RETRANSMITTED) {
        let words = [
            &Unit::Percent.text(ratio),
            " of the TCP segments of the last minute were sent again.",
        ];
        push(found, Level::Warning, "retransmissions", &words);
    }
}

fn supplies(view: &View, found: &mut Vec<Problem>) {
    let mut push = |level, kind, ratio: Option<f64>, limit: f64, words: [&str; 5]| {
        if let Some(ratio) = ratio.filter(|ratio| *ratio > limit) {
            let [a, b, c, d, e] = words;
            push(
                found,
                level,
                kind,
                &[
                    a,
                    b,
                    c,
                    d,
                    e,
                    ": ",
                    &Unit::Percent.text(ratio),
                    " are in use.",
                ],
            );
        }
    };
    for row in view.rows(table::DESTINATIONS) {
        let to = endpoint(row.text(0), row.text(1));
        let words = ["Local ports from ", row.text(2), " to ", &to, " run out"];
        push(Level::Critical, "ports", row.number(2), PORTS, words);
    }
    let words = ["The connection tracker's table fills up", "", "", "", ""];
    push(
        Level::Critical,
        "conntrack",
        view.single(read::TRACKED_RATIO),
        CONNTRACK,
        words,
    );
    for row in view.rows(table::POOLS) {
        let words = [
            "Addresses of the DHCP pool ",
            row.text(0),
            " (",
            row.text(1),
            ") run out",
        ];
        push(Level::Warning, "pool", row.number(2), POOL, words);
    }
}

fn names(view: &View, found: &mut Vec<Problem>) {
    for server in &view.unread {
        let words = [
            "The lease files of the DHCP server ",
            server,
            " cannot be read.",
        ];
        push(found, Level::Warning, "dhcp", &words);
    }
    for row in view.rows(table::RECORDS) {
        if row.number(0) == Some(0.0) {
            let words = [
                "The DNS record ",
                row.text(0),
                " ",
                row.text(1),
                " is not as it should be: ",
                row.text(2),
                ".",
            ];
            push(found, Level::Critical, "dns", &words);
        }
    }
}
