//! One connection: Head (reading a request) -> Ready (the application answers) -> Write -> Linger, or Head again. Between
//! Head and Ready is Check where a password has to be checked first. A TLS handshake is the beginning of the first Head.

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
use super::guard::Session;
use super::guard::Tag;
use super::head;
use super::head::Head;

/// How long a connection may stay open between two requests. Prometheus scrapes every minute at the least often.
const IDLE: Duration = Duration::from_secs(90);
/// How long a client that has its answer may take to close.
const LINGER: Duration = Duration::from_millis(500);
/// What such a client may still send, in bytes: closing with unread input resets the connection, and a reset takes the
/// answer away from a client that has not read it yet.
const LINGER_BYTES: usize = 128 << 10;
/// How long a request may wait for its password to be checked. On a router each check takes a second.
const CHECK: Duration = Duration::from_secs(30);
/// A head is read in pieces of so many bytes, so that of a client that does not wait for answers no more than one is kept;
/// TLS input in pieces of at least as many, however little room is left for the head.
const PIECE: usize = 2048;
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
    /// Headers of every answer.
    pub(super) headers: &'a [(String, String)],
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

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "tls"),
    expect(dead_code, reason = "the last two only TLS hears")
)]
pub(super) enum Heard {
    /// There was nothing to read.
    Nothing,
    /// The client will say no more, or is gone.
    End,
    /// Bytes came, of which so many are the client's words; a handshake may have come to its end with them.
    Some { count: usize, shaken: bool },
    /// Plain HTTP where TLS is spoken.
    Plain,
    /// Something that no client of TLS says, or a client that is not let in.
    Broken { handshake: bool },
}

enum State {
    Head,
    /// The request waits for the check of its password.
    Check(Request, Tag),
    Ready(Request),
    Write(Output),
    Linger {
        dropped: usize,
    },
}

/// An answer on its way.
struct Output {
    head: Vec<u8>,
    body: Rc<Vec<u8>>,
    sent: usize,
    /// The time at which the client must have all of it.
    end: Instant,
    keep_alive: bool,
    /// Whether a TLS client has been told that this is all.
    ended: bool,
}

/// One client.
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) socket: OwnedFd,
    session: Option<Box<Session>>,
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
    pub(super) fn new(
        id: u64,
        socket: OwnedFd,
        session: Option<Box<Session>>,
        now: Instant,
        rules: Rules,
    ) -> Self {
        Self {
            id,
            socket,
            session,
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
            // Who does not take what a handshake answers is not listened to.
            State::Head if self.has_output() => Some(PollFlags::OUT),
            State::Head | State::Linger { .. } => Some(PollFlags::IN),
            State::Write(_) => Some(PollFlags::OUT),
            State::Ready(_) | State::Check(..) => None,
        }
    }

    fn has_output(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.has_output())
    }

    /// Whether it waits for a request, or the rest of one, or the check of its password.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.state, State::Head | State::Check(..))
    }

    /// Whether it waits for this check.
    pub(super) fn waits_for(&self, tag: Tag) -> bool {
        matches!(self.state, State::Check(_, waited) if waited == tag)
    }

    /// Makes the request that is ready wait for a check.
    pub(super) fn wait_for(&mut self, tag: Tag, now: Instant) {
        if let State::Ready(request) = &self.state {
            self.enter(State::Check(request.clone(), tag), now, CHECK);
        }
    }

    /// Makes the request that waited for a check ready.
    pub(super) fn pass(&mut self, now: Instant) {
        if let State::Check(request, _) = &self.state {
            self.enter(State::Ready(request.clone()), now, Duration::ZERO);
        }
    }

    /// Answers without asking the application.
    pub(super) fn turn_away(&mut self, answer: &Answer, step: &mut Step<'_>) -> Next {
        let (State::Ready(request) | State::Check(request, _)) = &self.state else {
            return Next::Wait;
        };
        let (version, keep_alive) = (request.version.clone(), request.keep_alive);
        let without_body = request.method == tiny_http::Method::Head;
        step.stats.refused += 1;
        self.send(answer, &version, keep_alive, without_body, step)
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

    /// How much memory what was read and not answered yet takes, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.input.capacity()
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
            State::Head | State::Check(..) => 2,
            State::Write(_) => 3,
            State::Ready(_) => return None,
        };
        Some((class, self.since))
    }

    /// Does what the socket is ready for.
    pub(super) fn step(&mut self, step: &mut Step<'_>) -> Next {
        match self.state {
            State::Head => self.read_pieces(step),
            State::Ready(_) | State::Check(..) => Next::Wait,
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
                head: answer.head(version, keep_alive, step.headers),
                body: if without_body {
                    Rc::default()
                } else {
                    Rc::clone(answer.body())
                },
                sent: 0,
                end: step.now + step.rules.write_timeout * SLOWEST,
                keep_alive,
                ended: false,
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

    /// Reads until there is a head, or nothing more: a large one, too, is read in one go, before a newcomer can push it out.
    fn read_pieces(&mut self, step: &mut Step<'_>) -> Next {
        loop {
            let before = self.input.len();
            let next = self.read(step);
            let is_head = matches!(self.state, State::Head) && self.session.is_none();
            let is_full = self.input.len() == before + PIECE;
            if next != Next::Wait || !is_head || !is_full {
                return next;
            }
        }
    }

    fn read(&mut self, step: &mut Step<'_>) -> Next {
        let before = self.input.len();
        let first = before == 0;
        match self.hear(step) {
            Heard::Nothing => return Next::Wait,
            // A client that closes its side after a request has had its answer by now.
            Heard::End => return Next::Close,
            Heard::Some { count, shaken } => {
                step.stats.handshakes += u64::from(shaken);
                if count == 0 {
                    return Next::Wait;
                }
            }
            Heard::Plain => {
                self.session = None;
                let answer =
                    Answer::text("other", 400, "expected TLS (https://), found plain HTTP");
                step.stats.refused += 1;
                return self.send(&answer, &HTTPVersion(1, 0), false, false, step);
            }
            Heard::Broken { handshake } => {
                step.stats.handshakes_failed += u64::from(handshake);
                return self.end(step);
            }
        }
        let new = self.input.get(before..).unwrap_or_default();
        // A head can only become complete, or wrong in a new way that matters, with a line. Parsing at each byte would
        // let a client that sends single bytes make us read the whole head each time.
        let worth_parsing =
            first || new.contains(&b'\n') || self.input.len() >= step.rules.max_header_bytes;
        if first && self.served {
            // The next request of an idle connection begins.
            self.enter(State::Head, step.now, step.rules.read_timeout);
        }
        if worth_parsing {
            self.parse(step)
        } else {
            Next::Wait
        }
    }

    /// Reads what came into the input, at most as much as a head may have.
    fn hear(&mut self, step: &mut Step<'_>) -> Heard {
        let room = step.rules.max_header_bytes.saturating_sub(self.input.len());
        let Some(session) = &mut self.session else {
            let Some(space) = step.scratch.get_mut(..room.min(PIECE)) else {
                return Heard::End;
            };
            return match rustix::net::recv(&self.socket, space, RecvFlags::empty()) {
                Ok((_, 0)) => Heard::End,
                Ok((_, count)) => {
                    let new = step.scratch.get(..count).unwrap_or_default();
                    self.input.extend_from_slice(new);
                    Heard::Some {
                        count,
                        shaken: false,
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => Heard::Nothing,
                Err(_) => Heard::End,
            };
        };
        if session.flush(&self.socket) == Err(Errno::AGAIN) {
            return Heard::Nothing;
        }
        let room = room.max(PIECE).min(step.scratch.len());
        let space = step.scratch.get_mut(..room).unwrap_or_default();
        let heard = session.read(&self.socket, space, &mut self.input);
        match session.flush(&self.socket) {
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(_) => return Heard::End,
        }
        match heard {
            Heard::Some { count: 0, .. } if session.is_closed() => Heard::End,
            heard => heard,
        }
    }

    fn parse(&mut self, step: &mut Step<'_>) -> Next {
        match head::parse(&self.input, step.rules.max_header_bytes, self.id) {
            Head::Partial => Next::Wait,
            Head::Complete(request, length) => {
                // What is left is the next request of a client that does not wait for answers.
                self.input = self.input.split_off(length.min(self.input.len()));
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
            let is_all = head.is_empty() && body.is_empty();
            let sent = match &mut self.session {
                Some(session) if session.has_output() => session.flush(&self.socket).map(|_| 0),
                Some(session) if !is_all => match session.put(head, body) {
                    0 => return Next::Close,
                    count => Ok(count),
                },
                Some(session) if !output.keep_alive && !output.ended => {
                    session.close();
                    output.ended = true;
                    Ok(0)
                }
                _ if is_all => {
                    let keep_alive = output.keep_alive;
                    return self.written(keep_alive, step);
                }
                _ => {
                    let slices = [IoSlice::new(head), IoSlice::new(body)];
                    let mut nothing = SendAncillaryBuffer::default();
                    rustix::net::sendmsg(&self.socket, &slices, &mut nothing, SendFlags::NOSIGNAL)
                }
            };
            match sent {
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
        let is_closed = self
            .session
            .as_ref()
            .is_some_and(|session| session.is_closed());
        if keep_alive && !step.stopping && (!is_closed || !self.input.is_empty()) {
            if self.input.is_empty() {
                self.input = Vec::new();
                self.enter(State::Head, step.now, IDLE);
                return Next::Wait;
            }
            self.enter(State::Head, step.now, step.rules.read_timeout);
            return self.parse(step);
        }
        if let Some(session) = self.session.as_mut().filter(|_| keep_alive) {
            // It has not been told yet that this is all. What there is no room for is not worth waiting for.
            session.close();
            let _ = session.flush(&self.socket);
        }
        self.end(step)
    }

    /// Says that nothing more will come, and waits a moment for the client to close.
    fn end(&mut self, step: &mut Step<'_>) -> Next {
        self.input = Vec::new();
        if rustix::net::shutdown(&self.socket, Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.session = None;
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
