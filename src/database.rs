//! Queries of SQLite databases, which another program may write meanwhile. Only with the cargo feature `sqlite`.
//!
//! The database is opened for reading only, each time anew: it may have been replaced. A writer that holds it is waited for
//! for a second, and a query that takes longer than it may is given up: only a thread that may wait should ask.

use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;

pub use rusqlite::types::ValueRef;

use crate::files::watched;

/// How often a lock is tried, and after what time again: for a second in all. SQLite's own handler tries ten times a second
/// after a while, which finds no gap between the transactions of a busy writer.
const TRIES: i32 = 200;
pub(crate) const BUSY: Duration = Duration::from_millis(5);
/// How long a query may take: less than the time after which a file system is said to hang.
pub(crate) const LONGEST: Duration = Duration::from_secs(4);
/// After how many of its steps SQLite is asked whether it is time to give up.
const STEPS: i32 = 10_000;

/// Asks a database, and hands over each row with its number, counted from 1. `begin` is given the names of the columns, and
/// gives who takes the rows, of which there are at most `limit`. The query is given up at `end`, four seconds from now at most.
///
/// # Errors
/// When the database cannot be opened, the query is none or takes too long, or in the words of `begin` and the taker; with the
/// path before all of it.
pub fn ask<F>(
    path: &Path,
    query: &str,
    limit: usize,
    end: Instant,
    begin: impl FnOnce(&[String]) -> Result<F, String>,
) -> Result<(), String>
where
    F: FnMut(usize, &[ValueRef<'_>]) -> Result<(), String>,
{
    let shown = path.display();
    // SQLite would wait for the writer of a FIFO.
    match watched::stamp(path) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(format!("{shown}: expected a database, found none")),
        Err(error) => return Err(error.to_string()),
    }
    rows(path, query, limit, end, begin).map_err(|wrong| match wrong {
        // Nothing but the end of the time interrupts a query.
        Wrong::Sqlite(error)
            if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
        {
            format!("{shown}: {}", late())
        }
        Wrong::Sqlite(error) => format!("{shown}: sqlite: {error}"),
        Wrong::Expected(text) => format!("{shown}: {text}"),
    })
}

fn late() -> String {
    let seconds = LONGEST.as_secs();
    format!("query: expected an answer within {seconds} s, found none")
}

/// Why there are no rows.
enum Wrong {
    Sqlite(rusqlite::Error),
    Expected(String),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn rows<F>(
    path: &Path,
    query: &str,
    limit: usize,
    end: Instant,
    begin: impl FnOnce(&[String]) -> Result<F, String>,
) -> Result<(), Wrong>
where
    F: FnMut(usize, &[ValueRef<'_>]) -> Result<(), String>,
{
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
    let mut take = begin(&names).map_err(Wrong::Expected)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        if count > limit {
            let text = format!("query: expected at most {limit} rows");
            return Err(Wrong::Expected(text));
        }
        let mut values = Vec::with_capacity(names.len());
        for index in 0..names.len() {
            values.push(row.get_ref(index)?);
        }
        take(count, &values).map_err(Wrong::Expected)?;
    }
    Ok(())
}
