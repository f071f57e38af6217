//! The kernel's own list of TCP sockets: one netlink dump for both families, half the cost of the text tables.
//!
//! Message TCPDIAG_GETSOCK with a `struct inet_diag_req` (include/uapi/linux/inet_diag.h; `inet_diag_rcv_msg_compat`,
//! `inet_diag_dump_icsk` in net/ipv4/inet_diag.c), since Linux 2.6.14. It is the older of two forms, and the one that
//! walks the hash tables once: it ignores the family. Listeners come first, then all others; the handshake (shown as
//! SYN_RECV) and TIME_WAIT are included. No privilege is needed.
//!
//! ```text
//! struct inet_diag_msg  0 family  1 state  2 timer  3 retrans  4 sport be16  6 dport be16  8 src be32[4]  24 dst be32[4]
//!                       40 if  44 cookie u32[2]  52 expires  56 rqueue  60 wqueue  64 uid  68 inode  72 attributes
//! ```
//!
//! Queues are bytes; of a LISTEN socket rqueue is the number of connections that wait for accept and wqueue the limit.
//! A kernel without the module answers with an error, EOPNOTSUPP or ENOENT, as a message of its own or as the number
//! inside the last one; emulators refuse the socket. The dump is made while it is received, piece by piece, so the
//! socket's buffer needs no thought.

use std::fmt;
use std::io;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt;

use crate::parse::net_tcp::Address;
use crate::parse::net_tcp::Family;
use crate::parse::net_tcp::Socket;
use crate::parse::net_tcp::State;

/// What the kernel fills at most (`netlink_recvmsg` caps a dump's buffers), in bytes.
const BUFFER: usize = 32 << 10;
/// The longest wait for one datagram; the kernel makes them on the spot.
const WAIT: Duration = Duration::from_secs(2);
/// The longest dump: Prometheus gives up on a scrape after 10 s.
const DEADLINE: Duration = Duration::from_secs(8);

const TCPDIAG_GETSOCK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// States 1 to 11 and the handshake; not BOUND_INACTIVE (13), which no table lists.
const ALL_STATES: u32 = 0x0fff;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// `struct nlmsghdr`: length, type, flags, sequence, port.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 60;
/// The only dump on its socket.
const SEQUENCE: u32 = 1;

/// Why the dump could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetlinkError {
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
            self,
            Self::Call(
                _,
                Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS
            ) | Self::Refused(Errno::NOMEM | Errno::NOBUFS)
                | Self::TooLong
        )
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, errno) => write!(f, "netlink {call}: {}", io::Error::from(*errno)),
            Self::Refused(errno) => {
                write!(f, "netlink TCPDIAG_GETSOCK: {}", io::Error::from(*errno))
            }
            Self::Malformed(expected, found) => write!(
                f,
                "netlink TCPDIAG_GETSOCK: expected {expected}, found {found}"
            ),
            Self::TooLong => write!(
                f,
                "netlink TCPDIAG_GETSOCK: expected its end within {} s, found more",
                DEADLINE.as_secs()
            ),
        }
    }
}

impl std::error::Error for NetlinkError {}

/// What a datagram says of the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// This was the last one.
    pub done: bool,
    /// The tables changed so that the dump may have lost its place.
    pub interrupted: bool,
}

/// Asks for all TCP sockets of this thread's network namespace and gives each to `each`; says whether the dump was
/// interrupted and had better be repeated.
///
/// # Errors
/// When a call fails, the kernel refuses, or what it sends breaks the format.
pub fn dump(mut each: impl FnMut(&Socket)) -> Result<bool, NetlinkError> {
    let failed = |call| move |errno| NetlinkError::Call(call, errno);
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .map_err(failed("socket"))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(WAIT))
        .map_err(failed("setsockopt"))?;
    // Connected to the kernel (port 0), the socket takes datagrams from nobody else.
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0)).map_err(failed("connect"))?;
    rustix::net::send(&socket, &request(), SendFlags::empty()).map_err(failed("send"))?;

    // On the stack: musl's allocator would map and unmap it each time.
    let mut buffer = [0; BUFFER];
    let begin = Instant::now();
    let mut interrupted = false;
    loop {
        // With MSG_TRUNC the call tells the datagram's own length, also when the buffer was too small for it.
        let (_, length) = match rustix::net::recv(&socket, &mut buffer[..], RecvFlags::TRUNC) {
            Err(Errno::INTR) if begin.elapsed() < DEADLINE => continue,
            result => result.map_err(failed("recv"))?,
        };
        let datagram = buffer.get(..length).ok_or(NetlinkError::Malformed(
            "a datagram of at most 32768 bytes",
            length,
        ))?;
        let progress = parse(datagram, &mut each)?;
        interrupted |= progress.interrupted;
        if progress.done {
            return Ok(interrupted);
        }
        if begin.elapsed() > DEADLINE {
            return Err(NetlinkError::TooLong);
        }
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req`: family, source and destination length, extensions, `struct
/// inet_diag_sockid` (48 bytes of zeros here), states, database.
fn request() -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let (header, body) = bytes.split_at_mut(HEADER);
    let fields = [
        &u32::try_from(REQUEST).unwrap_or_default().to_ne_bytes()[..],
        &TCPDIAG_GETSOCK.to_ne_bytes(),
        &(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes(),
        &SEQUENCE.to_ne_bytes(),
    ];
    let mut places = header.iter_mut();
    for (byte, place) in fields.into_iter().flatten().zip(&mut places) {
        *place = *byte;
    }
    for (place, byte) in body.iter_mut().skip(52).zip(ALL_STATES.to_ne_bytes()) {
        *place = byte;
    }
    bytes
}

/// Reads one datagram of the dump.
///
/// # Errors
/// When a length contradicts the datagram, or a message says that the kernel refuses.
pub fn parse(datagram: &[u8], mut each: impl FnMut(&Socket)) -> Result<Progress, NetlinkError> {
    let mut progress = Progress::default();
    let mut rest = datagram;
    if rest.is_empty() {
        return Err(NetlinkError::Malformed("a message", 0));
    }
    while !rest.is_empty() {
        let header: &[u8; HEADER] = rest
            .first_chunk()
            .ok_or(NetlinkError::Malformed("a header of 16 bytes", rest.len()))?;
        let length = word(header, 0) as usize;
        let payload = rest.get(HEADER..length).ok_or(NetlinkError::Malformed(
            "a length from 16 to the datagram's",
            length,
        ))?;
        let kind = half(header, 4);
        progress.interrupted |= half(header, 6) & NLM_F_DUMP_INTR != 0;
        // Messages begin at multiples of four; the last one need not be padded.
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        match kind {
            _ if word(header, 8) != SEQUENCE => {}
            TCPDIAG_GETSOCK => {
                if let Some(socket) = socket(payload)? {
                    each(&socket);
                }
            }
            NLMSG_DONE => {
                // The dump's own result, where the kernel sends one.
                refusal(payload)?;
                progress.done = true;
                return Ok(progress);
            }
            NLMSG_ERROR => {
                refusal(payload)?;
                return Err(NetlinkError::Malformed(
                    "sockets, not an acknowledgement",
                    0,
                ));
            }
            NLMSG_NOOP => {}
            other => {
                let expected = "messages of type 18 (TCPDIAG_GETSOCK)";
                return Err(NetlinkError::Malformed(expected, usize::from(other)));
            }
        }
    }
    Ok(progress)
}

/// One `struct inet_diag_msg`; `None` for a family that is neither IPv4 nor IPv6.
fn socket(payload: &[u8]) -> Result<Option<Socket>, NetlinkError> {
    let Some(fixed) = payload.first_chunk::<72>() else {
        let expected = "an inet_diag_msg of at least 72 bytes";
        return Err(NetlinkError::Malformed(expected, payload.len()));
    };
    let [kind, state, ..] = *fixed;
    let (family, local, remote) = match kind {
        AF_INET => (
            Family::V4,
            Address::v4(bytes(fixed, 8)),
            Address::v4(bytes(fixed, 24)),
        ),
        AF_INET6 => (
            Family::V6,
            Address::v6(bytes(fixed, 8)),
            Address::v6(bytes(fixed, 24)),
        ),
        _ => return Ok(None),
    };
    Ok(Some(Socket {
        family,
        state: State(state),
        local,
        local_port: u16::from_be_bytes(bytes(fixed, 4)),
        remote,
        remote_port: u16::from_be_bytes(bytes(fixed, 6)),
        send_queue: word(fixed, 60),
        receive_queue: word(fixed, 56),
    }))
}

/// The first number of NLMSG_ERROR and NLMSG_DONE: zero, or an errno below zero.
fn refusal(payload: &[u8]) -> Result<(), NetlinkError> {
    let code = payload.first_chunk().copied().map_or(0, i32::from_ne_bytes);
    if code < 0 {
        // Linux has no errno above 4095.
        let errno = code.checked_neg().filter(|errno| *errno < 4096);
        let errno = errno.map_or(Errno::PROTO, Errno::from_raw_os_error);
        return Err(NetlinkError::Refused(errno));
    }
    Ok(())
}

/// The bytes at an offset that the caller knows to be inside.
fn bytes<const SIZE: usize, const LENGTH: usize>(from: &[u8; LENGTH], at: usize) -> [u8; SIZE] {
    let found = from.get(at..).and_then(<[u8]>::first_chunk);
    debug_assert!(found.is_some(), "{SIZE} bytes at {at} of {LENGTH}");
    found.copied().unwrap_or([0; SIZE])
}

fn word<const LENGTH: usize>(from: &[u8; LENGTH], at: usize) -> u32 {
    u32::from_ne_bytes(bytes(from, at))
}

fn half<const LENGTH: usize>(from: &[u8; LENGTH], at: usize) -> u16 {
    u16::from_ne_bytes(bytes(from, at))
}

#[cfg(test)]
mod tests;
