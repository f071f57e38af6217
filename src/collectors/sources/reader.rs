//! Reads the files of one source, in a thread of its own.
//!
//! A file that has not changed is not read again, unless the kernel makes up what stands in it (/proc, /sys). One that was
//! written a moment ago and ends in the middle of a line, or breaks its format, may be half written: it is read again until it
//! rests. A FIFO is read each time, and its writer waited for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

#[cfg(feature = "sqlite")]
use super::budget::Budget;
#[cfg(feature = "sqlite")]
use super::sqlite;
use crate::config::sources::Column;
use crate::config::sources::Format;
use crate::config::sources::Source;
use crate::files::Cause;
use crate::files::FileError;
use crate::files::fifo;
use crate::files::regular;
use crate::files::watched;
use crate::files::watched::Stamp;
use crate::parse::ParseError;
use crate::parse::json_pointer;
use crate::parse::key_values;
use crate::parse::measure;
use crate::parse::printable;
use crate::parse::table;

/// The largest file, in bytes; a database may have any size.
const FILE: usize = 4 << 20;
/// How long the writers of a source's FIFOs are waited for, all together: less than what hangs is given.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most files of one source.
const FILES: usize = 256;
/// The most series of one file.
pub(super) const SERIES: usize = 1000;
/// How often a file that may be half written is read again, and after what time.
const AGAIN: usize = 3;
const REST: Duration = Duration::from_millis(15);

/// What is known of a source's files.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Those that could be read at some time.
    pub(super) files: Vec<Known>,
    /// Why one of them cannot be read now.
    pub(super) error: Option<String>,
    /// How many files were not looked at.
    pub(super) left_out: usize,
}

/// A file as it was when it could last be read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The labels of what the pattern's stars stand for.
    pub(super) labels: Vec<(String, String)>,
    pub(super) content: Arc<Content>,
    /// When it was read or found unchanged.
    pub(super) confirmed: Instant,
}

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) series: Vec<Series>,
    /// How many found no room.
    pub(super) left_out: usize,
    /// When it was last written, in seconds since 1970; not told of databases.
    pub(super) modified: Option<i64>,
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// Besides the source's own and the file's.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Content {
    /// Takes a number, if there is room for it.
    pub(super) fn take(&mut self, labels: impl FnOnce() -> Vec<(String, String)>, value: f64) {
        if self.series.len() < SERIES {
            let labels = labels();
            self.series.push(Series { labels, value });
        } else {
            self.left_out += 1;
        }
    }
}

/// The files of one source.
pub(super) struct Reader {
    format: Format,
    scale: f64,
    pattern: PathBuf,
    /// For each `*` in the pattern.
    labels: Vec<String>,
    /// The labels that every series has anyway, which no column of a query may be named.
    #[cfg(feature = "sqlite")]
    taken: Vec<String>,
    known: BTreeMap<PathBuf, (Known, Option<Stamp>)>,
    /// When a query may be asked again, and what to tell until then.
    #[cfg(feature = "sqlite")]
    rest: (Budget, Seen),
}

impl Reader {
    /// Of a source whose file, or pattern, is this below the root.
    pub(super) fn new(source: &Source, pattern: PathBuf) -> Self {
        Self {
            format: source.format.clone(),
            scale: source.scale,
            pattern,
            labels: source.file.labels.clone(),
            #[cfg(feature = "sqlite")]
            taken: {
                let fixed = source.labels.iter().map(|(label, _)| label.clone());
                let of_file = source.file.labels.iter().cloned();
                fixed.chain(of_file).collect()
            },
            known: BTreeMap::new(),
            #[cfg(feature = "sqlite")]
            rest: (Budget::default(), Seen::default()),
        }
    }

    /// Looks at the files, and reads those that have changed. Databases are asked as often as their budget allows.
    #[cfg(feature = "sqlite")]
    pub(super) fn look(&mut self) -> Seen {
        if !matches!(self.format, Format::Sqlite { .. }) {
            return self.look_until(None);
        }
        let begun = Instant::now();
        if self.rest.0.is_spent(begun) {
            return self.rest.1.clone();
        }
        let end = begun + sqlite::LONGEST;
        let seen = self.look_until(Some(end));
        let now = Instant::now();
        self.rest.0.enter(now - begun, now < end, now);
        self.rest.1 = seen.clone();
        seen
    }

    /// Looks at the files, and reads those that have changed.
    #[cfg(not(feature = "sqlite"))]
    pub(super) fn look(&mut self) -> Seen {
        self.look_until(None)
    }

    /// `end` is when queries are given up.
    fn look_until(&mut self, end: Option<Instant>) -> Seen {
        let mut seen = Seen::default();
        let (mut paths, left_out) = if self.labels.is_empty() {
            (vec![self.pattern.clone()], 0)
        } else {
            regular::matching(&self.pattern)
        };
        seen.left_out = left_out + paths.len().saturating_sub(FILES);
        paths.truncate(FILES);
        // A file that the pattern no longer stands for is gone; one that was named should be there.
        self.known.retain(|path, _| paths.contains(path));
        let share = PATIENCE / u32::try_from(paths.len().max(1)).unwrap_or(u32::MAX);
        for path in &paths {
            if let Err(error) = self.look_at(path, share, end) {
                seen.error.get_or_insert(error);
            }
        }
        let known = self.known.values();
        seen.files = known.map(|(known, _)| known.clone()).collect();
        seen
    }

    /// Looks at a file, whose writer is waited for if it is a FIFO; `end` is when queries are given up.
    fn look_at(
        &mut self,
        path: &Path,
        patience: Duration,
        end: Option<Instant>,
    ) -> Result<(), String> {
        #[cfg(not(feature = "sqlite"))]
        let _ = end;
        #[cfg(feature = "sqlite")]
        if let (Format::Sqlite { query }, Some(end)) = (&self.format, end) {
            let mut content = sqlite::rows(path, query, &self.taken, end)?;
            for series in &mut content.series {
                series.value *= self.scale;
            }
            // What a query gives may depend on the time, so that it is asked again whether or not anything was written.
            self.keep(path, Arc::new(content), None);
            return Ok(());
        }
        let stamp = match watched::stamp(path) {
            Err(error) if matches!(error.cause, Cause::NotRegular) && fifo::is_one(path) => {
                let bytes = fifo::read(path, FILE, patience).map_err(|error| error.to_string())?;
                let parsed = self.parse(&bytes);
                let content = parsed.map_err(|error| format!("{}:{error}", path.display()))?;
                self.keep(path, Arc::new(content), None);
                return Ok(());
            }
            stamp => stamp.map_err(|error| error.to_string())?,
        };
        let known = self.known.get_mut(path);
        if let Some((known, Some(seen))) = known
            && stamp.as_ref() == Some(seen)
        {
            known.confirmed = Instant::now();
            return Ok(());
        }
        let (content, stamp) = self.read(path)?;
        let stays = stamp.is_stored() && !stamp.is_fresh();
        self.keep(path, Arc::new(content), Some(stamp).filter(|_| stays));
        Ok(())
    }

    fn keep(&mut self, path: &Path, content: Arc<Content>, stamp: Option<Stamp>) {
        let standing = standing_at_stars(&self.pattern, path);
        // The root that stands before the configured path may have stars of its own, which no label is for.
        let foreign = standing.len().saturating_sub(self.labels.len());
        let standing = standing.into_iter().skip(foreign);
        let known = Known {
            labels: self.labels.iter().cloned().zip(standing).collect(),
            content,
            confirmed: Instant::now(),
        };
        self.known.insert(path.to_path_buf(), (known, stamp));
    }

    fn read(&self, path: &Path) -> Result<(Content, Stamp), String> {
        let mut before: Option<Vec<u8>> = None;
        let mut attempts = AGAIN;
        loop {
            let read = watched::read(path, FILE).map_err(|error| error.to_string())?;
            let missing = || FileError {
                path: path.display().to_string(),
                cause: Cause::Io(rustix::io::Errno::NOENT),
            };
            let (bytes, stamp) = read.ok_or_else(|| missing().to_string())?;
            let parsed = self.parse(&bytes);
            let whole = parsed.is_ok() && bytes.ends_with(b"\n");
            let rests = !stamp.is_stored() || !stamp.is_fresh() || before.as_ref() == Some(&bytes);
            if whole || rests || attempts == 0 {
                let mut content = parsed.map_err(|error| format!("{}:{error}", path.display()))?;
                content.modified = Some(stamp.modified());
                return Ok((content, stamp));
            }
            attempts -= 1;
            before = Some(bytes);
            thread::sleep(REST);
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Content, ParseError> {
        let mut content = Content::default();
        let scale = self.scale;
        match &self.format {
            Format::Number => content.take(Vec::new, measure::value(bytes)? * scale),
            Format::Pair { key, separator } => {
                let value = key_values::value(bytes, key, *separator)?;
                content.take(Vec::new, value * scale);
            }
            Format::Json {
                pointer,
                key_label,
                text_numbers,
            } => {
                let wanted = json_pointer::Wanted {
                    pointer,
                    all: key_label.is_some(),
                    text_numbers: *text_numbers,
                };
                json_pointer::numbers(bytes, &wanted, &mut |key, value| {
                    let label = key_label.iter();
                    let labels = || label.map(|label| (label.clone(), text(key))).collect();
                    content.take(labels, value * scale);
                })?;
            }
            Format::Table { .. } => self.rows(bytes, &mut content)?,
            // Refused when the configuration is read, or read as a database.
            Format::Sqlite { .. } => {
                return Err(ParseError::new(1, "format", "a weir with SQLite", b""));
            }
        }
        Ok(content)
    }

    fn rows(&self, bytes: &[u8], content: &mut Content) -> Result<(), ParseError> {
        let Format::Table {
            delimiter,
            header,
            column,
            only,
            labels,
        } = &self.format
        else {
            return Ok(());
        };
        let wanted = table::Wanted {
            delimiter: *delimiter,
            header: *header,
            column: of(column),
            only: only
                .iter()
                .map(|(column, value)| (of(column), value.as_str()))
                .collect(),
            also: labels.iter().map(|(_, column)| of(column)).collect(),
        };
        table::rows(bytes, &wanted, &mut |values: &[Cow<'_, [u8]>], value| {
            let pairs = || {
                let pairs = labels.iter().zip(values);
                let pairs = pairs.map(|((label, _), value)| (label.clone(), text(value)));
                pairs.collect()
            };
            content.take(pairs, value * self.scale);
        })?;
        let rows = content.series.len() + content.left_out;
        // Without a label to tell them apart one row is meant.
        if labels.is_empty() && rows != 1 {
            let expected = "one row, or label-columns to tell rows apart";
            let found = format!("{rows} rows");
            return Err(ParseError::new(1, "column", expected, found.as_bytes()));
        }
        Ok(())
    }
}

fn of(column: &Column) -> table::Column<'_> {
    match column {
        Column::Number(number) => table::Column::Number(*number),
        Column::Name(name) => table::Column::Name(name),
    }
}

fn text(bytes: &[u8]) -> String {
    printable(bytes).into_owned()
}

/// What stands in a path wherever the pattern, which it fits, has a `*`. Of several in one name all but the last stand for as
/// little as they can.
fn standing_at_stars(pattern: &Path, path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (wild, name) in pattern.components().zip(path.components()) {
        let wild = wild.as_os_str().as_encoded_bytes();
        let name = name.as_os_str().as_encoded_bytes();
        let mut pieces = wild.split(|byte| *byte == b'*');
        let begin = pieces.next().unwrap_or_default();
        let Some(end) = pieces.next_back() else {
            continue;
        };
        let mut rest = name.strip_prefix(begin).unwrap_or(name);
        for piece in pieces {
            let at = (0..rest.len())
                .find(|at| rest.get(*at..).is_some_and(|rest| rest.starts_with(piece)));
            let (star, behind) = rest.split_at(at.unwrap_or_default());
            found.push(text(star));
            rest = behind.strip_prefix(piece).unwrap_or(behind);
        }
        found.push(text(rest.strip_suffix(end).unwrap_or(rest)));
    }
    found
}

#[cfg(test)]
mod tests;
