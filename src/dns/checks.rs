//! The records of the configuration, asked for again and again by a thread of their own.
//!
//! Each record has its own time: checks begin a few milliseconds apart, and each next one comes an interval later, a tenth
//! more or less, so that a thousand records make no burst and many machines no chorus. A record's next check is set when its
//! last one has ended: a server that hangs is asked no more often for it. A record that flaps is logged once a minute.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use super::Reason;
use super::asker::Asker;
use super::asker::Done;
use super::servers::Servers;
use crate::config::dns::Dns;
use crate::config::dns::Record;
use crate::parse::printable;
use crate::probes::Probe;
use crate::seldom::LeftOut;
use crate::seldom::Seldom;

/// Upper bounds of the look-up histogram in seconds: a cache answers in a millisecond, a server across the world in some
/// hundred, and one that asks others first in some thousand.
pub const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Between the first checks of two records.
const APART: Duration = Duration::from_millis(10);

/// How long the thread waits at most before it looks whether it is to stop.
const LOOK: Duration = Duration::from_secs(2);

/// The most of an answer that is logged, in bytes.
const LOGGED: usize = 200;

/// What became of a record's last check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is not as expected; `None` where it is.
    pub reason: Option<Reason>,
    /// The least time, in seconds, that one of its records may be kept; `None` where there were none.
    pub ttl: Option<u32>,
}

/// What all checks found so far.
#[derive(Clone, Debug)]
pub struct Table {
    /// For each record of the configuration its last verdict, `None` before its first.
    pub verdicts: Vec<Option<Verdict>>,
    /// Checks that found what was expected, since the start.
    pub valid: u64,
    /// Checks that did not.
    pub invalid: u64,
    /// Look-ups that were answered, by the first of [`BUCKETS`] that holds their time; the last is for longer ones.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// The time of all of them, in seconds.
    pub sum: f64,
    /// When a check last ended.
    pub last: Option<SystemTime>,
    /// Messages that came instead of an answer, and were not believed.
    pub foreign: u64,
}

impl Table {
    fn new(records: usize) -> Self {
        Self {
            verdicts: vec![None; records],
            valid: 0,
            invalid: 0,
            buckets: [0; BUCKETS.len() + 1],
            sum: 0.0,
            last: None,
            foreign: 0,
        }
    }

    /// Whether each record was checked once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.verdicts.iter().all(Option::is_some)
    }

    fn enter(&mut self, at: usize, verdict: Verdict, answered: Option<Duration>) {
        if let Some(place) = self.verdicts.get_mut(at) {
            *place = Some(verdict);
        }
        match verdict.reason {
            None => self.valid += 1,
            Some(_) => self.invalid += 1,
        }
        if let Some(took) = answered {
            let took = took.as_secs_f64();
            let bucket = BUCKETS.iter().position(|bound| took <= *bound);
            if let Some(count) = self.buckets.get_mut(bucket.unwrap_or(BUCKETS.len())) {
                *count += 1;
            }
            self.sum += took;
        }
        self.last = Some(SystemTime::now());
    }
}

/// Starts the thread that checks the records.
///
/// # Errors
/// When the system gives no thread.
pub fn start(config: &Dns, rootfs: &Path) -> io::Result<Probe<Table>> {
    let (config, rootfs): (_, PathBuf) = (config.clone(), rootfs.to_path_buf());
    let mut checks: Option<Checks> = None;
    Probe::start("dns", Duration::ZERO, move || {
        checks
            .get_or_insert_with(|| Checks::new(&config, &rootfs))
            .step()
    })
}

struct Checks {
    records: Vec<Record>,
    names: Vec<Arc<str>>,
    /// When each record is to be checked next; `None` while it is being checked.
    due: Vec<Option<Instant>>,
    interval: Duration,
    servers: Servers,
    asker: Asker,
    table: Table,
    /// What was logged of each record.
    told: Vec<Seldom>,
}

impl Checks {
    fn new(config: &Dns, rootfs: &Path) -> Self {
        let names = config.records.iter();
        let mut due = Instant::now();
        let due = config.records.iter().map(|_| {
            let at = due;
            due += APART;
            Some(at)
        });
        Self {
            names: names.map(|record| Arc::from(&*record.question)).collect(),
            due: due.collect(),
            records: config.records.clone(),
            interval: config.interval,
            servers: Servers::new(config.resolver.as_ref(), rootfs),
            asker: Asker::new(config.timeout),
            table: Table::new(config.records.len()),
            told: vec![Seldom::default(); config.records.len()],
        }
    }

    /// Goes on until checks have ended or it is time to look around, and gives what is known then.
    fn step(&mut self) -> Table {
        let now = Instant::now();
        let until = now + LOOK;
        let mut next = until;
        let records = self.records.iter().zip(&self.names);
        for (token, ((record, name), due)) in records.zip(&mut self.due).enumerate() {
            match *due {
                Some(time) if time <= now => {
                    self.asker.ask(token, name, record.kind);
                    *due = None;
                }
                Some(time) => next = next.min(time),
                None => {}
            }
        }
        let servers = self.servers.current(now);
        for done in self.asker.turn(servers, next) {
            self.end(&done);
        }
        self.table.foreign = self.asker.foreign();
        self.table.clone()
    }

    fn end(&mut self, done: &Done) {
        let at = done.token;
        let Some(record) = self.records.get(at) else {
            return;
        };
        let reason = match &done.answer.values {
            Err(reason) => Some(*reason),
            Ok(values) => (!is_expected(record, values)).then_some(Reason::Mismatch),
        };
        let verdict = Verdict {
            reason,
            ttl: done.answer.ttl,
        };
        let before = self.table.verdicts.get(at).copied().flatten();
        // That it is valid from the start is no news.
        let changed = before.and_then(|before| before.reason) != reason;
        let seldom = self.told.get_mut(at);
        if let Some(left_out) = seldom.and_then(|seldom| seldom.tell(changed, Instant::now())) {
            tell(record, reason, done, left_out);
        }
        let answered = reason.is_none_or(Reason::was_answered);
        self.table.enter(at, verdict, answered.then_some(done.took));
        if let Some(due) = self.due.get_mut(at) {
            *due = Some(Instant::now() + spread(self.interval));
        }
    }
}

/// Whether the values are the expected ones, in any order, however often each.
fn is_expected(record: &Record, found: &[Vec<u8>]) -> bool {
    let expected: BTreeSet<&[u8]> = record.expect.iter().map(|text| text.as_bytes()).collect();
    let found: BTreeSet<&[u8]> = found.iter().map(Vec::as_slice).collect();
    expected.is_empty() || expected == found
}

/// The interval, a tenth more or less; as it is where the kernel has nothing random.
fn spread(interval: Duration) -> Duration {
    let random = super::random().map_or(0.5, |number| f64::from(number) / f64::from(u16::MAX));
    interval.mul_f64(0.9 + 0.2 * random)
}

/// One line when a record breaks, when it breaks in another way, and when it heals.
fn tell(record: &Record, reason: Option<Reason>, done: &Done, left_out: LeftOut) {
    let (name, kind) = (record.name.as_str(), record.kind.word());
    let Some(reason) = reason else {
        log::info!(name, "type" = kind; "DNS record is valid again{left_out}");
        return;
    };
    let values = done.answer.values.as_deref().unwrap_or_default();
    let found: Vec<_> = values.iter().map(|value| printable(value)).collect();
    let mut found = found.join(", ");
    let cut = (0..=LOGGED).rev().find(|at| found.is_char_boundary(*at));
    if found.len() > LOGGED {
        found.truncate(cut.unwrap_or_default());
        found.push('…');
    }
    let (reason, found) = (reason.word(), found.as_str());
    let expected = record.expect.join(", ");
    let expected = expected.as_str();
    log::warn!(name, "type" = kind, reason, expected, found; "DNS record is invalid{left_out}");
}

#[cfg(test)]
mod tests;
