//! Netlink, the kernel's own interface for lists: a request out, datagrams of length-checked messages in.
//!
//! Documented in netlink(7) and include/uapi/linux/netlink.h (`netlink_dump`, `netlink_ack` in net/netlink/af_netlink.c),
//! since Linux 2.2. Numbers are in the machine's byte order unless a protocol says otherwise. No privilege is needed for
//! what is asked here, but for [`Request::change`].
//!
//! ```text
//! struct nlmsghdr  0 length, this header included  4 type  6 flags  8 sequence  12 port  16 payload
//! ```
//!
//! A dump is made while it is received, piece by piece, so the socket's buffer needs no thought, and ends with
//! NLMSG_DONE; what is not a dump is asked with NLM_F_ACK and ends with an acknowledgement, so that everything has an end
//! to wait for. A refusal is an errno below zero in NLMSG_ERROR, or in NLMSG_DONE when the dump had already begun.
//! NLM_F_DUMP_INTR says that the list changed so that the dump may have lost its place. Emulators refuse some
//! protocols, and kernels without a module answer ENOENT, EOPNOTSUPP or EPROTONOSUPPORT.

pub mod attributes;
pub mod generic;
pub mod messages;
pub mod subscription;

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::Protocol;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt;

use self::messages::messages;

/// What the kernel fills at most (`netlink_recvmsg` caps a dump's buffers), in bytes.
const BUFFER: usize = 32 << 10;
/// The longest wait for one datagram; the kernel makes them on the spot.
const WAIT: Duration = Duration::from_secs(2);
/// The longest dump: Prometheus gives up on a scrape after 10 s.
const DEADLINE: Duration = Duration::from_secs(8);

/// Replace what is there.
pub const NLM_F_REPLACE: u16 = 0x100;
/// Only when it is not there yet.
pub const NLM_F_EXCL: u16 = 0x200;
/// Make it when it is not there.
pub const NLM_F_CREATE: u16 = 0x400;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// The only request on its socket.
const SEQUENCE: u32 = 1;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// As errors name it.
    pub name: &'static str,
    /// Which part of the kernel; `None` is NETLINK_ROUTE.
    pub protocol: Option<Protocol>,
    /// The message's type.
    pub kind: u16,
    /// The type of the messages that answer it.
    pub answer: u16,
    /// Whether a whole list is asked for.
    pub dump: bool,
    /// What follows the header.
    pub body: &'a [u8],
}

/// Why an answer could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetlinkError {
    /// The name of what was asked.
    pub request: &'static str,
    /// What was wrong.
    pub cause: Cause,
}

/// What can be wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A system call.
    Call(&'static str, Errno),
    /// The kernel's answer to the request.
    Refused(Errno),
    /// A datagram that breaks the format: the rule and the number that was found.
    Malformed(&'static str, usize),
    /// It went on for longer than the deadline.
    TooLong,
}

impl NetlinkError {
    /// Whether the same request may well succeed later: nothing about the kernel is known yet.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self.cause,
            Cause::Call(
                _,
                Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS
            ) | Cause::Refused(Errno::NOMEM | Errno::NOBUFS)
                | Cause::TooLong
        )
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "netlink {}: {}", self.request, self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, errno) => write!(f, "{call}: {}", io::Error::from(*errno)),
            Self::Refused(errno) => io::Error::from(*errno).fmt(f),
            Self::Malformed(expected, found) => write!(f, "expected {expected}, found {found}"),
            Self::TooLong => {
                let seconds = DEADLINE.as_secs();
                write!(f, "expected its end within {seconds} s, found more")
            }
        }
    }
}

impl std::error::Error for NetlinkError {}

/// What a datagram says of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// This was the last one.
    pub done: bool,
    /// The tables changed so that the dump may have lost its place.
    pub interrupted: bool,
}

/// Makes a dump, and once more when it was interrupted. The second one counts even so: where things come and go all the
/// time, no list of them is ever of one moment.
///
/// # Errors
/// What `dump` gives.
pub fn settled(mut dump: impl FnMut() -> Result<bool, NetlinkError>) -> Result<(), NetlinkError> {
    if dump()? {
        dump()?;
    }
    Ok(())
}

impl Request<'_> {
    /// Asks the kernel of this thread's network namespace and gives the payload of each message to `each`; says whether
    /// the dump was interrupted and had better be repeated.
    ///
    /// # Errors
    /// When a call fails, the kernel refuses, or what it sends breaks the format.
    pub fn ask(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<(), Cause>,
    ) -> Result<bool, NetlinkError> {
        self.ask_each(&mut each)
    }

    /// [`Self::ask`], which is compiled for each of its many callers, without what is the same for all of them.
    fn ask_each(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Cause>,
    ) -> Result<bool, NetlinkError> {
        let request = self.name;
        self.exchange(&self.message(), &mut |datagram| {
            self.read_each(datagram, each)
        })
        .map_err(|cause| NetlinkError { request, cause })
    }

    /// Asks the kernel of this thread's network namespace to change something; `flags` say how (NLM_F_CREATE, NLM_F_EXCL,
    /// NLM_F_REPLACE of netlink(7)). This wants CAP_NET_ADMIN.
    ///
    /// # Errors
    /// When a call fails, the kernel refuses, or what it sends breaks the format.
    pub fn change(&self, flags: u16) -> Result<(), NetlinkError> {
        let request = self.name;
        self.exchange(&self.message_with(NLM_F_ACK | flags), &mut |datagram| {
            self.read(datagram, |_| Ok(()))
        })
        .map(|_| ())
        .map_err(|cause| NetlinkError { request, cause })
    }

    fn exchange(
        &self,
        message: &[u8],
        read: &mut dyn FnMut(&[u8]) -> Result<Progress, Cause>,
    ) -> Result<bool, Cause> {
        let failed = |call| move |errno| Cause::Call(call, errno);
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            self.protocol,
        )
        .map_err(failed("socket"))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(WAIT))
            .map_err(failed("setsockopt"))?;
        // Connected to the kernel (port 0), the socket takes datagrams from nobody else.
        rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0)).map_err(failed("connect"))?;
        rustix::net::send(&socket, message, SendFlags::empty()).map_err(failed("send"))?;

        // On the stack: musl's allocator would map and unmap it each time.
        let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER];
        let begin = Instant::now();
        let mut interrupted = false;
        loop {
            // With MSG_TRUNC the call tells the datagram's own length, also when the buffer was too small for it.
            let received = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::TRUNC);
            let ((datagram, _), length) = match received {
                Err(Errno::INTR) if begin.elapsed() < DEADLINE => continue,
                result => result.map_err(failed("recv"))?,
            };
            if length > BUFFER {
                let expected = "a datagram of at most 32768 bytes";
                return Err(Cause::Malformed(expected, length));
            }
            let progress = read(datagram)?;
            interrupted |= progress.interrupted;
            if progress.done {
                return Ok(interrupted);
            }
            if begin.elapsed() > DEADLINE {
                return Err(Cause::TooLong);
            }
        }
    }

    /// The request as the kernel reads it.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        self.message_with(if self.dump { NLM_F_DUMP } else { NLM_F_ACK })
    }

    fn message_with(&self, flags: u16) -> Vec<u8> {
        let length = HEADER + self.body.len();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&u32::try_from(length).unwrap_or_default().to_ne_bytes());
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
        bytes.extend_from_slice(&SEQUENCE.to_ne_bytes());
        bytes.extend_from_slice(&0u32.to_ne_bytes());
        bytes.extend_from_slice(self.body);
        bytes
    }

    /// Reads one datagram of the answer.
    ///
    /// # Errors
    /// When a length contradicts the datagram, a message says that the kernel refuses, or `each` gives an error.
    pub fn read(
        &self,
        datagram: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Cause>,
    ) -> Result<Progress, Cause> {
        self.read_each(datagram, &mut each)
    }

    fn read_each(
        &self,
        datagram: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<(), Cause>,
    ) -> Result<Progress, Cause> {
        let mut progress = Progress::default();
        if datagram.is_empty() {
            return Err(Cause::Malformed("a message", 0));
        }
        for message in messages(datagram) {
            let message = message?;
            let (kind, payload) = (message.kind, message.payload);
            progress.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match kind {
                _ if message.sequence != SEQUENCE => {}
                _ if kind == self.answer => each(payload)?,
                NLMSG_DONE => {
                    // The dump's own result, where the kernel sends one.
                    refusal(payload)?;
                    progress.done = true;
                    return Ok(progress);
                }
                NLMSG_ERROR => {
                    refusal(payload)?;
                    if self.dump {
                        return Err(Cause::Malformed("a list, not an acknowledgement", 0));
                    }
                    progress.done = true;
                    return Ok(progress);
                }
                NLMSG_NOOP => {}
                other => {
                    let expected = "messages of the type that answers";
                    return Err(Cause::Malformed(expected, usize::from(other)));
                }
            }
        }
        Ok(progress)
    }
}

/// The first number of NLMSG_ERROR and NLMSG_DONE: zero, or an errno below zero.
fn refusal(payload: &[u8]) -> Result<(), Cause> {
    let code = payload.first_chunk().copied().map_or(0, i32::from_ne_bytes);
    if code < 0 {
        // Linux has no errno above 4095.
        let errno = code.checked_neg().filter(|errno| *errno < 4096);
        let errno = errno.map_or(Errno::PROTO, Errno::from_raw_os_error);
        return Err(Cause::Refused(errno));
    }
    Ok(())
}

/// The bytes at an offset that the caller knows to be inside.
#[must_use]
pub fn bytes<const SIZE: usize, const LENGTH: usize>(from: &[u8; LENGTH], at: usize) -> [u8; SIZE] {
    let found = from.get(at..).and_then(<[u8]>::first_chunk);
    debug_assert!(found.is_some(), "{SIZE} bytes at {at} of {LENGTH}");
    found.copied().unwrap_or([0; SIZE])
}

/// Four bytes as a number in the machine's byte order.
#[must_use]
pub fn word<const LENGTH: usize>(from: &[u8; LENGTH], at: usize) -> u32 {
    u32::from_ne_bytes(bytes(from, at))
}

/// Two bytes as a number in the machine's byte order.
#[must_use]
pub fn half<const LENGTH: usize>(from: &[u8; LENGTH], at: usize) -> u16 {
    u16::from_ne_bytes(bytes(from, at))
}

#[cfg(test)]
pub(crate) mod tests;
