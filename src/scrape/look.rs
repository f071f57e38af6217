//! A scrape for the page: a fixed choice of collectors, of this network namespace alone, into a batch of the page's own.
//!
//! What the page shows and the configuration does not run for /metrics runs here beside it: the collector `connections`
//! while somebody looks, and with `--companion` what node_exporter has. Walks for /metrics meanwhile count no peers.
//!
//! What the kernel reports when it changes is not asked for at each look: the samples of `netclass` and the list of devices stand
//! until a report comes ([`Steady`]), which is a third of the time that a look at fifty devices takes.

use std::time::Duration;
use std::time::Instant;

use crate::collectors::ALL;
use crate::collectors::Spec;
use crate::collectors::connections;
use crate::collectors::netclass;
use crate::config::Config;
use crate::config::Connections;
use crate::config::Hostnames;
use crate::links::events::Events;
use crate::metric::Batch;
use crate::metric::Mark;
use crate::sampler::Sampler;
use crate::sockets::peers::Peers;

use super::Active;
use super::Engine;
use super::Families;
use super::Outcome;
use super::health::Health;
use super::shared::Sampled;

/// How long the devices are believed to be as they were without a report: who sets the speed of a device that has no link to lose,
/// as of a tap, is reported to another group.
const BELIEVED: Duration = Duration::from_secs(30);

/// What is kept from one look to the next while somebody looks.
pub(super) struct Looking {
    beside: Vec<Active>,
    /// Who talks to whom, where the configuration does not want to know.
    peers: Option<Peers>,
    steady: Option<Steady>,
}

/// What a batch begins with and stays true until the kernel says otherwise.
struct Steady {
    events: Events,
    /// Behind what stays, and until when that is believed.
    kept: Option<(Mark, Instant)>,
}

impl Looking {
    fn new(config: &Config, names: &[&str], enabled: &[Active]) -> Self {
        let wanted = |spec: &Spec| {
            let runs = enabled.iter().any(|active| active.spec.name == spec.name);
            let known =
                config.collectors.contains(&spec.name) || spec.name == connections::SPEC.name;
            names.contains(&spec.name) && known && !runs
        };
        let beside = ALL.iter().filter(|spec| wanted(spec));
        let peers = config.peers().is_none().then(|| {
            Peers::new(&Connections {
                tcp_info: false,
                ..config.connections.clone()
            })
        });
        Self {
            beside: beside.map(|spec| Active::new(spec, config)).collect(),
            peers,
            steady: None,
        }
    }
}

impl Steady {
    /// The subscription comes before the list: what changes in between is told twice, and nothing is missed.
    fn begin() -> Option<Self> {
        let events = Events::subscribe();
        let told =
            events.inspect_err(|error| log::debug!("devices are asked for at each look: {error}"));
        told.ok().map(|events| Self { events, kept: None })
    }

    /// Behind what still stands.
    fn stands(&mut self, now: Instant) -> Option<Mark> {
        let mut quiet = true;
        let lost = self.events.read(|_| quiet = false);
        quiet &= lost == Ok(false);
        self.kept = self.kept.filter(|(_, until)| quiet && now < *until);
        self.kept.map(|(mark, _)| mark)
    }

    /// Keeps what netclass found, where it came from the list that the kernel reports changes of.
    fn keep(&mut self, netclass: &Health<'_>, mark: Mark, now: Instant) {
        let reported = netclass.is_well() && netclass.source == Some("netlink");
        self.kept = reported.then_some((mark, now + BELIEVED));
    }
}

impl Engine {
    /// Runs the collectors of these names, as a scrape at /metrics runs them.
    pub fn look(&mut self, names: &[&str], sampler: &Sampler) {
        let mut looking = self
            .looking
            .take()
            .unwrap_or_else(|| Looking::new(&self.config, names, &self.collectors));
        let now = Instant::now();
        let stands = looking
            .steady
            .as_mut()
            .and_then(|steady| steady.stands(now));
        if let Some(mark) = stands {
            self.seen.cut(mark);
            self.shared.begin_with_devices();
        } else {
            self.seen.clear();
            self.shared.begin();
            if looking.steady.is_none() && self.shared.files.live_sysfs() {
                looking.steady = Steady::begin();
            }
        }
        let lent = looking.peers.is_some();
        if lent {
            looking.peers = self.shared.sockets.count(looking.peers.take());
        }
        if self.config.connections.hostnames != Hostnames::Off {
            self.shared.hosts.refresh(&self.shared.files);
        }
        let all = self.collectors.iter_mut().chain(&mut looking.beside);
        let mut all: Vec<_> = all
            .filter(|active| names.contains(&active.spec.name))
            .collect();
        let sampled = Sampled {
            sampler,
            counted: sampler.counted(),
        };
        // The batch is cut behind it at the next look.
        all.sort_by_key(|active| active.spec.name != netclass::SPEC.name);
        for active in all {
            let steady = active.spec.name == netclass::SPEC.name;
            if steady && stands.is_some() {
                continue;
            }
            let health = self
                .shared
                .run(active, &self.config, sampled, &mut self.seen);
            health.write(Families::All, &mut self.seen);
            if let Some(kept) = looking.steady.as_mut().filter(|_| steady) {
                kept.keep(&health, self.seen.mark(), now);
            }
        }
        if lent {
            looking.peers = self.shared.sockets.count(looking.peers.take());
        }
        self.looking = Some(looking);
    }

    /// What the last look found.
    #[must_use]
    pub fn seen(&self) -> &Batch {
        &self.seen
    }

    /// Nobody looks any more: what only the page needs is given back.
    pub fn look_away(&mut self) {
        self.looking = None;
        self.seen = Batch::default();
    }

    /// The collectors that run for the page alone, and how each fared when it last ran.
    pub fn beside(&self) -> impl Iterator<Item = (&'static Spec, Option<&Outcome>)> {
        let looking = self.looking.iter();
        let beside = looking.flat_map(|looking| &looking.beside);
        beside.map(|active| (active.spec, active.outcome.as_ref()))
    }

    /// The devices that are bridges, of the last look; none where the kernel's list of devices cannot be asked.
    pub fn bridges(&mut self) -> Vec<String> {
        let links = self.shared.links.all(&self.shared.files).ok().flatten();
        let bridges = links
            .into_iter()
            .flatten()
            .filter(|link| link.kind == b"bridge");
        bridges
            .map(|link| String::from_utf8_lossy(&link.name).into_owned())
            .collect()
    }
}
