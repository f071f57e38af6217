//! A scrape for the page: a fixed choice of collectors, of this network namespace alone, into a batch of the page's own.
//!
//! What the page shows and the configuration does not run for /metrics runs here beside it: the collector `connections`
//! while somebody looks, and with `--companion` what node_exporter has. Walks for /metrics meanwhile count no peers.

use crate::collectors::ALL;
use crate::collectors::Spec;
use crate::collectors::connections;
use crate::config::Config;
use crate::config::Connections;
use crate::config::Hostnames;
use crate::metric::Batch;
use crate::sampler::Sampler;
use crate::sockets::peers::Peers;

use super::Active;
use super::Engine;
use super::Outcome;

/// What is kept from one look to the next while somebody looks.
pub(super) struct Looking {
    beside: Vec<Active>,
    /// Who talks to whom, where the configuration does not want to know.
    peers: Option<Peers>,
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
        }
    }
}

impl Engine {
    /// Runs the collectors of these names into a batch, as a scrape at /metrics runs them.
    pub fn look(&mut self, names: &[&str], sampler: &Sampler, batch: &mut Batch) {
        let mut looking = self
            .looking
            .take()
            .unwrap_or_else(|| Looking::new(&self.config, names, &self.collectors));
        batch.clear();
        self.shared.begin();
        let lent = looking.peers.is_some();
        if lent {
            looking.peers = self.shared.sockets.count(looking.peers.take());
        }
        if self.config.connections.hostnames != Hostnames::Off {
            self.shared.hosts.refresh(&self.shared.files);
        }
        let mut health = Vec::new();
        let all = self.collectors.iter_mut().chain(&mut looking.beside);
        for active in all.filter(|active| names.contains(&active.spec.name)) {
            health.push(self.shared.run(active, &self.config, sampler, batch));
        }
        for own in health {
            own.write(super::Families::All, batch);
        }
        if lent {
            looking.peers = self.shared.sockets.count(looking.peers.take());
        }
        self.looking = Some(looking);
    }

    /// Nobody looks any more: what only the page needs is given back.
    pub fn look_away(&mut self) {
        self.looking = None;
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
