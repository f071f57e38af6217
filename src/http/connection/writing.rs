//! From an answer to bytes, and the end of a connection.

use std::io::IoSlice;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendFlags;
use rustix::net::Shutdown;
use tiny_http::HTTPVersion;

use super::Answer;
use super::Connection;
use super::Next;
use super::State;
use super::Step;
use crate::http::room::Reader;

/// How long a connection may stay open between two requests. Prometheus scrapes every minute at the least often.
const IDLE: Duration = Duration::from_secs(90);
/// How long a client that has its answer may take to close.
const LINGER: Duration = Duration::from_millis(500);
/// What such a client may still send, in bytes: closing with unread input resets the connection, and a reset takes the
/// answer away from a client that has not read it yet.
const LINGER_BYTES: usize = 128 << 10;
/// How many times the write timeout an answer may take altogether, however steadily it is read.
const SLOWEST: u32 = 6;

/// An answer on its way.
pub(super) struct Output {
    head: Vec<u8>,
    body: Rc<Vec<u8>>,
    sent: usize,
    /// When some of it was taken last; at first, when it was given.
    pub(super) moved: Instant,
    /// The time at which the client must have all of it.
    end: Instant,
    keep_alive: bool,
    /// Whether a TLS client has been told that this is all.
    ended: bool,
}

impl Output {
    /// How much of the body is sent, in bytes.
    fn of_body(&self) -> usize {
        self.sent.saturating_sub(self.head.len())
    }
}

impl Connection {
    /// What it keeps alive of an answer.
    pub(in crate::http) fn reader(&self) -> Option<Reader> {
        match &self.state {
            State::Write(output) if !output.body.is_empty() => Some(Reader {
                id: self.id,
                body: Rc::as_ptr(&output.body).addr(),
                length: output.body.len(),
                moved: output.moved,
            }),
            _ => None,
        }
    }

    /// Gives back the memory of what is sent of a body that nobody else reads, if that is a third of it: less would be lost
    /// again between other pieces of memory.
    pub(in crate::http) fn trim(&mut self) {
        if let State::Write(output) = &mut self.state {
            let of_body = output.of_body();
            if of_body > output.body.len() / 3
                && let Some(body) = Rc::get_mut(&mut output.body)
            {
                let of_body = of_body.min(body.len());
                // Not shrunk in its place, which would leave a gap that no other page fits into.
                *body = body.split_off(of_body);
                output.sent -= of_body;
            }
        }
    }

    pub(super) fn send(
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
                moved: step.now,
                end: step.now + step.rules.write_timeout * SLOWEST,
                keep_alive,
                ended: false,
            }),
            step.now,
            step.rules.write_timeout,
        );
        self.write(step)
    }

    pub(super) fn write(&mut self, step: &mut Step<'_>) -> Next {
        loop {
            let State::Write(output) = &mut self.state else {
                return Next::Wait;
            };
            let head = output.head.get(output.sent..).unwrap_or_default();
            let body = output.body.get(output.of_body()..).unwrap_or_default();
            let is_all = head.is_empty() && body.is_empty();
            let sent = match &mut self.session {
                Some(session) if session.has_output() => session.flush(&self.socket).map(|()| 0),
                Some(session) if !is_all => session.write(&self.socket, step.scratch, head, body),
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
                    output.moved = step.now;
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
    pub(super) fn end(&mut self, step: &mut Step<'_>) -> Next {
        self.input = Vec::new();
        if rustix::net::shutdown(&self.socket, Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.session = None;
        self.enter(State::Linger { dropped: 0 }, step.now, LINGER);
        self.drop_input(step)
    }

    pub(super) fn drop_input(&mut self, step: &mut Step<'_>) -> Next {
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
