//! Named numbers from files: what is read, where the number stands in it, and under which name it is exported.
//!
//! What can be wrong with a source is found when it is read from the configuration file, but for one thing, which stands
//! where the collectors are known (`cli`): that no source has the name of a family of weir's own.

use std::path::PathBuf;

use super::node::Place;

/// The most sources.
pub const MOST: usize = 100;

/// One number of a file, or several of one kind, under one metric name.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What tells it from others in the log and in the label `source`.
    pub name: String,
    /// The file, below the root file system (`--path.rootfs`).
    pub file: Pattern,
    /// Where the number stands in the file.
    pub format: Format,
    /// The family's name.
    pub metric: String,
    /// Where that name stands in the configuration file.
    pub place: Place,
    /// The family's HELP.
    pub help: String,
    /// The family's type.
    pub kind: Kind,
    /// Labels that are the same on all of its series.
    pub labels: Vec<(String, String)>,
    /// What the number is multiplied by, to make it one of a base unit.
    pub scale: f64,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, or starts again at zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Of unknown type.
    Untyped,
}

/// A path, or a pattern for paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// One file; or with a `*` in it, or several, every file that it stands for.
    pub path: PathBuf,
    /// For each `*`, in their order, the label that has what stands there.
    pub labels: Vec<String>,
}

/// Where numbers stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json {
        /// The keys and positions that lead to it, as RFC 6901 has them, without escapes. With `key_label` exactly one is
        /// `*` and stands for all of an object or array.
        pointer: Vec<String>,
        /// The label that has the key or position for which the `*` stands.
        key_label: Option<String>,
        /// Whether a string that holds a number is one.
        text_numbers: bool,
    },
    /// Lines of columns.
    Table {
        /// What stands between columns; `None`: any white space.
        delimiter: Option<u8>,
        /// Whether the first line names the columns.
        header: bool,
        /// The column of the number.
        column: Column,
        /// Only rows with these values in these columns.
        only: Vec<(Column, String)>,
        /// Labels and the columns of their values.
        labels: Vec<(String, Column)>,
    },
    /// Lines of a key and a number.
    Pair {
        /// The key.
        key: String,
        /// What stands between key and value; `None`: white space, or a colon and white space.
        separator: Option<u8>,
    },
    /// Nothing but a number.
    Number,
    /// The rows of a query of an SQLite database: the last column is the number, the others are labels by their names.
    Sqlite {
        /// One SELECT.
        query: String,
    },
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its position, counted from 1.
    Number(usize),
    /// By its name in the first line.
    Name(String),
}

/// The parts of a JSON pointer (RFC 6901).
///
/// # Errors
/// With what was expected.
pub fn pointer(text: &str) -> Result<Vec<String>, &'static str> {
    const EXPECTED: &str =
        "a JSON pointer such as /battery/charge, with ~0 for ~ and ~1 for / in keys";
    let parts = match text.strip_prefix('/') {
        Some(rest) => rest.split('/'),
        None if text.is_empty() => return Ok(Vec::new()),
        None => return Err(EXPECTED),
    };
    let part = |part: &str| {
        let stray = part.split('~').skip(1);
        let mut stray = stray.filter(|rest| !rest.starts_with(['0', '1']));
        match stray.next() {
            Some(_) => Err(EXPECTED),
            // In this order: ~01 is ~1.
            None => Ok(part.replace("~1", "/").replace("~0", "~")),
        }
    };
    parts.map(part).collect()
}

/// Whether Prometheus takes it for a family's name.
#[must_use]
pub fn is_metric_name(text: &str) -> bool {
    is_name(text, |byte| byte == b':')
}

/// Whether Prometheus takes it for a label's name, and does not keep it to itself.
#[must_use]
pub fn is_label_name(text: &str) -> bool {
    is_name(text, |_| false) && !text.starts_with("__")
}

fn is_name(text: &str, also: impl Fn(u8) -> bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
    text.bytes().next().is_some_and(letter)
        && text
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Whether a family of that name is Prometheus' own: it adds some to every target.
#[must_use]
pub fn is_prometheus_own(name: &str) -> bool {
    name == "up" || name.starts_with("scrape_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_as_the_rfc_has_them() {
        let read = |text: &str| pointer(text).map(|parts| parts.join("|"));
        for (text, parts) in [
            ("", ""),
            ("/", ""),
            ("/foo/0", "foo|0"),
            ("/a~1b/m~0n", "a/b|m~n"),
            ("/~01", "~1"),
            ("/ /\"/", " |\"|"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(parts), "{text}");
        }
        for bad in ["foo", "/~", "/~2", "/a~/b"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_by_the_rules_of_prometheus() {
        let metrics = ["a", "A:b_9", "_x", "", "9a", "a-b", "ä", "a b"].map(is_metric_name);
        assert_eq!(
            metrics,
            [true, true, true, false, false, false, false, false]
        );
        let labels = ["a", "_a9", "a:b", "__a", "", "9"].map(is_label_name);
        assert_eq!(labels, [true, true, false, false, false, false]);
        let own = ["up", "scrape_duration_seconds", "ups_load"].map(is_prometheus_own);
        assert_eq!(own, [true, true, false]);
    }
}
