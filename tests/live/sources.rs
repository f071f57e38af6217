//! Configured sources: a FIFO, a mount that hangs, files that are rewritten while they are read, and a database that
//! sqlite3 writes meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::dead;
use crate::running::Directory;
use crate::running::PATIENCE;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::wait_until;
#[cfg(feature = "sqlite")]
use crate::support::skip;
use crate::text::Page;

const SUCCESS: &str = "weir_configured_source_success";

fn success(page: &Page, source: &str) -> Option<f64> {
    page.value(SUCCESS, &[("source", source)])
}

fn configured(directory: &Path, sources: &str) -> String {
    let path = directory.join("weir.yml");
    let sources = sources.replace("ROOT", &directory.display().to_string());
    let text =
        format!("collector.disable-defaults: true\ncollector.sources: true\nsources:\n{sources}");
    fs::write(&path, text).unwrap();
    format!("--config.file={}", path.display())
}

#[test]
fn a_fifo_and_a_lost_file_cost_no_other() {
    let directory = Directory::new();
    let fifo = directory.0.join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    fs::write(directory.0.join("kept"), "5\n").unwrap();
    let sources = "
  - {metric: fifo, file: ROOT/fifo, format: number}
  - {metric: kept, file: ROOT/kept, format: number}
";
    let weir = Weir::start(&[configured(&directory.0, sources).as_str()]);
    let begun = Instant::now();
    wait_until("the other", || {
        let page = weir.scrape();
        (page.value("kept", &[]), success(&page, "kept")) == (Some(5.0), Some(1.0))
    });
    let page = weir.scrape();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    // Its writer is waited for by another thread, and not for ever.
    assert_eq!(page.value("fifo", &[]), None);
    wait_until("an error", || success(&weir.scrape(), "fifo") == Some(0.0));
    let writer = thread::spawn({
        let fifo = fifo.clone();
        move || fs::write(fifo, "4\n").unwrap()
    });
    wait_until("what is written into the FIFO", || {
        let page = weir.scrape();
        (page.value("fifo", &[]), success(&page, "fifo")) == (Some(4.0), Some(1.0))
    });
    writer.join().unwrap();
    wait_until("an error, and the last value", || {
        let page = weir.scrape();
        (page.value("fifo", &[]), success(&page, "fifo")) == (Some(4.0), Some(0.0))
    });
    fs::remove_file(directory.0.join("kept")).unwrap();
    fs::remove_file(&fifo).unwrap();
    fs::write(&fifo, "6\n").unwrap();
    wait_until(
        "a file in the place of the FIFO, and none in the other",
        || {
            let page = weir.scrape();
            (page.value("kept", &[]), success(&page, "kept")) == (Some(5.0), Some(0.0))
                && (page.value("fifo", &[]), success(&page, "fifo")) == (Some(6.0), Some(1.0))
        },
    );
    let age = |page: &Page| page.value("weir_configured_source_age_seconds", &[("source", "kept")]);
    let before = age(&page).unwrap();
    wait_until("a greater age", || {
        age(&weir.scrape()).unwrap() > before + 0.2
    });
}

#[test]
fn a_hundred_sources_are_read_by_one_thread() {
    let directory = Directory::new();
    let mut sources = String::new();
    for number in 0..100 {
        fs::write(
            directory.0.join(format!("f{number}")),
            format!("{number}\n"),
        )
        .unwrap();
        sources.push_str(&format!(
            "\n  - {{metric: m, name: s{number}, file: ROOT/f{number}, format: number, labels: {{n: f{number}}}}}"
        ));
    }
    let weir = Weir::start(&[configured(&directory.0, &sources).as_str()]);
    wait_until("every number", || {
        let page = weir.scrape();
        (0..100u8).all(|number| {
            let label = format!("f{number}");
            page.value("m", &[("n", label.as_str())]) == Some(f64::from(number))
        })
    });
    // On a busy machine there may have been more for a moment.
    let tasks = format!("/proc/{}/task", weir.process.0.id());
    wait_until("two threads", || fs::read_dir(&tasks).unwrap().count() == 2);
}

/// Rewritten in place without a moment's rest: what is told was written once, whole.
#[test]
fn a_file_that_is_rewritten_all_the_time_gives_whole_numbers() {
    let directory = Directory::new();
    let path = directory.0.join("busy");
    fs::write(&path, "1111111\n").unwrap();
    let sources = "\n  - {metric: busy, file: ROOT/busy, format: number}\n";
    let weir = Weir::start(&[configured(&directory.0, sources).as_str()]);
    // On a busy machine the first scrape may be over before the file is read; what was known once is never lost.
    wait_until("the first number", || {
        weir.scrape().value("busy", &[]).is_some()
    });
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..2000 {
                fs::write(
                    &path,
                    format!("{}\n", "12"[round % 2..=round % 2].repeat(7)),
                )
                .unwrap();
                thread::sleep(Duration::from_micros(500));
            }
        });
        while !writer.is_finished() {
            let value = weir.scrape().value("busy", &[]);
            assert!(
                [Some(1_111_111.0), Some(2_222_222.0)].contains(&value),
                "{value:?}"
            );
        }
    });
}

#[test]
fn a_mount_that_hangs_costs_no_other() {
    let directory = Directory::new();
    fs::write(directory.0.join("near"), "1\n").unwrap();
    // More than there may be threads, all before the one that can be read.
    let many = (0..40).map(|number| {
        format!("\n  - {{metric: far{number}, file: ROOT/dead/f{number}, format: number}}")
    });
    let few = "
  - {metric: far, file: ROOT/dead/f, format: number}
  - {metric: farther, file: ROOT/dead/*, file-label: f, format: number}
";
    let near = "\n  - {metric: near, file: ROOT/near, format: number}\n";
    let sources = format!("{few}{}{near}", many.collect::<String>());
    let configuration = configured(&directory.0, &sources);
    let command = [WEIR, "--once", &configuration];
    let Some(output) = dead::beside(&directory, "", 25, &command) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(
        (page.value("near", &[]), success(&page, "near")),
        (Some(1.0), Some(1.0))
    );
    let far = (0..40).map(|number| format!("far{number}"));
    for source in far.chain(["far", "farther"].map(str::to_string)) {
        assert_eq!(page.value(&source, &[]), None);
        assert_eq!(success(&page, &source), Some(0.0), "{said}");
    }
    let told = |words: &str| said.matches(words).count();
    let hang = told("expected an answer of the file system, found none");
    let lack = told("expected a thread to read it, found all 16 waiting for others");
    assert_eq!((hang, lack), (16, 26), "{said}");
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn a_database_is_refused_at_the_start_without_the_feature() {
    let directory = Directory::new();
    let sources = "\n  - {metric: rows, file: /nonesuch, format: sqlite, query: SELECT 1}\n";
    let output = Command::new(WEIR)
        .args([configured(&directory.0, sources).as_str(), "--check-config"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "format: expected another format: this weir was built without SQLite (the cargo feature sqlite)";
    assert!(said.contains(expected), "{said}");
}

#[cfg(feature = "sqlite")]
#[test]
fn a_database_that_sqlite3_writes_meanwhile() {
    use std::io::Write;
    use std::process::Stdio;

    let directory = Directory::new();
    let path = directory.0.join("leases.db");
    let sqlite3 = |text: &str| {
        let mut child = Command::new("sqlite3")
            // In the mode DELETE a writer waits for readers, which it does only when told.
            .args(["-batch", "-cmd", ".timeout 10000"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(text.as_bytes()).ok()?;
        Some(child.wait().unwrap().success())
    };
    let Some(made) = sqlite3("CREATE TABLE lease (pool TEXT, state TEXT);\n") else {
        return skip("no sqlite3");
    };
    assert!(made);
    let sources = "
  - metric: lease_rows
    file: ROOT/leases.db
    format: sqlite
    query: |
      SELECT pool, state AS lease_state, count(*)
      FROM lease GROUP BY pool, state
";
    let weir = Weir::start(&[configured(&directory.0, sources).as_str()]);
    wait_until("no rows yet", || {
        success(&weir.scrape(), "lease_rows") == Some(1.0)
    });
    for mode in ["DELETE", "WAL"] {
        sqlite3(&format!(
            "PRAGMA journal_mode = {mode};\nDELETE FROM lease;\n"
        ))
        .unwrap();
        let rows =
            |page: &Page| page.value("lease_rows", &[("pool", "lan"), ("lease_state", "active")]);
        let mut last = 0.0;
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let pair = "BEGIN; INSERT INTO lease VALUES ('lan', 'active');\
                    INSERT INTO lease VALUES ('lan', 'active'); COMMIT;\n";
                assert_eq!(sqlite3(&pair.repeat(150)), Some(true));
            });
            while !writer.is_finished() {
                let page = weir.scrape();
                let said: Vec<_> = weir.log.try_iter().collect();
                assert_eq!(success(&page, "lease_rows"), Some(1.0), "{mode}: {said:?}");
                let now = rows(&page).unwrap_or_default();
                assert!(now >= last || last == 300.0, "{mode}: {last} {now}");
                assert_eq!(now % 2.0, 0.0, "{mode}: half a transaction");
                last = now;
            }
        });
        wait_until("all rows", || rows(&weir.scrape()) == Some(300.0));
    }
    // What is in the write-ahead log would still be read.
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(directory.0.join(format!("leases.db{end}")));
    }
    fs::write(&path, "no database").unwrap();
    wait_until("an error", || {
        success(&weir.scrape(), "lease_rows") == Some(0.0)
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn a_query_without_end_costs_seconds_and_no_core() {
    let directory = Directory::new();
    let path = directory.0.join("small.db");
    let made = Command::new("sqlite3")
        .arg(&path)
        .arg("CREATE TABLE t (x); INSERT INTO t VALUES (7);")
        .status();
    if !made.is_ok_and(|made| made.success()) {
        return skip("no sqlite3");
    }
    let sources = "
  - metric: endless
    file: ROOT/small.db
    format: sqlite
    query: WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT count(*) FROM c
  - {metric: good, file: ROOT/small.db, format: sqlite, query: SELECT x FROM t}
";
    let weir = Weir::start(&[configured(&directory.0, sources).as_str()]);
    wait_until("the end of its time", || {
        let page = weir.scrape();
        assert_eq!(success(&page, "good").unwrap_or(1.0), 1.0);
        success(&page, "endless") == Some(0.0)
    });
    let stat = format!("/proc/{}/stat", weir.process.0.id());
    let ticks = || {
        let text = fs::read_to_string(&stat).unwrap();
        let fields = text.rsplit(") ").next().unwrap().split(' ');
        let ticks = fields
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap());
        ticks.sum::<u64>()
    };
    let (before, begun) = (ticks(), Instant::now());
    let mut scrapes = 0;
    while begun.elapsed() < Duration::from_secs(6) {
        assert_eq!(weir.scrape().value("good", &[]), Some(7.0));
        scrapes += 1;
        thread::sleep(Duration::from_millis(200));
    }
    // Asked again it would take 400 ticks of a hundredth of a second.
    let spent = ticks() - before;
    assert!(spent < 100 + scrapes, "{spent} ticks in {scrapes} scrapes");
}
