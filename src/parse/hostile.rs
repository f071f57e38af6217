//! What every parser of a kernel file must survive, for their tests: a file cut at every byte and one with every word
//! garbled. No parser may panic; whether a garbled word is an error is each format's own matter.

use super::ParseError;

/// What stands in for a word: no number, too large a number, signs, prefixes, separators, bytes that are not UTF-8.
const GARBAGE: [&[u8]; 10] = [
    b"",
    b"-",
    b"-1",
    b"+5",
    b"0x",
    b":",
    b"|",
    b"zz",
    b"99999999999999999999999999",
    b"\xff\xfe",
];

/// Runs `parse` over every prefix of `sample`, over `sample` with each byte removed, and with each word garbled.
///
/// A prefix that ends inside a line must be an error: its last number may have lost digits.
pub(crate) fn survive<T>(sample: &[u8], parse: impl Fn(&[u8]) -> Result<T, ParseError>) {
    for cut in 1..sample.len() {
        let prefix = &sample[..cut];
        if !prefix.ends_with(b"\n") {
            assert!(parse(prefix).is_err(), "cut at byte {cut}");
        }
    }
    survive_anywhere(sample, parse);
}

/// The same for what may end inside a line: a word, an attribute of sysfs without its line feed, bytes that are no text.
pub(crate) fn survive_anywhere<T>(sample: &[u8], parse: impl Fn(&[u8]) -> Result<T, ParseError>) {
    assert!(parse(sample).is_ok(), "the sample itself");
    for cut in 0..sample.len() {
        let prefix = &sample[..cut];
        let _ = parse(prefix);
        let mut without = prefix.to_vec();
        without.extend_from_slice(&sample[cut + 1..]);
        let _ = parse(&without);
    }
    for (start, end) in words(sample) {
        for garbage in GARBAGE {
            let garbled = [&sample[..start], garbage, &sample[end..]].concat();
            let _ = parse(&garbled);
        }
    }
}

fn words(sample: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, byte) in sample.iter().enumerate() {
        match (byte.is_ascii_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                found.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    found
}
