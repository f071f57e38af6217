use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use rusqlite::Connection;

use super::*;
use crate::database::BUSY;
use crate::database::LONGEST;

struct Database(PathBuf);

impl Database {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-{}-{name}.db", std::process::id()));
        let database = Self(path);
        let writer = Connection::open(&database.0).expect("a database");
        let schema = "CREATE TABLE lease (state TEXT, pool INT, n REAL, note BLOB);
            INSERT INTO lease VALUES ('active', 1, 2.5, NULL), ('expired', 2, 7, x'ff');";
        writer.execute_batch(schema).expect("a table");
        database
    }

    fn ask(&self, query: &str) -> String {
        let taken = ["room".to_string()];
        let content = match rows(&self.0, query, &taken, Instant::now() + LONGEST) {
            Ok(content) => content,
            Err(error) => return error.replace(&format!("{}: ", self.0.display()), ""),
        };
        let series = content.series.iter().map(|series| {
            let labels: Vec<_> = series
                .labels
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("{{{}}} {}", labels.join(","), series.value)
        });
        let rest = (content.left_out > 0).then(|| format!("{} left out", content.left_out));
        series.chain(rest).collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn rows_are_series_and_errors_say_why() {
    let database = Database::new("rows");
    for (query, expected) in [
        ("SELECT count(*) FROM lease", "{} 2"),
        (
            "SELECT state, pool AS \"p\", n FROM lease ORDER BY pool",
            "{state=active,p=1} 2.5; {state=expired,p=2} 7",
        ),
        (
            "SELECT note AS hex, 1 FROM lease WHERE pool = 2",
            "{hex=\\xff} 1",
        ),
        ("SELECT '12'", "{} 12"),
        ("SELECT state, note FROM lease WHERE note IS NULL", ""),
        ("SELECT NULL", ""),
        (
            "SELECT n FROM lease",
            "query: expected one row, or columns for labels, found 2 rows",
        ),
        (
            "SELECT state FROM lease WHERE pool = 1",
            "query: row 1: expected a number in the last column, found \"active\"",
        ),
        (
            "SELECT count(*), 1 FROM lease",
            "query: expected columns with names of labels, each once (SELECT … AS name), found \"count(*)\"",
        ),
        (
            "SELECT 1 AS room, 2",
            "query: expected columns with names of labels, each once (SELECT … AS name), found \"room\"",
        ),
        (
            "DELETE FROM lease",
            "query: expected a SELECT, found what writes",
        ),
        ("SELECT n FROM none", "sqlite: no such table: none"),
        (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1001) SELECT x AS l, x FROM c",
            "",
        ),
    ] {
        let found = database.ask(query);
        if query.starts_with("WITH") {
            assert!(found.ends_with("{l=1000} 1000; 1 left out"), "{found}");
        } else {
            assert_eq!(found, expected, "{query}");
        }
    }
    let writer = Connection::open(&database.0).expect("a database");
    let left: i64 = writer
        .query_row("SELECT count(*) FROM lease", [], |row| row.get(0))
        .expect("rows");
    assert_eq!(left, 2, "nothing was written");
}

#[test]
fn what_holds_the_database_or_never_ends_is_given_up() {
    let database = Database::new("held");
    let writer = Connection::open(&database.0).expect("a database");
    writer.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let begun = Instant::now();
    assert!(
        database
            .ask("SELECT count(*) FROM lease")
            .contains("locked")
    );
    assert!(begun.elapsed() >= BUSY * 200 && begun.elapsed() < LONGEST);
    writer.execute_batch("COMMIT").expect("no lock");
    assert_eq!(database.ask("SELECT count(*) FROM lease"), "{} 2");
    let endless =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT count(*) FROM c";
    assert_eq!(
        database.ask(endless),
        "query: expected an answer within 4 s, found none"
    );
    assert!(begun.elapsed() < LONGEST * 4);
    let late = rows(&database.0, "SELECT 1", &[], begun).expect_err("no time is left");
    assert!(late.ends_with("found none"), "{late}");
}

#[test]
fn what_is_no_database_is_told() {
    let database = Database::new("none");
    let whole = fs::read(&database.0).expect("a file");
    fs::write(
        &database.0,
        "no database, but long enough to be looked at\n".repeat(100),
    )
    .expect("a file");
    assert!(
        database
            .ask("SELECT 1 FROM lease")
            .contains("file is not a database")
    );
    fs::remove_file(&database.0).expect("a file");
    assert_eq!(database.ask("SELECT 1"), "expected a database, found none");
    // Every cut: an error or what is left, and no panic.
    for cut in (0..whole.len()).step_by(97) {
        fs::write(&database.0, &whole[..cut]).expect("a file");
        let _ = database.ask("SELECT state, n FROM lease");
    }
    for at in 0..200 {
        let mut garbled = whole.clone();
        garbled[at] ^= 0xff;
        fs::write(&database.0, &garbled).expect("a file");
        let _ = database.ask("SELECT state, n FROM lease");
    }
}
