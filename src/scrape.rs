//! Runs the collectors: times them, isolates them, and says how each fared.
//!
//! A collector that fails loses its own samples and nothing else: the batch is cut back to where it stood. One that
//! panics is treated the same and made anew, since what it kept may be half changed. A broken collector is logged once
//! when it breaks, again when it breaks in another way, and once when it heals.

mod active;
mod health;
mod look;
mod namespaces;
mod shared;

use std::io;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Duration;

use crate::collectors::ALL;
use crate::collectors::PER_NAMESPACE;
use crate::collectors::Spec;
use crate::collectors::connections;
use crate::collectors::is_node_exporters;
use crate::collectors::textfile;
use crate::config::Config;
use crate::config::Hostnames;
use crate::config::dns::Server;
use crate::dns::reverse::ReverseNames;
use crate::files::Files;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::links::Links;
use crate::log::panic_message;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::netns::Found;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

use self::active::Active;
use self::health::Health;
use self::look::Looking;
use self::namespaces::Begun;
use self::namespaces::Namespaces;
use self::shared::Sampled;
use self::shared::Shared;

pub use self::active::Outcome;

/// The families that the engine itself writes.
pub static FAMILIES: &[&Desc] = &[
    &health::SUCCESS,
    &health::DURATION,
    &health::COMPANION_SUCCESS,
    &health::COMPANION_DURATION,
    &health::SOURCE,
    &health::LEFT_OUT,
    &namespaces::SUCCESS,
    &namespaces::SOURCE,
    &namespaces::LEFT_OUT,
    &namespaces::DISCOVERY_SUCCESS,
];

/// The enabled collectors and what they share.
pub struct Engine {
    config: Config,
    shared: Shared,
    collectors: Vec<Active>,
    /// Where others than the own namespace are measured.
    namespaces: Option<Namespaces>,
    batch: Batch,
    /// What runs for the page, while somebody looks at it, and what it found.
    looking: Option<Looking>,
    seen: Batch,
}

/// Which families a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// All that the collectors find.
    All,
    /// Those that node_exporter does not have, for a page that is read beside its own: the same series from two targets
    /// of one job count twice, and of two in one page one is dropped. Collectors that have no others do not run.
    BesideNodeExporter,
}

impl Engine {
    /// Makes the collectors that the configuration enables.
    #[must_use]
    pub fn new(config: &Config, files: Files) -> Self {
        Self::with(config, files, ALL)
    }

    /// The same with another list of collectors.
    fn with(config: &Config, files: Files, list: &[&'static Spec]) -> Self {
        let enabled = list.iter().filter(|spec| is_enabled(spec, config));
        let collectors = enabled.map(|spec| Active::new(spec, config)).collect();
        let sockets = Sockets::new(config.sockets_source, config.peers());
        Self {
            config: config.clone(),
            shared: Shared {
                files,
                sockets,
                links: Links::default(),
                leases: Leases::new(config),
                reverse: reverse_names(config),
                hosts: Hosts::default(),
            },
            collectors,
            namespaces: Namespaces::wanted(config),
            batch: Batch::default(),
            looking: None,
            seen: Batch::default(),
        }
    }

    /// Goes on with another configuration. A collector that ran before stays as it is, with all that it remembers, unless
    /// `touched` says that its part changed. The roots stay.
    pub fn reload(&mut self, config: &Config, touched: impl Fn(&str) -> bool) {
        let mut before = std::mem::take(&mut self.collectors);
        // What is made anew lets go of what it holds before the new one asks for the same.
        before.retain(|active| !touched(active.spec.name));
        let enabled = ALL.iter().filter(|spec| is_enabled(spec, config));
        let kept = |spec: &Spec, before: &mut Vec<Active>| {
            let position = before.iter().position(|old| old.spec.name == spec.name)?;
            Some(before.remove(position))
        };
        self.collectors = enabled
            .map(|spec| kept(spec, &mut before).unwrap_or_else(|| Active::new(spec, config)))
            .collect();
        // What the listeners and peers of the connections are remembered in is the sockets'.
        if config.sockets_source != self.config.sockets_source || touched(connections::SPEC.name) {
            self.shared.sockets = Sockets::new(config.sockets_source, config.peers());
        }
        if PER_NAMESPACE.iter().any(|spec| touched(spec.name)) {
            self.namespaces = Namespaces::wanted(config);
        }
        self.shared.leases.reload(config);
        self.look_away();
        if config.connections.hostnames == Hostnames::Off {
            self.shared.hosts = Hosts::default();
        }
        if asked_for_names(config) != asked_for_names(&self.config) {
            self.shared.reverse = reverse_names(config);
        }
        self.config = config.clone();
    }

    /// The roots that the collectors read.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.shared.files
    }

    /// What the DHCP servers' files held when they were last looked at.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.shared.leases
    }

    /// Looks at what changes between scrapes.
    pub fn tick(&mut self) {
        // As a collector's: a bug there must not end the program.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            self.shared.leases.tick(&self.shared.files);
        }));
        if let Err(payload) = ran {
            let said = panic_message(payload.as_ref());
            log::error!(err = said; "leases not looked at");
            self.shared.leases = Leases::new(&self.config);
        }
    }

    /// The enabled collectors and how each fared when it last ran.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static Spec, Option<&Outcome>)> {
        self.collectors
            .iter()
            .map(|active| (active.spec, active.outcome.as_ref()))
    }

    /// Runs the collectors that `wanted` names (an empty list: all) but for those that `unwanted` names, and gives the
    /// batch, to which the caller may add before it encodes it, and the roots.
    ///
    /// # Errors
    /// A sentence for the client when a name is not that of an enabled collector.
    pub fn scrape(
        &mut self,
        wanted: &[String],
        unwanted: &[String],
        sampler: &Sampler,
    ) -> Result<(&mut Batch, &Files), String> {
        let families = if self.config.companion {
            Families::BesideNodeExporter
        } else {
            Families::All
        };
        self.scrape_for(families, wanted, unwanted, sampler)
    }

    /// The same for a page with other families than the configuration says.
    ///
    /// # Errors
    /// A sentence for the client when a name is not that of an enabled collector.
    pub fn scrape_for(
        &mut self,
        families: Families,
        wanted: &[String],
        unwanted: &[String],
        sampler: &Sampler,
    ) -> Result<(&mut Batch, &Files), String> {
        self.check_names(wanted.iter().chain(unwanted))?;
        let selected = |name: &str| {
            let named = |list: &[String]| list.iter().any(|other| other == name);
            (wanted.is_empty() || named(wanted)) && !named(unwanted)
        };
        Ok(self.collect(families, selected, sampler))
    }

    /// The same for a text file that node_exporter reads: without its families, and without what other text files hold,
    /// which it reads itself.
    pub fn scrape_for_textfile(&mut self, sampler: &Sampler) -> (&mut Batch, &Files) {
        let selected = |name: &str| name != textfile::SPEC.name;
        self.collect(Families::BesideNodeExporter, selected, sampler)
    }

    fn collect(
        &mut self,
        families: Families,
        selected: impl Fn(&str) -> bool,
        sampler: &Sampler,
    ) -> (&mut Batch, &Files) {
        self.batch.clear();
        self.shared.begin();
        let sampled = Sampled {
            sampler,
            counted: None,
        };
        let runs = |spec: &Spec| {
            let empty = families == Families::BesideNodeExporter && !has_families_of_ours(spec);
            selected(spec.name) && !empty
        };
        let labelled = |spec: &Spec| runs(spec) && spec.per_namespace();
        // What is not asked for in this scrape is not looked for.
        let any = self.collectors.iter().any(|active| labelled(active.spec));
        let mut namespaces = self.namespaces.as_mut().filter(|_| any);
        let found = namespaces
            .as_mut()
            .map(|others| others.discover(&self.shared.files));
        if self.config.connections.hostnames != Hostnames::Off && runs(&connections::SPEC) {
            self.shared.hosts.refresh(&self.shared.files);
        }
        let mut health = Vec::with_capacity(self.collectors.len());
        for active in &mut self.collectors {
            if runs(active.spec) {
                if let Some(found) = found.as_ref().filter(|_| active.spec.per_namespace()) {
                    self.batch.begin_scope(namespaces::LABEL, &found.own);
                }
                let batch = &mut self.batch;
                health.push(self.shared.run(active, &self.config, sampled, batch));
                self.batch.end_scope();
            }
        }
        if let Some((namespaces, found)) = namespaces.take().zip(found) {
            let begun = Begun {
                config: &self.config,
                own: &self.shared,
            };
            measure_others(namespaces, &begun, &found, &mut health, &mut self.batch);
        }
        if families == Families::BesideNodeExporter {
            self.batch
                .leave_out(|family| is_node_exporters(&family.name));
        }
        for own in health {
            own.write(families, &mut self.batch);
        }
        (&mut self.batch, &self.shared.files)
    }

    /// Whether all of these are names of enabled collectors.
    fn check_names<'a>(&self, mut names: impl Iterator<Item = &'a String>) -> Result<(), String> {
        let enabled = |name: &str| {
            self.collectors
                .iter()
                .any(|active| active.spec.name == name)
        };
        let Some(name) = names.find(|name| !enabled(name)) else {
            return Ok(());
        };
        let known = ALL.iter().any(|spec| spec.name == name);
        let why = if known { "disabled" } else { "missing" };
        Err(format!("{why} collector: {name}"))
    }
}

/// Runs the collectors that ran here in the other namespaces too, and adds what limits left out there.
fn measure_others(
    namespaces: &mut Namespaces,
    begun: &Begun<'_>,
    found: &Found,
    health: &mut [Health<'_>],
    batch: &mut Batch,
) {
    let own = health.iter().filter(|own| own.spec.per_namespace());
    let well = own.clone().all(Health::is_well);
    let specs: Vec<_> = own.map(|own| own.spec).collect();
    for (spec, more) in namespaces.measure(begun, found, &specs, well, batch) {
        let own = health.iter_mut().find(|own| std::ptr::eq(own.spec, spec));
        if let Some(own) = own {
            *own.left_out.get_or_insert(0) += more;
        }
    }
}

/// The thread that asks for names of addresses, where a collector shows them.
fn reverse_names(config: &Config) -> Option<io::Result<ReverseNames>> {
    asked_for_names(config).map(|_| ReverseNames::start(&config.dns, &config.rootfs))
}

/// Whom it asks and how long it waits; `None` where nobody wants names.
fn asked_for_names(config: &Config) -> Option<(Option<&Server>, Duration)> {
    let wanted = config.connections.hostnames == Hostnames::Dns;
    let shown = wanted && is_enabled(&connections::SPEC, config);
    shown.then_some((config.dns.resolver.as_ref(), config.dns.timeout))
}

fn is_enabled(spec: &Spec, config: &Config) -> bool {
    config.collectors.contains(&spec.name) && (!config.companion || has_families_of_ours(spec))
}

/// Whether a collector has a family that node_exporter does not have.
fn has_families_of_ours(spec: &Spec) -> bool {
    spec.declared().any(|desc| !is_node_exporters(&desc.name))
}

#[cfg(test)]
mod tests;
