//! Two hundred interfaces: attaching to them takes seconds in which scrapes go on as ever.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::wait_until;
use crate::running::waited;
use crate::support::skip;

use super::setup::Meter;
use super::setup::namespace;

const INTERFACES: usize = 200;

/// Namespaces with so many devices are not made or taken down while scrapes are timed: either holds the kernel's lock for
/// devices for longer than what is measured.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// For how long the attaching may hold up a scrape.
const DELAY: Duration = Duration::from_millis(50);

#[test]
fn attaching_two_hundred_interfaces_delays_no_scrape() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let namespace = match namespace() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    add_pairs(&namespace, INTERFACES / 2);
    let delays = delays(&namespace);
    let slowest = delays.iter().max().unwrap();
    let held_up = delays.iter().filter(|delay| !delay.is_zero()).count();
    println!(
        "{held_up} of {} scrapes were held up, at most {slowest:?}",
        delays.len()
    );
    // The interfaces are attached to one after the other for seconds, and without the pauses between them every scrape is held
    // up, for 70 ms and more.
    assert!(delays.len() > 10, "{delays:?}");
    assert!(*slowest <= DELAY, "{delays:?}");
    if held_up == 0 {
        // Nothing was measured.
        skip("attaching held up no scrape: this kernel's grace periods are too short to be seen");
    }
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

/// How long each scrape waited for the thread that attaches, while it attached to all interfaces. The page has all
/// families, those that want the kernel's lock for devices among them.
fn delays(namespace: &Namespace) -> Vec<Duration> {
    let words = [
        "--collector.tc.device-include=.",
        "--collector.tc.attach=tcx",
    ];
    let meter = Meter::launch(&mut namespace.command(WEIR), &words);
    let held_up = HeldUp::watch(meter.process.0.id());
    let done = |page: &str| {
        let of_interfaces = |line: &&str| line.starts_with("weir_tc_interface_attached{");
        let interfaces: Vec<_> = page.lines().filter(of_interfaces).collect();
        interfaces.len() > INTERFACES && interfaces.iter().all(|line| line.ends_with(" 1"))
    };
    let mut delays = Vec::new();
    loop {
        let before = held_up.so_far();
        let page = meter.get("/metrics").unwrap();
        if done(&page) {
            break;
        }
        delays.push(held_up.so_far() - before);
        assert!(delays.len() < 100_000, "{}", meter.log());
    }
    held_up.end();
    meter.stop();
    delays
}

/// Adds up for how long a weir's first thread waits while its thread `tc` is inside of attaching.
///
/// On a machine with two busy CPUs the clock shows whatever other programs do: they use up both, and hold the kernel's lock
/// for devices themselves while they make and remove theirs. So this looks every millisecond in which function of the kernel
/// either thread sleeps (/proc/PID/task/TID/wchan): the first one anywhere but in poll(2), `tc` in the grace period that it
/// waits for with the lock held (`synchronize_rcu` in `tcx_link_attach`).
struct HeldUp {
    nanoseconds: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl HeldUp {
    fn watch(process: u32) -> Self {
        let tasks = format!("/proc/{process}/task");
        let first = format!("{tasks}/{process}/wchan");
        wait_until("there is a thread that attaches", || {
            attaching(&tasks).is_some()
        });
        let second = attaching(&tasks).unwrap();
        let (nanoseconds, ends) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (sum, is_over) = (Arc::clone(&nanoseconds), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            let is_held_up = || {
                let [first, second] =
                    [&first, &second].map(|path| fs::read_to_string(path).unwrap_or_default());
                // "0" is a thread that runs or waits for a CPU.
                let sleeps = !matches!(&*first, "" | "0") && !first.starts_with("poll_schedule");
                // `synchronize_rcu_normal`, `synchronize_rcu_expedited`, and `__wait_rcu_gp` before Linux 6.10.
                sleeps && second.contains("rcu")
            };
            let (mut before, mut at, mut queue) = (
                is_held_up(),
                Instant::now(),
                waited(Path::new("/proc/thread-self")),
            );
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
                let (now, then, queue_then) = (
                    is_held_up(),
                    Instant::now(),
                    waited(Path::new("/proc/thread-self")),
                );
                if before && now {
                    // What went on while this thread itself found no CPU is not known.
                    let seen = (then - at).saturating_sub(queue_then - queue);
                    let seen = u64::try_from(seen.as_nanos()).unwrap();
                    sum.fetch_add(seen, Ordering::Relaxed);
                }
                (before, at, queue) = (now, then, queue_then);
            }
        });
        Self {
            nanoseconds,
            ends,
            thread,
        }
    }

    fn so_far(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// Where the thread `tc` of a process tells what it sleeps in.
fn attaching(tasks: &str) -> Option<String> {
    let tasks = fs::read_dir(tasks).unwrap();
    let mut paths = tasks.map(|task| task.unwrap().path());
    let found = paths.find(|task| {
        let name = fs::read_to_string(task.join("comm"));
        name.is_ok_and(|name| name.trim_end() == "tc")
    });
    Some(found?.join("wchan").to_str().unwrap().to_string())
}
