//! Leases in a database that sqlite3 writes meanwhile.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::running::Directory;
use crate::running::Process;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

fn sqlite3(path: &Path) -> Process {
    let started = Command::new("sqlite3")
        .args(["-batch", "-cmd", ".timeout 10000"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    Process(started.unwrap())
}

fn run(path: &Path, text: &str) {
    let mut child = sqlite3(path);
    let mut input = child.0.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert_eq!(
        child.code_within(Duration::from_secs(40)),
        Some(0),
        "{text}"
    );
}

fn watching(directory: &Path) -> Weir {
    let path = directory.join("weir.yml");
    let text = "collector.disable-defaults: true\ncollector.dhcp: true\ndhcp:\n  per-lease: true\n  servers:\n    \
        - name: shop\n      format: sqlite\n      leases: ROOT/leases.db\n      query: |\n        \
        SELECT ip AS address, mac, name AS hostname, ends AS expires\n        FROM lease WHERE kind = 'dhcp'\n      \
        pools: {lan: 192.0.2.0/24}\n";
    fs::write(
        &path,
        text.replace("ROOT", &directory.display().to_string()),
    )
    .unwrap();
    Weir::start(&[&format!("--config.file={}", path.display())])
}

const SHOP: [(&str, &str); 1] = [("server", "shop")];

fn told(page: &Page) -> (Option<f64>, Option<f64>) {
    let count = page.value("dhcp_lease_count", &[]);
    (count, page.value("weir_dhcp_success", &SHOP))
}

#[test]
fn leases_of_a_database_that_sqlite3_writes_meanwhile() {
    if !installed("sqlite3") {
        return skip("sqlite3 is not installed");
    }
    let directory = Directory::new();
    let path = directory.0.join("leases.db");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let ends = now + 43_200;
    run(
        &path,
        &format!(
            "PRAGMA journal_mode = WAL;\nCREATE TABLE lease (ip, mac, name, ends, kind);\n\
            INSERT INTO lease VALUES ('192.0.2.1', '02:00:00:00:00:01', 'a', {ends}, 'dhcp');\n\
            INSERT INTO lease VALUES (3221225986, NULL, NULL, NULL, 'dhcp');\n\
            INSERT INTO lease VALUES ('192.0.2.3', '02:00:00:00:00:03', 'c', {now} - 5, 'dhcp');\n\
            INSERT INTO lease VALUES ('192.0.2.4', '02:00:00:00:00:04', 'd', 0, 'other');\n"
        ),
    );
    let weir = watching(&directory.0);
    wait_until("the leases", || {
        told(&weir.scrape()) == (Some(2.0), Some(1.0))
    });
    let page = weir.scrape();
    let of = |state| {
        let labels = [("server", "shop"), ("pool", "lan"), ("state", state)];
        page.value("weir_dhcp_leases", &labels)
    };
    let states = ["active", "static", "expired"].map(of);
    assert_eq!(states, [Some(1.0); 3]);
    let a = [
        ("server", "shop"),
        ("pool", "lan"),
        ("ip", "192.0.2.1"),
        ("mac", "02:00:00:00:00:01"),
        ("hostname", "a"),
    ];
    assert_eq!(page.value("weir_dhcp_lease_info", &a), Some(1.0));
    // Transactions of two while it is read: never half of one. What is in the log counts, and it alone changes.
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..100 {
                run(
                    &path,
                    &format!(
                        "BEGIN; INSERT INTO lease VALUES ('10.0.0.{number}', NULL, NULL, 0, 'dhcp');\
                        INSERT INTO lease VALUES ('10.0.1.{number}', NULL, NULL, 0, 'dhcp'); COMMIT;\n"
                    ),
                );
            }
        });
        while !writer.is_finished() {
            let (count, success) = told(&weir.scrape());
            assert_eq!(
                success,
                Some(1.0),
                "{:?}",
                weir.log.try_iter().collect::<Vec<_>>()
            );
            assert_eq!(count.unwrap() % 2.0, 0.0, "half a transaction");
        }
    });
    wait_until("all of them", || {
        told(&weir.scrape()) == (Some(202.0), Some(1.0))
    });
    assert_eq!(
        weir.scrape().value("weir_dhcp_leases_issued_total", &SHOP),
        Some(200.0)
    );
    holds_nothing_up(&weir, &path);
}

/// A writer that keeps the database to itself, and then no database at all.
fn holds_nothing_up(weir: &Weir, path: &Path) {
    run(path, "PRAGMA journal_mode = DELETE;\n");
    let mut writer = sqlite3(path);
    let mut input = writer.0.stdin.take().unwrap();
    let text = "BEGIN EXCLUSIVE; INSERT INTO lease VALUES ('10.9.9.9', NULL, NULL, 0, 'dhcp');\nSELECT 'held';\n";
    input.write_all(text.as_bytes()).unwrap();
    // The journal is there once the transaction has begun; its being so is no change of the database.
    let mut held = [0; 5];
    std::io::Read::read_exact(&mut writer.0.stdout.take().unwrap(), &mut held).unwrap();
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    wait_until("an error", || {
        told(&weir.scrape()) == (Some(202.0), Some(0.0))
    });
    input.write_all(b"COMMIT;\n").unwrap();
    drop(input);
    assert_eq!(writer.code_within(Duration::from_secs(40)), Some(0));
    wait_until("one more", || {
        told(&weir.scrape()) == (Some(203.0), Some(1.0))
    });
    fs::write(
        path,
        "no database, but long enough to be looked at\n".repeat(100),
    )
    .unwrap();
    wait_until("an error", || {
        told(&weir.scrape()) == (Some(203.0), Some(0.0))
    });
}
