//! Attacks, each against a server in a process of its own. While one runs, a plain scrape every 100 ms must be answered
//! within a second; afterwards threads and descriptors must be as before, and memory must not have grown.

mod endless;
mod held;
mod limits;
mod resets;
mod unread;
mod words;

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::harness;
use super::harness::Child;
use super::harness::Footprint;
use super::harness::Options;
use super::harness::ask;
use super::harness::within;

/// How long an attack goes on.
const ATTACK: Duration = Duration::from_millis(500);
/// How much memory an attack may cost: less than a megabyte.
pub(super) const GROWTH_KIB: usize = 1_000_000 / 1024;
/// Pages longer than this, in bytes, do not fit into the kernel's buffers.
const LONG_PAGE: usize = 128 << 10;
/// What the server may keep of those for clients that do not take them, or four pages if that is more. One more is on its way,
/// which its source may hold twice.
const UNREAD: usize = 4 << 20;

/// The time that an attack has, for its threads.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    end: Instant,
}

impl Clock {
    /// Whether the attack goes on.
    pub(super) fn runs(self) -> bool {
        Instant::now() < self.end
    }

    /// Waits until the attack's end, holding what the attacker holds.
    pub(super) fn wait(self) {
        thread::sleep(self.end.saturating_duration_since(Instant::now()));
    }
}

/// Runs `attack` and scrapes meanwhile.
pub(super) fn survive(options: Options, attack: impl Fn(SocketAddr, Clock) + Sync) {
    let child = Child::spawn(options);
    let patience = options.read + options.write + Duration::from_secs(3);
    let pages = match options.size {
        ..LONG_PAGE => 0,
        size => UNREAD.max(4 * size) + 3 * size,
    };
    let growth_kib = GROWTH_KIB + pages / 1024;
    survived_by(&child, patience, growth_kib, attack);
    child.stop();
}

/// The same for a server that runs already; `patience` is how long it may take to close what the attack left.
pub(super) fn survived_by(
    child: &Child,
    patience: Duration,
    growth_kib: usize,
    attack: impl Fn(SocketAddr, Clock) + Sync,
) {
    more_descriptors();
    let before = child.settled(scrape);
    let most = under_attack(child, &attack);
    assert_eq!(most.threads, before.threads);
    let growth = most.own_kib.saturating_sub(before.own_kib);
    println!("memory grew by {growth} KiB, {growth_kib} allowed; {most:?}");
    assert!(before.own_kib > 0 && growth < growth_kib, "{growth} KiB");
    let quiet = within(patience, || {
        child.footprint().descriptors <= before.descriptors
    });
    let after = child.footprint();
    assert!(quiet, "before {before:?}, after {after:?}");
    scrape(child);
}

/// Scrapes while the attack runs; says the largest footprint seen.
pub(super) fn under_attack(
    child: &Child,
    attack: &(impl Fn(SocketAddr, Clock) + Sync),
) -> Footprint {
    let mut most = child.footprint();
    let clock = Clock {
        end: Instant::now() + ATTACK,
    };
    thread::scope(|scope| {
        let attacker = scope.spawn(|| attack(child.address, clock));
        loop {
            let done = attacker.is_finished();
            scrape(child);
            let now = child.footprint();
            most.own_kib = most.own_kib.max(now.own_kib);
            most.threads = most.threads.max(now.threads);
            if done {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
    most
}

/// How long a client may be kept from reading before it counts as one that does not read. Less than the server's patience in
/// any of the attacks here.
const STALLED: Duration = Duration::from_millis(40);

/// A plain scrape, complete and within a second.
///
/// The time in which the server or this thread could have run and another was let run instead is left out: it says how busy
/// the machine is, with other tests and with the attackers themselves, and nothing of the server. For the same reason a scrape
/// may be cut if this thread was not let read, and is then asked for again.
pub(super) fn scrape(child: &Child) {
    let client = || harness::waited(Path::new("/proc/thread-self"));
    let waited = || child.waited() + client();
    let (start, before) = (Instant::now(), waited());
    let reply = loop {
        let before = client();
        match ask(child.address, "/metrics", "") {
            Ok(reply) => break reply,
            Err(error) => {
                let stalled = client().saturating_sub(before);
                println!("a scrape ended with {error}, {stalled:?} without a processor");
                assert!(stalled >= STALLED, "{error}");
            }
        }
    };
    let took = start.elapsed();
    // A thread that has ended since has taken its time along.
    let waited = waited().saturating_sub(before);
    assert_eq!(reply.code, 200);
    assert!(reply.body.starts_with(b"# ") && reply.body.ends_with(b"\n"));
    let own = took.saturating_sub(waited);
    let told = format!("a scrape took {took:?}, {waited:?} of it without a processor");
    println!("{told}");
    assert!(own < Duration::from_secs(1), "{told}");
    assert!(took < Duration::from_secs(10), "{told}");
}

/// The attackers are many; the usual soft limit is 1024.
fn more_descriptors() {
    use rustix::process::Resource;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
}

/// Connects without patience; nothing when the server is too busy. Closing it sends a reset: the attacks would else leave
/// tens of thousands of sockets in TIME_WAIT, which every scrape on this machine then has to walk. [`part`] closes in
/// order.
pub(super) fn dial(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    let patience = Some(Duration::from_millis(50));
    stream.set_read_timeout(patience).ok()?;
    stream.set_write_timeout(patience).ok()?;
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).ok()?;
    Some(stream)
}

/// Closes a connection in order.
pub(super) fn part(stream: TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(&stream, None);
    drop(stream);
}

/// So many connections that have said `words`.
pub(super) fn crowd(address: SocketAddr, count: usize, words: &[u8]) -> Vec<TcpStream> {
    (0..count)
        .filter_map(|_| {
            let mut stream = dial(address)?;
            // The server may have cut it already.
            let _ = stream.write_all(words);
            Some(stream)
        })
        .collect()
}

/// Whether the other side has closed or reset the connection. What it has sent is read and dropped.
pub(super) fn is_cut(stream: &mut TcpStream) -> bool {
    let mut some = [0; 4096];
    stream.set_nonblocking(true).expect("set");
    let cut = loop {
        match stream.read(&mut some) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break false,
            Err(_) => break true,
        }
    };
    stream.set_nonblocking(false).expect("set");
    cut
}

/// Runs the same attack in several threads.
pub(super) fn together(threads: usize, attack: impl Fn() + Sync) {
    let failed = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let fine = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&attack));
                failed.fetch_or(fine.is_err(), Ordering::Relaxed);
            });
        }
    });
    assert!(!failed.into_inner(), "an attacker's own check failed");
}
