//! One server whose files are watched: what they hold, how that changes, and what is counted of it.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use super::reader::Content;
use super::reader::Look;
use super::reader::Reader;
use super::reader::Sources;
use super::settings::Ground;
use super::table::Issued;
use super::table::State;
use super::table::Table;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::probes::Probe;
use crate::seldom::Seldom;

/// How often files are read that another machine or program must answer for.
const FAR: Duration = Duration::from_secs(10);
/// After how long without an answer they count as not readable.
const OVERDUE: Duration = Duration::from_secs(30);

/// What reads the files.
enum Source {
    /// This thread, since they are on this machine.
    Here(Reader),
    /// A thread of its own, since an answer may never come.
    Far(Probe<Look>, Instant),
}

/// A server.
pub struct Server {
    pub(super) name: String,
    pub(super) sources: Sources,
    pub(super) far: bool,
    pools: Vec<Pool>,
    source: Source,
    content: Option<Arc<Content>>,
    error: Option<String>,
    told: Seldom,
    /// Whether entries were left out at the last look.
    bad: bool,
    told_bad: Seldom,
    issued: Issued,
    /// Whether the files were looked for and found missing before they were first read.
    missed: bool,
    /// When the content was last known to be the files', in seconds since 1970.
    looked: i64,
    counts: Option<Counts>,
}

/// A pool, or what is in none.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolCount {
    /// Its name; empty for addresses that are in no known pool.
    pub name: String,
    /// How many addresses it has; `None` for what is in none.
    pub addresses: Option<f64>,
    /// Leases of each state, in the order of [`State::ALL`].
    states: [u32; 4],
    ranges: Vec<Range>,
}

/// What is counted of a server at one time.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The pools, what is in none first.
    pub pools: Vec<PoolCount>,
    /// When the next lease ends, in seconds since 1970.
    pub next_expiry: Option<i64>,
    content: Arc<Content>,
    at: i64,
}

impl Server {
    /// One whose files may be looked at by this thread, or by one that may wait for them.
    pub(super) fn new(name: String, pools: Vec<Pool>, sources: Sources, ground: Ground) -> Self {
        let far = ground.patient;
        Self {
            source: source(&name, &sources, ground, Look::default()),
            name,
            sources,
            far,
            pools,
            content: None,
            error: None,
            told: Seldom::default(),
            bad: false,
            told_bad: Seldom::default(),
            issued: Issued::default(),
            missed: false,
            looked: 0,
            counts: None,
        }
    }

    /// Says that its files were not there when they were first looked for: whatever they hold was given out since.
    pub(super) fn arrives(&mut self) {
        self.missed = true;
    }

    /// Reads other files from now on, without forgetting what was counted.
    pub(super) fn rearrange(&mut self, sources: Sources, ground: Ground) {
        let last = Look {
            content: self.content.clone(),
            ..Look::default()
        };
        self.far = ground.patient;
        self.source = source(&self.name, &sources, ground, last);
        self.sources = sources;
    }

    /// Goes on with what is mounted now.
    pub(super) fn stands_on(&mut self, ground: Ground) {
        if let Source::Here(reader) = &mut self.source {
            reader.stands_on(ground);
        }
    }

    /// Whether the first answer of files elsewhere is still awaited.
    pub(super) fn is_pending(&self) -> bool {
        match &self.source {
            Source::Here(_) => false,
            Source::Far(probe, _) => probe.latest().is_none(),
        }
    }

    /// Looks at the files, at `now` in seconds since 1970.
    pub(super) fn look(&mut self, now: i64) {
        let (look, age) = match &mut self.source {
            Source::Here(reader) => (reader.look(), Duration::ZERO),
            Source::Far(probe, begun) => match probe.latest() {
                Some(reading) => (Look::clone(&reading.value), reading.taken.elapsed()),
                None => (Look::default(), begun.elapsed()),
            },
        };
        let known = look.content.is_some() || look.error.is_some();
        let mut error = look.error;
        if age > OVERDUE {
            let limit = OVERDUE.as_secs();
            error = Some(format!("expected an answer within {limit} s, found none"));
        } else if !known {
            return;
        }
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        match look.content {
            Some(content) => self.take(content, error.is_none(), now.saturating_sub(age)),
            None => self.missed |= look.missing,
        }
        self.tell(error);
    }

    fn take(&mut self, content: Arc<Content>, confirmed: bool, now: i64) {
        let same = self
            .content
            .as_ref()
            .is_some_and(|old| Arc::ptr_eq(old, &content));
        if !same {
            let nothing = Table::default();
            match &self.content {
                Some(old) => self
                    .issued
                    .step(&old.table, self.looked, &content.table, now),
                // Leases that were there before weir was are none that it saw given out.
                None if self.missed => self.issued.step(&nothing, now, &content.table, now),
                None => {}
            }
            self.content = Some(content);
        }
        if confirmed {
            self.looked = now;
        }
    }

    /// Logs what has changed: once when it breaks, and once when it heals, unless that happens all the time.
    fn tell(&mut self, error: Option<String>) {
        let server = self.name.as_str();
        let now = Instant::now();
        let why = error.as_deref();
        if let Some(left_out) = self.told.tell(why != self.error.as_deref(), now) {
            match why {
                Some(err) => log::error!(server = server, err = err; "leases not read{left_out}"),
                None => log::info!(server = server; "leases are read again{left_out}"),
            }
        }
        let content = self.content.as_ref();
        let first = content.and_then(|content| content.first_bad.as_deref());
        // Line numbers move with every change of the file: that there is one is told, and the first, not each.
        let changed = first.is_some() != self.bad;
        self.bad = first.is_some();
        if let Some(left_out) = self.told_bad.tell(changed, now)
            && let Some(err) = first
        {
            log::warn!(server = server, err = err; "left out of the leases or pools{left_out}");
        }
        self.error = error;
    }

    /// The label that tells it from others.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its files held when they could last be read; `None` when they never could.
    #[must_use]
    pub fn content(&self) -> Option<&Arc<Content>> {
        self.content.as_ref()
    }

    /// Why its files cannot be read now.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Whether its files were looked at at all.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.content.is_some() || self.error.is_some()
    }

    /// When its files were last found readable, in seconds since 1970.
    #[must_use]
    pub fn confirmed(&self) -> i64 {
        self.looked
    }

    /// Leases given out since the start, as far as they were seen.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.issued.total()
    }

    /// Counts by pool and state. Nothing is counted again until a file has changed or a lease has ended.
    pub fn counts(&mut self, now: i64) -> Option<&Counts> {
        let content = self.content.as_ref()?;
        let valid = |counts: &Counts| {
            Arc::ptr_eq(&counts.content, content)
                && counts.at <= now
                && counts.next_expiry.is_none_or(|next| now < next)
        };
        if !self.counts.as_ref().is_some_and(valid) {
            self.counts = Some(count(content, &self.pools, now));
        }
        self.counts.as_ref()
    }
}

fn source(name: &str, sources: &Sources, ground: Ground, last: Look) -> Source {
    if !ground.patient {
        return Source::Here(Reader::new(sources.clone(), ground, last));
    }
    let mut reader = Reader::new(sources.clone(), ground, last.clone());
    match Probe::start("leases", FAR, move || reader.look()) {
        Ok(probe) => Source::Far(probe, Instant::now()),
        Err(error) => {
            let error = error.to_string();
            log::error!(server = name, err = error.as_str(); "no thread to read leases with");
            let nothing = Sources::default();
            Source::Here(Reader::new(nothing, Ground::default(), last))
        }
    }
}

fn count(content: &Arc<Content>, pools: &[Pool], now: i64) -> Counts {
    let mut counted = vec![PoolCount {
        name: String::new(),
        addresses: None,
        states: [0; 4],
        ranges: Vec::new(),
    }];
    for pool in pools.iter().chain(&content.pools) {
        let name = if pool.name.is_empty() {
            pool.range.to_string()
        } else {
            pool.name.clone()
        };
        let same = counted.iter_mut().skip(1).find(|other| other.name == name);
        if let Some(same) = same {
            if !same.ranges.contains(&pool.range) {
                same.ranges.push(pool.range);
                same.addresses = same.addresses.map(|sum| sum + pool.range.addresses());
            }
            continue;
        }
        counted.push(PoolCount {
            name,
            addresses: Some(pool.range.addresses()),
            states: [0; 4],
            ranges: vec![pool.range],
        });
    }
    let mut next = i64::MAX;
    for entry in content.table.entries() {
        let kept = content.keeps(entry.address);
        let state = entry.state(now, kept);
        let place = place(&counted, entry.address);
        let states = counted.get_mut(place).map(|pool| &mut pool.states);
        if let Some(count) = states.and_then(|states| states.get_mut(state as usize)) {
            *count += 1;
        }
        if state != State::Expired {
            next = next.min(entry.expires);
        }
    }
    Counts {
        pools: counted,
        next_expiry: Some(next).filter(|next| *next != i64::MAX),
        content: Arc::clone(content),
        at: now,
    }
}

/// Which of the pools an address is in: the first that has it, or the one that stands for none.
fn place(pools: &[PoolCount], address: std::net::IpAddr) -> usize {
    let has = |pool: &PoolCount| pool.ranges.iter().any(|range| range.contains(address));
    pools.iter().position(has).unwrap_or(0)
}

impl PoolCount {
    /// How many leases are in a state.
    #[must_use]
    pub fn of(&self, state: State) -> f64 {
        f64::from(self.states.get(state as usize).copied().unwrap_or(0))
    }
}

impl Counts {
    /// What was counted.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The name of the pool that an address is in; empty for none.
    #[must_use]
    pub fn pool(&self, address: std::net::IpAddr) -> &str {
        self.pools
            .get(place(&self.pools, address))
            .map_or("", |pool| pool.name.as_str())
    }
}
