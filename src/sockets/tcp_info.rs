//! What the kernel measures of each established connection: one netlink dump for each family, with `struct tcp_info`.
//!
//! Message SOCK_DIAG_BY_FAMILY with a `struct inet_diag_req_v2` (include/uapi/linux/inet_diag.h), since Linux 3.3. A
//! dump of its own, of established sockets only, so that the walk that all others read is the same with it and without. An
//! answer is a `struct inet_diag_msg` and
//! attributes, of which INET_DIAG_INFO is a `struct tcp_info` (include/uapi/linux/tcp.h, `tcp_get_info` in
//! net/ipv4/tcp.c). No privilege is needed.
//!
//! ```text
//! struct inet_diag_req_v2  0 family  1 protocol  2 extensions  4 states u32  8 struct inet_diag_sockid
//! struct tcp_info  68 rtt in microseconds, smoothed  100 total_retrans in segments  (248 bytes; 104 in Linux 2.6)
//! ```
//!
//! A round-trip time of 0 is none: nothing was measured yet. The kernel fills these fields under each
//! socket's lock, so they are asked for only when they are wanted.

use rustix::net::netlink::SOCK_DIAG;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::attributes;
use crate::netlink::bytes;
use crate::netlink::word;
use crate::parse::net_tcp::Address;

use super::netlink;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const IPPROTO_TCP: u8 = 6;
const INET_DIAG_INFO: u16 = 2;
const ESTABLISHED: u32 = 1 << 1;
/// `struct inet_diag_msg`.
const MESSAGE: usize = 72;
/// As much of `struct tcp_info` as is read.
const INFO: usize = 104;

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The other end.
    pub remote: Address,
    /// The smoothed round-trip time in microseconds, once there is one.
    pub round_trip: Option<u32>,
    /// Segments sent again since the connection began.
    pub retransmits: u32,
}

/// Asks for the established connections of this thread's network namespace; says whether a dump was interrupted.
///
/// # Errors
/// When a call fails, the kernel refuses, or what it sends breaks the format.
pub fn dump(mut each: impl FnMut(&Measured)) -> Result<bool, NetlinkError> {
    let mut interrupted = false;
    for family in [netlink::AF_INET, netlink::AF_INET6] {
        interrupted |= request(&body(family)).ask(|payload| {
            if let Some(measured) = measured(payload)? {
                each(&measured);
            }
            Ok(())
        })?;
    }
    Ok(interrupted)
}

fn request(body: &[u8]) -> Request<'_> {
    Request {
        name: "SOCK_DIAG_BY_FAMILY",
        protocol: Some(SOCK_DIAG),
        kind: SOCK_DIAG_BY_FAMILY,
        answer: SOCK_DIAG_BY_FAMILY,
        dump: true,
        body,
    }
}

fn body(family: u8) -> [u8; 56] {
    let mut bytes = [0; 56];
    let extensions = 1 << (INET_DIAG_INFO - 1);
    let head = [family, IPPROTO_TCP, extensions, 0];
    let head = head.into_iter().chain(ESTABLISHED.to_ne_bytes());
    for (place, byte) in bytes.iter_mut().zip(head) {
        *place = byte;
    }
    bytes
}

/// `None` where the kernel tells nothing of a socket.
fn measured(payload: &[u8]) -> Result<Option<Measured>, Cause> {
    let Some((fixed, rest)) = payload.split_first_chunk::<MESSAGE>() else {
        let expected = "an inet_diag_msg of at least 72 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    let [family, ..] = *fixed;
    let remote = match family {
        netlink::AF_INET => Address::v4(bytes(fixed, 24)),
        netlink::AF_INET6 => Address::v6(bytes(fixed, 24)),
        _ => return Ok(None),
    };
    for attribute in attributes(rest) {
        let attribute = attribute?;
        if attribute.kind == INET_DIAG_INFO {
            let info: [u8; INFO] = attribute.array("a tcp_info of at least 104 bytes")?;
            return Ok(Some(Measured {
                remote,
                round_trip: Some(word(&info, 68)).filter(|time| *time > 0),
                retransmits: word(&info, 100),
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::tests::message;

    /// From 10.0.0.2, with attributes around the one that is read.
    fn established(info: &[u8]) -> Vec<u8> {
        let mut body = vec![0; MESSAGE];
        body[0] = netlink::AF_INET;
        body[1] = 1;
        body[24..28].copy_from_slice(&[10, 0, 0, 2]);
        body.extend_from_slice(&5u16.to_ne_bytes());
        body.extend_from_slice(&[8, 0, 0, 0, 0, 0]);
        body[72..74].copy_from_slice(&5u16.to_ne_bytes());
        body[74..76].copy_from_slice(&8u16.to_ne_bytes());
        let length = u16::try_from(info.len() + 4).unwrap();
        body.extend_from_slice(&length.to_ne_bytes());
        body.extend_from_slice(&INET_DIAG_INFO.to_ne_bytes());
        body.extend_from_slice(info);
        body
    }

    fn info(round_trip: u32, retransmits: u32) -> Vec<u8> {
        let mut info = vec![0xAA; 248];
        info[68..72].copy_from_slice(&round_trip.to_ne_bytes());
        info[100..104].copy_from_slice(&retransmits.to_ne_bytes());
        info
    }

    fn read(body: &[u8]) -> (Vec<Measured>, Result<(), Cause>) {
        let mut found = Vec::new();
        let datagram = message(SOCK_DIAG_BY_FAMILY, 2, body);
        let result = request(&[]).read(&datagram, |payload| {
            found.extend(measured(payload)?);
            Ok(())
        });
        (found, result.map(|_| ()))
    }

    #[test]
    fn parses() {
        let (found, result) = read(&established(&info(1500, 7)));
        assert_eq!(result, Ok(()));
        let expected = Measured {
            remote: Address::v4([10, 0, 0, 2]),
            round_trip: Some(1500),
            retransmits: 7,
        };
        assert_eq!(found, [expected]);
        assert_eq!(read(&established(&info(0, 0))).0[0].round_trip, None);
    }

    #[test]
    fn short_and_empty() {
        let (found, result) = read(&established(&info(1, 1)[..INFO - 1]));
        assert_eq!(found, []);
        assert_eq!(
            result,
            Err(Cause::Malformed(
                "a tcp_info of at least 104 bytes",
                INFO - 1
            ))
        );
        assert_eq!(read(&established(&info(1, 1)[..INFO])).0.len(), 1);
        // A kernel that tells nothing of it.
        assert_eq!(read(&established(&[])[..MESSAGE]), (Vec::new(), Ok(())));
        assert!(read(&[]).1.is_err());
    }

    #[test]
    fn message_ends_abruptly() {
        let whole = established(&info(1500, 7));
        for cut in 0..whole.len() {
            let (found, result) = read(&whole[..cut]);
            assert!(
                found.is_empty() && (result.is_err() || cut <= 80),
                "cut at byte {cut}"
            );
        }
    }

    #[test]
    fn the_request_is_what_the_kernel_reads() {
        let bytes = body(netlink::AF_INET6);
        assert_eq!(bytes[..4], [10, 6, 2, 0]);
        assert_eq!(bytes[4..8], 2u32.to_ne_bytes());
        assert!(bytes[8..].iter().all(|byte| *byte == 0));
    }
}
