//! The loop: `poll(2)` over the listeners and all connections, one thread, no locks.
//!
//! The application asks for the next request with [`Server::recv_timeout`] and answers it with [`Server::respond`];
//! everything else happens inside `recv_timeout`. Requests that are ready are handed out in the order in which they came;
//! one client has one of them at a time, whatever it pipelines.
//!
//! When there are too many connections the least valuable one goes: first those that wait between two requests, then
//! those that have their answer, then unfinished heads, then readers, the oldest first; of the readers who has read nothing
//! for the longest time. One whose request is ready is never cut. An error of `accept` makes room, or pauses accepting for a
//! moment; it never ends the loop.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::Answer;
use super::BindError;
use super::Guard;
use super::GuardError;
use super::GuardStats;
use super::Gzip;
use super::Request;
use super::Settings;
use super::connection::Connection;
use super::connection::Next;
use super::connection::Rules;
use super::connection::Step;
use super::guard::Verdict;
use super::listeners;
use super::listeners::Listener;
use super::room;
use super::rounds::MAX_READY;

/// How long requests are handed out, or newcomers let in, without a look at the other connections.
pub(super) const ROUND: Duration = Duration::from_millis(10);
/// What was read of heads may take so much memory together, in bytes; four times the longest allowed if that is more.
const HEAD_BUDGET: usize = 256 << 10;
/// Lingering clients' input is dropped in pieces of at least this many bytes.
const SCRATCH: usize = 16 << 10;

/// The loop's own figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections open now.
    pub open: usize,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections cut to make room.
    pub evicted: u64,
    /// Connections cut because they took too long.
    pub timed_out: u64,
    /// Requests answered by the application.
    pub requests: u64,
    /// Requests refused without asking it: malformed, too long, with a body.
    pub refused: u64,
    /// Errors of `accept` that made it pause.
    pub accept_errors: u64,
    /// TLS handshakes that came to an end.
    pub handshakes: u64,
    /// TLS handshakes that failed: not those that were never finished.
    pub handshakes_failed: u64,
    /// What the guard counted, where there is one.
    pub guard: Option<GuardStats>,
}

/// The HTTP server.
pub struct Server {
    pub(super) listeners: Vec<Listener>,
    pub(super) wake: Vec<OwnedFd>,
    /// Whether a wake-up came that the application has not asked for yet.
    pub(super) woken: bool,
    /// Whether a wake-up came that has not ended a wait yet.
    pub(super) interrupted: bool,
    /// In the order of their numbers.
    pub(super) connections: Vec<Connection>,
    /// The connections whose requests are ready, in order.
    pub(super) ready: VecDeque<u64>,
    /// The connection whose request the application has.
    taken: Option<u64>,
    pub(super) next_id: u64,
    pub(super) gzip: Gzip,
    pub(super) max_connections: usize,
    /// What `max_connections` is cut to by the descriptor limit.
    pub(super) limit: usize,
    /// Until when `limit` is lower than that, because descriptors ran out.
    pub(super) limited_until: Option<Instant>,
    pub(super) paused_until: Option<Instant>,
    /// Since when the next answer waits for memory.
    pub(super) short_since: Option<Instant>,
    /// How long readers may take nothing while answers wait for memory; the least since none waited.
    pub(super) patience: Duration,
    pub(super) last_round: Instant,
    pub(super) rules: Rules,
    pub(super) guard: Option<Box<Guard>>,
    stopping: bool,
    pub(super) scratch: Vec<u8>,
    pub(super) stats: Stats,
}

impl Server {
    /// Opens all listeners.
    ///
    /// # Errors
    /// When one of them cannot be opened; none is then.
    pub fn bind(settings: &Settings) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for listen in &settings.listen {
            listeners.extend(listeners::open(listen, settings.write_timeout)?);
        }
        Ok(Self {
            listeners,
            wake: Vec::new(),
            woken: false,
            interrupted: false,
            connections: Vec::new(),
            ready: VecDeque::new(),
            taken: None,
            next_id: 0,
            gzip: Gzip::default(),
            max_connections: settings.max_connections,
            limit: room::connection_limit(settings.max_connections),
            limited_until: None,
            paused_until: None,
            short_since: None,
            patience: room::TURN,
            last_round: Instant::now(),
            rules: Rules {
                read_timeout: settings.read_timeout,
                write_timeout: settings.write_timeout,
                max_header_bytes: settings.max_header_bytes,
            },
            guard: None,
            stopping: false,
            scratch: vec![0; settings.max_header_bytes.max(SCRATCH)],
            stats: Stats::default(),
        })
    }

    /// Lets in only whom `guard` does. To be called before anything is received.
    pub fn guard_with(&mut self, guard: Guard) {
        self.guard = Some(Box::new(guard));
    }

    /// The files of whom is let in that are read again while the program runs.
    #[must_use]
    pub fn guarded_by(&self) -> Vec<PathBuf> {
        let guard = self.guard.as_ref();
        guard.map(|guard| guard.paths()).unwrap_or_default()
    }

    /// Starts the thread that checks passwords, if any can be asked for. To be called before anything is received, and once
    /// the process has given up what it does not need.
    ///
    /// # Errors
    /// When the kernel has no room for the thread.
    pub fn start_guard(&mut self) -> Result<(), GuardError> {
        self.guard.as_mut().map_or(Ok(()), |guard| guard.start())
    }

    /// The bound addresses with their real ports, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// The first TCP listener's port, else 0.
    #[must_use]
    pub fn first_port(&self) -> u16 {
        self.listeners.iter().find_map(Listener::port).unwrap_or(0)
    }

    /// Makes [`Self::recv_timeout`] return early when `pipe` becomes readable. What comes through it is read and dropped.
    pub fn wake_on(&mut self, pipe: OwnedFd) {
        self.wake.push(pipe);
    }

    /// Whether a wake-up came since this was last asked.
    pub fn woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    /// The loop's own figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            open: self.connections.len(),
            guard: self.guard.as_ref().map(|guard| guard.stats()),
            ..self.stats
        }
    }

    /// Serves the connections until a request is ready, the time is up, or something woke the loop.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<Request> {
        self.forget_taken();
        let begun = Instant::now();
        self.gzip.rest(begun);
        let end = begun + timeout;
        loop {
            if std::mem::take(&mut self.interrupted) {
                return None;
            }
            // A pipelined request is ready as soon as the one before is answered: without this, nobody else would be
            // looked at before a client runs out of them.
            if self.last_round.elapsed() >= ROUND {
                self.round(Duration::ZERO);
            }
            let mut wait = end.saturating_duration_since(Instant::now());
            let over = wait.is_zero();
            let mut lacking = false;
            if self.ready.is_empty() {
                self.patience = room::TURN;
            } else if let Some(for_memory) = self.make_memory() {
                wait = wait.min(for_memory);
                lacking = true;
            } else if let Some(request) = self.next_ready() {
                self.taken = Some(request.connection);
                return Some(request);
            }
            self.round(wait);
            if over && (lacking || self.ready.is_empty()) {
                return None;
            }
        }
    }

    /// Sends the answer to this request and to all that wait for the same bytes; says how many that were.
    pub fn respond(&mut self, request: &Request, answer: &Answer) -> usize {
        self.taken = None;
        let mut answered = 0;
        let ids: Vec<u64> = self
            .connections
            .iter()
            .filter(|connection| {
                connection
                    .request()
                    .is_some_and(|waiting| waiting.wants_the_same(request))
            })
            .map(|connection| connection.id)
            .collect();
        // A connection that is done with its answer may be ready with its next request at once: it goes to the end.
        self.ready.retain(|id| !ids.contains(id));
        for id in ids {
            answered += 1;
            self.advance(id, |connection, step| connection.answer(answer, step));
        }
        answered
    }

    /// Stops listening: the ports are closed and socket files removed. Connections go on.
    pub fn close_listeners(&mut self) {
        self.listeners.clear();
    }

    /// Stops listening, gives answers in flight up to `limit` to be taken, and closes everything. Requests that wait for
    /// the application are closed: one who wants to answer them does so before.
    pub fn drain(&mut self, limit: Duration) {
        self.close_listeners();
        self.stopping = true;
        self.ready.clear();
        self.connections
            .retain(|connection| !connection.is_reading() && connection.request().is_none());
        let end = Instant::now() + limit;
        while !self.connections.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.round(left);
        }
        self.connections.clear();
    }

    /// A request that was taken and never answered would hold its connection for ever.
    fn forget_taken(&mut self) {
        if let Some(id) = self.taken.take() {
            self.connections
                .retain(|connection| connection.id != id || connection.request().is_none());
        }
    }

    fn next_ready(&mut self) -> Option<Request> {
        while let Some(id) = self.ready.pop_front() {
            let found = self
                .position(id)
                .and_then(|index| self.connections.get(index));
            if let Some(request) = found.and_then(Connection::request) {
                return Some(request.clone());
            }
        }
        None
    }

    /// Whether connections are better not kept. With a crowd of clients that always have a next request, newcomers
    /// would never get in; if each has to come again after its answer, all stand in the kernel's one queue.
    fn is_crowded(&self) -> bool {
        self.ready.len() >= MAX_READY / 2 || self.connections.len() >= self.limit / 4 * 3
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.connections
            .binary_search_by_key(&id, |connection| connection.id)
            .ok()
    }

    /// Runs one step of one connection and files what came of it.
    pub(super) fn advance(
        &mut self,
        id: u64,
        run: impl FnOnce(&mut Connection, &mut Step<'_>) -> Next,
    ) {
        let Some(index) = self.position(id) else {
            return;
        };
        let crowded = self.is_crowded();
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        let now = Instant::now();
        let headers = self.guard.as_ref().map(|guard| guard.headers());
        let mut step = Step {
            now,
            rules: self.rules,
            stopping: self.stopping,
            crowded,
            headers: headers.as_deref().map_or(&[], Vec::as_slice),
            scratch: &mut self.scratch,
            stats: &mut self.stats,
        };
        let mut next = run(connection, &mut step);
        // Each refused request of a client that does not wait for answers leads to the next.
        while let (Next::Ready, Some(guard)) = (next, &mut self.guard) {
            let Some(request) = connection.request() else {
                return;
            };
            match guard.judge(request, now) {
                Verdict::Pass => break,
                Verdict::Wait(tag) => {
                    connection.wait_for(tag, now);
                    return;
                }
                Verdict::Refuse(answer) => next = connection.turn_away(&answer, &mut step),
            }
        }
        let keeps = connection.kept() > 0;
        match next {
            Next::Wait => {}
            Next::Ready => self.ready.push_back(id),
            Next::Close => {
                self.connections.remove(index);
            }
        }
        if keeps {
            let budget = HEAD_BUDGET.max(4 * self.rules.max_header_bytes);
            self.stats.evicted += room::cut_longest(&mut self.connections, budget);
        }
    }

    /// Lets those on whose password was checked and right, and refuses the others.
    pub(super) fn take_checked(&mut self) {
        while let Some((tag, right)) = self.guard.as_mut().and_then(|guard| guard.checked()) {
            let waiting = self.connections.iter().filter(|one| one.waits_for(tag));
            let ids: Vec<u64> = waiting.map(|connection| connection.id).collect();
            for id in ids {
                if right {
                    self.admit_checked(id);
                } else if let Some(guard) = &mut self.guard {
                    let answer = guard.wrong_password();
                    self.advance(id, |connection, step| connection.turn_away(&answer, step));
                }
            }
        }
    }

    fn admit_checked(&mut self, id: u64) {
        let index = self.position(id);
        if let Some(connection) = index.and_then(|index| self.connections.get_mut(index)) {
            connection.pass(Instant::now());
            self.ready.push_back(id);
        }
    }
}
