//! Named numbers from files, as the section `sources` of the configuration says.
//!
//! Each source is read by a thread of its own, which begins with the first scrape: a file may be on a mount whose server is
//! gone, and a query may take its time. The loop waits for all of them together at most as long as it waits for text files.
//! Nothing is paid where no source is configured.
//!
//! A source that cannot be read fails alone: its success is 0, the log says once why and once when it is read again, and its
//! series are told as they were last known, with their age. The series of a file that a pattern no longer stands for end
//! with it.
//!
//! `weir_source_info` is something else: where a collector takes its data from.

mod reader;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::sources::Kind as SourceKind;
use crate::config::sources::Source;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Family;
use crate::metric::Kind;
use crate::metric::NO_LABELS;
use crate::metric::Part;
use crate::parse::float;
use crate::probes::OnDemand;
use crate::probes::PATIENCE;
use crate::probes::STUCK;
use crate::told;
use crate::told::Say;
use crate::told::Told;

use self::reader::Reader;
use self::reader::Seen;

/// The most series of all sources together.
const SERIES: usize = 10_000;

/// The collector `sources`.
pub static SPEC: Spec = Spec {
    name: "sources",
    help: "numbers from files, as the section sources of the configuration names them",
    on_by_default: true,
    families: &[&SUCCESS, &AGE, &MTIME],
    patterns: &[&NAMED],
    verdict: None,
    make: |config| {
        let sources = config.sources.iter().cloned();
        Box::new(Sources {
            sources: sources.map(Active::new).collect(),
            // Nobody else waits for the loop of --once.
            patience: if config.once { STUCK } else { PATIENCE },
        })
    },
};

static SUCCESS: Desc = Desc::gauge(
    "weir_configured_source_success",
    &["source"],
    "Whether a configured source's files can be read now (1) or not (0); the log says why.",
);
static AGE: Desc = Desc::gauge(
    "weir_configured_source_age_seconds",
    &["source"],
    "How long ago what is told of a configured source was read or found unchanged, in seconds; of several files that for which it is longest.",
);
static MTIME: Desc = Desc::gauge(
    "weir_configured_source_mtime_seconds",
    &["source"],
    "When a configured source's file was last written, in seconds since 1970; of several that for which it is longest ago.",
);
static NAMED: Desc = Desc::gauge(
    "<family_of_a_source>",
    &[],
    "Whatever the configuration names, with its type, labels and HELP.",
);

struct Sources {
    sources: Vec<Active>,
    /// How long the files are waited for, all together.
    patience: Duration,
}

impl Collector for Sources {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if self.sources.is_empty() {
            return Ok(());
        }
        let root = context.files.root_path();
        for source in &mut self.sources {
            source.ask(root);
        }
        let until = Instant::now() + self.patience;
        for source in &mut self.sources {
            source.answer(until);
        }
        let mut page = Page::default();
        let written = self
            .sources
            .iter()
            .map(|source| source.write_series(&mut page, batch));
        let errors: Vec<_> = written.collect();
        for (source, error) in self.sources.iter_mut().zip(errors) {
            source.write_health(error.as_deref(), batch);
            source.tell(error.as_deref());
        }
        context.left_out = Some(page.left_out);
        Ok(())
    }
}

/// What all sources wrote.
#[derive(Default)]
struct Page {
    families: Vec<(String, Family)>,
    /// Name and labels.
    series: HashSet<String>,
    left_out: usize,
}

/// A source, with its thread from the first question on.
struct Active {
    source: Source,
    thread: Option<OnDemand<Seen>>,
    /// What was last known of the files.
    seen: Option<Seen>,
    /// Why there is no answer.
    silent: Option<String>,
    /// What was logged.
    told: Told,
}

impl Active {
    fn new(source: Source) -> Self {
        Self {
            source,
            thread: None,
            seen: None,
            silent: None,
            told: Told::default(),
        }
    }

    fn ask(&mut self, root: &Path) {
        self.silent = None;
        if self.thread.is_none() {
            let mut reader = Reader::new(&self.source, below(root, self.source.file.path()));
            match OnDemand::start("source", move || reader.look()) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => self.silent = Some(format!("no thread: {error}")),
            }
        }
        if let Some(thread) = &self.thread {
            thread.ask();
        }
    }

    fn answer(&mut self, until: Instant) {
        let Some(thread) = &self.thread else {
            return;
        };
        let answer = thread.answer(until);
        if let Some(seen) = answer.value() {
            self.seen = Some(seen.clone());
        }
        if answer.is_stuck() {
            let path = self.source.file.path().display();
            self.silent = Some(format!(
                "{path}: expected an answer of the file system, found none"
            ));
        }
    }

    /// Before the first answer, and before it is overdue, there is nothing to tell.
    fn write_health(&self, error: Option<&str>, batch: &mut Batch) {
        let seen = self.seen.as_ref();
        if seen.is_none() && error.is_none() {
            return;
        }
        let labels = batch.labels(&[("source", &self.source.name)]);
        batch.push(&SUCCESS, labels, f64::from(u8::from(error.is_none())));
        let files = || seen.into_iter().flat_map(|seen| &seen.files);
        if let Some(oldest) = files().map(|file| file.confirmed).min() {
            batch.push(&AGE, labels, oldest.elapsed().as_secs_f64());
        }
        let written = files().filter_map(|file| file.content.modified);
        if let Some(oldest) = written.min() {
            // Before 1970 nothing was written.
            let seconds = float(u64::try_from(oldest).unwrap_or(0));
            batch.push(&MTIME, labels, seconds);
        }
    }

    /// Writes what is known, and gives what is wrong.
    fn write_series(&self, page: &mut Page, batch: &mut Batch) -> Option<String> {
        let Some(seen) = &self.seen else {
            return self.silent.clone();
        };
        let source = &self.source;
        let known = page
            .families
            .iter()
            .position(|(name, _)| *name == source.metric);
        let index = known.unwrap_or_else(|| {
            page.families.push((source.metric.clone(), family(source)));
            page.families.len() - 1
        });
        let Some((_, Family::Shared(desc))) = page.families.get(index) else {
            return None;
        };
        page.left_out += seen.left_out;
        let mut wrong = self.silent.clone().or_else(|| seen.error.clone());
        for file in &seen.files {
            page.left_out += file.content.left_out;
            for series in &file.content.series {
                if page.series.len() >= SERIES {
                    page.left_out += 1;
                    continue;
                }
                let fixed = source.labels.iter();
                let pairs = fixed.chain(&file.labels).chain(&series.labels);
                let pairs: Vec<_> = pairs
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                let labels = if pairs.is_empty() {
                    NO_LABELS
                } else {
                    batch.labels(&pairs)
                };
                let name = [source.metric.as_str(), batch.label_text(labels)].concat();
                if page.series.contains(&name) {
                    wrong.get_or_insert_with(|| {
                        format!("{name}: expected no series of this file or an earlier source")
                    });
                    continue;
                }
                page.series.insert(name);
                batch.push_foreign(desc, Part::Plain, labels, series.value);
            }
        }
        wrong
    }

    /// Logs when it breaks and when it heals, whatever the words: they may have a number in them that changes.
    fn tell(&mut self, error: Option<&str>) {
        let name = self.source.name.as_str();
        match self.told.step(error.map(|_| ""), Instant::now()) {
            Say::Broken(others) => {
                let error = told::counted(error, others);
                log::error!(collector = SPEC.name, source = name, err = error.as_str(); "source fails");
            }
            Say::Healed => {
                log::info!(collector = SPEC.name, source = name; "source is read again");
            }
            Say::Nothing => {}
        }
    }
}

fn family(source: &Source) -> Family {
    let kind = match source.kind {
        SourceKind::Counter => Kind::Counter,
        SourceKind::Gauge => Kind::Gauge,
        SourceKind::Untyped => Kind::Untyped,
    };
    let (name, help) = (source.metric.clone(), source.help.clone());
    Family::Shared(Desc::at_run_time(name, kind, &[], help))
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests;
