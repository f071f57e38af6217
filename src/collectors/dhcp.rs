//! Who has a lease, and whether the pools are full: from the files in which DHCP servers keep their leases.
//!
//! What is read, and when, is in `leases`: nothing is configured where the files are at their usual places, and nothing but a few
//! stat(2) a minute is paid where there are none. A server whose files cannot be read fails alone: `weir_dhcp_success` is 0, and
//! its leases are told as they were last known, at `weir_dhcp_last_read_timestamp_seconds`.
//!
//! `dhcp_lease_count` is the name and sentence of the document that this collector fulfils; it is the sum of `active` and `static`.
//! `weir_dhcp_leases_issued_total` counts what was seen to change between two looks: a lease that comes and goes in less than
//! `--collect.interval` is not seen.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::leases::Counts;
use crate::leases::PoolCount;
use crate::leases::Server;
use crate::leases::State;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;

/// The collector `dhcp`.
pub static SPEC: Spec = Spec {
    name: "dhcp",
    help: "leases of the DHCP servers on this machine, and how full their pools are",
    on_by_default: true,
    families: &[
        &COUNT,
        &LEASES,
        &POOL_ADDRESSES,
        &POOL_USAGE,
        &ISSUED,
        &NEXT_EXPIRY,
        &SUCCESS,
        &LAST_READ,
        &BAD,
        &MTIME,
        &INFO,
        &EXPIRY,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Dhcp {
            per_lease: config.dhcp.per_lease.then_some(config.dhcp.per_lease_limit),
        })
    },
};

static COUNT: Desc = Desc::gauge("dhcp_lease_count", &[], "Number of current DHCP leases");
static LEASES: Desc = Desc::gauge(
    "weir_dhcp_leases",
    &["server", "pool", "state"],
    "Addresses in a server's lease files by state: active and static are held now, expired no longer, declined are in the way; the pool is empty for what is in no known pool.",
);
static POOL_ADDRESSES: Desc = Desc::gauge(
    "weir_dhcp_pool_addresses",
    &["server", "pool"],
    "Addresses that a pool has, from the server's configuration or weir's.",
);
static POOL_USAGE: Desc = Desc::gauge(
    "weir_dhcp_pool_usage_ratio",
    &["server", "pool"],
    "Share of a pool's addresses that are active, static or declined, from 0 to 1.",
);
static ISSUED: Desc = Desc::counter(
    "weir_dhcp_leases_issued_total",
    &["server"],
    "Leases that a server was seen to give out since weir started, renewals not counted.",
);
static NEXT_EXPIRY: Desc = Desc::gauge(
    "weir_dhcp_next_expiry_timestamp_seconds",
    &["server"],
    "When the next lease of a server ends unless it is renewed, in seconds since 1970.",
);
static SUCCESS: Desc = Desc::gauge(
    "weir_dhcp_success",
    &["server"],
    "Whether a server's lease files can be read now (1) or not (0); the log says why.",
);
static LAST_READ: Desc = Desc::gauge(
    "weir_dhcp_last_read_timestamp_seconds",
    &["server"],
    "When a server's lease files were last read or found unchanged, in seconds since 1970: what is told of it is of that time.",
);
static BAD: Desc = Desc::gauge(
    "weir_dhcp_bad_entries",
    &["server"],
    "Entries in a server's files that could not be understood and are left out; the log shows the first.",
);
static MTIME: Desc = Desc::gauge(
    "weir_dhcp_file_mtime_seconds",
    &["server", "file"],
    "When a lease file was last written, in seconds since 1970.",
);
static INFO: Desc = Desc::gauge(
    "weir_dhcp_lease_info",
    &["server", "pool", "ip", "mac", "hostname"],
    "A current lease with the client's hardware address and name, where they are known; only with --collector.dhcp.per-lease. Always 1.",
);
static EXPIRY: Desc = Desc::gauge(
    "weir_dhcp_lease_expiry_timestamp_seconds",
    &["server", "ip"],
    "When a current lease ends, in seconds since 1970, +Inf for never; only with --collector.dhcp.per-lease.",
);

struct Dhcp {
    /// The most leases that are told one by one; `None`: none are.
    per_lease: Option<usize>,
}

impl Collector for Dhcp {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let now = context.files.now();
        context.leases.look(context.files);
        let mut left_out = 0;
        let mut room = self.per_lease.unwrap_or(0);
        let servers = context.leases.servers();
        let current: Vec<_> = servers
            .iter_mut()
            .filter_map(|server| server.counts(now))
            .map(current)
            .collect();
        if !current.is_empty() {
            batch.push(&COUNT, NO_LABELS, current.iter().sum());
        }
        for server in servers.iter_mut().filter(|server| server.is_known()) {
            push_health(server, batch);
            let name = server.name().to_string();
            if let Some(counts) = server.counts(now) {
                push_counts(&name, counts, batch);
                if self.per_lease.is_some() {
                    left_out += push_leases(&name, counts, now, &mut room, batch);
                }
            }
        }
        context.left_out = self.per_lease.map(|_| left_out);
        Ok(())
    }
}

fn push_health(server: &Server, batch: &mut Batch) {
    let labels = batch.labels(&[("server", server.name())]);
    let succeeds = server.error().is_none();
    batch.push(&SUCCESS, labels, f64::from(u8::from(succeeds)));
    let Some(content) = server.content() else {
        return;
    };
    batch.push(&LAST_READ, labels, seconds(server.confirmed()));
    batch.push(&ISSUED, labels, float(server.issued()));
    batch.push(&BAD, labels, float(content.bad as u64));
    for (file, modified) in &content.files {
        let labels = batch.labels(&[("server", server.name()), ("file", file)]);
        batch.push(&MTIME, labels, seconds(*modified));
    }
}

/// How many leases are held now.
fn current(counts: &Counts) -> f64 {
    let held = |pool: &PoolCount| pool.of(State::Active) + pool.of(State::Static);
    counts.pools.iter().map(held).sum()
}

fn push_counts(server: &str, counts: &Counts, batch: &mut Batch) {
    for pool in &counts.pools {
        for state in State::ALL {
            let labels = batch.labels(&[
                ("server", server),
                ("pool", &pool.name),
                ("state", state.word()),
            ]);
            batch.push(&LEASES, labels, pool.of(state));
        }
        if let Some(addresses) = pool.addresses {
            let labels = batch.labels(&[("server", server), ("pool", &pool.name)]);
            batch.push(&POOL_ADDRESSES, labels, addresses);
            let free = pool.of(State::Expired);
            let used = State::ALL.map(|state| pool.of(state)).iter().sum::<f64>() - free;
            batch.push(&POOL_USAGE, labels, used / addresses);
        }
    }
    if let Some(next) = counts.next_expiry {
        let labels = batch.labels(&[("server", server)]);
        batch.push(&NEXT_EXPIRY, labels, seconds(next));
    }
}

/// Writes current leases one by one, those with the lowest addresses first, and gives the number that found no room.
fn push_leases(
    server: &str,
    counts: &Counts,
    now: i64,
    room: &mut usize,
    batch: &mut Batch,
) -> usize {
    let content = counts.content();
    let mut left_out = 0;
    for entry in content.table.entries() {
        let state = entry.state(now, content.keeps(entry.address));
        if !matches!(state, State::Active | State::Static) {
            continue;
        }
        if *room == 0 {
            left_out += 1;
            continue;
        }
        *room -= 1;
        let ip = if entry.is_prefix() {
            format!("{}/{}", entry.address, entry.prefix)
        } else {
            entry.address.to_string()
        };
        let labels = batch.labels(&[
            ("server", server),
            ("pool", counts.pool(entry.address)),
            ("ip", &ip),
            ("mac", &entry.hardware.to_string()),
            ("hostname", content.table.name(entry)),
        ]);
        batch.push(&INFO, labels, 1.0);
        let labels = batch.labels(&[("server", server), ("ip", &ip)]);
        let ends = match entry.expires {
            i64::MAX => f64::INFINITY,
            time => seconds(time),
        };
        batch.push(&EXPIRY, labels, ends);
    }
    left_out
}

/// A time as the text format has it; before 1970 there are no leases.
fn seconds(time: i64) -> f64 {
    float(u64::try_from(time).unwrap_or(0))
}

#[cfg(test)]
mod tests;
