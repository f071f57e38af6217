//! What other programs wrote into `*.prom` files in the text format.
//!
//! The names are those of node_exporter's textfile collector: the files' own families, when each file was written, and
//! whether anything was refused. A file is taken whole or not at all, and one bad file costs no other: what breaks the
//! format, has timestamps, brings a family that weir itself exports (whether or not it does now), gives a family of an
//! earlier file another type, or repeats one of its series, is refused, told in the log once, and sets
//! `node_textfile_scrape_error` to 1. Two files with other HELP for one family: both are taken with the first's, and the
//! error is 1, as there. Files are read in the order of the directories and of their names.
//!
//! weir's own file (`--textfile.output`) is passed over, under whatever name it is found: it holds what is on this page
//! anyway.
//!
//! Directories may be on a network mount whose server is gone: each is read by a thread of its own (reader.rs). One that
//! does not answer in time is told as it was last read, and after five seconds as an error too.
//!
//! Off by default: a node_exporter on the same machine reads the same directory.

mod reader;

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::collectors::ALL;
use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::Config;
use crate::config::TEXTFILE;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Kind;
use crate::metric::NO_LABELS;
use crate::metric::Part;
use crate::parse::float;
use crate::parse::printable;
use crate::parse::textfile;
use crate::parse::textfile::Family;
use crate::parse::textfile::Type;
use crate::probes::PATIENCE;
use crate::probes::STUCK;

use self::reader::FILES;
use self::reader::Found;
use self::reader::Reader;

/// The most series of all files together.
const SERIES: usize = 10_000;

/// The collector `textfile`.
pub static SPEC: Spec = Spec {
    name: "textfile",
    help: "what other programs wrote into *.prom files",
    on_by_default: false,
    families: &[&MTIME, &SCRAPE_ERROR],
    patterns: &[&FOREIGN],
    verdict: None,
    make: |config| {
        Box::new(Textfile {
            readers: config
                .textfile_directories
                .iter()
                .map(|path| Reader::new(path, own_file(config)))
                .collect(),
            // Nobody else waits for the loop of --once.
            patience: if config.once { STUCK } else { PATIENCE },
            told: Vec::new(),
        })
    },
};

static MTIME: Desc = Desc::gauge(
    "node_textfile_mtime_seconds",
    &["file"],
    "When a file that was read was last written, in whole seconds since 1970.",
);
static SCRAPE_ERROR: Desc = Desc::gauge(
    "node_textfile_scrape_error",
    &[],
    "Whether a directory or file was refused or did not answer, 1, or none, 0; the log says which and why.",
);
static FOREIGN: Desc = Desc::gauge(
    "<family_of_a_file>",
    &[],
    "Whatever the files hold, with their own types, labels and HELP.",
);

/// The file that this program writes (`--textfile.output`).
fn own_file(config: &Config) -> Option<PathBuf> {
    let directory = config.textfile_output.as_ref()?;
    Some(directory.join(TEXTFILE))
}

struct Textfile {
    readers: Vec<Reader>,
    /// How long the directories are waited for, all together.
    patience: Duration,
    /// What was refused in the last scrape.
    told: Vec<String>,
}

impl Collector for Textfile {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        for reader in &mut self.readers {
            reader.ask();
        }
        let until = Instant::now() + self.patience;
        let answers: Vec<_> = self
            .readers
            .iter()
            .map(|reader| reader.answer(until))
            .collect();
        let mut taken = Taken::default();
        taken
            .refused
            .extend(answers.iter().filter_map(|(_, error)| error.clone()));
        let found: Vec<&Found> = answers
            .iter()
            .filter_map(|(answer, _)| answer.as_ref()?.value())
            .collect();
        if found.is_empty() && !answers.is_empty() && taken.refused.is_empty() {
            // Nothing has been read yet, and nothing is known to be wrong.
            return Ok(());
        }
        for refused in found.iter().flat_map(|found| &found.refused) {
            taken.refused.push(refused.clone());
        }
        let mut files: Vec<_> = found.iter().flat_map(|found| &found.files).collect();
        let mut once = HashSet::new();
        files.retain(|file| once.insert(&file.path));
        if let Some(directory) = files.get(FILES).and_then(|file| file.path.parent()) {
            let text = reader::too_many(directory);
            if !taken.refused.contains(&text) {
                taken.refused.push(text);
            }
        }
        for file in files.iter().take(FILES) {
            taken.read(file, batch);
        }
        for (file, time) in &taken.times {
            let labels = batch.labels(&[("file", file)]);
            batch.push(&MTIME, labels, *time);
        }
        let error = f64::from(u8::from(!taken.refused.is_empty()));
        batch.push(&SCRAPE_ERROR, NO_LABELS, error);
        context.left_out = Some(taken.left_out);
        self.tell(taken.refused);
        Ok(())
    }
}

impl Textfile {
    /// Logs what was not refused before.
    fn tell(&mut self, refused: Vec<String>) {
        let told: HashSet<_> = std::mem::take(&mut self.told).into_iter().collect();
        for text in refused.iter().filter(|text| !told.contains(*text)) {
            log::error!(collector = SPEC.name, err = text.as_str(); "text file refused");
        }
        if refused.is_empty() && !told.is_empty() {
            log::info!(collector = SPEC.name; "all text files are taken again");
        }
        self.told = refused;
    }
}

/// What the files read so far brought.
#[derive(Default)]
struct Taken {
    families: HashMap<String, Arc<Desc>>,
    /// Each name that samples have, and the family that it belongs to.
    names: HashMap<String, String>,
    /// Name and labels.
    series: HashSet<String>,
    times: Vec<(String, f64)>,
    refused: Vec<String>,
    left_out: usize,
}

impl Taken {
    fn read(&mut self, file: &reader::File, batch: &mut Batch) {
        let name = printable(file.path.as_os_str().as_encoded_bytes());
        let result = match &file.content {
            Ok((bytes, modified)) => textfile::families(bytes)
                .map_err(|error| format!("{name}:{error}"))
                .and_then(|families| {
                    let taken = self.take(&name, &families, *modified, batch);
                    taken.map_err(|why| format!("{name}: {why}"))
                }),
            Err(error) => Err(error.clone()),
        };
        self.refused.extend(result.err());
    }

    /// Takes a file whole, or says why not.
    fn take(
        &mut self,
        file: &str,
        families: &[Family<'_>],
        modified: SystemTime,
        batch: &mut Batch,
    ) -> Result<(), String> {
        let mark = batch.mark();
        let full = || families.iter().filter(|family| !family.samples.is_empty());
        full().try_for_each(|family| self.check(family))?;
        let taken = |name: &str| batch.families().iter().any(|family| family.name == name);
        let is_foreign = |name: &str| !self.families.contains_key(name) && taken(name);
        if let Some(family) = full().find(|family| is_foreign(family.name)) {
            let name = family.name;
            return Err(format!("{name}: expected no family of a configured source"));
        }
        let count: usize = full().map(|family| family.samples.len()).sum();
        if self.series.len() + count > SERIES {
            self.left_out += count;
            return Err(format!("expected at most {SERIES} series in all files"));
        }
        let mut series = Vec::with_capacity(count);
        let mut descs = Vec::new();
        for family in full() {
            let desc = self.families.get(family.name).cloned();
            let desc = desc.unwrap_or_else(|| described(family, file));
            for sample in &family.samples {
                let labels: Vec<_> = sample
                    .labels
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect();
                let labels = batch.labels(&labels);
                let part = part(sample.part);
                let name = [family.name, suffix(sample.part), batch.label_text(labels)].concat();
                if self.series.contains(&name) {
                    batch.cut(mark);
                    return Err(format!("{name}: expected no series of another file"));
                }
                series.push(name);
                batch.push_foreign(&desc, part, labels, sample.value);
            }
            descs.push(desc);
        }
        self.series.extend(series);
        for (family, desc) in full().zip(descs) {
            self.keep(family, desc, file);
        }
        let time = modified.duration_since(SystemTime::UNIX_EPOCH);
        self.times.push((
            file.to_string(),
            time.map_or(0.0, |time| float(time.as_secs())),
        ));
        Ok(())
    }

    /// Whether a family can stand beside weir's own and those of earlier files.
    fn check(&self, family: &Family<'_>) -> Result<(), String> {
        for name in names(family) {
            if is_ours(&name) {
                return Err(format!("{name}: expected no family of weir's own"));
            }
            match self.names.get(&name) {
                Some(other) if other != family.name => {
                    return Err(format!("{name}: expected no name of the family {other}"));
                }
                _ => {}
            }
        }
        let earlier = self.families.get(family.name);
        match earlier.filter(|earlier| earlier.kind != kind(family.kind)) {
            Some(earlier) => Err(format!(
                "{}: expected the type of an earlier file, {}, found {}",
                family.name,
                earlier.kind.word(),
                kind(family.kind).word()
            )),
            None => Ok(()),
        }
    }

    fn keep(&mut self, family: &Family<'_>, desc: Arc<Desc>, file: &str) {
        if let Some(help) = family.help.as_deref().filter(|help| *help != desc.help) {
            self.refused.push(format!(
                "{file}: {}: expected the HELP of an earlier file, {:?}, found {help:?}",
                family.name, desc.help
            ));
        }
        for name in names(family) {
            self.names.insert(name, family.name.to_string());
        }
        self.families.insert(family.name.to_string(), desc);
    }
}

/// The names that the samples of a family may have.
fn names(family: &Family<'_>) -> Vec<String> {
    let suffixes: &[&str] = match family.kind {
        Some(Type::Histogram) => &["", "_bucket", "_sum", "_count"],
        Some(Type::Summary) => &["", "_sum", "_count"],
        _ => &[""],
    };
    suffixes
        .iter()
        .map(|suffix| format!("{}{suffix}", family.name))
        .collect()
}

/// Whether weir has a family of that name. What the engine and the instruments write begins with one of three prefixes.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    let engine = ["weir_", "process_", "node_scrape_collector_"];
    engine.iter().any(|prefix| name.starts_with(prefix))
        || ALL
            .iter()
            .flat_map(|spec| spec.declared())
            // Names that files and the configuration decide, here and in `sources`.
            .filter(|desc| !desc.name.starts_with('<'))
            .any(|desc| Spec::fits(&desc.name, name))
}

fn described(family: &Family<'_>, file: &str) -> Arc<Desc> {
    let help = family.help.as_deref().map(str::to_string);
    let help = help.unwrap_or_else(|| format!("Metric read from {file}"));
    Desc::at_run_time(family.name.to_string(), kind(family.kind), &[], help)
}

fn kind(kind: Option<Type>) -> Kind {
    match kind {
        Some(Type::Counter) => Kind::Counter,
        Some(Type::Gauge) => Kind::Gauge,
        Some(Type::Histogram) => Kind::Histogram,
        Some(Type::Summary) => Kind::Summary,
        Some(Type::Untyped) | None => Kind::Untyped,
    }
}

fn part(part: textfile::Part) -> Part {
    match part {
        textfile::Part::Plain => Part::Plain,
        textfile::Part::Bucket => Part::Bucket,
        textfile::Part::Sum => Part::Sum,
        textfile::Part::Count => Part::Count,
    }
}

fn suffix(part: textfile::Part) -> &'static str {
    match part {
        textfile::Part::Plain => "",
        textfile::Part::Bucket => "_bucket",
        textfile::Part::Sum => "_sum",
        textfile::Part::Count => "_count",
    }
}

#[cfg(test)]
mod tests;
