//! `/proc/net/sockstat` and `/proc/net/sockstat6`: how many sockets there are, and what they hold.
//!
//! Documented in proc(5); written by `sockstat_seq_show` in the kernel's net/ipv4/proc.c and `sockstat6_seq_show` in
//! net/ipv6/proc.c, since 2.4. From a virtual machine on 6.18:
//!
//! ```text
//! sockets: used 16
//! TCP: inuse 2 orphan 0 tw 1 alloc 2 mem 0
//! UDP: inuse 0 mem 0
//! UDPLITE: inuse 0
//! RAW: inuse 0
//! FRAG: inuse 0 memory 0
//! ```
//!
//! Units: sockets (fragment queues for FRAG), but `mem` in pages of the machine that wrote it and `memory` in bytes.
//!
//! Traps: `orphan`, `alloc` and `mem` of TCP are of the whole machine, the rest of one network namespace; `sockets: used` counts
//! every family; sums over CPUs were not kept from going below zero by older kernels.

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;
use super::signed;

/// One protocol and its pairs of key and value.
#[derive(Clone, Copy, Debug)]
pub struct Protocol<'a> {
    /// The protocol's name, without its colon.
    pub name: &'a [u8],
    pairs: Line<'a>,
}

/// The protocols of one file, in the kernel's order.
pub struct Protocols<'a> {
    lines: Lines<'a>,
}

const PROTOCOL: &str = "a protocol and a colon";

/// Reads the file line by line.
///
/// # Errors
/// When it is empty: it has no header, but a kernel that has the file has at least one protocol.
pub fn protocols(bytes: &[u8]) -> Result<Protocols<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "protocol", PROTOCOL, bytes));
    }
    Ok(Protocols {
        lines: lines(bytes),
    })
}

impl<'a> Iterator for Protocols<'a> {
    type Item = Result<Protocol<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(|mut line| {
            let name = line.expect_before(b':', "protocol", PROTOCOL)?;
            Ok(Protocol { name, pairs: line })
        }))
    }
}

impl<'a> Protocol<'a> {
    /// An error about one key of this line.
    #[must_use]
    pub fn error(&self, key: &[u8], expected: &'static str) -> ParseError {
        self.pairs
            .error(super::printable(self.name).into_owned(), expected, key)
    }

    /// The pairs of key and value.
    pub fn pairs(&self) -> impl Iterator<Item = Result<(&'a [u8], i64), ParseError>> + use<'a> {
        const NUMBER: &str = "a decimal number";
        let mut line = self.pairs;
        std::iter::from_fn(move || {
            let key = line.word()?;
            let word = line.word().unwrap_or_default();
            let value = signed(word)
                .ok_or_else(|| line.error(super::printable(key).into_owned(), NUMBER, word));
            Some(value.map(|value| (key, value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::super::printable;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11.
    const SAMPLE: &[u8] = b"\
sockets: used 16
TCP: inuse 2 orphan 0 tw 1 alloc 2 mem 3
UDP: inuse 0 mem 0
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
";

    fn read(bytes: &[u8]) -> Result<Vec<String>, ParseError> {
        let mut found = Vec::new();
        for protocol in protocols(bytes)? {
            let protocol = protocol?;
            for pair in protocol.pairs() {
                let (key, value) = pair?;
                found.push(format!(
                    "{} {} {value}",
                    printable(protocol.name),
                    printable(key)
                ));
            }
        }
        Ok(found)
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        assert_eq!(
            found,
            [
                "sockets used 16",
                "TCP inuse 2",
                "TCP orphan 0",
                "TCP tw 1",
                "TCP alloc 2",
                "TCP mem 3",
                "UDP inuse 0",
                "UDP mem 0",
                "UDPLITE inuse 0",
                "RAW inuse 0",
                "FRAG inuse 0",
                "FRAG memory 0",
            ]
        );
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn short() {
        let error = read(b"TCP: inuse 2 orphan\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: orphan: expected a decimal number, found \"\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: protocol: expected a protocol and a colon, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((6, "a line feed at its end")));
    }

    #[test]
    fn sums_below_zero_are_numbers() {
        assert_eq!(
            read(b"sockets: used -1\n"),
            Ok(vec!["sockets used -1".to_string()])
        );
    }
}
