//! Answers that nobody should send: cut, garbled, struck at random, and names that turn in circles.

use std::time::Duration;
use std::time::Instant;

use super::tests::ASKED;
use super::tests::FINE;
use super::tests::ID;
use super::tests::NAME;
use super::tests::message;
use super::tests::name;
use super::tests::record;
use super::tests::values;
use super::*;

/// What an answer with all kinds of records, pointers and options looks like.
fn rich() -> Vec<u8> {
    let mut answers = vec![
        record(ASKED, 5, 60, &[3, b'o', b'n', b'e', 0xc0, 16]),
        record(&[3, b'o', b'n', b'e', 0xc0, 16], 1, 30, &[192, 0, 2, 1]),
        record(&name("x"), 16, 1, b"\x02ab\x00"),
        record(&name("x"), 33, 1, &[0, 0, 0, 5, 1, 187, 0xc0, 12]),
        record(
            &name("x"),
            6,
            1,
            &[[0xc0, 12, 0xc0, 16].as_slice(), &[1; 20]].concat(),
        ),
        record(&name("x"), 47, 1, b"\x01a\x00\x00\x01\x40"),
        record(&name("x"), 65, 1, b"\x00\x01\x00\x00\x01\x00\x03\x02h2"),
        record(
            &name("x"),
            46,
            1,
            &[[0, 1, 8, 2].as_slice(), &[0; 14], &name("e"), &[9; 8]].concat(),
        ),
    ];
    answers.push(record(&[0], 41, 0, &[0, 10, 0, 2, 1, 2]));
    let mut bytes = message(FINE, 1, &answers);
    // The last is an additional record.
    bytes[7] -= 1;
    bytes[11] = 1;
    bytes
}

#[test]
fn every_cut_and_every_garbled_byte() {
    let whole = rich();
    let expected = Ok((vec!["192.0.2.1".to_string()], Some(30)));
    assert_eq!(values(&whole, RecordType::A), expected);
    for cut in 0..whole.len() {
        let read = read(&whole[..cut], ID, NAME, RecordType::A);
        assert!(
            matches!(read, Read::Foreign | Read::Malformed),
            "cut at {cut}: {read:?}"
        );
    }
    for at in 0..whole.len() {
        for byte in 0..=u8::MAX {
            let mut garbled = whole.clone();
            garbled[at] = byte;
            // Of whatever type a record has become, some byte makes it the one that is asked for.
            let other = (at + usize::from(byte)) % RecordType::ALL.len();
            for kind in [RecordType::A, RecordType::ALL[other]] {
                let _ = read(&garbled, ID, NAME, kind);
            }
        }
    }
}

#[test]
fn bytes_struck_at_random() {
    let whole = rich();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 40).unwrap() % below.max(1)
    };
    for _ in 0..20_000 {
        let mut struck = whole.clone();
        for _ in 0..=random(6) {
            let at = 2 + random(struck.len() - 2);
            struck[at] = u8::try_from(random(256)).unwrap();
        }
        struck.truncate(12 + random(whole.len()));
        let _ = read(&struck, ID, NAME, RecordType::A);
    }
}

#[test]
fn pointers_that_turn_in_circles() {
    let begin = 12 + name(NAME).len() + 4;
    let here = |offset: usize| {
        let pointer = 0xc000 | u16::try_from(offset).unwrap();
        pointer.to_be_bytes().to_vec()
    };
    let itself = here(begin);
    let forward = here(begin + 40);
    let label_then_itself = [&[1, b'a'][..], &here(begin)].concat();
    for owner in [itself, forward, label_then_itself] {
        let bytes = message(FINE, 1, &[record(&owner, 1, 1, &[192, 0, 2, 1])]);
        assert_eq!(read(&bytes, ID, NAME, RecordType::A), Read::Malformed);
    }
}

/// The largest message, whose names are one pointer after another: the longest work that a message can make.
#[test]
fn long_chains_of_pointers_end_soon() {
    let mut bytes = message(FINE, 1, &[]);
    // The data of one record holds pointers, each to the one before it.
    let begin = bytes.len() + 11;
    let mut data = vec![0u8, 0];
    for step in 1..4000 {
        let offset = u16::try_from(begin + 2 * (step - 1)).unwrap();
        let offset = if step == 1 { 12 } else { offset };
        data.extend((0xc000 | offset).to_be_bytes());
    }
    let last = begin + data.len() - 2;
    bytes.extend(record(&[0], 10, 1, &data));
    let owner = (0xc000 | u16::try_from(last).unwrap()).to_be_bytes();
    let mut count = 1u16;
    while bytes.len() < LARGEST - 16 {
        bytes.extend(record(&owner, 1, 1, &[1, 2, 3, 4]));
        count += 1;
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    assert!(count > 500);
    let begun = Instant::now();
    // Every one of them leads to the name that was asked for in the end.
    let (values, _) = values(&bytes, RecordType::A).unwrap();
    assert_eq!(values.len(), usize::from(count) - 1);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    bytes.resize(LARGEST + 1, 0);
    assert_eq!(read(&bytes, ID, NAME, RecordType::A), Read::Malformed);
}

#[test]
fn a_header_that_promises_too_much_gets_no_room() {
    let mut bytes = message(FINE, 1, &[]);
    bytes[6..12].fill(0xff);
    assert_eq!(read(&bytes, ID, NAME, RecordType::A), Read::Malformed);
}

/// Data of every type that can be asked for, with a name of two labels where it has one.
fn data_of_every_type() -> [(RecordType, Vec<u8>); 9] {
    let host = name("ns.example");
    [
        (RecordType::A, vec![192, 0, 2, 1]),
        (RecordType::Aaaa, vec![1; 16]),
        (RecordType::Ns, host.clone()),
        (RecordType::Cname, host.clone()),
        (RecordType::Ptr, host.clone()),
        (RecordType::Mx, [&[0, 10], &host[..]].concat()),
        (RecordType::Srv, [&[0, 1, 0, 5, 1, 187], &host[..]].concat()),
        (RecordType::Soa, [&host[..], &host, &[0; 20]].concat()),
        (RecordType::Txt, b"\x05v=1 x".to_vec()),
    ]
}

#[test]
fn data_of_another_length_than_its_type_has() {
    for (kind, whole) in data_of_every_type() {
        let answer = |data: &[u8]| {
            // What comes behind the record must not be taken for a part of it.
            let records = [
                record(ASKED, wire(kind), 1, data),
                record(ASKED, 99, 1, &[1; 40]),
            ];
            read(&message(FINE, wire(kind), &records), ID, NAME, kind)
        };
        assert!(matches!(answer(&whole), Read::Answer(_)), "{kind}");
        for length in 1..whole.len() {
            assert_eq!(answer(&whole[..length]), Read::Malformed, "{kind} {length}");
        }
        assert_eq!(
            answer(&[&whole[..], &[9]].concat()),
            Read::Malformed,
            "{kind}"
        );
    }
}

/// Names in data turn in circles as owners' names do: to themselves, to each other, forward, and into the header.
#[test]
fn pointers_in_data_that_turn_in_circles() {
    let host = name("ns.example");
    for (kind, whole) in data_of_every_type() {
        let Some(at) = whole.windows(host.len()).position(|bytes| bytes == host) else {
            continue;
        };
        let begin = 12 + name(NAME).len() + 4 + ASKED.len() + 10 + at;
        let rest = &whole[at + host.len()..];
        let pointer = |offset: usize| (0xc000 | u16::try_from(offset).unwrap()).to_be_bytes();
        let label = [&[1, b'a'][..], &pointer(begin)].concat();
        let other = [&pointer(begin + 2)[..], &pointer(begin)].concat();
        for bad in [
            &pointer(begin)[..],
            &pointer(begin + 3),
            &pointer(16_383),
            &label,
            &other,
        ] {
            let data = [&whole[..at], bad, rest].concat();
            let bytes = message(FINE, wire(kind), &[record(ASKED, wire(kind), 1, &data)]);
            assert_eq!(
                read(&bytes, ID, NAME, kind),
                Read::Malformed,
                "{kind} {bad:?}"
            );
        }
        // A length that is neither a label's nor a pointer's (RFC 6891 gave up 0x40).
        for byte in [0x40, 0x80, 0xbf] {
            let data = [&whole[..at], &[byte], &host[1..], rest].concat();
            let bytes = message(FINE, wire(kind), &[record(ASKED, wire(kind), 1, &data)]);
            assert_eq!(
                read(&bytes, ID, NAME, kind),
                Read::Malformed,
                "{kind} {byte}"
            );
        }
    }
}
