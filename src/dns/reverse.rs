//! Names of addresses from reverse DNS, for whoever shows addresses: known ones at once, unknown ones later.
//!
//! Asking never waits: an address that is not known is put in a queue, and a thread asks for a few of them a second. What it
//! finds is kept as long as the answer says, within bounds, and that there is no name is kept too. An old name stays until
//! the server says another one; a server that does not answer takes no name away.
//!
//! A name is what the owner of the address wrote: anything. It is exported as printable ASCII with all else escaped, and not
//! at all when it is longer than a name can be.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use super::Reason;
use super::asker::Asker;
use super::message::Answer;
use super::servers::Servers;
use crate::config::dns::Dns;
use crate::config::dns::RecordType;
use crate::config::dns::reverse;
use crate::threads;

/// How many addresses are known at most; the longest unasked go first.
const ENTRIES: usize = 4096;

/// How many addresses wait at most; those for which there is no room come at a later scrape.
const QUEUE: usize = 256;

/// Between two questions: five a second, those that are repeated included.
const PACE: Duration = Duration::from_millis(200);

/// How long a name is kept, at least and at most: some answers may be kept for 0 s, some for years.
const NAMED: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(24 * 60 * 60)];

/// How long it is kept that an address has no name.
const NAMELESS: Duration = Duration::from_secs(15 * 60);

/// How long it is kept that nobody knew.
const UNKNOWN: Duration = Duration::from_secs(2 * 60);

/// The longest name, in bytes as it is exported.
const LONGEST: usize = 253;

/// What is known, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Addresses with a name.
    pub named: usize,
    /// Addresses that have none, or of which nobody could tell it.
    pub nameless: usize,
    /// Addresses without a name that are yet to be asked for.
    pub waiting: usize,
}

/// The names that are known, and the thread that asks for others. Dropping it ends the thread.
pub struct ReverseNames {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    known: HashMap<IpAddr, Entry>,
    queue: VecDeque<IpAddr>,
    stop: bool,
}

struct Entry {
    name: Option<Arc<str>>,
    /// When it is to be asked for again.
    until: Instant,
    /// Whether it waits or is on its way.
    asked: bool,
    /// When somebody last wanted to know.
    used: Instant,
}

impl Shared {
    /// Each change is complete before anything can panic.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReverseNames {
    /// Starts the thread, which asks whom the configuration says.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: &Dns, rootfs: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let worker = Arc::clone(&shared);
        let mut servers = Servers::new(config.resolver.as_ref(), rootfs);
        let mut asker = Asker::paced(config.timeout, PACE);
        let work = Box::new(move || work(&worker, &mut asker, &mut servers));
        let thread = threads::start("reverse-dns", work)?;
        Ok(Self { shared, thread })
    }

    /// The name of an address as far as it is known now. One that is not known, or not for certain any more, is asked for.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<Arc<str>> {
        let wanted = is_worth_asking(address);
        let mut state = self.shared.state();
        let (name, queued) = state.find(address, Instant::now(), wanted);
        drop(state);
        if queued {
            self.shared.changed.notify_one();
        }
        name
    }

    /// How many addresses are known.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.shared.state();
        let mut counts = Counts::default();
        for entry in state.known.values() {
            match (&entry.name, entry.asked) {
                (Some(_), _) => counts.named += 1,
                (None, false) => counts.nameless += 1,
                (None, true) => counts.waiting += 1,
            }
        }
        counts
    }

    /// Whether the thread is no more: what is known will stay as it is.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for ReverseNames {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_one();
    }
}

impl State {
    /// The name, and whether the address was put in the queue.
    fn find(&mut self, address: IpAddr, now: Instant, wanted: bool) -> (Option<Arc<str>>, bool) {
        let room = wanted && self.queue.len() < QUEUE;
        if let Some(entry) = self.known.get_mut(&address) {
            entry.used = now;
            let queued = room && !entry.asked && entry.until <= now;
            entry.asked |= queued;
            if queued {
                self.queue.push_back(address);
            }
            return (entry.name.clone(), queued);
        }
        if room {
            self.make_room();
            let entry = Entry {
                name: None,
                until: now,
                asked: true,
                used: now,
            };
            self.known.insert(address, entry);
            self.queue.push_back(address);
        }
        (None, room)
    }

    /// A quarter goes at a time, those that nobody wanted for longest: choosing one each time would look at all of them for
    /// each new one.
    fn make_room(&mut self) {
        if self.known.len() < ENTRIES {
            return;
        }
        let idle = self.known.values().filter(|entry| !entry.asked);
        let mut times: Vec<_> = idle.map(|entry| entry.used).collect();
        times.sort_unstable();
        if let Some(limit) = times.get(times.len() / 4).copied() {
            let mut spare = ENTRIES / 4;
            self.known.retain(|_, entry| {
                let goes = !entry.asked && entry.used <= limit && spare > 0;
                spare -= usize::from(goes);
                !goes
            });
        }
    }

    fn store(&mut self, address: IpAddr, answer: &Answer, now: Instant) {
        let Some(entry) = self.known.get_mut(&address) else {
            return;
        };
        entry.asked = false;
        let age = match &answer.values {
            Ok(values) => {
                entry.name = name(values);
                let [least, most] = NAMED;
                let ttl = answer.ttl.unwrap_or_default();
                Duration::from_secs(ttl.into()).clamp(least, most)
            }
            Err(Reason::Nxdomain | Reason::Nodata) => {
                entry.name = None;
                NAMELESS
            }
            Err(_) => UNKNOWN,
        };
        entry.until = now + age;
    }
}

/// Of several names the first in order, so that it is the same one each time. `None` where it is longer than a name can be,
/// which it is for all that had to be escaped, or the root.
fn name(values: &[Vec<u8>]) -> Option<Arc<str>> {
    let names = values
        .iter()
        .filter_map(|value| std::str::from_utf8(value).ok());
    let name = names.min()?;
    (name.len() <= LONGEST && name != ".").then(|| Arc::from(name))
}

/// No server knows an address that means another machine in every network.
fn is_worth_asking(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !local && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

fn work(shared: &Shared, asker: &mut Asker, servers: &mut Servers) {
    // Answers come back by number.
    let mut asked: HashMap<usize, IpAddr> = HashMap::new();
    let mut number = 0usize;
    loop {
        let mut state = shared.state();
        while !state.stop && state.queue.is_empty() && asked.is_empty() {
            let woken = shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if state.stop {
            return;
        }
        // Where servers are silent, each address is asked for several times.
        let next = if asker.has_waiting() {
            None
        } else {
            state.queue.pop_front()
        };
        drop(state);
        let until = Instant::now() + PACE;
        if let Some(address) = next {
            number = number.wrapping_add(1);
            asked.insert(number, address);
            asker.ask(number, &Arc::from(reverse(address)), RecordType::Ptr);
        }
        // However soon answers come, the next question waits for its time.
        while Instant::now() < until {
            let current = servers.current(Instant::now());
            for done in asker.turn(current, until) {
                if let Some(address) = asked.remove(&done.token) {
                    let now = Instant::now();
                    shared.state().store(address, &done.answer, now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))
    }

    fn answer(values: Result<&[&str], Reason>, ttl: Option<u32>) -> Answer {
        let bytes = |values: &[&str]| values.iter().map(|text| text.as_bytes().to_vec()).collect();
        Answer {
            values: values.map(bytes),
            ttl,
        }
    }

    fn age(answer: &Answer) -> (Option<String>, u64) {
        let mut state = State::default();
        let now = Instant::now();
        state.find(address(1), now, true);
        state.store(address(1), answer, now);
        let entry = &state.known[&address(1)];
        let name = entry.name.as_deref().map(str::to_string);
        (name, (entry.until - now).as_secs())
    }

    #[test]
    fn ages_are_within_bounds() {
        let named = |ttl| age(&answer(Ok(&["host.lan"]), Some(ttl)));
        let host = Some("host.lan".to_string());
        assert_eq!(named(0), (host.clone(), 300));
        assert_eq!(named(3600), (host.clone(), 3600));
        assert_eq!(named(i32::MAX.unsigned_abs()), (host, 86_400));
        assert_eq!(age(&answer(Err(Reason::Nxdomain), None)), (None, 900));
        assert_eq!(age(&answer(Err(Reason::Timeout), None)), (None, 120));
    }

    #[test]
    fn names_of_strangers_are_bounded() {
        let long = "\\007".repeat(64);
        assert_eq!(age(&answer(Ok(&[&long]), None)).0, None);
        assert_eq!(age(&answer(Ok(&["."]), None)).0, None);
        let two = age(&answer(Ok(&["b.lan", "a.lan"]), None)).0;
        assert_eq!(two.as_deref(), Some("a.lan"));
    }

    #[test]
    fn an_old_name_stays_until_there_is_another_word() {
        let mut state = State::default();
        let now = Instant::now();
        assert_eq!(state.find(address(1), now, true), (None, true));
        assert_eq!(state.find(address(1), now, true), (None, false));
        state.queue.clear();
        state.store(address(1), &answer(Ok(&["host.lan"]), Some(300)), now);
        let name = Some(Arc::from("host.lan"));
        assert_eq!(state.find(address(1), now, true), (name.clone(), false));
        let later = now + Duration::from_secs(301);
        assert_eq!(state.find(address(1), later, true), (name.clone(), true));
        state.store(address(1), &answer(Err(Reason::Servfail), None), later);
        assert_eq!(state.find(address(1), later, true), (name, false));
        let last = later + UNKNOWN;
        assert!(state.find(address(1), last, true).1);
        state.store(address(1), &answer(Err(Reason::Nxdomain), None), last);
        assert_eq!(state.find(address(1), last, true), (None, false));
    }

    #[test]
    fn queue_and_cache_are_bounded() {
        let mut state = State::default();
        let begin = Instant::now();
        for number in 0..100_000 {
            let now = begin + Duration::from_millis(number.into());
            if state.find(address(number), now, true).1 && number % 2 == 0 {
                for waiting in std::mem::take(&mut state.queue) {
                    state.store(waiting, &answer(Ok(&["x.lan"]), None), now);
                }
            }
            assert!(state.known.len() <= ENTRIES && state.queue.len() <= QUEUE);
        }
        assert!(state.known.contains_key(&address(99_998)));
        assert!(!state.known.contains_key(&address(0)));
        assert!(!state.find(address(7), begin, false).1);
    }

    #[test]
    fn what_no_server_knows_is_not_asked_for() {
        for (text, worth) in [
            ("192.168.1.1", true),
            ("203.0.113.7", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("::", false),
        ] {
            assert_eq!(is_worth_asking(text.parse().unwrap()), worth, "{text}");
        }
    }
}
