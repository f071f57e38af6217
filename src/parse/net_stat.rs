//! The files of `/proc/net/stat`: a line with the names of counters, then a line of hexadecimal numbers for each CPU.
//!
//! Written by each subsystem on its own: `rt_cpu_seq_show` in the kernel's net/ipv4/route.c, `neigh_stat_seq_show` in
//! net/core/neighbour.c (arp_cache, ndisc_cache), `ct_cpu_seq_show` in net/netfilter/nf_conntrack_standalone.c and
//! `synproxy_cpu_seq_show` in nf_synproxy_core.c; lnstat(8) reads them. From 6.18, cut short:
//!
//! ```text
//! entries  allocs   destroys hash_grows lookups  hits
//! 00000003 00000007 0000000b 00000000   0000000b 00000000
//! 00000003 00000009 00000002 00000001   00000012 00000007
//! ```
//!
//! Units: events or packets for each CPU, 32 bits wide; `entries` is the size of a table now, the same on every line.
//! Lines are of the CPUs that this machine could have, in ascending order, and do not say which: a gap in the numbers of
//! the CPUs, which servers hardly ever have, would shift them.

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

const NAMES: &str = "the names of the counters";

/// One file: the header, and then the CPUs.
pub struct Table<'a> {
    header: Line<'a>,
    lines: Lines<'a>,
}

/// Reads the header.
///
/// # Errors
/// When it is not there.
pub fn table(bytes: &[u8]) -> Result<Table<'_>, ParseError> {
    let mut lines = lines(bytes);
    let mut words = lines.expect("header", NAMES)?;
    words.expect_word("header", NAMES)?;
    Ok(Table {
        header: Line::new(words.number(), words.text()),
        lines,
    })
}

impl<'a> Table<'a> {
    /// The names of the counters.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut header = self.header;
        std::iter::from_fn(move || header.word())
    }

    /// An error about a name.
    #[must_use]
    pub fn error(&self, expected: &'static str, name: &[u8]) -> ParseError {
        self.header.error("header", expected, name)
    }

    /// The counters of the next CPU in the order of the names, into `values`; `false` behind the last CPU.
    ///
    /// # Errors
    /// When there are not as many numbers as names.
    pub fn next_cpu(&mut self, values: &mut Vec<u64>) -> Result<bool, ParseError> {
        values.clear();
        let Some(line) = self.lines.next() else {
            return Ok(false);
        };
        let mut line = line?;
        for name in self.names() {
            let word = line.word().unwrap_or_default();
            let Some(value) = super::hex(word) else {
                let field = super::printable(name).into_owned();
                return Err(line.error(field, super::HEX, word));
            };
            values.push(value);
        }
        match line.word() {
            Some(extra) => Err(line.error("row", "as many values as names", extra)),
            None => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11: synproxy, with figures that tell the columns apart.
    const SAMPLE: &[u8] = b"\
entries\t\tsyn_received\tcookie_invalid\tcookie_valid\tcookie_retrans\tconn_reopened
00000000\t00000001\t00000002\t00000003\t00000004\t00000005
00000000\t0000000a\t0000000b\t0000000c\t0000000d\tffffffff
";

    type Read = (Vec<Vec<u8>>, Vec<Vec<u64>>);

    fn read(bytes: &[u8]) -> Result<Read, ParseError> {
        let mut table = table(bytes)?;
        let names = table.names().map(<[u8]>::to_vec).collect();
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        while table.next_cpu(&mut values)? {
            rows.push(values.clone());
        }
        Ok((names, rows))
    }

    #[test]
    fn parses() {
        let (names, rows) = read(SAMPLE).expect("the sample");
        assert_eq!(names.len(), 6);
        assert_eq!(names[5], b"conn_reopened");
        assert_eq!(
            rows,
            [[0, 1, 2, 3, 4, 5], [0, 10, 11, 12, 13, 4_294_967_295]]
        );
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn short() {
        let header = SAMPLE.split_inclusive(|byte| *byte == b'\n').next();
        let (names, rows) = read(header.expect("a line")).expect("a header");
        assert_eq!((names.len(), rows.len()), (6, 0));
        let error = read(b"entries found\n00000001\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: found: expected a hexadecimal number, found \"\"".to_string())
        );
        let error = read(b"entries\n00000001 00000002\n").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: row: expected as many values as names, found \"00000002\"".to_string())
        );
    }

    #[test]
    fn empty() {
        for bytes in [&b""[..], b"\n"] {
            let error = read(bytes).map_err(|error| error.to_string());
            assert_eq!(
                error,
                Err("1: header: expected the names of the counters, found \"\"".to_string())
            );
        }
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((3, "a line feed at its end")));
    }
}
