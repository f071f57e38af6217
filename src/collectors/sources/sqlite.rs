//! Numbers in the rows of a query of an SQLite database; how often it is asked, `budget` says.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::reader::Content;
use crate::config::sources::is_label_name;
use crate::database;
use crate::database::ValueRef;
use crate::parse::measure;
use crate::parse::printable;

/// How long the queries of a source may take, all together: less than the time after which a file system is said to hang.
pub(super) const LONGEST: Duration = database::LONGEST;
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
    let mut content = Content::default();
    let (mut alone, mut count) = (false, 0);
    database::ask(path, query, ROWS, end, |names| {
        let labels = labels(names, taken)?.to_vec();
        alone = labels.is_empty();
        let (content, count) = (&mut content, &mut count);
        Ok(move |row: usize, values: &[ValueRef<'_>]| {
            *count = row;
            let Some((value, values)) = values.split_last() else {
                return Ok(());
            };
            if let Some(value) = number(*value, row)? {
                let pairs = labels.iter().zip(values);
                let pairs = pairs.map(|(name, value)| (name.clone(), text(*value)));
                content.take(|| pairs.collect(), value);
            }
            Ok(())
        })
    })?;
    if alone && count != 1 {
        let text = "query: expected one row, or columns for labels";
        return Err(format!("{}: {text}, found {count} rows", path.display()));
    }
    Ok(content)
}

/// The names of all columns but the last, as labels; none is one of those that the series have anyway.
fn labels<'n>(names: &'n [String], taken: &[String]) -> Result<&'n [String], String> {
    let Some((_, labels)) = names.split_last().filter(|_| names.len() <= COLUMNS) else {
        return Err(format!(
            "query: expected from 1 to {COLUMNS} columns, found {}",
            names.len()
        ));
    };
    let twice = |at: usize, name: &String| {
        let earlier = taken.iter().chain(labels.iter().take(at));
        earlier.into_iter().any(|other| other == name)
    };
    for (at, name) in labels.iter().enumerate() {
        if !is_label_name(name) || twice(at, name) {
            let text = "query: expected columns with names of labels, each once (SELECT … AS name)";
            return Err(format!("{text}, found {name:?}"));
        }
    }
    Ok(labels)
}

/// NULL is no number, and none is missed.
fn number(value: ValueRef<'_>, row: usize) -> Result<Option<f64>, String> {
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
    Err(format!(
        "query: row {row}: expected a number in the last column, found {found:?}"
    ))
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
