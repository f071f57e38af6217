use super::*;

fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&u32::try_from(HEADER + payload.len()).unwrap().to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&SEQUENCE.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

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

fn read(datagram: &[u8]) -> (Vec<Socket>, Result<Progress, NetlinkError>) {
    let mut found = Vec::new();
    let result = parse(datagram, |socket| found.push(*socket));
    (found, result)
}

const DONE: Progress = Progress {
    done: true,
    interrupted: false,
};

#[test]
fn parses() {
    let datagram = [
        message(TCPDIAG_GETSOCK, 2, &established()),
        message(NLMSG_NOOP, 0, &[]),
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
fn other_families_and_other_dumps_are_passed_over() {
    let mut body = established();
    body[0] = 99;
    let mut other = message(TCPDIAG_GETSOCK, 2, &established());
    other[8] ^= 0xff;
    let datagram = [message(TCPDIAG_GETSOCK, 2, &body), other].concat();
    assert_eq!(read(&datagram), (Vec::new(), Ok(Progress::default())));
}

#[test]
fn the_end_and_what_is_behind_it() {
    let datagram = [
        message(TCPDIAG_GETSOCK, 2, &established()),
        message(NLMSG_DONE, 2, &0i32.to_ne_bytes()),
        message(TCPDIAG_GETSOCK, 2, &established()),
    ]
    .concat();
    let (found, result) = read(&datagram);
    assert_eq!((found.len(), result), (1, Ok(DONE)));
    assert_eq!(read(&message(NLMSG_DONE, 2, &[])).1, Ok(DONE));
}

#[test]
fn an_interrupted_dump_says_so() {
    let datagram = message(NLMSG_DONE, NLM_F_DUMP_INTR, &0i32.to_ne_bytes());
    assert_eq!(
        read(&datagram).1,
        Ok(Progress {
            done: true,
            interrupted: true
        })
    );
}

#[test]
fn a_refusal_carries_its_errno() {
    for (kind, code, errno) in [
        (NLMSG_ERROR, -2, Errno::NOENT),
        (
            NLMSG_ERROR,
            -Errno::OPNOTSUPP.raw_os_error(),
            Errno::OPNOTSUPP,
        ),
        (NLMSG_DONE, -2, Errno::NOENT),
        (NLMSG_ERROR, -100_000, Errno::PROTO),
        (NLMSG_ERROR, i32::MIN, Errno::PROTO),
    ] {
        let result = read(&message(kind, 0, &i32::to_ne_bytes(code))).1;
        assert_eq!(result, Err(NetlinkError::Refused(errno)));
    }
    assert_eq!(
        NetlinkError::Refused(Errno::NOENT).to_string(),
        "netlink TCPDIAG_GETSOCK: No such file or directory (os error 2)"
    );
    assert!(read(&message(NLMSG_ERROR, 0, &[0; 20])).1.is_err());
}

#[test]
fn lengths_that_contradict_the_datagram_are_errors() {
    for length in [0u32, 1, 15, 93, 94, 95, 1000, u32::MAX - 1, u32::MAX] {
        let mut datagram = message(TCPDIAG_GETSOCK, 2, &established()[..72]);
        datagram.extend_from_slice(&[0; 4]);
        datagram[..4].copy_from_slice(&length.to_ne_bytes());
        let (found, result) = read(&datagram);
        assert!(found.is_empty() && result.is_err(), "length {length}");
    }
    assert!(read(&message(TCPDIAG_GETSOCK, 2, &[0; 71])).1.is_err());
    assert!(read(&[]).1.is_err());
}

#[test]
fn an_unknown_type_is_an_error() {
    assert_eq!(
        read(&message(20, 2, &established()))
            .1
            .unwrap_err()
            .to_string(),
        "netlink TCPDIAG_GETSOCK: expected messages of type 18 (TCPDIAG_GETSOCK), found 20"
    );
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
        assert!(!matches!(result, Ok(DONE)), "cut at {end}");
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
    let bytes = request();
    assert_eq!(word(&bytes, 0), 76);
    assert_eq!((half(&bytes, 4), half(&bytes, 6)), (18, 0x301));
    assert_eq!((word(&bytes, 8), word(&bytes, 12)), (1, 0));
    assert_eq!((word(&bytes, 68), word(&bytes, 72)), (0x0fff, 0));
    assert_eq!(bytes.len(), 76);
}
