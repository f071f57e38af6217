//! `/proc/net/snmp6`: the counters of IPv6 and of what runs over it, one to a line.
//!
//! Documented in proc(5); written by `snmp6_seq_show` in the kernel's net/ipv6/proc.c, since 2.6. Cut short, from a virtual
//! machine on 6.18:
//!
//! ```text
//! Ip6InReceives                           1
//! Icmp6OutType135                         4
//! UdpLite6MemErrors                       0
//! ```
//!
//! Units: packets, but for the names that end in `Octets` (bytes). The protocol is what stands up to the first `6`.
//!
//! Traps: lines for ICMP types appear when the first such message is seen. With `ipv6.disable=1` the file does not exist.

use super::Lines;
use super::ParseError;
use super::lines;
use super::netstat::NUMBER;
use super::netstat::number;

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter<'a> {
    /// The line, counted from 1.
    pub line: usize,
    /// The name as it stands in the file: protocol and field.
    pub name: &'a [u8],
    /// Its value.
    pub value: f64,
}

impl<'a> Counter<'a> {
    /// The name's two parts: `Ip6` and `InReceives`. `None` for a name that holds no `6`.
    #[must_use]
    pub fn split(&self) -> Option<(&'a [u8], &'a [u8])> {
        let six = self.name.iter().position(|byte| *byte == b'6')?;
        self.name.split_at_checked(six + 1)
    }
}

/// The counters of one file, in the kernel's order.
pub struct Counters<'a> {
    lines: Lines<'a>,
}

/// Reads the file line by line.
///
/// # Errors
/// When it is empty: it has no header, but the kernel that has the file writes the counters of `Ip6` always.
pub fn counters(bytes: &[u8]) -> Result<Counters<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "name", "a counter", bytes));
    }
    Ok(Counters {
        lines: lines(bytes),
    })
}

impl<'a> Iterator for Counters<'a> {
    type Item = Result<Counter<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(|mut line| {
            let name = line.expect_word("name", "a counter")?;
            let word = line.word().unwrap_or_default();
            let Some(value) = number(word) else {
                return Err(line.error(super::printable(name).into_owned(), NUMBER, word));
            };
            if let Some(extra) = line.word() {
                let field = super::printable(name).into_owned();
                return Err(line.error(field, "one value", extra));
            }
            Ok(Counter {
                line: line.number(),
                name,
                value,
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11: a line of each protocol.
    const SAMPLE: &[u8] = b"\
Ip6InReceives                   \t1
Ip6InOctets                     \t128
Icmp6OutType135                 \t4
Udp6InDatagrams                 \t0
UdpLite6MemErrors               \t0
";

    fn read(bytes: &[u8]) -> Result<Vec<Counter<'_>>, ParseError> {
        counters(bytes)?.collect()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        let split: Vec<_> = found
            .iter()
            .map(|counter| (counter.split(), counter.value))
            .collect();
        assert_eq!(
            split,
            [
                (Some((&b"Ip6"[..], &b"InReceives"[..])), 1.0),
                (Some((b"Ip6", b"InOctets")), 128.0),
                (Some((b"Icmp6", b"OutType135")), 4.0),
                (Some((b"Udp6", b"InDatagrams")), 0.0),
                (Some((b"UdpLite6", b"MemErrors")), 0.0),
            ]
        );
        hostile::survive(SAMPLE, |bytes| read(bytes).map(|_| ()));
    }

    #[test]
    fn short() {
        let error = read(b"Ip6InReceives\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: Ip6InReceives: expected a decimal number, found \"\"".to_string())
        );
        let error = read(b"Ip6InReceives 1 2\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: Ip6InReceives: expected one value, found \"2\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: name: expected a counter, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((5, "a line feed at its end")));
    }

    #[test]
    fn a_name_without_a_six_has_no_parts() {
        let found = read(b"Sctp 1\n").expect("a counter");
        assert_eq!(found[0].split(), None);
    }
}
