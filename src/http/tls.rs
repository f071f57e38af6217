//! TLS in the loop: rustls moves bytes and knows no socket, so that a handshake waits in `poll` as a head does, with the
//! same deadline. What it may cost is bounded, too: [`HANDSHAKE`] bytes until it is over. Its buffers are our own, not rustls',
//! and empty as a rule: what is to be sent is encrypted only when the socket takes it. All connections' together are bounded as
//! unfinished heads are.
//!
//! There are no session tickets and no cache of sessions: who comes again is checked again, against the certificates and
//! authorities that are configured now. Prometheus keeps its connection. The cryptography is ring's.
//!
//! Under an attack of handshakes the signature is what costs: a key for ECDSA with P-256 makes it tens of microseconds, an
//! RSA key of 2048 bits twenty times as long.

mod setup;
mod verifier;

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendFlags;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::ConnectionState;
use rustls::unbuffered::EncodeError;
use rustls::unbuffered::EncryptError;

use super::connection::Heard;

pub(super) use self::setup::Setup;

/// What a client may send before its handshake is over, in bytes: a long chain of certificates is half of it.
const HANDSHAKE: usize = 32 << 10;
/// What is encrypted at a time, in bytes: with what TLS adds to it, it fits into the loop's scratch, and into a socket that
/// poll(2) says is writable.
const PIECE: usize = 15 << 10;

/// One connection's encryption. Its buffers are empty, and take no memory, but while a client sends half a record or does not
/// take what it is sent.
pub(super) struct Session {
    /// `None`: it could not be set up, and whatever comes is refused.
    inner: Option<UnbufferedServerConnection>,
    /// The beginning of a record, or of a message of several.
    incoming: Vec<u8>,
    /// What is encrypted and not sent yet.
    outgoing: Vec<u8>,
    /// What came before the handshake was over, in bytes.
    heard: usize,
    /// Whether the client has said that it will say no more.
    closed: bool,
}

impl Session {
    pub(super) fn new(setup: &Setup) -> Box<Self> {
        Box::new(Self {
            inner: UnbufferedServerConnection::new(setup.config()).ok(),
            incoming: Vec::new(),
            outgoing: Vec::new(),
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
        let new = scratch.get_mut(..count).unwrap_or_default();
        // A TLS record begins with its type, and that of a handshake is 22; a request in plain HTTP with its method.
        if self.heard == 0 && new.first().is_some_and(u8::is_ascii_uppercase) {
            return Heard::Plain;
        }
        // Answering a first word costs a signature, and who has closed already cannot go on.
        let end = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        if self.heard == 0 && is(socket, end) {
            return Heard::End;
        }
        let before = self.is_handshaking();
        if before {
            self.heard += count;
        }
        let length = input.len();
        let took = if self.incoming.is_empty() {
            let took = self.take(new, input);
            let rest = took.as_ref().ok().and_then(|took| new.get(*took..));
            self.incoming.extend_from_slice(rest.unwrap_or_default());
            took
        } else {
            let mut all = std::mem::take(&mut self.incoming);
            all.extend_from_slice(new);
            let took = self.take(&mut all, input);
            all.drain(..took.as_ref().map_or(0, |took| *took));
            all.shrink_to_fit();
            self.incoming = all;
            took
        };
        if let Err(error) = took {
            log::debug!(err = error.to_string().as_str(); "TLS: connection refused");
            return Heard::Broken { handshake: before };
        }
        let handshake = self.is_handshaking();
        if (handshake && self.heard > HANDSHAKE) || self.incoming.len() > HANDSHAKE {
            log::debug!("TLS: connection refused: expected a shorter handshake");
            return Heard::Broken { handshake };
        }
        Heard::Some {
            shaken: before && !handshake,
            count: input.len() - length,
        }
    }

    fn is_handshaking(&self) -> bool {
        self.inner
            .as_ref()
            .is_some_and(|inner| inner.is_handshaking())
    }

    /// Reads what is whole of these bytes; says how many that were. What is to be said to it goes to the output, of an error,
    /// too.
    fn take(&mut self, bytes: &mut [u8], input: &mut Vec<u8>) -> Result<usize, rustls::Error> {
        let Some(inner) = &mut self.inner else {
            return Err(rustls::Error::HandshakeNotComplete);
        };
        let mut took = 0;
        let mut wrong = None;
        loop {
            let rest = bytes.get_mut(took..).unwrap_or_default();
            let status = inner.process_tls_records(rest);
            took += status.discard;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        input.extend_from_slice(record.payload);
                        took += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    put(&mut self.outgoing, |space| match message.encode(space) {
                        Err(EncodeError::InsufficientSize(error)) => Err(error.required_size),
                        encoded => Ok(encoded.unwrap_or(0)),
                    });
                }
                // It is in the output, and goes as soon as the socket takes it.
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => self.closed = true,
                // The next that is to be sent, if anything, is the alert that tells the client so. Nothing may be asked after
                // that.
                Err(error) if wrong.is_none() => {
                    wrong = Some(error);
                    continue;
                }
                _ => return wrong.map_or(Ok(took), Err),
            }
            if let Some(error) = wrong {
                return Err(error);
            }
        }
    }

    /// Encrypts and sends as much of the beginning of both as fits into a record or two; says how much that was, in bytes.
    ///
    /// A socket that has room takes it whole, so that nothing encrypted is left over but when the kernel's memory is short.
    ///
    /// # Errors
    /// With `AGAIN` when the client takes no more for now.
    pub(super) fn write(
        &mut self,
        socket: &OwnedFd,
        scratch: &mut [u8],
        head: &[u8],
        body: &[u8],
    ) -> Result<usize, Errno> {
        if !is(socket, PollFlags::OUT) {
            return Err(Errno::AGAIN);
        }
        let (mut taken, mut used) = (0, 0);
        let status = self.inner.as_mut().ok_or(Errno::PIPE)?;
        let status = status.process_tls_records(&mut self.incoming);
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else {
            return Err(Errno::PIPE);
        };
        for part in [head, body] {
            let part = part.get(..PIECE - taken).unwrap_or(part);
            let space = scratch.get_mut(used..).unwrap_or_default();
            used += traffic.encrypt(part, space).map_err(|_| Errno::PIPE)?;
            taken += part.len();
        }
        let record = scratch.get(..used).unwrap_or_default();
        let sent = match send(socket, record) {
            Err(Errno::AGAIN) => 0,
            sent => sent?,
        };
        let rest = record.get(sent..).unwrap_or_default();
        self.outgoing.extend_from_slice(rest);
        Ok(taken)
    }

    /// Sends some of what is encrypted, or all of it.
    ///
    /// # Errors
    /// With `AGAIN` when the client takes nothing for now.
    pub(super) fn flush(&mut self, socket: &OwnedFd) -> Result<(), Errno> {
        if !self.has_output() {
            return Ok(());
        }
        let sent = send(socket, &self.outgoing)?;
        self.outgoing.drain(..sent);
        if !self.has_output() {
            self.outgoing = Vec::new();
        }
        Ok(())
    }

    /// Forgets what has come of words that are not whole: nothing more is to be heard.
    pub(super) fn forget(&mut self) {
        self.incoming = Vec::new();
    }

    /// Whether something is encrypted and not sent yet.
    pub(super) fn has_output(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// How much memory is taken by what is not whole or not sent yet, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.incoming.capacity() + self.outgoing.capacity()
    }

    /// Whether the client has said that it will say no more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Says that nothing more will be said.
    pub(super) fn close(&mut self) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        let status = inner.process_tls_records(&mut self.incoming);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
            put(&mut self.outgoing, |space| {
                match traffic.queue_close_notify(space) {
                    Err(EncryptError::InsufficientSize(error)) => Err(error.required_size),
                    // Of a key that is used up there is nothing more to say.
                    encrypted => Ok(encrypted.unwrap_or(0)),
                }
            });
        }
    }
}

/// Adds what is written into a space at the end; `write` is asked a second time where the first had too little of it, and told
/// how much.
fn put(outgoing: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>) {
    let length = outgoing.len();
    let written = write(&mut []).or_else(|needed| {
        outgoing.resize(length + needed, 0);
        write(outgoing.get_mut(length..).unwrap_or_default())
    });
    outgoing.truncate(length + written.unwrap_or(0));
}

/// Whether a socket is now in one of these ways. Where the kernel cannot tell, it is not.
fn is(socket: &OwnedFd, ways: PollFlags) -> bool {
    let mut polled = [PollFd::new(socket, ways)];
    crate::sys::poll(&mut polled, Some(Duration::ZERO)).is_ok_and(|count| count > 0)
}

/// Sends what the socket takes; a client that is gone is an error and not a signal.
fn send(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    loop {
        // The call that answers in plain text make, too.
        let slices = [IoSlice::new(bytes)];
        let mut nothing = SendAncillaryBuffer::default();
        match rustix::net::sendmsg(socket, &slices, &mut nothing, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            sent => return sent,
        }
    }
}
