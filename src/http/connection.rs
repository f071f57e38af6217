//! One connection: Head (reading a request) -> Ready (the application answers) -> Write -> Linger, or Head again.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendFlags;
use rustix::net::Shutdown;
use tiny_http::HTTPVersion;

use super::Answer;
use super::Request;
use super::Stats;
use super::head;
use super::head::Head;

/// How long a connection may stay open between two requests. Prometheus scrapes every minute at the least often.
const IDLE: Duration = Duration::from_secs(90);
/// How long a client that has its answer may take to close.
const LINGER: Duration = Duration::from_millis(500);
/// What such a client may still send, in bytes: closing with unread input resets the connection, and a reset takes the
/// answer away from a client that has not read it yet.
const LINGER_BYTES: usize = 128 << 10;
/// How many times the write timeout an answer may take altogether, however steadily it is read.
const SLOWEST: u32 = 6;

/// What the settings say of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) read_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) max_header_bytes: usize,
}

/// What every step needs.
pub(super) struct Step<'a> {
    pub(super) now: Instant,
    pub(super) rules: Rules,
    /// Nothing more is read after an answer: the server is stopping.
    pub(super) stopping: bool,
    /// New answers are the last on their connections: others wait for a place.
    pub(super) crowded: bool,
    pub(super) scratch: &'a mut [u8],
    pub(super) stats: &'a mut Stats,
}

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Poll it again.
    Wait,
    /// A request is ready for the application.
    Ready,
    /// It is over.
    Close,
}

enum State {
    Head,
    Ready(Request),
    Write(Output),
    Linger { dropped: usize },
}

/// An answer on its way.
struct Output {
    head: Vec<u8>,
    body: Rc<Vec<u8>>,
    sent: usize,
    /// The time at which the client must have all of it.
    end: Instant,
    keep_alive: bool,
}

/// One client.
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) socket: OwnedFd,
    state: State,
    /// When this state began.
    since: Instant,
    /// When this state is given up.
    deadline: Instant,
    /// What was read and is not part of a complete head.
    input: Vec<u8>,
    /// Whether it has had an answer.
    served: bool,
}

impl Connection {
    pub(super) fn new(id: u64, socket: OwnedFd, now: Instant, rules: Rules) -> Self {
        Self {
            id,
            socket,
            state: State::Head,
            since: now,
            deadline: now + rules.read_timeout,
            input: Vec::new(),
            served: false,
        }
    }

    /// What to poll for; nothing while the application has the request.
    pub(super) fn interest(&self) -> Option<PollFlags> {
        match self.state {
            State::Head | State::Linger { .. } => Some(PollFlags::IN),
            State::Write(_) => Some(PollFlags::OUT),
            State::Ready(_) => None,
        }
    }

    /// Whether it waits for a request, or the rest of one.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// Whether it was accepted after that time and has not said anything yet.
    pub(super) fn is_new_and_silent(&self, time: Instant) -> bool {
        self.is_reading() && !self.served && self.input.is_empty() && self.since > time
    }

    /// The request that waits for an answer.
    pub(super) fn request(&self) -> Option<&Request> {
        match &self.state {
            State::Ready(request) => Some(request),
            _ => None,
        }
    }

    /// The body that it keeps alive, and how slowly it takes it: nanoseconds for each KiB so far.
    pub(super) fn held(&self, now: Instant) -> Option<(&Rc<Vec<u8>>, u128)> {
        match &self.state {
            State::Write(output) if !output.body.is_empty() => {
                let taken = output.sent as u128 / 1024 + 1;
                let passed = now.saturating_duration_since(self.since).as_nanos();
                Some((&output.body, passed / taken))
            }
            _ => None,
        }
    }

    /// When it is given up; never while the application has the request.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ready(_) => None,
            _ => Some(self.deadline),
        }
    }

    /// How much it is worth, least first, then the oldest first; nothing when it must not be evicted.
    pub(super) fn worth(&self) -> Option<(u8, Instant)> {
        let class = match self.state {
            State::Head if self.served && self.input.is_empty() => 0,
            State::Linger { .. } => 1,
            State::Head => 2,
            State::Write(_) => 3,
            State::Ready(_) => return None,
        };
        Some((class, self.since))
    }

    /// Does what the socket is ready for.
    pub(super) fn step(&mut self, step: &mut Step<'_>) -> Next {
        match self.state {
            State::Head => self.read(step),
            State::Ready(_) => Next::Wait,
            State::Write(_) => self.write(step),
            State::Linger { .. } => self.drop_input(step),
        }
    }

    /// Starts to send the answer to the request that was ready.
    pub(super) fn answer(&mut self, answer: &Answer, step: &mut Step<'_>) -> Next {
        let State::Ready(request) = &self.state else {
            return Next::Wait;
        };
        let (version, keep_alive) = (request.version.clone(), request.keep_alive);
        let without_body = request.method == tiny_http::Method::Head;
        step.stats.requests += 1;
        self.send(answer, &version, keep_alive, without_body, step)
    }

    fn send(
        &mut self,
        answer: &Answer,
        version: &HTTPVersion,
        keep_alive: bool,
        without_body: bool,
        step: &mut Step<'_>,
    ) -> Next {
        let keep_alive = keep_alive && !step.stopping && !step.crowded;
        self.served = true;
        self.enter(
            State::Write(Output {
                head: answer.head(version, keep_alive),
                body: if without_body {
                    Rc::default()
                } else {
                    Rc::clone(answer.body())
                },
                sent: 0,
                end: step.now + step.rules.write_timeout * SLOWEST,
                keep_alive,
            }),
            step.now,
            step.rules.write_timeout,
        );
        self.write(step)
    }

    fn enter(&mut self, state: State, now: Instant, patience: Duration) {
        self.state = state;
        self.since = now;
        self.deadline = now + patience;
    }

    fn read(&mut self, step: &mut Step<'_>) -> Next {
        let room = step.rules.max_header_bytes.saturating_sub(self.input.len());
        let Some(space) = step.scratch.get_mut(..room) else {
            return Next::Close;
        };
        let count = match rustix::net::recv(&self.socket, space, RecvFlags::empty()) {
            // A client that closes its side after a request has had its answer by now.
            Ok((_, 0)) => return Next::Close,
            Ok((_, count)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Next::Wait,
            Err(_) => return Next::Close,
        };
        let new = step.scratch.get(..count).unwrap_or_default();
        // A head can only become complete, or wrong in a new way that matters, with a line. Parsing at each byte would
        // let a client that sends single bytes make us read the whole head each time.
        let first = self.input.is_empty();
        let worth_parsing = first
            || new.contains(&b'\n')
            || self.input.len() + count >= step.rules.max_header_bytes;
        if first && self.served {
            // The next request of an idle connection begins.
            self.enter(State::Head, step.now, step.rules.read_timeout);
        }
        self.input.extend_from_slice(new);
        if worth_parsing {
            self.parse(step)
        } else {
            Next::Wait
        }
    }

    fn parse(&mut self, step: &mut Step<'_>) -> Next {
        match head::parse(&self.input, step.rules.max_header_bytes, self.id) {
            Head::Partial => Next::Wait,
            Head::Complete(request, length) => {
                // What is left is the next request of a client that does not wait for answers.
                self.input.drain(..length.min(self.input.len()));
                self.enter(State::Ready(request), step.now, Duration::ZERO);
                Next::Ready
            }
            Head::Refused(refusal) => {
                step.stats.refused += 1;
                self.input = Vec::new();
                let answer = Answer::text("other", refusal.code, refusal.text);
                self.send(&answer, &HTTPVersion(1, 1), false, false, step)
            }
        }
    }

    fn write(&mut self, step: &mut Step<'_>) -> Next {
        loop {
            let State::Write(output) = &mut self.state else {
                return Next::Wait;
            };
            let head = output.head.get(output.sent..).unwrap_or_default();
            let of_body = output.sent.saturating_sub(output.head.len());
            let body = output.body.get(of_body..).unwrap_or_default();
            if head.is_empty() && body.is_empty() {
                let keep_alive = output.keep_alive;
                return self.written(keep_alive, step);
            }
            let slices = [IoSlice::new(head), IoSlice::new(body)];
            let mut nothing = SendAncillaryBuffer::default();
            match rustix::net::sendmsg(&self.socket, &slices, &mut nothing, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    output.sent += count;
                    self.deadline = output.end.min(step.now + step.rules.write_timeout);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Next::Wait,
                Err(_) => return Next::Close,
            }
        }
    }

    fn written(&mut self, keep_alive: bool, step: &mut Step<'_>) -> Next {
        if keep_alive && !step.stopping {
            if self.input.is_empty() {
                self.input = Vec::new();
                self.enter(State::Head, step.now, IDLE);
                return Next::Wait;
            }
            self.enter(State::Head, step.now, step.rules.read_timeout);
            return self.parse(step);
        }
        self.input = Vec::new();
        if rustix::net::shutdown(&self.socket, Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.enter(State::Linger { dropped: 0 }, step.now, LINGER);
        self.drop_input(step)
    }

    fn drop_input(&mut self, step: &mut Step<'_>) -> Next {
        let State::Linger { dropped } = &mut self.state else {
            return Next::Wait;
        };
        match rustix::net::recv(&self.socket, &mut *step.scratch, RecvFlags::empty()) {
            Ok((_, 0)) => Next::Close,
            Ok((_, count)) => {
                *dropped += count;
                if *dropped >= LINGER_BYTES {
                    Next::Close
                } else {
                    Next::Wait
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => Next::Wait,
            Err(_) => Next::Close,
        }
    }
}
