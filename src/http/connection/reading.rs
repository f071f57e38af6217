//! From bytes to a request.

use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use tiny_http::HTTPVersion;

use super::Answer;
use super::Connection;
use super::Heard;
use super::Next;
use super::State;
use super::Step;
use super::head;
use super::head::Head;

/// A head is read in pieces of so many bytes, so that of a client that does not wait for answers no more than one is kept;
/// TLS input in pieces of at least as many, however little room is left for the head.
const PIECE: usize = 2048;

/// So much may be kept of what a client said after a request that waits, in bytes.
const KEPT: usize = 2 * PIECE;

impl Connection {
    /// Reads until there is a head, or nothing more: a large one, too, is read in one go, before a newcomer can push it out.
    pub(super) fn read_pieces(&mut self, step: &mut Step<'_>) -> Next {
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
                if shaken {
                    step.stats.handshakes += 1;
                    // As new again, among those of which the oldest goes.
                    self.since = step.now;
                }
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
        match session.flush(&self.socket) {
            Ok(()) if !session.has_output() => {}
            // Who does not take what it is answered is not listened to.
            Ok(()) | Err(Errno::AGAIN) => return Heard::Nothing,
            // Who is gone is told by reading.
            Err(_) => {}
        }
        let room = room.max(PIECE).min(step.scratch.len());
        let space = step.scratch.get_mut(..room).unwrap_or_default();
        let heard = session.read(&self.socket, space, &mut self.input);
        match session.flush(&self.socket) {
            Ok(()) | Err(Errno::AGAIN) => {}
            Err(_) => return Heard::End,
        }
        match heard {
            Heard::Some { count: 0, .. } if session.is_closed() => Heard::End,
            heard => heard,
        }
    }

    pub(super) fn parse(&mut self, step: &mut Step<'_>) -> Next {
        match head::parse(&self.input, step.rules.max_header_bytes, self.id) {
            Head::Partial => Next::Wait,
            Head::Complete(mut request, length) => {
                // What is left is the next request of a client that does not wait for answers.
                self.input = self.input.split_off(length.min(self.input.len()));
                // A record of TLS may bring more of it than may be kept while one waits: this client has to come again.
                if self.kept() > KEPT {
                    request.keep_alive = false;
                    self.input = Vec::new();
                    self.session.iter_mut().for_each(|session| session.forget());
                }
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
}
