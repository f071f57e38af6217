//! `/proc/net/netstat` and `/proc/net/snmp`: the counters of the protocols, as pairs of lines.
//!
//! Documented in proc(5) and in the kernel's Documentation/networking/snmp_counter.rst; written by `snmp_seq_show` and
//! `netstat_seq_show` in net/ipv4/proc.c, since 2.4. Cut short, from a virtual machine on 6.18:
//!
//! ```text
//! Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs
//! Tcp: 1 200 120000 -1 40 3 0 25 0 8353
//! ```
//!
//! Units: whatever the name says; RFC 1213 and its successors define those of snmp. Values are 64 bits wide and
//! unsigned, but `MaxConn`, which is -1 where the number of connections is not limited.
//!
//! Traps: kernels add names in the middle of a line, so only names count, never positions; `IcmpMsg` has as many names as
//! ICMP types were seen, so its header changes while the machine runs.

use super::Line;
use super::Lines;
use super::ParseError;
use super::decimal;
use super::float;
use super::lines;

/// How errors name a value of these files.
pub(super) const NUMBER: &str = "a decimal number";

/// The sections of one file, in the kernel's order.
pub struct Sections<'a> {
    lines: Lines<'a>,
}

/// One protocol: a line of names and a line of values.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    protocol: &'a [u8],
    names: Line<'a>,
    values: Line<'a>,
}

/// Reads a file of this format section by section.
///
/// # Errors
/// When the file is empty: the kernel has at least one protocol.
pub fn sections(bytes: &[u8]) -> Result<Sections<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "protocol", PROTOCOL, bytes));
    }
    Ok(Sections {
        lines: lines(bytes),
    })
}

const PROTOCOL: &str = "a protocol and a colon";

impl<'a> Iterator for Sections<'a> {
    type Item = Result<Section<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let names = self.lines.next()?;
        Some(names.and_then(|names| self.section(names)))
    }
}

impl<'a> Sections<'a> {
    fn section(&mut self, mut names: Line<'a>) -> Result<Section<'a>, ParseError> {
        const VALUES: &str = "a line of values for the line of names before it";
        let protocol = names.expect_before(b':', "protocol", PROTOCOL)?;
        let mut values = self.lines.expect("values", VALUES)?;
        if values.expect_before(b':', "protocol", VALUES)? != protocol {
            return Err(values.error("protocol", VALUES, values.text()));
        }
        Ok(Section {
            protocol,
            names,
            values,
        })
    }
}

impl<'a> Section<'a> {
    /// The protocol, without its colon.
    #[must_use]
    pub fn protocol(&self) -> &'a [u8] {
        self.protocol
    }

    /// The whole line of names: while it does not change, neither do the fields.
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        self.names.text()
    }

    /// The names of the fields, in order.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut names = self.names;
        std::iter::from_fn(move || names.word())
    }

    /// The values, in the order of the names.
    pub fn values(&self) -> impl Iterator<Item = Result<f64, ParseError>> + use<'a> {
        let section = *self;
        let mut values = self.values;
        let mut position = 0;
        std::iter::from_fn(move || {
            let word = values.word()?;
            position += 1;
            Some(number(word).ok_or_else(|| section.error(position - 1, NUMBER, word)))
        })
    }

    /// An error about the value at a position.
    #[must_use]
    pub fn error(&self, position: usize, expected: &'static str, found: &[u8]) -> ParseError {
        let protocol = super::printable(self.protocol);
        let name = self.names().nth(position).unwrap_or_default();
        let field = format!("{protocol} {}", super::printable(name));
        self.values
            .error(field.trim_end().to_string(), expected, found)
    }
}

/// A value: digits, with a minus sign in front where the counter is signed.
pub(super) fn number(word: &[u8]) -> Option<f64> {
    match word.strip_prefix(b"-") {
        Some(magnitude) => Some(-float(decimal(magnitude)?)),
        None => decimal(word).map(float),
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11: the whole of /proc/net/snmp but for a few columns of Icmp.
    const SAMPLE: &[u8] = b"\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers
Ip: 2 64 8431 0 0 0 0 0 8431
Icmp: InMsgs InErrors InCsumErrors OutMsgs
Icmp: 1 0 0 1
IcmpMsg: InType3
IcmpMsg: 1
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs
Tcp: 1 200 120000 -1 40 3 0 25 0 18446744073709551615
";

    type Named = (String, f64);

    fn read(bytes: &[u8]) -> Result<Vec<Named>, ParseError> {
        let mut found = Vec::new();
        for section in sections(bytes)? {
            let section = section?;
            let protocol = super::super::printable(section.protocol());
            let mut names = section.names();
            for value in section.values() {
                let name = super::super::printable(names.next().unwrap_or_default());
                found.push((format!("{protocol}_{name}"), value?));
            }
        }
        Ok(found)
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        assert_eq!(found.len(), 9 + 4 + 1 + 10);
        for (name, value) in [
            ("Ip_Forwarding", 2.0),
            ("IcmpMsg_InType3", 1.0),
            ("Tcp_MaxConn", -1.0),
            ("Tcp_InSegs", 1.844_674_407_370_955_2e19),
        ] {
            assert!(found.contains(&(name.to_string(), value)), "{name}");
        }
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn short() {
        let error = read(b"Ip: Forwarding\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err(
                "2: values: expected a line of values for the line of names before it, found \"\""
                    .to_string()
            )
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
        let error = read(&SAMPLE[..SAMPLE.len() - 5]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((8, "a line feed at its end")));
    }

    #[test]
    fn values_of_another_protocol_are_an_error() {
        let error = read(b"Ip: Forwarding\nTcp: 1\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: protocol: expected a line of values for the line of names before it, found \"Tcp: 1\"".to_string())
        );
    }

    #[test]
    fn an_error_names_the_counter() {
        let error =
            read(b"Ip: Forwarding DefaultTTL\nIp: 1 +64\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: Ip DefaultTTL: expected a decimal number, found \"+64\"".to_string())
        );
    }
}
