//! Rows of a query of an SQLite database, read while another program may write it.
//!
//! The database is opened for reading only, each time anew: it may have been replaced. A writer that holds it is waited for
//! for a second, and queries that take longer than [`LONGEST`] are given up; how often they are asked, `budget` says.

use std::fmt;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::types::ValueRef;

use super::reader::Content;
use crate::config::sources::is_label_name;
use crate::files::watched;
use crate::parse::measure;
use crate::parse::printable;

/// How often a lock is tried, and after what time again: for a second in all. SQLite's own handler tries ten times a second
/// after a while, which finds no gap between the transactions of a busy writer.
const TRIES: i32 = 200;
const BUSY: Duration = Duration::from_millis(5);
/// How long the queries of a source may take, all together: less than the time after which a file system is said to hang.
pub(super) const LONGEST: Duration = Duration::from_secs(4);
/// After how many of its steps SQLite is asked whether it is time to give up.
const STEPS: i32 = 10_000;
/// The most columns: labels, and the number.
const COLUMNS: usize = 31;
/// The most rows that are looked at: those past the limit of series are only counted.
const ROWS: usize = 100_000;

/// Asks a database, which must have answered at `end`. The labels that are taken are those of all series of the source.
///
/// # Errors
/// When it cannot be opened, the query is none, or what it gives is no number.
pub(super) fn rows(
    path: &Path,
    query: &str,
    taken: &[String],
    end: Instant,
) -> Result<Content, String> {
    let shown = path.display();
    // SQLite would wait for the writer of a FIFO.
    match watched::stamp(path) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(format!("{shown}: expected a database, found none")),
        Err(error) => return Err(error.to_string()),
    }
    ask(path, query, taken, end).map_err(|error| format!("{shown}: {error}"))
}

/// Why there is no number.
enum Wrong {
    Sqlite(rusqlite::Error),
    Expected(String),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nothing but the end of the time interrupts a query.
            Self::Sqlite(error)
                if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
            {
                f.write_str(&late())
            }
            Self::Sqlite(error) => write!(f, "sqlite: {error}"),
            Self::Expected(text) => f.write_str(text),
        }
    }
}

fn late() -> String {
    let seconds = LONGEST.as_secs();
    format!("query: expected an answer within {seconds} s, found none")
}

fn ask(path: &Path, query: &str, taken: &[String], end: Instant) -> Result<Content, Wrong> {
    if Instant::now() >= end {
        return Err(Wrong::Expected(late()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(|tried| {
        thread::sleep(BUSY);
        tried < TRIES
    }))?;
    connection.progress_handler(STEPS, Some(move || Instant::now() >= end))?;
    let mut statement = connection.prepare(query)?;
    if !statement.readonly() {
        let text = "query: expected a SELECT, found what writes";
        return Err(Wrong::Expected(text.to_string()));
    }
    let names: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_string)
        .collect();
    let labels = labels(&names, taken)?;
    let mut content = Content::default();
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        if count > ROWS {
            let text = format!("query: expected at most {ROWS} rows");
            return Err(Wrong::Expected(text));
        }
        let Some(value) = number(row.get_ref(labels.len())?, count)? else {
            continue;
        };
        let mut pairs = Vec::with_capacity(labels.len());
        for (index, name) in labels.iter().enumerate() {
            pairs.push((name.clone(), text(row.get_ref(index)?)));
        }
        content.take(|| pairs, value);
    }
    if labels.is_empty() && count != 1 {
        let text = format!("query: expected one row, or columns for labels, found {count} rows");
        return Err(Wrong::Expected(text));
    }
    Ok(content)
}

/// The names of all columns but the last, as labels; none is one of those that the series have anyway.
fn labels<'n>(names: &'n [String], taken: &[String]) -> Result<&'n [String], Wrong> {
    let Some((_, labels)) = names.split_last().filter(|_| names.len() <= COLUMNS) else {
        let text = format!(
            "query: expected from 1 to {COLUMNS} columns, found {}",
            names.len()
        );
        return Err(Wrong::Expected(text));
    };
    let twice = |at: usize, name: &String| {
        let earlier = taken.iter().chain(labels.iter().take(at));
        earlier.into_iter().any(|other| other == name)
    };
    for (at, name) in labels.iter().enumerate() {
        if !is_label_name(name) || twice(at, name) {
            let text = "query: expected columns with names of labels, each once (SELECT … AS name)";
            return Err(Wrong::Expected(format!("{text}, found {name:?}")));
        }
    }
    Ok(labels)
}

/// NULL is no number, and none is missed.
fn number(value: ValueRef<'_>, row: usize) -> Result<Option<f64>, Wrong> {
    let found = match value {
        ValueRef::Null => return Ok(None),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the text format has doubles only"
        )]
        ValueRef::Integer(number) => return Ok(Some(number as f64)),
        ValueRef::Real(number) if number.is_finite() => return Ok(Some(number)),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => match measure::number(text) {
            Some(number) => return Ok(Some(number)),
            None => printable(text).chars().take(40).collect(),
        },
        ValueRef::Blob(_) => "a blob".to_string(),
    };
    let text = format!("query: row {row}: expected a number in the last column, found {found:?}");
    Err(Wrong::Expected(text))
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => printable(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests;
