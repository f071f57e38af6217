//! TLS in the loop: rustls moves bytes and knows no socket, so that a handshake waits in `poll` as a head does, with the
//! same deadline. What it may cost is bounded, too: [`HANDSHAKE`] bytes until it is over, one record of input, and one of
//! output that a slow reader has not taken yet.
//!
//! There are no session tickets and no cache of sessions: who comes again is checked again, against the certificates and
//! authorities that are configured now. Prometheus keeps its connection. The cryptography is ring's.
//!
//! Under an attack of handshakes the signature is what costs: a key for ECDSA with P-256 makes it tens of microseconds, an
//! RSA key of 2048 bits twenty times as long.

mod setup;
mod verifier;

use std::io;
use std::io::IoSlice;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendFlags;
use rustls::ServerConnection;

use super::connection::Heard;

pub(super) use self::setup::Setup;

/// What a client may send before its handshake is over, in bytes: a long chain of certificates is half of it.
const HANDSHAKE: usize = 32 << 10;
/// What is encrypted at a time, in bytes: the longest record.
const RECORD: usize = 16 << 10;

/// One connection's encryption.
pub(super) struct Session {
    /// `None`: it could not be set up, and whatever comes is refused.
    inner: Option<ServerConnection>,
    /// What came before the handshake was over, in bytes.
    heard: usize,
    /// Whether the client has said that it will say no more.
    closed: bool,
}

impl Session {
    pub(super) fn new(setup: &Setup) -> Box<Self> {
        let mut inner = ServerConnection::new(setup.config()).ok();
        if let Some(inner) = &mut inner {
            // Of a whole record with its frame, and of what a handshake answers.
            inner.set_buffer_limit(Some(RECORD + 1024));
        }
        Box::new(Self {
            inner,
            heard: 0,
            closed: false,
        })
    }

    /// Reads what came, and adds what it says to `input`.
    pub(super) fn read(
        &mut self,
        socket: &OwnedFd,
        scratch: &mut [u8],
        input: &mut Vec<u8>,
    ) -> Heard {
        let count = match rustix::net::recv(socket, &mut *scratch, RecvFlags::empty()) {
            Ok((_, 0)) => return Heard::End,
            Ok((_, count)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Heard::Nothing,
            Err(_) => return Heard::End,
        };
        let Some(inner) = &mut self.inner else {
            return Heard::End;
        };
        let mut rest = scratch.get(..count).unwrap_or_default();
        // A TLS record begins with its type, and that of a handshake is 22; a request in plain HTTP with its method.
        if self.heard == 0 && rest.first().is_some_and(u8::is_ascii_uppercase) {
            return Heard::Plain;
        }
        let before = inner.is_handshaking();
        if before {
            self.heard += count;
        }
        let length = input.len();
        while !rest.is_empty() && !self.closed {
            match feed(inner, &mut rest, input) {
                Ok(closed) => self.closed |= closed,
                Err(error) => {
                    log::debug!(err = error.to_string().as_str(); "TLS: connection refused");
                    return Heard::Broken { handshake: before };
                }
            }
        }
        if inner.is_handshaking() && self.heard > HANDSHAKE {
            log::debug!("TLS: connection refused: expected a shorter handshake");
            return Heard::Broken { handshake: true };
        }
        Heard::Some {
            shaken: before && !inner.is_handshaking(),
            count: input.len() - length,
        }
    }

    /// Encrypts as much of the beginning of both as fits into a record; says how much that was, in bytes.
    pub(super) fn put(&mut self, head: &[u8], body: &[u8]) -> usize {
        let Some(inner) = &mut self.inner else {
            return 0;
        };
        let head = head.get(..RECORD).unwrap_or(head);
        let room = RECORD - head.len();
        let body = body.get(..room).unwrap_or(body);
        let slices = [IoSlice::new(head), IoSlice::new(body)];
        // Into memory, which does not fail.
        inner.writer().write_vectored(&slices).unwrap_or(0)
    }

    /// Sends what is encrypted; says how much went, in bytes.
    ///
    /// # Errors
    /// With `AGAIN` when the client takes no more for now.
    pub(super) fn flush(&mut self, socket: &OwnedFd) -> Result<usize, Errno> {
        let Some(inner) = &mut self.inner else {
            return Ok(0);
        };
        let mut sent = 0;
        while inner.wants_write() {
            match inner.write_tls(&mut Socket(socket)) {
                Ok(count) => sent += count,
                Err(error) if sent > 0 && error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
        }
        Ok(sent)
    }

    /// Whether something is encrypted and not sent yet.
    pub(super) fn has_output(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.wants_write())
    }

    /// Whether the client has said that it will say no more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Says that nothing more will be said.
    pub(super) fn close(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.send_close_notify();
        }
    }
}

/// Gives rustls what it takes of these bytes, and gets what they say. Says whether that is the end of it.
fn feed(
    inner: &mut ServerConnection,
    rest: &mut &[u8],
    input: &mut Vec<u8>,
) -> Result<bool, rustls::Error> {
    // From memory, which does not fail; and there is room, since what was said is taken out below.
    let taken = inner.read_tls(rest).unwrap_or(0);
    let state = inner.process_new_packets()?;
    let mut left = state.plaintext_bytes_to_read();
    while left > 0 {
        let from = input.len();
        input.resize(from + left, 0);
        let space = input.get_mut(from..).unwrap_or_default();
        let count = io::Read::read(&mut inner.reader(), space).unwrap_or(0);
        input.truncate(from + count);
        left = if count == 0 { 0 } else { left - count };
    }
    // Taking nothing, it would be asked for ever.
    Ok(taken == 0 || state.peer_has_closed())
}

/// A socket to write to, which says when its client is gone with an error and not with a signal.
struct Socket<'a>(&'a OwnedFd);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing = SendAncillaryBuffer::default();
        loop {
            match rustix::net::sendmsg(self.0, slices, &mut nothing, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
