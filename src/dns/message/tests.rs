//! Tests of the message format, with messages written byte by byte: what writes questions must not make the answers.

use super::*;

pub(super) const ID: u16 = 0x1234;
pub(super) const NAME: &str = "www.example";

/// Flags of an ordinary answer: response, recursion desired and available.
pub(super) const FINE: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;

/// A pointer to the name in the question.
pub(super) const ASKED: &[u8] = &[0xc0, 12];

pub(super) fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

pub(super) fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1u16.to_be_bytes());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

pub(super) fn message(flags: u16, kind: u16, answers: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = ID.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    for count in [1, answers.len(), 0, 0] {
        bytes.extend(u16::try_from(count).unwrap().to_be_bytes());
    }
    bytes.extend(name(NAME));
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1u16.to_be_bytes());
    bytes.extend(answers.concat());
    bytes
}

pub(super) fn values(bytes: &[u8], kind: RecordType) -> Result<(Vec<String>, Option<u32>), Reason> {
    match read(bytes, ID, NAME, kind) {
        Read::Answer(answer) => answer.values.map(|values| {
            let values = values.into_iter();
            let text = values.map(|value| String::from_utf8(value).unwrap());
            (text.collect(), answer.ttl)
        }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_is_what_rfc_1035_and_6891_say() {
    let plain = question(ID, NAME, RecordType::Srv, false).unwrap();
    let mut expected = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    expected.extend(name(NAME));
    expected.extend([0, 33, 0, 1]);
    assert_eq!(plain, expected);
    let edns = question(ID, NAME, RecordType::Srv, true).unwrap();
    expected[11] = 1;
    expected.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(edns, expected);
    let root = question(ID, ".", RecordType::Ns, false).unwrap();
    assert_eq!(root[12..], [0, 0, 2, 0, 1]);
}

#[test]
fn values_of_every_type() {
    let mx = [&[0, 10][..], &name("Mail.Example")].concat();
    let srv = [&[0, 1, 0, 5, 1, 187][..], &name("host")].concat();
    let soa = [
        &name("ns")[..],
        &name("root"),
        &2_024_010_101u32.to_be_bytes(),
        &[0; 16],
    ]
    .concat();
    for (kind, code, data, expected) in [
        (RecordType::A, 1, vec![192, 0, 2, 1], "192.0.2.1"),
        (RecordType::Ns, 2, name("NS.example"), "ns.example"),
        (RecordType::Cname, 5, name(""), "."),
        (RecordType::Soa, 6, soa, "2024010101"),
        (
            RecordType::Ptr,
            12,
            name("a b.ex\\ample"),
            "a\\032b.ex\\092ample",
        ),
        (RecordType::Mx, 15, mx, "10 mail.example"),
        (
            RecordType::Txt,
            16,
            b"\x03v=1\x00\x05 -all".to_vec(),
            "v=1 -all",
        ),
        (
            RecordType::Aaaa,
            28,
            vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            "2001:db8::1",
        ),
        (RecordType::Srv, 33, srv, "1 5 443 host"),
    ] {
        let bytes = message(FINE, code, &[record(ASKED, code, 300, &data)]);
        assert_eq!(
            values(&bytes, kind),
            Ok((vec![expected.to_string()], Some(300))),
            "{kind}"
        );
    }
}

#[test]
fn a_text_that_is_not_utf8_is_its_bytes() {
    let bytes = message(FINE, 16, &[record(ASKED, 16, 1, b"\x02\xff\xfe")]);
    let Read::Answer(answer) = read(&bytes, ID, NAME, RecordType::Txt) else {
        panic!("no answer");
    };
    assert_eq!(answer.values, Ok(vec![vec![0xff, 0xfe]]));
}

#[test]
fn names_lead_to_names_in_any_order() {
    let first = record(ASKED, 5, 60, &name("One.example"));
    let second = record(&name("one.EXAMPLE"), 5, 30, &name("two.example"));
    let last = record(&name("two.example"), 1, 600, &[192, 0, 2, 1]);
    let stranger = record(&name("other.example"), 1, 5, &[192, 0, 2, 9]);
    let bytes = message(FINE, 1, &[last, stranger, second, first.clone()]);
    let expected = Ok((vec!["192.0.2.1".to_string()], Some(30)));
    assert_eq!(values(&bytes, RecordType::A), expected);
    // Asked for the alias itself, nothing is followed.
    let bytes = message(FINE, 5, std::slice::from_ref(&first));
    let expected = Ok((vec!["one.example".to_string()], Some(60)));
    assert_eq!(values(&bytes, RecordType::Cname), expected);
    let dangling = message(FINE, 1, std::slice::from_ref(&first));
    assert_eq!(values(&dangling, RecordType::A), Err(Reason::Nodata));
    let back = record(&name("one.example"), 5, 60, ASKED);
    let circle = message(FINE, 1, &[first, back]);
    assert_eq!(values(&circle, RecordType::A), Err(Reason::Nodata));
}

#[test]
fn a_time_to_live_with_its_highest_bit_is_zero() {
    let bytes = message(FINE, 1, &[record(ASKED, 1, 0x8000_0001, &[192, 0, 2, 1])]);
    let expected = Ok((vec!["192.0.2.1".to_string()], Some(0)));
    assert_eq!(values(&bytes, RecordType::A), expected);
}

#[test]
fn codes_and_empty_answers() {
    for (code, reason) in [
        (1, Reason::Formerr),
        (2, Reason::Servfail),
        (3, Reason::Nxdomain),
        (4, Reason::Rcode),
        (5, Reason::Refused),
        (0, Reason::Nodata),
        (15, Reason::Rcode),
    ] {
        let bytes = message(FINE | code, 1, &[]);
        assert_eq!(values(&bytes, RecordType::A), Err(reason), "{code}");
    }
    let other = message(FINE, 1, &[record(ASKED, 16, 1, b"\x01x")]);
    assert_eq!(values(&other, RecordType::A), Err(Reason::Nodata));
}

#[test]
fn only_the_answer_to_the_question_is_believed() {
    let fine = message(FINE, 1, &[record(ASKED, 1, 1, &[192, 0, 2, 1])]);
    let foreign = |bytes: &[u8]| read(bytes, ID, NAME, RecordType::A) == Read::Foreign;
    assert!(!foreign(&fine));
    let changed = |at: usize, byte: u8| {
        let mut bytes = fine.clone();
        bytes[at] = byte;
        bytes
    };
    assert!(foreign(&changed(1, 0x35)), "another id");
    assert!(foreign(&changed(2, 0x01)), "a question");
    assert!(foreign(&changed(2, 0x91)), "another opcode");
    assert!(foreign(&changed(5, 0)), "no question");
    assert!(foreign(&changed(5, 2)), "two questions");
    assert!(foreign(&changed(13, b'x')), "another name");
    assert!(!foreign(&changed(13, b'W')), "the name in other letters");
    let kind_and_class = 12 + name(NAME).len();
    assert!(foreign(&changed(kind_and_class + 1, 28)), "another type");
    assert!(foreign(&changed(kind_and_class + 3, 3)), "another class");
    assert!(foreign(b""), "empty");
    // One that understands nothing repeats nothing.
    let helpless = [&fine[..3], &[1, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(values(&helpless, RecordType::A), Err(Reason::Formerr));
}

#[test]
fn an_answer_that_was_cut_is_asked_for_again() {
    let whole = message(FINE | TRUNCATED, 1, &[record(ASKED, 1, 1, &[192, 0, 2, 1])]);
    let end = 12 + name(NAME).len() + 4;
    for length in end..=whole.len() {
        assert_eq!(
            read(&whole[..length], ID, NAME, RecordType::A),
            Read::Truncated
        );
    }
}
