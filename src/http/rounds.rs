//! One round of the loop: wait, read and write what is ready, accept, cut those whose time is up.

use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::Server;
use super::connection::Connection;
use super::connections::ROUND;
use super::room;
use super::room::Reader;

/// The most requests that wait for the application; beyond it nothing is read or accepted.
pub(super) const MAX_READY: usize = 128;
/// The most connections accepted from one listener before the others have their turn. Many, because those behind wait
/// for one more rendering each time: a queue of thousands that are gone again is passed in one go. But none for longer than
/// [`ROUND`], which newcomers with TLS take: who was accepted before would be pushed out for a silence that is not its own.
const ACCEPTS: usize = 1024;
/// For how long nothing is accepted when there is no room and nobody can be cut.
const PAUSE: Duration = Duration::from_millis(2);
/// How long fewer connections are let in after descriptors ran out.
const RECOVERY: Duration = Duration::from_secs(5);
/// How many connections go when descriptors run out: the collectors need some, too.
const ROOM: usize = 8;

/// What the bodies of answers not taken yet may hold together, in bytes; four times the longest if that is more.
const BODY_BUDGET: usize = 4 << 20;

impl Server {
    /// Waits for events at most so long, and does what they ask for.
    pub(super) fn round(&mut self, wait: Duration) {
        for event in self.poll(wait) {
            match event {
                Event::Connection { id, reads } => {
                    // Level-triggered: what is not read now is told again when the application has caught up.
                    if !reads || !self.is_full() {
                        self.advance(id, Connection::step);
                    }
                }
                Event::Gone(id) => {
                    self.connections.retain(|connection| connection.id != id);
                    self.ready.retain(|ready| *ready != id);
                }
                Event::Listener(index) => self.accept(index),
                Event::Wake(index) => self.take_wake(index),
                Event::Checked => self.take_checked(),
            }
        }
        self.expire();
        self.last_round = Instant::now();
    }

    /// Makes room for the next answer in the memory of those that are not taken yet. Where there is none, says how long to
    /// wait for readers before this is asked again.
    ///
    /// Clients that read have a moment to do so; those that take nothing for [`room::patience`] go, as many as must. If nobody
    /// is as slow as that, the slowest three quarters go after the same time, so that a crowd of slow readers costs one wait
    /// and not one each.
    pub(super) fn make_memory(&mut self) -> Option<Duration> {
        if room::held(&self.readers()).bytes <= BODY_BUDGET {
            self.short_since = None;
            return None;
        }
        // Who has read since the last look is seen to have done so, before anybody is cut.
        self.round(Duration::ZERO);
        let held = room::held(&self.readers());
        let patience = room::patience(held.bodies, self.connections.len());
        self.patience = self.patience.min(patience);
        self.try_late();
        self.connections.iter_mut().for_each(Connection::trim);
        let mut readers = self.readers();
        let budget = BODY_BUDGET.max(4 * room::held(&readers).longest);
        let now = Instant::now();
        let end = *self.short_since.get_or_insert(now) + self.patience;
        let mut gone = room::too_slow(&mut readers, budget, self.patience, now);
        if end <= now && room::held(&readers).bytes > budget {
            gone.extend(room::too_slow(
                &mut readers,
                budget / 4,
                Duration::ZERO,
                now,
            ));
        }
        self.connections
            .retain(|connection| !gone.contains(&connection.id));
        self.stats.evicted += gone.len() as u64;
        if room::held(&readers).bytes <= budget {
            self.short_since = None;
            return None;
        }
        let slow = readers.iter().map(|reader| reader.moved + self.patience);
        let next = slow.fold(end.max(now), Instant::min);
        Some(next.saturating_duration_since(now))
    }

    /// Tries to write to those who are about to be cut: poll(2) tells of room only when a third of the socket's buffer is free
    /// (`sk_stream_is_writeable`), tens of kilobytes, which a slow and steady reader needs a while for.
    fn try_late(&mut self) {
        let (now, patience) = (Instant::now(), self.patience);
        let late = |reader: &Reader| reader.moved + patience <= now;
        for reader in self.readers().into_iter().filter(late) {
            self.advance(reader.id, Connection::step);
        }
    }

    /// Whether so many requests wait for the application that nothing more is read or accepted.
    fn is_full(&self) -> bool {
        self.ready.len() >= MAX_READY
    }

    fn readers(&self) -> Vec<Reader> {
        self.connections
            .iter()
            .filter_map(Connection::reader)
            .collect()
    }

    fn poll(&mut self, wait: Duration) -> Vec<Event> {
        let now = Instant::now();
        if self.limited_until.is_some_and(|until| until <= now) {
            self.limited_until = None;
            self.limit = room::connection_limit(self.max_connections);
        }
        let paused = self.paused_until.filter(|until| *until > now);
        // What would not be listened to would end the wait at once, again and again; its time goes on when it is.
        let full = self.is_full();
        let listening = paused.is_none() && !full;
        let heard = |connection: &&Connection| !full || !connection.is_reading();
        let next = self.connections.iter().filter(heard);
        let next = next.filter_map(Connection::deadline);
        let wait = next.chain(paused).fold(wait, |wait, deadline| {
            wait.min(deadline.saturating_duration_since(now))
        });
        let mut polled = Vec::with_capacity(self.connections.len() + 4);
        let mut who = Vec::with_capacity(self.connections.len() + 4);
        for (index, pipe) in self.wake.iter().enumerate() {
            polled.push(PollFd::new(pipe, PollFlags::IN));
            who.push(Event::Wake(index));
        }
        if let Some(wake) = self.guard.as_ref().and_then(|guard| guard.wake()) {
            polled.push(PollFd::new(wake, PollFlags::IN));
            who.push(Event::Checked);
        }
        for connection in self.connections.iter().filter(heard) {
            if let Some(interest) = connection.interest() {
                polled.push(PollFd::new(&connection.socket, interest));
                who.push(if interest.is_empty() {
                    Event::Gone(connection.id)
                } else {
                    Event::Connection {
                        id: connection.id,
                        reads: connection.is_reading(),
                    }
                });
            }
        }
        // Last, so that what came in before is read before a newcomer can push it out.
        for (index, listener) in self.listeners.iter().enumerate().filter(|_| listening) {
            polled.push(PollFd::new(&listener.socket, PollFlags::IN));
            who.push(Event::Listener(index));
        }
        match crate::sys::poll(&mut polled, Some(wait)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Vec::new(),
            // EINVAL: there are more of them than the descriptor limit, which was lowered meanwhile. ENOMEM.
            Err(_) => {
                drop(polled);
                self.make_room();
                std::thread::sleep(PAUSE);
                return Vec::new();
            }
        }
        let happened = polled.iter().zip(who);
        happened
            .filter(|(polled, _)| !polled.revents().is_empty())
            .map(|(_, event)| event)
            .collect()
    }

    fn accept(&mut self, index: usize) {
        let begun = Instant::now();
        for _ in 0..ACCEPTS {
            if self.is_full() || begun.elapsed() >= ROUND {
                return;
            }
            let full = self.connections.len() >= self.limit;
            if full && !room::can_evict(&self.connections, Instant::now()) {
                return self.pause();
            }
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::accept_with(&listener.socket, flags) {
                Ok(socket) => self.admit(socket),
                Err(Errno::AGAIN) => return,
                // The client is gone again, which accept(2) tells in many words.
                Err(
                    Errno::INTR
                    | Errno::CONNABORTED
                    | Errno::PROTO
                    | Errno::NETDOWN
                    | Errno::NETUNREACH
                    | Errno::HOSTDOWN
                    | Errno::HOSTUNREACH,
                ) => {}
                // Out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM), or something never heard of.
                Err(_) => {
                    self.stats.accept_errors += 1;
                    if self.make_room() {
                        continue;
                    }
                    return self.pause();
                }
            }
        }
    }

    /// Accepts nothing for a moment; unless an answer is owed, which makes room as soon as it is given.
    fn pause(&mut self) {
        if self.ready.is_empty() {
            self.paused_until = Some(Instant::now() + PAUSE);
        }
    }

    fn admit(&mut self, socket: OwnedFd) {
        self.stats.accepted += 1;
        let now = Instant::now();
        if self.connections.len() >= self.limit {
            self.stats.evicted += u64::from(room::evict(&mut self.connections, now));
        }
        let session = self.guard.as_mut().and_then(|guard| {
            guard.look(now);
            guard.session()
        });
        let id = self.next_id;
        self.next_id += 1;
        let connection = Connection::new(id, socket, session, now, self.rules);
        self.connections.push(connection);
        // Its request is most often there already; once it is read, no newcomer can push it out.
        self.advance(id, Connection::step);
    }

    /// Cuts some connections, and those that are more than a lowered descriptor limit allows; for a while, as many fewer
    /// are let in. Says whether any was cut.
    fn make_room(&mut self) -> bool {
        let now = Instant::now();
        let open = self.connections.len();
        let most = room::connection_limit(self.max_connections).min(open.saturating_sub(ROOM));
        self.limit = most.max(1);
        self.limited_until = Some(now + RECOVERY);
        while self.connections.len() > most {
            if !room::evict(&mut self.connections, now) {
                break;
            }
            self.stats.evicted += 1;
        }
        self.connections.len() < open
    }

    fn take_wake(&mut self, index: usize) {
        self.woken = true;
        self.interrupted = true;
        let Some(pipe) = self.wake.get(index) else {
            return;
        };
        // Readable, so this does not block; what it says is the application's own business.
        match rustix::io::read(pipe, &mut self.scratch) {
            Ok(1..) | Err(Errno::AGAIN | Errno::INTR) => {}
            // Its other end is closed: it would wake the loop for ever.
            Ok(0) | Err(_) => {
                self.wake.remove(index);
            }
        }
    }

    /// Cuts the connections whose time is up. Called after what they sent in time has been read, unless nothing is.
    fn expire(&mut self) {
        let full = self.is_full();
        let now = Instant::now();
        let before = self.connections.len();
        self.connections.retain(|connection| {
            let expired = connection
                .deadline()
                .is_some_and(|deadline| deadline <= now);
            !expired || (full && connection.is_reading())
        });
        self.stats.timed_out += (before - self.connections.len()) as u64;
    }
}

/// What poll(2) told of.
#[derive(Clone, Copy)]
enum Event {
    /// Of a connection, by number, and whether that reads a request.
    Connection { id: u64, reads: bool },
    /// Of a connection that is reset while its request waits, by number.
    Gone(u64),
    /// Of a listener, by index.
    Listener(usize),
    /// Of a descriptor that wakes the loop, by index.
    Wake(usize),
    /// Of a password that has been checked.
    Checked,
}
