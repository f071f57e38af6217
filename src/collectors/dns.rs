//! dns: whether DNS records hold what they should, from checks that a thread of its own makes ([`crate::dns::checks`]).
//! A scrape only reads what the last checks found. Where no records are given there is no thread, and nothing is exported.

use std::io;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::Config;
use crate::config::dns::Record;
use crate::dns::Reason;
use crate::dns::checks;
use crate::dns::checks::BUCKETS;
use crate::dns::checks::Table;
use crate::dns::checks::Verdict;
use crate::dns::reverse::Counts;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::metric::Part;
use crate::parse::float;
use crate::probes::Probe;

/// The collector's entry in the list.
pub static SPEC: Spec = Spec {
    name: "dns",
    help: "whether DNS records hold what they should, where records to check are given",
    on_by_default: true,
    families: &[
        &VALIDATIONS,
        &VALID,
        &STATUS,
        &TTL,
        &LOOKUP,
        &CHECKED,
        &FOREIGN,
        &REVERSE,
    ],
    patterns: &[],
    verdict: None,
    make: |config| Box::new(Dns::new(config)),
};

static VALIDATIONS: Desc = Desc::counter(
    "dns_record_validation_total",
    &["status"],
    "Checks of DNS records since the start, by whether the record held what was expected: valid or invalid.",
);
static VALID: Desc = Desc::gauge(
    "weir_dns_record_valid",
    &["name", "type"],
    "Whether the DNS record held what was expected when it was last checked (1) or not (0).",
);
static STATUS: Desc = Desc::gauge(
    "weir_dns_record_status",
    &["name", "type", "reason"],
    "Why the DNS record was invalid when it was last checked: 1 for the reason, 0 for all others; unasked means that no \
     question could be sent, as the log tells.",
);
static TTL: Desc = Desc::gauge(
    "weir_dns_record_ttl_seconds",
    &["name", "type"],
    "How long the DNS record may be kept, in seconds, as the resolver last said; the least of its values and of the \
     aliases that led to it. Absent where there was no such record.",
);
static LOOKUP: Desc = Desc::histogram(
    "weir_dns_lookup_duration_seconds",
    "From the first question for a record to its answer, whatever that said, in seconds; look-ups without any answer are left out.",
);
static CHECKED: Desc = Desc::gauge(
    "weir_dns_check_timestamp_seconds",
    &[],
    "When a check of a DNS record last ended, in seconds since 1970; absent before the first.",
);
static FOREIGN: Desc = Desc::counter(
    "weir_dns_answers_ignored_total",
    &[],
    "Messages since the start that came for a DNS question and were not believed: another id or question, or a broken format.",
);

static REVERSE: Desc = Desc::gauge(
    "weir_reverse_names",
    &["state"],
    "Addresses of peers whose names were asked of name servers: named, nameless (they have none, or nobody could tell), and \
     waiting to be asked for, at most 4096 in all; absent without --collector.connections.hostnames=dns.",
);

/// How long `--once` waits, at the least, for every record to be checked.
const PATIENCE: Duration = Duration::from_secs(1);

struct Dns {
    records: Vec<Record>,
    /// The thread, or why the system gave none; none is asked for where there is nothing to check.
    probe: Option<io::Result<Probe<Table>>>,
    /// Until when the first scrape may wait, of a program that makes no second one.
    patience: Option<Instant>,
}

impl Dns {
    fn new(config: &Config) -> Self {
        let dns = &config.dns;
        // Each of up to three servers is asked twice.
        let longest = PATIENCE + dns.timeout * 6;
        Self {
            records: dns.records.clone(),
            probe: (!dns.records.is_empty()).then(|| checks::start(dns, &config.rootfs)),
            patience: config.once.then(|| Instant::now() + longest),
        }
    }
}

impl Collector for Dns {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if let Some(Ok(reverse)) = context.reverse {
            write_reverse(batch, reverse.counts());
        }
        let probe = match &self.probe {
            None => return Ok(()),
            Some(Ok(probe)) if !probe.has_ended() => probe,
            Some(Ok(_)) => return Err(CollectError::Thread("it ended".to_string())),
            Some(Err(error)) => return Err(CollectError::Thread(error.to_string())),
        };
        let mut reading = probe.latest();
        if let Some(patience) = self.patience {
            let complete = |table: &Table| table.is_complete();
            while Instant::now() < patience
                && !reading.as_ref().is_some_and(|found| complete(&found.value))
            {
                thread::sleep(Duration::from_millis(5));
                reading = probe.latest();
            }
        }
        let table = reading.map(|reading| reading.value);
        write_totals(batch, table.as_deref());
        let Some(table) = table else {
            return Ok(());
        };
        for (record, verdict) in self.records.iter().zip(&table.verdicts) {
            if let Some(verdict) = verdict {
                write(batch, record, *verdict);
            }
        }
        Ok(())
    }
}

fn write_totals(batch: &mut Batch, table: Option<&Table>) {
    let (valid, invalid) = table.map_or((0, 0), |table| (table.valid, table.invalid));
    for (status, count) in [("valid", valid), ("invalid", invalid)] {
        let labels = batch.labels(&[("status", status)]);
        batch.push(&VALIDATIONS, labels, float(count));
    }
    batch.push(
        &FOREIGN,
        NO_LABELS,
        float(table.map_or(0, |table| table.foreign)),
    );
    let mut counted = 0;
    let bounds = BUCKETS.iter().map(f64::to_string);
    for (at, bound) in bounds.chain(["+Inf".to_string()]).enumerate() {
        counted += table
            .and_then(|table| table.buckets.get(at).copied())
            .unwrap_or_default();
        let labels = batch.labels(&[("le", &bound)]);
        batch.push_part(&LOOKUP, Part::Bucket, labels, float(counted));
    }
    let sum = table.map_or(0.0, |table| table.sum);
    batch.push_part(&LOOKUP, Part::Sum, NO_LABELS, sum);
    batch.push_part(&LOOKUP, Part::Count, NO_LABELS, float(counted));
    let last = table.and_then(|table| table.last);
    let since = last.and_then(|last| last.duration_since(SystemTime::UNIX_EPOCH).ok());
    if let Some(since) = since {
        batch.push(&CHECKED, NO_LABELS, since.as_secs_f64());
    }
}

fn write_reverse(batch: &mut Batch, counts: Counts) {
    for (state, count) in [
        ("named", counts.named),
        ("nameless", counts.nameless),
        ("waiting", counts.waiting),
    ] {
        let labels = batch.labels(&[("state", state)]);
        batch.push(&REVERSE, labels, float(count as u64));
    }
}

fn write(batch: &mut Batch, record: &Record, verdict: Verdict) {
    let (name, kind) = (record.name.as_str(), record.kind.word());
    let labels = batch.labels(&[("name", name), ("type", kind)]);
    let valid = verdict.reason.is_none();
    batch.push(&VALID, labels, f64::from(u8::from(valid)));
    if let Some(ttl) = verdict.ttl {
        batch.push(&TTL, labels, f64::from(ttl));
    }
    for reason in Reason::ALL {
        let labels = batch.labels(&[("name", name), ("type", kind), ("reason", reason.word())]);
        let is = verdict.reason == Some(reason);
        batch.push(&STATUS, labels, f64::from(u8::from(is)));
    }
}
