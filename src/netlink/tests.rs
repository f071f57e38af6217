use super::*;

/// The type of the answers here.
const LIST: u16 = 18;

const DONE: Progress = Progress {
    done: true,
    interrupted: false,
};

const REQUEST: Request<'static> = Request {
    name: "LIST",
    protocol: None,
    kind: LIST,
    answer: LIST,
    dump: true,
    body: &[1, 2, 3, 4],
};

/// A message as the kernel sends it, padded.
pub(crate) fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
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

fn read(request: Request<'_>, datagram: &[u8]) -> (Vec<Vec<u8>>, Result<Progress, Cause>) {
    let mut found = Vec::new();
    let result = request.read(datagram, |payload| {
        found.push(payload.to_vec());
        Ok(())
    });
    (found, result)
}

fn list(datagram: &[u8]) -> (Vec<Vec<u8>>, Result<Progress, Cause>) {
    read(REQUEST, datagram)
}

#[test]
fn parses() {
    let datagram = [
        message(LIST, 2, b"one"),
        message(NLMSG_NOOP, 0, &[]),
        message(LIST, 2, b"three"),
    ]
    .concat();
    let found = vec![b"one".to_vec(), b"three".to_vec()];
    assert_eq!(list(&datagram), (found, Ok(Progress::default())));
}

#[test]
fn answers_to_others_are_passed_over() {
    let mut other = message(LIST, 2, b"other");
    other[8] ^= 0xff;
    assert_eq!(list(&other), (Vec::new(), Ok(Progress::default())));
}

#[test]
fn the_end_and_what_is_behind_it() {
    let datagram = [
        message(LIST, 2, b"one"),
        message(NLMSG_DONE, 2, &0i32.to_ne_bytes()),
        message(LIST, 2, b"two"),
    ]
    .concat();
    assert_eq!(list(&datagram), (vec![b"one".to_vec()], Ok(DONE)));
    assert_eq!(list(&message(NLMSG_DONE, 2, &[])).1, Ok(DONE));
}

#[test]
fn an_interrupted_dump_says_so_and_is_repeated_once() {
    let interrupted = Progress {
        done: true,
        interrupted: true,
    };
    let datagram = message(NLMSG_DONE, NLM_F_DUMP_INTR, &0i32.to_ne_bytes());
    assert_eq!(list(&datagram).1, Ok(interrupted));
    for (answers, expected) in [(false, 1), (true, 2)] {
        let mut dumps = 0;
        let dump = || {
            dumps += 1;
            Ok(answers)
        };
        assert_eq!(settled(dump), Ok(()));
        assert_eq!(dumps, expected);
    }
}

#[test]
fn a_refusal_carries_its_errno() {
    for (kind, code, errno) in [
        (NLMSG_ERROR, -2, Errno::NOENT),
        // MIPS has numbers of its own for this one.
        (
            NLMSG_ERROR,
            -Errno::OPNOTSUPP.raw_os_error(),
            Errno::OPNOTSUPP,
        ),
        (NLMSG_DONE, -2, Errno::NOENT),
        (NLMSG_ERROR, -100_000, Errno::PROTO),
        (NLMSG_ERROR, i32::MIN, Errno::PROTO),
    ] {
        let result = list(&message(kind, 0, &i32::to_ne_bytes(code))).1;
        assert_eq!(result, Err(Cause::Refused(errno)));
    }
}

#[test]
fn an_acknowledgement_ends_what_is_no_dump() {
    let acknowledgement = message(NLMSG_ERROR, 0, &[0; 20]);
    assert!(list(&acknowledgement).1.is_err());
    let single = Request {
        dump: false,
        ..REQUEST
    };
    assert_eq!(read(single, &acknowledgement).1, Ok(DONE));
    let refused = message(NLMSG_ERROR, 0, &(-1i32).to_ne_bytes());
    assert_eq!(read(single, &refused).1, Err(Cause::Refused(Errno::PERM)));
}

#[test]
fn errors_name_the_request_and_what_was_found() {
    let told = |cause| {
        let request = "TCPDIAG_GETSOCK";
        NetlinkError { request, cause }.to_string()
    };
    let texts = [
        Cause::Refused(Errno::NOENT),
        Cause::Call("recv", Errno::AGAIN),
        Cause::Malformed("a header of 16 bytes", 3),
        Cause::TooLong,
    ]
    .map(told);
    let expected = [
        "netlink TCPDIAG_GETSOCK: No such file or directory (os error 2)",
        "netlink TCPDIAG_GETSOCK: recv: Resource temporarily unavailable (os error 11)",
        "netlink TCPDIAG_GETSOCK: expected a header of 16 bytes, found 3",
        "netlink TCPDIAG_GETSOCK: expected its end within 8 s, found more",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn lengths_that_contradict_the_datagram_are_errors() {
    for length in [0u32, 1, 15, 25, 1000, u32::MAX - 1, u32::MAX] {
        let mut datagram = message(LIST, 2, b"8 bytes.");
        datagram[..4].copy_from_slice(&length.to_ne_bytes());
        let (found, result) = list(&datagram);
        assert!(found.is_empty() && result.is_err(), "length {length}");
    }
    assert!(list(&[]).1.is_err());
}

#[test]
fn an_unknown_type_is_an_error() {
    let error = Cause::Malformed("messages of the type that answers", 20);
    assert_eq!(list(&message(20, 2, b"x")).1, Err(error));
}

#[test]
fn what_the_reader_of_a_message_says_ends_it() {
    let datagram = message(LIST, 2, b"one").repeat(2);
    let mut times = 0;
    let result = REQUEST.read(&datagram, |_| {
        times += 1;
        Err(Cause::TooLong)
    });
    assert_eq!((times, result), (1, Err(Cause::TooLong)));
}

fn whole() -> Vec<u8> {
    let end = message(NLMSG_DONE, 2, &0i32.to_ne_bytes());
    [message(LIST, 2, b"one"), end].concat()
}

#[test]
fn datagram_ends_abruptly() {
    let whole = whole();
    for end in 0..whole.len() {
        // Between two messages the rest may come in the next datagram; padding may be missing.
        let result = list(&whole[..end]).1;
        assert_ne!(result, Ok(DONE), "cut at {end}");
    }
}

#[test]
fn garbling_never_panics() {
    let whole = whole();
    for at in 0..whole.len() {
        for byte in 0..=255 {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            let _ = list(&bytes);
        }
    }
}

#[test]
fn the_request_is_what_the_kernel_reads() {
    let header = |request: Request<'_>| {
        let bytes = request.message();
        let fixed: [u8; 20] = bytes.try_into().unwrap();
        assert_eq!(fixed[16..], [1, 2, 3, 4]);
        assert_eq!((word(&fixed, 0), word(&fixed, 8)), (20, SEQUENCE));
        (half(&fixed, 4), half(&fixed, 6), word(&fixed, 12))
    };
    assert_eq!(header(REQUEST), (LIST, 0x301, 0));
    let single = Request {
        dump: false,
        ..REQUEST
    };
    assert_eq!(header(single), (LIST, 5, 0));
}
