//! Many questions on their way at once, in one thread: whichever socket has something is served, and what takes too long
//! is asked again of the next server, or given up.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;

use super::Reason;
use super::flight::Flight;
use super::flight::Progress;
use super::flight::Query;
use super::message::Answer;
use crate::config::dns::RecordType;
use crate::seldom::Seldom;

/// Questions that are on their way at once: with a server that does not answer and three seconds for each try, a
/// thousand records are through in a minute and a half.
const FLIGHTS: usize = 64;

/// How often each server is asked before silence is believed: one packet may get lost.
const ROUNDS: usize = 2;

/// A question that has come to its end.
#[derive(Debug)]
pub struct Done {
    /// What the caller calls it.
    pub token: usize,
    /// The answer, or why there is none.
    pub answer: Answer,
    /// From the first time that it was sent to its end.
    pub took: Duration,
}

/// A question that is to be sent.
struct Waiting {
    token: usize,
    query: Query,
    /// When it was sent for the first time, if it was.
    begun: Option<Instant>,
    tries: usize,
}

struct Job {
    token: usize,
    query: Query,
    begun: Instant,
    /// How often a server was asked: the next is this modulo the number of servers.
    tries: usize,
    flight: Flight,
}

/// The questions that are on their way.
pub struct Asker {
    timeout: Duration,
    /// The time between two questions, of whatever server and for whatever time.
    pace: Duration,
    /// When the next may be sent.
    next: Option<Instant>,
    waiting: VecDeque<Waiting>,
    jobs: Vec<Job>,
    /// Questions that ended before they could be sent.
    ended: Vec<Done>,
    foreign: u64,
    /// Why a socket was refused when that was last tried, so that it is told once.
    refused: Option<String>,
    told: Seldom,
}

impl Asker {
    /// `timeout` is for each time that a question is sent.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self::paced(timeout, Duration::ZERO)
    }

    /// The same, with so much time between two questions: those that are repeated count.
    #[must_use]
    pub fn paced(timeout: Duration, pace: Duration) -> Self {
        Self {
            timeout,
            pace,
            next: None,
            waiting: VecDeque::new(),
            jobs: Vec::new(),
            ended: Vec::new(),
            foreign: 0,
            refused: None,
            told: Seldom::default(),
        }
    }

    /// Takes a question, to be sent as soon as there is room.
    pub fn ask(&mut self, token: usize, name: &Arc<str>, kind: RecordType) {
        let query = Query {
            name: Arc::clone(name),
            kind,
            edns: true,
        };
        self.waiting.push_back(Waiting {
            token,
            query,
            begun: None,
            tries: 0,
        });
    }

    /// Whether questions wait for room, or for their time.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Messages that came to a waiting socket and did not answer its question, since the start.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Waits until something has come to its end, `until` at the latest, and gives what has.
    pub fn turn(&mut self, servers: &[SocketAddr], until: Instant) -> Vec<Done> {
        loop {
            let now = Instant::now();
            let late = |job: &Job| job.flight.deadline <= now;
            while let Some(at) = self.jobs.iter().position(late) {
                let job = self.jobs.swap_remove(at);
                let reason = if job.flight.malformed {
                    Reason::Malformed
                } else {
                    Reason::Timeout
                };
                self.next_try(job, servers, now, reason);
            }
            self.send(servers, now);
            if !self.ended.is_empty() || until <= now {
                return std::mem::take(&mut self.ended);
            }
            let deadlines = self.jobs.iter().map(|job| job.flight.deadline);
            let sends = self.has_waiting() && self.jobs.len() < FLIGHTS;
            let next = self.next.filter(|_| sends);
            let wake = deadlines.chain(next).min();
            let wake = wake.map_or(until, |first| first.min(until));
            for at in self.poll(wake.saturating_duration_since(now)) {
                self.serve(at, servers);
            }
        }
    }

    fn send(&mut self, servers: &[SocketAddr], now: Instant) {
        while self.jobs.len() < FLIGHTS && self.next.is_none_or(|next| next <= now) {
            let Some(waiting) = self.waiting.pop_front() else {
                return;
            };
            self.next = (!self.pace.is_zero()).then(|| now + self.pace);
            self.launch(waiting, now, servers);
        }
    }

    /// Sends a question to the server whose turn it is.
    fn launch(&mut self, waiting: Waiting, now: Instant, servers: &[SocketAddr]) {
        let Waiting {
            token,
            query,
            begun,
            mut tries,
        } = waiting;
        let begun = begun.unwrap_or(now);
        let Some(last) = servers.len().checked_sub(1) else {
            return self.end(token, begun, Reason::Unasked);
        };
        loop {
            let Some(server) = servers.get(tries % servers.len()) else {
                return self.end(token, begun, Reason::Unasked);
            };
            match Flight::udp(query.clone(), *server, now + self.timeout) {
                Ok(flight) => {
                    return self.jobs.push(Job {
                        token,
                        query,
                        begun,
                        tries,
                        flight,
                    });
                }
                Err(_) if tries < last => tries += 1,
                Err(error) => {
                    let reason = self.failed(&error);
                    return self.end(token, begun, reason);
                }
            }
        }
    }

    /// Where there is no way it is the network's state; anything else is told.
    fn failed(&mut self, error: &io::Error) -> Reason {
        use std::io::ErrorKind;
        let ways = [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionAborted,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::NetworkDown,
            ErrorKind::AddrNotAvailable,
            ErrorKind::UnexpectedEof,
            ErrorKind::BrokenPipe,
            ErrorKind::TimedOut,
        ];
        if ways.contains(&error.kind()) {
            return Reason::Unreachable;
        }
        let error = error.to_string();
        let changed = self.refused.as_ref() != Some(&error);
        if let Some(left_out) = self.told.tell(changed, Instant::now()) {
            log::error!(err = error.as_str(); "questions to name servers cannot be sent{left_out}");
        }
        self.refused = Some(error);
        Reason::Unasked
    }

    /// The flights whose sockets have something, the last first.
    fn poll(&mut self, limit: Duration) -> Vec<usize> {
        let mut sockets: Vec<_> = self
            .jobs
            .iter()
            .map(|job| {
                let (socket, flags) = job.flight.interest();
                PollFd::from_borrowed_fd(socket, flags)
            })
            .collect();
        match crate::sys::poll(&mut sockets, Some(limit)) {
            Ok(_) => {}
            // What cannot be polled for want of memory is not polled without end either.
            Err(rustix::io::Errno::INTR) => return Vec::new(),
            Err(_) => {
                std::thread::sleep(Duration::from_millis(100));
                return Vec::new();
            }
        }
        let ready = sockets.iter().enumerate().rev();
        let ready = ready.filter(|(_, socket)| socket.revents() != PollFlags::empty());
        ready.map(|(at, _)| at).collect()
    }

    fn serve(&mut self, at: usize, servers: &[SocketAddr]) {
        let Some(job) = self.jobs.get_mut(at) else {
            return;
        };
        let progress = job.flight.advance();
        self.foreign += std::mem::take(&mut job.flight.foreign);
        if matches!(progress, Progress::Waiting) {
            return;
        }
        let now = Instant::now();
        let mut job = self.jobs.swap_remove(at);
        match progress {
            Progress::Answered(answer) => self.answered(job, answer, servers, now),
            Progress::Truncated => match job.flight.over_tcp(now + self.timeout) {
                Ok(flight) => {
                    job.flight = flight;
                    self.jobs.push(job);
                }
                Err(error) => {
                    let reason = self.failed(&error);
                    self.end(job.token, job.begun, reason);
                }
            },
            Progress::Failed(error) => {
                let reason = if job.flight.malformed {
                    Reason::Malformed
                } else {
                    self.failed(&error)
                };
                self.next_try(job, servers, now, reason);
            }
            Progress::Waiting => {}
        }
    }

    fn answered(&mut self, job: Job, answer: Answer, servers: &[SocketAddr], now: Instant) {
        match answer.values {
            Err(Reason::Formerr | Reason::Rcode) if job.query.edns => {
                // A server from before EDNS (RFC 6891, section 7) gets the same question without it.
                let query = Query {
                    edns: false,
                    ..job.query.clone()
                };
                self.again(Job { query, ..job });
            }
            Err(
                reason @ (Reason::Servfail | Reason::Refused | Reason::Formerr | Reason::Rcode),
            ) => self.next_try(job, servers, now, reason),
            _ => self.ended.push(Done {
                token: job.token,
                answer,
                took: now.saturating_duration_since(job.begun),
            }),
        }
    }

    /// The next server may know better; silence and a lost packet are the same, so that is asked about twice.
    fn next_try(&mut self, job: Job, servers: &[SocketAddr], now: Instant, reason: Reason) {
        let rounds = if reason == Reason::Timeout { ROUNDS } else { 1 };
        let tries = job.tries + 1;
        if tries < servers.len() * rounds {
            self.again(Job { tries, ..job });
        } else {
            let took = now.saturating_duration_since(job.begun);
            self.finish(job.token, took, reason);
        }
    }

    /// Before those that were never sent.
    fn again(&mut self, job: Job) {
        self.waiting.push_front(Waiting {
            token: job.token,
            query: job.query,
            begun: Some(job.begun),
            tries: job.tries,
        });
    }

    fn end(&mut self, token: usize, begun: Instant, reason: Reason) {
        self.finish(token, begun.elapsed(), reason);
    }

    fn finish(&mut self, token: usize, took: Duration, reason: Reason) {
        self.ended.push(Done {
            token,
            answer: Answer {
                values: Err(reason),
                ttl: None,
            },
            took,
        });
    }
}

#[cfg(test)]
mod tests;
