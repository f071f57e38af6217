//! One connection: Head (reading a request) -> Ready (the application answers) -> Write -> Linger, or Head again. Between
//! Head and Ready is Check where a password has to be checked first. A TLS handshake is the beginning of the first Head.

mod reading;
mod writing;

use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFlags;

use super::Answer;
use super::Request;
use super::Stats;
use super::guard::Session;
use super::guard::Tag;
use super::head;

use self::writing::Output;

/// How long a request may wait for its password to be checked. On a router each check takes a second.
const CHECK: Duration = Duration::from_secs(30);

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

    /// What to poll for: nothing but its end while its request waits for the application, and nothing at all while a password is
    /// checked.
    pub(super) fn interest(&self) -> Option<PollFlags> {
        Some(match self.state {
            // Who does not take what a handshake answers is not listened to.
            State::Head if self.has_output() => PollFlags::OUT,
            State::Head | State::Linger { .. } => PollFlags::IN,
            State::Write(_) => PollFlags::OUT,
            State::Ready(_) => PollFlags::empty(),
            State::Check(..) => return None,
        })
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

    /// How much memory is taken by what was read and not answered yet, and by what TLS has not read or sent yet, in bytes.
    pub(super) fn kept(&self) -> usize {
        let session = self.session.as_ref();
        self.input.capacity() + session.map_or(0, |session| session.kept())
    }

    /// When it is given up; never while the application has the request.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ready(_) => None,
            _ => Some(self.deadline),
        }
    }

    /// How much it is worth, least first, then who has been so longest, or has read nothing for the longest time; nothing when it
    /// must not be evicted.
    pub(super) fn worth(&self) -> Option<(u8, Instant)> {
        Some(match &self.state {
            State::Head if self.served && self.input.is_empty() => (0, self.since),
            State::Linger { .. } => (1, self.since),
            State::Head | State::Check(..) => (2, self.since),
            State::Write(output) => (3, output.moved),
            State::Ready(_) => return None,
        })
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

    fn enter(&mut self, state: State, now: Instant, patience: Duration) {
        self.state = state;
        self.since = now;
        self.deadline = now + patience;
    }
}
