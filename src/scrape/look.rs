//! A scrape for the page: a fixed choice of collectors, of this network namespace alone, into a batch of the page's own.
//!
//! What the page shows and the configuration does not run for /metrics runs here beside it: the collector `connections`
//! while somebody looks, and with `--companion` what node_exporter has. Walks for /metrics meanwhile count no peers.
//!
//! What the kernel reports when it changes is not asked for at each look: the samples of `netclass` and the list of devices stand
//! until a report comes ([`Watch`]), which is a quarter of the time that a look at fifty devices took.

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
    watch: Watch,
}

/// Until when what is known of the devices stands.
#[derive(Default)]
struct Watch {
    /// The kernel's reports; none where they cannot be had, or the devices are not from its list.
    events: Option<Events>,
    useless: bool,
    /// Behind what stays of a batch, and until when that is believed.
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
            watch: Watch::default(),
        }
    }
}

impl Watch {
    /// Behind what still stands of the last look.
    fn stands(&mut self, now: Instant) -> Option<Mark> {
        let quiet = self.events.as_ref().map(Events::quiet) == Some(Ok(true));
        self.kept = self.kept.filter(|(_, until)| quiet && now < *until);
        self.kept.map(|(mark, _)| mark)
    }

    /// Subscribes, before the list is asked for: what changes in between is told twice, and nothing is missed.
    fn begin(&mut self) {
        if self.events.is_none() && !self.useless {
            match Events::subscribe() {
                Ok(events) => self.events = Some(events),
                Err(error) => {
                    log::debug!("devices are asked for at each look: {error}");
                    self.useless = true;
                }
            }
        }
    }

    /// Keeps what netclass found, where it came from the list that the kernel reports changes of.
    fn keep(&mut self, netclass: &Health<'_>, mark: Mark, now: Instant) {
        if netclass.is_well() && netclass.source != Some("netlink") {
            (self.events, self.useless) = (None, true);
        }
        let reported = netclass.is_well() && self.events.is_some();
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
        let all = self.collectors.iter_mut().chain(&mut looking.beside);
        let mut all: Vec<_> = all
            .filter(|active| names.contains(&active.spec.name))
            .collect();
        // What stands comes first, and the batch is cut behind it at the next look.
        let is_netclass = |active: &Active| std::ptr::eq(active.spec, &raw const netclass::SPEC);
        all.sort_by_key(|active| !is_netclass(active));
        let netclass = all.first().filter(|active| is_netclass(active));
        // A scrape may have tried since then, and failed.
        let well = self.shared.links.stand()
            && netclass.is_some_and(|active| active.outcome.as_ref().is_some_and(Outcome::is_well));
        let stands = looking.watch.stands(now).filter(|_| well);
        if let Some(mark) = stands {
            self.seen.cut(mark);
            self.shared.begin_with_devices();
        } else {
            self.seen.clear();
            self.shared.begin();
            if netclass.is_some() && self.shared.files.live_sysfs() {
                looking.watch.begin();
            }
        }
        let lent = looking.peers.is_some();
        if lent {
            looking.peers = self.shared.sockets.count(looking.peers.take());
        }
        if self.config.connections.hostnames != Hostnames::Off {
            self.shared.hosts.refresh(&self.shared.files);
        }
        let sampled = Sampled {
            sampler,
            counted: sampler.counted(now),
        };
        for active in all {
            let steady = is_netclass(active);
            if steady && stands.is_some() {
                continue;
            }
            let health = self
                .shared
                .run(active, &self.config, sampled, &mut self.seen);
            health.write(Families::All, &mut self.seen);
            if steady {
                looking.watch.keep(&health, self.seen.mark(), now);
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
