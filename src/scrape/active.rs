//! One collector at work: timed, isolated, and its failures told once.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Duration;
use std::time::Instant;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::Config;
use crate::log::panic_message;
use crate::metric::Batch;
use crate::metric::NO_LABELS;

/// How a collector fared when it last ran.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How long it took.
    pub duration: Duration,
    /// Why it failed, in words.
    pub error: Option<String>,
}

impl Outcome {
    pub(super) fn is_well(&self) -> bool {
        self.error.is_none()
    }
}

/// A collector that is enabled.
pub(super) struct Active {
    pub(super) spec: &'static Spec,
    collector: Box<dyn Collector>,
    pub(super) outcome: Option<Outcome>,
}

impl Active {
    pub(super) fn new(spec: &'static Spec, config: &Config) -> Self {
        Self {
            spec,
            collector: (spec.make)(config),
            outcome: None,
        }
    }

    /// Runs it, keeps how it fared and logs when that has changed.
    pub(super) fn run(&mut self, config: &Config, context: &mut Context<'_>, batch: &mut Batch) {
        let begun = Instant::now();
        let error = self.attempt(config, context, batch).err();
        let duration = begun.elapsed();
        if let Some(verdict) = self.spec.verdict {
            let good = error.is_none() && context.verdict != Some(false);
            batch.push(verdict, NO_LABELS, f64::from(u8::from(good)));
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

    /// Runs it and takes back what it wrote when it fails.
    ///
    /// # Errors
    /// Why it failed, in words.
    pub(super) fn attempt(
        &mut self,
        config: &Config,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), String> {
        let mark = batch.mark();
        // What a panic may leave half changed is thrown away: the batch is cut, the collector made anew, and a survey
        // that is not complete is not kept.
        let ran = catch_unwind(AssertUnwindSafe(|| self.collector.collect(context, batch)));
        let result = ran.unwrap_or_else(|payload| {
            self.collector = (self.spec.make)(config);
            Err(CollectError::Panic(
                panic_message(payload.as_ref()).to_string(),
            ))
        });
        result.map_err(|error| {
            batch.cut(mark);
            context.left_out = None;
            error.to_string()
        })
    }
}
