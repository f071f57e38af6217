use super::*;
use crate::netlink::Progress;
use crate::netlink::half;
use crate::netlink::tests::message;

const NLMSG_DONE: u16 = 3;

/// 10.0.0.1:40000 to 10.0.0.2:443 with 44 bytes unread and 55 unacknowledged, and an attribute behind.
fn established() -> Vec<u8> {
    let mut body = vec![0; 72];
    body[0] = AF_INET;
    body[1] = 1;
    body[4..6].copy_from_slice(&40000u16.to_be_bytes());
    body[6..8].copy_from_slice(&443u16.to_be_bytes());
    body[8..12].copy_from_slice(&[10, 0, 0, 1]);
    body[24..28].copy_from_slice(&[10, 0, 0, 2]);
    body[56..60].copy_from_slice(&44u32.to_ne_bytes());
    body[60..64].copy_from_slice(&55u32.to_ne_bytes());
    body.extend_from_slice(&[5, 0, 8, 0, 0]);
    body
}

fn read(datagram: &[u8]) -> (Vec<Socket>, Result<Progress, Cause>) {
    let mut found = Vec::new();
    let result = request(&[]).read(datagram, |payload| {
        found.extend(socket(payload)?);
        Ok(())
    });
    (found, result)
}

#[test]
fn parses() {
    let datagram = [
        message(TCPDIAG_GETSOCK, 2, &established()),
        message(TCPDIAG_GETSOCK, 2, &established()),
    ]
    .concat();
    let (found, result) = read(&datagram);
    assert_eq!(result, Ok(Progress::default()));
    assert_eq!(found.len(), 2);
    let expected = Socket {
        family: Family::V4,
        state: State::ESTABLISHED,
        local: Address::v4([10, 0, 0, 1]),
        local_port: 40000,
        remote: Address::v4([10, 0, 0, 2]),
        remote_port: 443,
        send_queue: 55,
        receive_queue: 44,
    };
    assert_eq!(found[1], expected);
}

#[test]
fn a_mapped_address_is_an_ipv4_address() {
    let mut body = established();
    body[0] = AF_INET6;
    body[8..24].copy_from_slice(&Address::v4([10, 0, 0, 1]).bytes());
    let (found, _) = read(&message(TCPDIAG_GETSOCK, 2, &body));
    assert_eq!(found[0].local.ip().to_string(), "10.0.0.1");
    assert_eq!(found[0].family, Family::V6);
}

#[test]
fn other_families_are_passed_over() {
    let mut body = established();
    body[0] = 99;
    let datagram = message(TCPDIAG_GETSOCK, 2, &body);
    assert_eq!(read(&datagram), (Vec::new(), Ok(Progress::default())));
}

#[test]
fn short_and_empty() {
    for length in [0, 71] {
        let (found, result) = read(&message(TCPDIAG_GETSOCK, 2, &established()[..length]));
        let expected = "an inet_diag_msg of at least 72 bytes";
        assert_eq!(
            (found, result),
            (Vec::new(), Err(Cause::Malformed(expected, length)))
        );
    }
}

#[test]
fn datagram_ends_abruptly() {
    let whole = [
        message(TCPDIAG_GETSOCK, 2, &established()),
        message(NLMSG_DONE, 2, &0i32.to_ne_bytes()),
    ]
    .concat();
    for end in 0..whole.len() {
        let (_, result) = read(&whole[..end]);
        // Between two messages the rest may come in the next datagram; padding may be missing.
        assert!(!result.is_ok_and(|progress| progress.done), "cut at {end}");
    }
}

#[test]
fn garbling_never_panics() {
    let whole = [
        message(TCPDIAG_GETSOCK, 2, &established()),
        message(NLMSG_DONE, 2, &0i32.to_ne_bytes()),
    ]
    .concat();
    for at in 0..whole.len() {
        for byte in 0..=255 {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            let _ = read(&bytes);
        }
    }
}

#[test]
fn the_request_is_what_the_kernel_reads() {
    let bytes: [u8; 76] = request(&body(ALL_STATES)).message().try_into().unwrap();
    assert_eq!(word(&bytes, 0), 76);
    assert_eq!((half(&bytes, 4), half(&bytes, 6)), (18, 0x301));
    assert_eq!((word(&bytes, 8), word(&bytes, 12)), (1, 0));
    assert_eq!((word(&bytes, 68), word(&bytes, 72)), (0x0fff, 0));
}
