//! The time of day jumps, as on a router that has no clock of its own and hears of the time a minute after its start, or hears
//! wrong. The machine's own clock stays as it is: the program under test gets another by a few lines of C before its C library.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::client;
use crate::running::Directory;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

use super::replace;

const HOUR: i64 = 3600;

/// More than any rate of this machine in any unit; a rate over an interval of almost nothing, or a difference below zero, is
/// beyond it.
const ABSURD: f64 = 1e13;

/// Builds what moves the clock, where there is a C compiler.
fn library(directory: &Path) -> Option<String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/soak/clock.c");
    let path = directory.join("clock.so").display().to_string();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o", &path, source]);
    let done = compiler.output().ok()?;
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Some(path)
}

fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs().try_into().unwrap()
}

/// The least and the largest of all rates.
fn rates(page: &Page) -> (f64, f64) {
    let families = page.families.iter();
    let rates = families.filter(|(name, _)| name.ends_with("_per_second"));
    let values = rates.flat_map(|(_, family)| family.samples.values());
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        assert!(!value.is_nan());
        (low.min(*value), high.max(*value))
    })
}

fn launch(directory: &Path, library: &str) -> Weir {
    let root = directory.display();
    let configuration = format!(
        "collect.interval: 100ms
collector.time: true
collector.dhcp.leases: dnsmasq:{root}/leases
collector.sources: true
textfile.output: {root}/out
textfile.interval: 100ms
sources:
  - {{metric: soak_number, file: {root}/number, format: number}}
"
    );
    fs::create_dir(directory.join("out")).unwrap();
    fs::write(directory.join("weir.yml"), configuration).unwrap();
    let mut command = Command::new(WEIR);
    command
        .arg("--web.listen-address=127.0.0.1:0")
        .arg(format!("--config.file={root}/weir.yml"))
        .env("LD_PRELOAD", library)
        .env("WEIR_TEST_CLOCK", directory.join("ahead"));
    Weir::launch(&mut command)
}

#[test]
fn the_time_of_day_may_jump() {
    let directory = Directory::new();
    let root = directory.0.as_path();
    let Some(library) = library(root) else {
        return skip("no C compiler");
    };
    fs::write(root.join("ahead"), 0i64.to_ne_bytes()).unwrap();
    let ahead = File::options().write(true).open(root.join("ahead"));
    let ahead = ahead.unwrap();
    let lease = seconds() + HOUR;
    let leases = format!("{lease} 02:00:00:00:00:01 192.0.2.1 a *\n");
    fs::write(root.join("leases"), leases).unwrap();
    fs::write(root.join("number"), "0\n").unwrap();
    let weir = launch(root, &library);
    let value = |name: &str| weir.scrape().value(name, &[]);
    wait_until("rates", || rates(&weir.scrape()).0.is_finite());

    // An hour and more, ten years, back to where the clock began to count, beyond the end of 32 bits, and home again.
    let jumps = [
        2 * HOUR,
        -2 * HOUR,
        87_600 * HOUR,
        100 - seconds(),
        1_000_000 * HOUR,
        0,
    ];
    for (round, jump) in jumps.into_iter().enumerate() {
        ahead.write_all_at(&jump.to_ne_bytes(), 0).unwrap();
        let is_now = |name: &str| {
            let told = value(name);
            told.is_some_and(|told| (told - (seconds() + jump) as f64).abs() < 120.0)
        };
        wait_until("another time of day", || is_now("node_time_seconds"));
        let ticks = value("weir_ticks_total").unwrap();
        let number = round as f64 + 1.0;
        replace(&root.join("number"), &format!("{number}\n"));
        // Samples, the text file and files that are read go on.
        wait_until("samples", || {
            value("weir_ticks_total").unwrap() >= ticks + 5.0
        });
        wait_until("a text file of this time", || {
            is_now("weir_textfile_last_write_timestamp_seconds")
        });
        wait_until("the file's number", || value("soak_number") == Some(number));
        // Leases are over by the time of day, which is what their files tell.
        let expected = if jump < HOUR { 1.0 } else { 0.0 };
        wait_until("leases", || {
            value("dhcp_lease_count").unwrap_or(0.0) == expected
        });
        let (low, high) = rates(&weir.scrape());
        assert!(low >= 0.0 && high < ABSURD, "{jump}: {low} to {high}");
        let health = client::get(&weir.address, "/health").unwrap();
        assert_eq!(health.status, 200, "{jump}");
    }
    let said: Vec<_> = weir.log.try_iter().collect();
    let bad = said.iter().find(|line| line.contains("level=error"));
    assert_eq!(bad, None, "{said:?}");
}
