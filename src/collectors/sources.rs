//! Named numbers from files, as the section `sources` of the configuration says.
//!
//! The sources are read by a [`Pool`], which begins with the first scrape: a file may be on a mount whose server is gone, and a
//! query may take its time. The loop waits for all of them together at most as long as it waits for text files. Nothing is
//! paid where no source is configured.
//!
//! A source that cannot be read fails alone: its success is 0, the log says once why and once when it is read again (of one that
//! comes and goes once a minute), and its series are told as they were last known, with their age. The series of a file that a pattern no longer stands for end
//! with it.
//!
//! `weir_source_info` is something else: where a collector takes its data from.

#[cfg(feature = "sqlite")]
mod budget;
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
use crate::probes::Ask;
use crate::probes::PATIENCE;
use crate::probes::Pool;
use crate::probes::STUCK;
use crate::seldom::Seldom;

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
            pool: None,
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
    /// Who reads them, from the first scrape on.
    pool: Option<Pool<Seen>>,
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
        let sources = &self.sources;
        let pool = self.pool.get_or_insert_with(|| {
            let readers = sources.iter().map(|source| source.reader(root));
            Pool::new("source", readers.collect())
        });
        pool.ask(self.patience);
        for (at, source) in self.sources.iter_mut().enumerate() {
            source.take(pool, at);
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

/// A source, and what is known of it.
struct Active {
    source: Source,
    /// What was last known of the files.
    seen: Option<Seen>,
    /// Why there is no answer.
    silent: Option<String>,
    /// Whether the last scrape found something wrong.
    failed: bool,
    told: Seldom,
}

impl Active {
    fn new(source: Source) -> Self {
        Self {
            source,
            seen: None,
            silent: None,
            failed: false,
            told: Seldom::default(),
        }
    }

    /// What reads it, and the place that it hangs with.
    fn reader(&self, root: &Path) -> (PathBuf, Ask<Seen>) {
        let path = below(root, &self.source.file.path);
        let mut reader = Reader::new(&self.source, path.clone());
        (path, Box::new(move || reader.look()))
    }

    fn take(&mut self, pool: &Pool<Seen>, at: usize) {
        let answer = pool.answer(at);
        if let Some(seen) = answer.value() {
            self.seen = Some(seen.clone());
        }
        let path = self.source.file.path.display();
        let lacking = pool.lacks_thread(at);
        self.silent = answer.is_stuck().then(|| match lacking {
            Some(lacking) => format!("{path}: {lacking}"),
            None => format!("{path}: expected an answer of the file system, found none"),
        });
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
        let changed = error.is_some() != self.failed;
        self.failed = error.is_some();
        let Some(left_out) = self.told.tell(changed, Instant::now()) else {
            return;
        };
        match error {
            Some(error) => {
                log::error!(collector = SPEC.name, source = name, err = error; "source fails{left_out}");
            }
            None => {
                log::info!(collector = SPEC.name, source = name; "source is read again{left_out}");
            }
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
