//! `/proc/net/stat/nf_conntrack`: the connection tracker's counters, one line for each CPU; and the one number in each of
//! `/proc/sys/net/netfilter/nf_conntrack_count` and `nf_conntrack_max`.
//!
//! Written by `ct_cpu_seq_show` in the kernel's net/netfilter/nf_conntrack_standalone.c, since 2.6.12; the sysctls are in
//! Documentation/networking/nf_conntrack-sysctl.rst. From a virtual machine on 6.18:
//!
//! ```text
//! entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
//! 00000000  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
//! ```
//!
//! Units: packets or events, hexadecimal, 32 bits wide for each CPU. `entries` is the whole table's count on every line.
//!
//! Traps: the kernel renames columns and keeps their place: `searched` became `clashres` (5.10), `delete_list` became
//! `chainlength` (5.15); only names are followed here. `search_restart` came with 2.6.35; until
//! then the line ended in a blank. `new`, `ignore` and `delete` are there still, and always zero since 4.9 and 5.10.

use super::Line;
use super::ParseError;
use super::lines;

/// The sums over the CPUs; `None` where the header has no column of that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Look-ups that found an entry.
    pub found: Option<u64>,
    /// Packets that could not be tracked.
    pub invalid: Option<u64>,
    /// Packets that were tracked already.
    pub ignore: Option<u64>,
    /// Entries put into the table.
    pub insert: Option<u64>,
    /// Entries that could not be put into the table.
    pub insert_failed: Option<u64>,
    /// Packets dropped for want of an entry.
    pub drop: Option<u64>,
    /// Entries thrown out to make room.
    pub early_drop: Option<u64>,
    /// Look-ups that had to start again as the table was resized.
    pub search_restart: Option<u64>,
}

impl Stat {
    fn of(&mut self, column: &[u8]) -> Option<&mut Option<u64>> {
        match column {
            b"found" => Some(&mut self.found),
            b"invalid" => Some(&mut self.invalid),
            b"ignore" => Some(&mut self.ignore),
            b"insert" => Some(&mut self.insert),
            b"insert_failed" => Some(&mut self.insert_failed),
            b"drop" => Some(&mut self.drop),
            b"early_drop" => Some(&mut self.early_drop),
            b"search_restart" => Some(&mut self.search_restart),
            _ => None,
        }
    }
}

/// Reads the file and sums it over the CPUs.
///
/// # Errors
/// When a line has not as many values as the header has names, or there is no line but the header.
pub fn stat(bytes: &[u8]) -> Result<Stat, ParseError> {
    const HEADER: &str = "the names of the columns";
    const LINE: &str = "a line for each CPU";
    let mut lines = lines(bytes);
    let mut header = lines.expect("header", HEADER)?;
    header.expect_word("header", HEADER)?;
    let header = Line::new(header.number(), header.text());
    let mut stat = Stat::default();
    let mut line = lines.expect("entries", LINE)?;
    loop {
        add(&mut stat, header, line)?;
        line = match lines.next() {
            Some(next) => next?,
            None => return Ok(stat),
        };
    }
}

fn add<'a>(stat: &mut Stat, mut names: Line<'a>, mut values: Line<'a>) -> Result<(), ParseError> {
    while let Some(name) = names.word() {
        let word = values.word().unwrap_or_default();
        let Some(value) = super::hex(word) else {
            let field = super::printable(name).into_owned();
            return Err(values.error(field, super::HEX, word));
        };
        if let Some(sum) = stat.of(name) {
            *sum = Some(sum.unwrap_or(0).saturating_add(value));
        }
    }
    match values.word() {
        Some(extra) => Err(values.error("row", "as many values as columns", extra)),
        None => Ok(()),
    }
}

/// The one number in `nf_conntrack_count` or `nf_conntrack_max`; `field` is the file's name.
///
/// # Errors
/// When it is not one number on one line.
pub fn number(bytes: &[u8], field: &'static str) -> Result<u64, ParseError> {
    let mut lines = lines(bytes);
    let mut line = lines.expect(field, super::DECIMAL)?;
    let number = line.expect_decimal(field)?;
    match line.word().or(lines.next().map(|_| &b""[..])) {
        Some(extra) => Err(line.error(field, "one number", extra)),
        None => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const HEADER: &str = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n";
    /// Figures that tell the columns apart.
    const CPU: &str = "00000021  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010\n";

    fn sample() -> Vec<u8> {
        [HEADER, CPU, CPU].concat().into_bytes()
    }

    const SUMS: Stat = Stat {
        found: Some(4),
        invalid: Some(8),
        ignore: Some(10),
        insert: Some(16),
        insert_failed: Some(18),
        drop: Some(20),
        early_drop: Some(22),
        search_restart: Some(32),
    };

    #[test]
    fn parses() {
        assert_eq!(stat(&sample()), Ok(SUMS));
        hostile::survive(&sample(), stat);
        assert_eq!(number(b"262144\n", "nf_conntrack_max"), Ok(262_144));
        hostile::survive(b"262144\n", |bytes| number(bytes, "nf_conntrack_max"));
    }

    #[test]
    fn short() {
        let error = stat(HEADER.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: entries: expected a line for each CPU, found \"\"".to_string())
        );
        let error = stat(format!("{HEADER}00000000 00000000\n").as_bytes());
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err("2: found: expected a hexadecimal number, found \"\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = stat(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: header: expected the names of the columns, found \"\"".to_string())
        );
        let error = number(b"", "nf_conntrack_count").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err(
                "1: nf_conntrack_count: expected an unsigned decimal number, found \"\""
                    .to_string()
            )
        );
    }

    #[test]
    fn ends_abruptly() {
        let bytes = sample();
        let error = stat(&bytes[..bytes.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((3, "a line feed at its end")));
        let error = number(b"2621", "nf_conntrack_max").map_err(|error| error.expected);
        assert_eq!(error, Err("a line feed at its end"));
    }

    #[test]
    fn before_search_restart_the_line_ended_in_a_blank() {
        let header = HEADER.replace(" search_restart", "");
        let cpu = CPU.replace("00000010\n", "\n");
        let expected = Stat {
            search_restart: None,
            ..SUMS
        };
        assert_eq!(
            stat(
                [&header, &cpu, &cpu]
                    .map(String::as_str)
                    .concat()
                    .as_bytes()
            ),
            Ok(expected)
        );
    }

    #[test]
    fn renamed_and_added_columns_do_not_pass_for_others() {
        let header = HEADER
            .replace("found", "lost")
            .replace("search_restart", "search_restart newer");
        let cpu = CPU.replace("00000010\n", "00000010 00000011\n");
        let expected = Stat {
            found: None,
            ..SUMS
        };
        assert_eq!(
            stat(
                [&header, &cpu, &cpu]
                    .map(String::as_str)
                    .concat()
                    .as_bytes()
            ),
            Ok(expected)
        );
    }

    #[test]
    fn more_values_than_names_are_an_error() {
        let error = stat([HEADER, &CPU.replace('\n', " 1\n")].concat().as_bytes());
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err("2: row: expected as many values as columns, found \"1\"".to_string())
        );
        assert!(number(b"1 2\n", "nf_conntrack_max").is_err());
        assert!(number(b"1\n2\n", "nf_conntrack_max").is_err());
    }
}
