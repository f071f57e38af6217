//! Two hundred interfaces: attaching to them takes seconds in which scrapes go on as ever.

use std::fs;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::wait_until;
use crate::support::skip;

use super::setup::Meter;
use super::setup::namespace;

const INTERFACES: usize = 200;

/// Namespaces with so many devices are not made or taken down while scrapes are timed: either holds the kernel's lock for
/// devices for longer than what is measured.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a scrape may be late by.
const DELAY: Duration = Duration::from_millis(50);

#[test]
fn attaching_two_hundred_interfaces_delays_no_scrape() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let namespace = match namespace() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    add_pairs(&namespace, INTERFACES / 2);
    // Whatever else this machine does may delay a scrape too, but not each time by chance.
    let mut told = Vec::new();
    for _ in 0..3 {
        let (during, afterwards) = measured(&namespace);
        told.push(format!(
            "{during:?} while attaching, {afterwards:?} afterwards"
        ));
        if during <= afterwards + DELAY {
            println!("{told:?}");
            return;
        }
    }
    panic!("the slowest scrape: {told:?}");
}

/// Pairs of interfaces, near0 and far0 upwards.
fn add_pairs(namespace: &Namespace, pairs: usize) {
    let directory = Directory::new();
    let batch = directory.0.join("links");
    let links: String = (0..pairs)
        .map(|number| format!("link add name near{number} type veth peer name far{number}\n"))
        .collect();
    fs::write(&batch, links).unwrap();
    namespace.run("ip", ["-batch", batch.to_str().unwrap()]);
}

/// More reports at once than a socket holds while its reader waits for the kernel: what is lost is listed anew.
#[test]
fn interfaces_that_come_all_at_once_are_all_counted() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let namespace = match namespace() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let words = ["--log.level=debug", "--collector.tc.device-exclude=^far"];
    let meter = Meter::start(&namespace, &words);
    meter.attached(&namespace, "lo");
    const PAIRS: usize = 100;
    add_pairs(&namespace, PAIRS);
    let attached = || {
        let page = meter.get("/metrics").unwrap();
        let attached =
            |line: &&str| line.starts_with("weir_tc_interface_attached{") && line.ends_with(" 1");
        page.lines().filter(attached).count()
    };
    wait_until("all are counted", || attached() == 1 + PAIRS);
    let lost = meter
        .log()
        .contains("changed faster than they could be followed");
    println!("reports were lost: {lost}");
    let words: Vec<String> = (0..PAIRS)
        .map(|number| format!("link del near{number}\n"))
        .collect();
    let directory = Directory::new();
    let batch = directory.0.join("links");
    fs::write(&batch, words.concat()).unwrap();
    namespace.run("ip", ["-batch", batch.to_str().unwrap()]);
    wait_until("all are gone", || attached() == 1);
    meter.stop();
}

/// For how long a process' first thread, or this one, has waited for a CPU: the second number of /proc/PID/schedstat,
/// in nanoseconds. Kernels that do not count it show 0.
fn queued(task: &str) -> Duration {
    let text = fs::read_to_string(format!("/proc/{task}/schedstat")).unwrap_or_default();
    let number = text.split_whitespace().nth(1);
    let number = number.and_then(|number| number.parse().ok());
    Duration::from_nanos(number.unwrap_or(0))
}

/// The slowest scrape while interfaces are being attached, and the slowest of as many afterwards. The page has all
/// families, those that want the kernel's lock for devices among them.
fn measured(namespace: &Namespace) -> (Duration, Duration) {
    let words = [
        "--collector.tc.device-include=.",
        "--collector.tc.attach=tcx",
    ];
    let meter = Meter::launch(&mut namespace.command(WEIR), &words);
    let server = meter.process.0.id().to_string();
    // Time in which a thread could run and found no CPU is other people's doing.
    let waited = || queued(&server) + queued("thread-self");
    let scrape = || {
        let (begin, before) = (Instant::now(), waited());
        let page = meter.get("/metrics").unwrap();
        let time = begin.elapsed();
        (time.saturating_sub(waited() - before), page)
    };
    let done = |page: &str| {
        page.matches("weir_tc_interface_attached{").count() > INTERFACES && {
            let waiting = |line: &str| {
                line.starts_with("weir_tc_interface_attached{") && line.ends_with(" 0")
            };
            !page.lines().any(waiting)
        }
    };
    let (mut during, mut scrapes) = (Duration::ZERO, 0);
    loop {
        let (time, page) = scrape();
        if done(&page) {
            break;
        }
        during = during.max(time);
        scrapes += 1;
        assert!(scrapes < 100_000, "{}", meter.log());
    }
    assert!(
        scrapes > 10,
        "attached before anything could be measured: {scrapes} scrapes"
    );
    let afterwards = (0..scrapes).map(|_| scrape().0).max().unwrap_or_default();
    meter.stop();
    (during, afterwards)
}
