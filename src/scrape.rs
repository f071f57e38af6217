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
use crate::config::Config;
use crate::files::Files;
use crate::links::Links;
use crate::log::panic_message;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

/// The families that the engine itself writes.
pub static FAMILIES: &[&Desc] = &[&SUCCESS, &DURATION, &SOURCE, &LEFT_OUT];

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
static SOURCE: Desc = Desc::gauge(
    "weir_source_info",
    &["collector", "source"],
    "Where a collector that has a choice took its data from: netlink, proc, or absent where this kernel has neither. Always 1.",
);
static LEFT_OUT: Desc = Desc::gauge(
    "weir_series_left_out",
    &["collector"],
    "How many series a collector's limit left out of this scrape.",
);

/// The enabled collectors and what they share.
pub struct Engine {
    config: Config,
    files: Files,
    sockets: Sockets,
    links: Links,
    collectors: Vec<Active>,
    batch: Batch,
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
        let enabled = list
            .iter()
            .filter(|spec| config.collectors.contains(&spec.name));
        let collectors = enabled
            .map(|spec| Active {
                spec,
                collector: (spec.make)(config),
                outcome: None,
            })
            .collect();
        let sockets = Sockets::new(config.sockets_source);
        Self {
            config: config.clone(),
            files,
            sockets,
            links: Links::default(),
            collectors,
            batch: Batch::default(),
        }
    }

    /// The roots that the collectors read.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
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
        self.batch.clear();
        self.sockets.begin();
        self.links.begin();
        let mut health = Vec::with_capacity(self.collectors.len());
        for active in &mut self.collectors {
            if selected(active.spec.name) {
                let mut context = Context {
                    files: &self.files,
                    sampler,
                    sockets: &mut self.sockets,
                    links: &mut self.links,
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
        for (name, outcome, source, left_out) in health {
            write_health(&mut self.batch, name, outcome, source, left_out);
        }
        Ok((&mut self.batch, &self.files))
    }
}

fn write_health(
    batch: &mut Batch,
    name: &str,
    outcome: Option<&Outcome>,
    source: Option<&str>,
    left_out: Option<usize>,
) {
    let labels = batch.labels(&[("collector", name)]);
    if let Some(outcome) = outcome {
        batch.push(&DURATION, labels, outcome.duration.as_secs_f64());
        batch.push(
            &SUCCESS,
            labels,
            if outcome.error.is_none() { 1.0 } else { 0.0 },
        );
    }
    if let Some(count) = left_out {
        batch.push(
            &LEFT_OUT,
            labels,
            f64::from(u32::try_from(count).unwrap_or(u32::MAX)),
        );
    }
    if let Some(source) = source {
        let labels = batch.labels(&[("collector", name), ("source", source)]);
        batch.push(&SOURCE, labels, 1.0);
    }
}

impl Active {
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
mod tests {
    use super::*;
    use crate::metric::NO_LABELS;
    use std::path::Path;

    static GOOD: Desc = Desc::gauge("good", &[], "Good.");
    static LOST: Desc = Desc::gauge("lost", &[], "Lost.");
    static VERDICT: Desc = Desc::gauge("verdict", &[], "Verdict.");

    struct Fixed(fn(&mut Batch, &mut Context<'_>) -> Result<(), CollectError>);

    impl Collector for Fixed {
        fn collect(
            &mut self,
            context: &mut Context<'_>,
            batch: &mut Batch,
        ) -> Result<(), CollectError> {
            (self.0)(batch, context)
        }
    }

    const fn spec(
        name: &'static str,
        verdict: Option<&'static Desc>,
        make: fn(&Config) -> Box<dyn Collector>,
    ) -> Spec {
        Spec {
            name,
            help: "",
            on_by_default: true,
            families: &[],
            patterns: &[],
            verdict,
            make,
        }
    }

    static WORKS: Spec = spec("works", None, |_| {
        Box::new(Fixed(|batch, context| {
            batch.push(&GOOD, NO_LABELS, 1.0);
            context.left_out = Some(3);
            context.source = Some("proc");
            Ok(())
        }))
    });
    static FAILS: Spec = spec("fails", Some(&VERDICT), |_| {
        Box::new(Fixed(|batch, context| {
            batch.push(&LOST, NO_LABELS, 1.0);
            context.files.proc("no/such", |_| Ok(()))?;
            let error = crate::parse::ParseError::new(2, "x", "y", b"z");
            Err(crate::files::FileError {
                path: "p".into(),
                cause: crate::files::Cause::Parse(error),
            }
            .into())
        }))
    });
    static PANICS: Spec = spec("panics", None, |_| {
        Box::new(Fixed(|batch, _| {
            batch.push(&LOST, NO_LABELS, 1.0);
            panic!("on purpose")
        }))
    });

    fn engine(list: &[&'static Spec]) -> Engine {
        let config = Config {
            collectors: list.iter().map(|spec| spec.name).collect(),
            ..Config::default()
        };
        let files =
            Files::open(Path::new("/proc"), Path::new("/sys")).expect("this machine has both");
        Engine::with(&config, files, list)
    }

    fn text(batch: &Batch) -> String {
        let mut out = Vec::new();
        crate::exposition::encode(batch, &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.contains("duration"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn a_failure_and_a_panic_lose_their_own_samples_only() {
        let mut engine = engine(&[&FAILS, &PANICS, &WORKS]);
        let sampler = Sampler::default();
        let (batch, _) = engine.scrape(&[], &[], &sampler).expect("no names");
        let expected = "verdict 0\ngood 1\n\
            node_scrape_collector_success{collector=\"fails\"} 0\n\
            node_scrape_collector_success{collector=\"panics\"} 0\n\
            node_scrape_collector_success{collector=\"works\"} 1\n\
            weir_series_left_out{collector=\"works\"} 3\n\
            weir_source_info{collector=\"works\",source=\"proc\"} 1";
        assert_eq!(text(batch), expected);
        let errors: Vec<_> = engine
            .outcomes()
            .map(|(_, outcome)| outcome.and_then(|outcome| outcome.error.clone()))
            .collect();
        assert_eq!(
            errors,
            [
                Some("p:2: x: expected y, found \"z\"".to_string()),
                Some("panic: on purpose".to_string()),
                None
            ]
        );
    }

    #[test]
    fn names_choose_collectors_and_unknown_ones_are_refused() {
        let mut engine = engine(&[&FAILS, &WORKS]);
        let sampler = Sampler::default();
        let works = ["works".to_string()];
        let fails = ["fails".to_string()];
        for (wanted, unwanted) in [(&works[..], &[][..]), (&[], &fails)] {
            let (batch, _) = engine
                .scrape(wanted, unwanted, &sampler)
                .expect("known names");
            assert!(!text(batch).contains("fails"));
            assert!(text(batch).contains("good 1"));
        }
        let refused = engine
            .scrape(&["nonesuch".to_string()], &[], &sampler)
            .map(|_| ());
        assert_eq!(refused, Err("missing collector: nonesuch".to_string()));
    }
}
