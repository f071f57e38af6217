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
//! A kernel without the module refuses with EOPNOTSUPP or ENOENT; emulators refuse the socket.

use rustix::net::netlink::SOCK_DIAG;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::bytes;
use crate::netlink::word;
use crate::parse::net_tcp::Address;
use crate::parse::net_tcp::Family;
use crate::parse::net_tcp::Socket;
use crate::parse::net_tcp::State;

const TCPDIAG_GETSOCK: u16 = 18;
/// States 1 to 11 and the handshake; not BOUND_INACTIVE (13), which no table lists.
const ALL_STATES: u32 = 0x0fff;
/// With this alone the kernel looks at the listeners' table only, and not at the large one of all connections.
const LISTENING: u32 = 1 << 10;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

/// Asks for all TCP sockets of this thread's network namespace and gives each to `each`; says whether the dump was
/// interrupted and had better be repeated.
///
/// # Errors
/// When a call fails, the kernel refuses, or what it sends breaks the format.
pub fn dump(each: impl FnMut(&Socket)) -> Result<bool, NetlinkError> {
    dump_states(ALL_STATES, each)
}

/// The same for the listening sockets alone, at a fraction of the cost.
///
/// # Errors
/// When a call fails, the kernel refuses, or what it sends breaks the format.
pub fn dump_listeners(each: impl FnMut(&Socket)) -> Result<bool, NetlinkError> {
    dump_states(LISTENING, each)
}

fn dump_states(states: u32, mut each: impl FnMut(&Socket)) -> Result<bool, NetlinkError> {
    request(&body(states)).ask(|payload| {
        if let Some(socket) = socket(payload)? {
            each(&socket);
        }
        Ok(())
    })
}

fn request(body: &[u8]) -> Request<'_> {
    Request {
        name: "TCPDIAG_GETSOCK",
        protocol: Some(SOCK_DIAG),
        kind: TCPDIAG_GETSOCK,
        answer: TCPDIAG_GETSOCK,
        dump: true,
        body,
    }
}

/// `struct inet_diag_req`: family, source and destination length, extensions, `struct inet_diag_sockid` (48 bytes of
/// zeros here), states, database.
fn body(states: u32) -> [u8; 60] {
    let mut bytes = [0; 60];
    for (place, byte) in bytes.iter_mut().skip(52).zip(states.to_ne_bytes()) {
        *place = byte;
    }
    bytes
}

/// One `struct inet_diag_msg`; `None` for a family that is neither IPv4 nor IPv6.
///
/// # Errors
/// When the message is shorter.
pub fn socket(payload: &[u8]) -> Result<Option<Socket>, Cause> {
    let Some(fixed) = payload.first_chunk::<72>() else {
        let expected = "an inet_diag_msg of at least 72 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
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

#[cfg(test)]
mod tests;
