//! Runs the collectors: times them, isolates them, and says how each fared.
//!
//! A collector that fails loses its own samples and nothing else: the batch is cut back to where it stood. One that
//! panics is treated the same and made anew, since what it kept may be half changed. A broken collector is logged once
//! when it breaks, again when it breaks in another way, and once when it heals.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Duration;
use std::time::Instant;

use crate::collectors::ALL;
use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::collectors::is_node_exporters;
use crate::collectors::textfile;
use crate::config::Config;
use crate::files::Files;
use crate::leases::Leases;
use crate::links::Links;
use crate::log::panic_message;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

/// The families that the engine itself writes.
pub static FAMILIES: &[&Desc] = &[
    &SUCCESS,
    &DURATION,
    &COMPANION_SUCCESS,
    &COMPANION_DURATION,
    &SOURCE,
    &LEFT_OUT,
];

static SUCCESS: Desc = Desc::gauge(
    "node_scrape_collector_success",
    &["collector"],
    "Whether the collector succeeded in this scrape (1) or failed (0); the log says why.",
);
static DURATION: Desc = Desc::gauge(
    "node_scrape_collector_duration_seconds",
    &["collector"],
    "How long the collector took in this scrape, in seconds.",
);
static COMPANION_SUCCESS: Desc = Desc::gauge(
    "weir_collector_success",
    &["collector"],
    "Beside node_exporter: whether the collector succeeded in this scrape (1) or failed (0); the log says why.",
);
static COMPANION_DURATION: Desc = Desc::gauge(
    "weir_collector_duration_seconds",
    &["collector"],
    "Beside node_exporter: how long the collector took in this scrape, in seconds.",
);
static SOURCE: Desc = Desc::gauge(
    "weir_source_info",
    &["collector", "source"],
    "Where a collector that has a choice took its data from: netlink, proc, sysfs, or absent where this kernel has neither. Always 1.",
);
static LEFT_OUT: Desc = Desc::gauge(
    "weir_series_left_out",
    &["collector"],
    "How many a collector's limit left out of this scrape: devices, listeners or destinations with all their series.",
);

/// The enabled collectors and what they share.
pub struct Engine {
    config: Config,
    files: Files,
    sockets: Sockets,
    links: Links,
    leases: Leases,
    collectors: Vec<Active>,
    batch: Batch,
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

/// How a collector fared when it last ran.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How long it took.
    pub duration: Duration,
    /// Why it failed, in words.
    pub error: Option<String>,
}

struct Active {
    spec: &'static Spec,
    collector: Box<dyn Collector>,
    outcome: Option<Outcome>,
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
        let sockets = Sockets::new(config.sockets_source);
        Self {
            config: config.clone(),
            files,
            sockets,
            links: Links::default(),
            leases: Leases::new(config),
            collectors,
            batch: Batch::default(),
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
        if config.sockets_source != self.config.sockets_source {
            self.sockets = Sockets::new(config.sockets_source);
        }
        self.leases.reload(config);
        self.config = config.clone();
    }

    /// The roots that the collectors read.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What the DHCP servers' files held when they were last looked at.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Looks at what changes between scrapes.
    pub fn tick(&mut self) {
        // As a collector's: a bug there must not end the program.
        let ran = catch_unwind(AssertUnwindSafe(|| self.leases.tick(&self.files)));
        if let Err(payload) = ran {
            let said = panic_message(payload.as_ref());
            log::error!(err = said; "leases not looked at");
            self.leases = Leases::new(&self.config);
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
        for name in wanted.iter().chain(unwanted) {
            if !self
                .collectors
                .iter()
                .any(|active| active.spec.name == name)
            {
                let known = ALL.iter().any(|spec| spec.name == name);
                return Err(format!(
                    "{} collector: {name}",
                    if known { "disabled" } else { "missing" }
                ));
            }
        }
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
        self.sockets.begin();
        self.links.begin();
        let mut health = Vec::with_capacity(self.collectors.len());
        for active in &mut self.collectors {
            let empty =
                families == Families::BesideNodeExporter && !has_families_of_ours(active.spec);
            if selected(active.spec.name) && !empty {
                let mut context = Context {
                    files: &self.files,
                    sampler,
                    sockets: &mut self.sockets,
                    links: &mut self.links,
                    leases: &mut self.leases,
                    source: None,
                    left_out: None,
                };
                active.run(&self.config, &mut context, &mut self.batch);
                health.push((
                    active.spec.name,
                    active.outcome.as_ref(),
                    context.source,
                    context.left_out,
                ));
            }
        }
        let [success, duration] = match families {
            Families::All => [&SUCCESS, &DURATION],
            Families::BesideNodeExporter => {
                self.batch
                    .leave_out(|family| is_node_exporters(&family.name));
                [&COMPANION_SUCCESS, &COMPANION_DURATION]
            }
        };
        for (name, outcome, source, left_out) in health {
            let labels = self.batch.labels(&[("collector", name)]);
            if let Some(outcome) = outcome {
                let succeeded = f64::from(u8::from(outcome.error.is_none()));
                self.batch
                    .push(duration, labels, outcome.duration.as_secs_f64());
                self.batch.push(success, labels, succeeded);
            }
            write_health(&mut self.batch, name, source, left_out);
        }
        (&mut self.batch, &self.files)
    }
}

fn is_enabled(spec: &Spec, config: &Config) -> bool {
    config.collectors.contains(&spec.name) && (!config.companion || has_families_of_ours(spec))
}

/// Whether a collector has a family that node_exporter does not have.
fn has_families_of_ours(spec: &Spec) -> bool {
    spec.declared().any(|desc| !is_node_exporters(&desc.name))
}

fn write_health(batch: &mut Batch, name: &str, source: Option<&str>, left_out: Option<usize>) {
    if let Some(count) = left_out {
        let labels = batch.labels(&[("collector", name)]);
        let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        batch.push(&LEFT_OUT, labels, count);
    }
    if let Some(source) = source {
        let labels = batch.labels(&[("collector", name), ("source", source)]);
        batch.push(&SOURCE, labels, 1.0);
    }
}

impl Active {
    fn new(spec: &'static Spec, config: &Config) -> Self {
        Self {
            spec,
            collector: (spec.make)(config),
            outcome: None,
        }
    }

    fn run(&mut self, config: &Config, context: &mut Context<'_>, batch: &mut Batch) {
        let mark = batch.mark();
        let begun = Instant::now();
        // What a panic may leave half changed is thrown away: the batch is cut, the collector made anew, and a survey
        // that is not complete is not kept.
        let ran = catch_unwind(AssertUnwindSafe(|| self.collector.collect(context, batch)));
        let result = ran.unwrap_or_else(|payload| {
            self.collector = (self.spec.make)(config);
            Err(CollectError::Panic(
                panic_message(payload.as_ref()).to_string(),
            ))
        });
        let duration = begun.elapsed();
        let error = result.err().map(|error| error.to_string());
        if error.is_some() {
            batch.cut(mark);
            context.left_out = None;
        }
        if let Some(verdict) = self.spec.verdict {
            batch.push(
                verdict,
                crate::metric::NO_LABELS,
                if error.is_none() { 1.0 } else { 0.0 },
            );
        }
        let before = self.outcome.take().and_then(|outcome| outcome.error);
        match (&before, &error) {
            (None, None) => {}
            (Some(_), None) => log::info!(collector = self.spec.name; "collector works again"),
            (before, Some(error)) if before.as_ref() == Some(error) => {}
            (_, Some(error)) => {
                log::error!(collector = self.spec.name, err = error.as_str(); "collector failed");
            }
        }
        self.outcome = Some(Outcome { duration, error });
    }
}

#[cfg(test)]
mod tests;
