//! `/proc/net/dev`: the counters of every network device.
//!
//! Documented in proc(5); written by `dev_seq_show` in the kernel's net/core/net-procfs.c, with these sixteen columns
//! since 2.2. From a router on 6.18:
//!
//! ```text
//! Inter-|   Receive                                                |  Transmit
//!  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//!     lo:   28268      47    0    0    0     0          0         0    28268      47    0    0    0     0       0          0
//!   eth0: 382776354    8387    0    0    0     0          0         0   443568    5471    0    0    0     0       0          0
//! ```
//!
//! Units: bytes and packets since the device was made. The kernel has summed already: `drop` is rx_dropped plus
//! rx_missed_errors, `frame` the length, over, CRC and frame errors, `carrier` the carrier, aborted, window and heartbeat
//! errors; `receive_nohandler` is not in this file.
//!
//! Traps: a number may be glued to the colon (`eth0:382776354`, old kernels); a name may hold dots, bytes that are not
//! UTF-8 and, with vendors' and very old kernels, colons (`ibr10:30:`), so the name ends at the last colon; the columns are
//! told by the header and not by their position. The file is read in pieces, and a device that is made between two of them
//! can repeat the row at the seam: a row with the name of the one before it is left out.

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// The counters of one device, since it was made: bytes, packets or events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "direction and column of the file; the units are in the module header"
)]
pub struct Counters {
    pub receive_bytes: u64,
    pub receive_packets: u64,
    pub receive_errs: u64,
    pub receive_drop: u64,
    pub receive_fifo: u64,
    pub receive_frame: u64,
    pub receive_compressed: u64,
    pub receive_multicast: u64,
    pub transmit_bytes: u64,
    pub transmit_packets: u64,
    pub transmit_errs: u64,
    pub transmit_drop: u64,
    pub transmit_fifo: u64,
    pub transmit_colls: u64,
    pub transmit_carrier: u64,
    pub transmit_compressed: u64,
}

/// One device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its name: any bytes but white space.
    pub name: &'a [u8],
    /// Its counters.
    pub counters: Counters,
}

/// The sixteen counters, in the order of the fields of [`Counters`]: direction, column, and how errors name them.
const KNOWN: [(Direction, &[u8], &str); 16] = [
    (Direction::Receive, b"bytes", "receive bytes"),
    (Direction::Receive, b"packets", "receive packets"),
    (Direction::Receive, b"errs", "receive errs"),
    (Direction::Receive, b"drop", "receive drop"),
    (Direction::Receive, b"fifo", "receive fifo"),
    (Direction::Receive, b"frame", "receive frame"),
    (Direction::Receive, b"compressed", "receive compressed"),
    (Direction::Receive, b"multicast", "receive multicast"),
    (Direction::Transmit, b"bytes", "transmit bytes"),
    (Direction::Transmit, b"packets", "transmit packets"),
    (Direction::Transmit, b"errs", "transmit errs"),
    (Direction::Transmit, b"drop", "transmit drop"),
    (Direction::Transmit, b"fifo", "transmit fifo"),
    (Direction::Transmit, b"colls", "transmit colls"),
    (Direction::Transmit, b"carrier", "transmit carrier"),
    (Direction::Transmit, b"compressed", "transmit compressed"),
];

/// Room for columns that no kernel has yet.
const COLUMNS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Receive,
    Transmit,
}

/// The devices of one file, in the kernel's order.
pub struct Rows<'a> {
    lines: Lines<'a>,
    /// For each column that the header names, its place in [`KNOWN`].
    layout: [Option<u8>; COLUMNS],
    columns: usize,
    previous: &'a [u8],
}

/// Reads the two lines of header; the rows follow one by one.
///
/// # Errors
/// When the header is missing, cut short, or lacks one of the sixteen columns. A machine without any device still has the
/// header, so that an empty file is an error.
pub fn rows(bytes: &[u8]) -> Result<Rows<'_>, ParseError> {
    const GROUPS: &str = "Inter-| Receive | Transmit";
    let mut lines = lines(bytes);
    let groups = lines.expect("header", GROUPS)?;
    let mut names = groups.text().split(|byte| *byte == b'|').skip(1);
    if names.next().map(<[u8]>::trim_ascii) != Some(b"Receive")
        || names.next().map(<[u8]>::trim_ascii) != Some(b"Transmit")
    {
        return Err(groups.error("header", GROUPS, groups.text()));
    }
    let mut rows = Rows {
        lines,
        layout: [None; COLUMNS],
        columns: 0,
        previous: b"",
    };
    rows.read_columns()?;
    Ok(rows)
}

impl<'a> Rows<'a> {
    fn read_columns(&mut self) -> Result<(), ParseError> {
        const COLUMN_LINE: &str = "face |receive columns|transmit columns";
        let header = self.lines.expect("header", COLUMN_LINE)?;
        let mut groups = header.text().split(|byte| *byte == b'|').skip(1);
        let mut seen = [false; KNOWN.len()];
        for direction in [Direction::Receive, Direction::Transmit] {
            let group = groups
                .next()
                .ok_or_else(|| header.error("header", COLUMN_LINE, header.text()))?;
            let mut group = Line::new(header.number(), group);
            while let Some(word) = group.word() {
                let known = KNOWN
                    .iter()
                    .position(|(of, column, _)| *of == direction && *column == word);
                let place = self
                    .layout
                    .get_mut(self.columns)
                    .ok_or_else(|| header.error("header", "at most 64 columns", header.text()))?;
                *place = known.and_then(|known| u8::try_from(known).ok());
                self.columns += 1;
                if let Some(seen) = known.and_then(|known| seen.get_mut(known)) {
                    *seen = true;
                }
            }
        }
        match KNOWN.iter().zip(seen).find(|(_, seen)| !seen) {
            Some(((_, _, field), _)) => {
                Err(header.error(*field, "a column of this name", header.text()))
            }
            None => Ok(()),
        }
    }

    fn row(&self, line: Line<'a>) -> Result<Row<'a>, ParseError> {
        const NAME: &str = "a device name and a colon";
        let colon = line.text().iter().rposition(|byte| *byte == b':');
        let Some((name, numbers)) =
            colon.and_then(|at| Some((line.text().get(..at)?, line.text().get(at + 1..)?)))
        else {
            return Err(line.error("face", NAME, line.text()));
        };
        let name = name.trim_ascii_start();
        if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
            return Err(line.error("face", NAME, name));
        }
        let mut numbers = Line::new(line.number(), numbers);
        let mut values = [0; KNOWN.len()];
        for known in self.layout.iter().take(self.columns) {
            let known = known.map_or(KNOWN.len(), usize::from);
            let field = KNOWN.get(known).map_or("column", |(_, _, field)| field);
            let value = numbers.expect_decimal(field)?;
            if let Some(place) = values.get_mut(known) {
                *place = value;
            }
        }
        match numbers.word() {
            Some(word) => Err(numbers.error("row", "as many values as columns", word)),
            None => Ok(Row {
                name,
                counters: Counters::from(values),
            }),
        }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = self.lines.next()?.and_then(|line| self.row(line));
            if let Ok(row) = row {
                if row.name == self.previous {
                    continue;
                }
                self.previous = row.name;
            }
            return Some(row);
        }
    }
}

impl From<[u64; 16]> for Counters {
    /// In the order of the fields, which is the order of the file.
    #[rustfmt::skip]
    fn from(values: [u64; 16]) -> Self {
        let [
            receive_bytes, receive_packets, receive_errs, receive_drop,
            receive_fifo, receive_frame, receive_compressed, receive_multicast,
            transmit_bytes, transmit_packets, transmit_errs, transmit_drop,
            transmit_fifo, transmit_colls, transmit_carrier, transmit_compressed,
        ] = values;
        Self {
            receive_bytes, receive_packets, receive_errs, receive_drop,
            receive_fifo, receive_frame, receive_compressed, receive_multicast,
            transmit_bytes, transmit_packets, transmit_errs, transmit_drop,
            transmit_fifo, transmit_colls, transmit_carrier, transmit_compressed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const HEADER: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

    /// x86_64 virtual machine, kernel 6.18, 2026-11; eth0's zeros replaced so that every column is told apart.
    const SAMPLE: &str =
        "    lo:   28268      47    0    0    0     0          0         0    28268      47    0    0    0     0       0          0
  eth0: 382776354    8387    3    4    5     6          7         8   443568    5471   11   12   13    14      15         16
";

    type Named = (Vec<u8>, Counters);

    fn read(bytes: &[u8]) -> Result<Vec<Named>, ParseError> {
        rows(bytes)?
            .map(|row| row.map(|row| (row.name.to_vec(), row.counters)))
            .collect()
    }

    fn with_header(rows: &str) -> Vec<u8> {
        [HEADER, rows].concat().into_bytes()
    }

    #[test]
    fn parses() {
        let devices = read(&with_header(SAMPLE)).expect("the sample");
        assert_eq!(devices.len(), 2);
        assert_eq!(devices[0].0, b"lo");
        assert_eq!(
            devices[1].1,
            Counters::from([
                382_776_354,
                8387,
                3,
                4,
                5,
                6,
                7,
                8,
                443_568,
                5471,
                11,
                12,
                13,
                14,
                15,
                16
            ])
        );
        hostile::survive(&with_header(SAMPLE), read);
    }

    #[test]
    fn short() {
        assert_eq!(read(HEADER.as_bytes()), Ok(Vec::new()));
        let error = read(&with_header("  eth0: 1 2 3\n")).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("3: receive drop: expected an unsigned decimal number, found \"\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: header: expected Inter-| Receive | Transmit, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        let bytes = with_header(SAMPLE);
        let error = read(&bytes[..bytes.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((4, "a line feed at its end")));
    }

    #[test]
    fn names_with_dots_colons_and_any_bytes_glued_or_not() {
        let zeros = "0 ".repeat(14);
        let mut bytes = with_header("");
        for name in [
            &b"flannel.1:1 2"[..],
            b"ibr10:30:1 2",
            b"  ibr10::: 1 2",
            b"b\xfcro: 1 2",
            b"averylonginterf:1 2",
        ] {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(format!(" {zeros}\n").as_bytes());
        }
        let devices = read(&bytes).expect("five devices");
        let names: Vec<&[u8]> = devices.iter().map(|device| &device.0[..]).collect();
        assert_eq!(
            names,
            [
                &b"flannel.1"[..],
                b"ibr10:30",
                b"ibr10::",
                b"b\xfcro",
                b"averylonginterf"
            ]
        );
        for (_, counters) in devices {
            assert_eq!((counters.receive_bytes, counters.receive_packets), (1, 2));
        }
    }

    #[test]
    fn the_header_says_what_a_column_means() {
        let swapped = HEADER
            .replace("|bytes    packets errs", "|errs new bytes packets")
            .replace("carrier compressed", "carrier compressed newer");
        let row = "e: 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1\n";
        let devices = read([&swapped, row].concat().as_bytes()).expect("swapped columns");
        let counters = devices[0].1;
        assert_eq!(
            (
                counters.receive_errs,
                counters.receive_bytes,
                counters.receive_packets
            ),
            (1, 3, 4)
        );
        assert_eq!(counters.transmit_compressed, 9);
    }

    #[test]
    fn contradictions_are_errors() {
        let many = format!("e: {}\n", "1 ".repeat(17));
        for (bytes, field) in [
            (with_header(&many), "row"),
            (with_header("no colon\n"), "face"),
            (with_header(": 1\n"), "face"),
            (with_header("two words: 1\n"), "face"),
            (
                HEADER.replace("multicast", "manycast").into_bytes(),
                "receive multicast",
            ),
            (HEADER.replace("Receive", "Transmit").into_bytes(), "header"),
            (
                HEADER.replace("multicast|", "multicast ").into_bytes(),
                "header",
            ),
        ] {
            let error = read(&bytes).map_err(|error| error.field.into_owned());
            assert_eq!(error, Err(field.to_string()));
        }
    }

    #[test]
    fn a_row_repeated_at_the_seam_of_two_reads_counts_once() {
        let row = SAMPLE.lines().next().expect("a row");
        let devices = read(&with_header(&format!("{row}\n{row}\n"))).expect("rows");
        assert_eq!(devices.len(), 1);
    }
}
