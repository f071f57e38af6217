//! `/proc/net/softnet_stat`: what each CPU's receive path did, one line of hexadecimal numbers for each CPU online.
//!
//! Written by `softnet_seq_show` in the kernel's net/core/net-procfs.c; proc(5) names the file only. A CPU on 6.18:
//!
//! ```text
//! 000020de 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000
//! ```
//!
//! | columns | kernel | what |
//! |---|---|---|
//! | 1, 2, 3 | 2.6 | packets processed, packets dropped as the backlog was full, times the budget ran out |
//! | 4 to 8 | 2.6 | zeros (fast routes once) |
//! | 9 | 2.6 | times a device's transmit lock was held by another; zero since 4.7 |
//! | 10 | 2.6.35 | times the CPU was woken by another to receive (RPS) |
//! | 11 | 3.11 | packets the flow limit dropped |
//! | 12, 13 | 5.10 | packets in the backlog now; the CPU's number |
//! | 14, 15 | 6.4 | the backlog's two queues |
//!
//! Units: packets or events, 32 bits wide, so they start again at zero after 4,294,967,295.
//!
//! Traps: there is no header, so the count of columns tells the kernel; before 5.10 nothing says which CPU a line is of: the
//! line's number is right unless a CPU is offline.

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// One CPU's counters; `None` where the kernel has no such column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The CPU's number.
    pub cpu: u64,
    /// Packets processed.
    pub processed: u64,
    /// Packets dropped.
    pub dropped: u64,
    /// Times the budget or the time ran out with work left.
    pub times_squeezed: u64,
    /// Times a device's transmit lock was held by another CPU.
    pub cpu_collision: u64,
    /// Times another CPU woke this one to receive.
    pub received_rps: Option<u64>,
    /// Packets dropped by the flow limit.
    pub flow_limit_count: Option<u64>,
    /// Packets in the backlog now.
    pub backlog_len: Option<u64>,
}

/// The CPUs of one file.
pub struct Rows<'a> {
    lines: Lines<'a>,
    /// The first line's count of columns, which the others must have too.
    columns: Option<usize>,
    /// The CPU of the line before; the kernel goes through them in ascending order.
    before: Option<u64>,
}

const COLUMNS: &str = "nine or more columns, as many as in the first line";

const ASCENDING: &str = "a higher number than in the line before";

/// The names of the columns, as errors tell them.
const NAMES: [&str; 13] = [
    "processed",
    "dropped",
    "time_squeeze",
    "unused",
    "unused",
    "unused",
    "unused",
    "unused",
    "cpu_collision",
    "received_rps",
    "flow_limit_count",
    "backlog_len",
    "cpu",
];

/// Reads the file line by line.
///
/// # Errors
/// When it is empty: it has no header, but there is always a CPU online.
pub fn rows(bytes: &[u8]) -> Result<Rows<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "columns", COLUMNS, bytes));
    }
    Ok(Rows {
        lines: lines(bytes),
        columns: None,
        before: None,
    })
}

impl Rows<'_> {
    fn row(&mut self, mut line: Line<'_>) -> Result<Row, ParseError> {
        let mut values = [0; NAMES.len()];
        let mut count = 0;
        while let Some(word) = line.word() {
            let name = NAMES.get(count).copied().unwrap_or("column");
            let value = super::hex(word).ok_or_else(|| line.error(name, super::HEX, word))?;
            if let Some(place) = values.get_mut(count) {
                *place = value;
            }
            count += 1;
        }
        if count < 9 || *self.columns.get_or_insert(count) != count {
            return Err(line.error("columns", COLUMNS, line.text()));
        }
        let [
            processed,
            dropped,
            times_squeezed,
            ..,
            cpu_collision,
            rps,
            limit,
            backlog,
            cpu,
        ] = values;
        let cpu = if count >= 13 {
            cpu
        } else {
            line.number() as u64 - 1
        };
        if self.before.is_some_and(|before| cpu <= before) {
            let found = cpu.to_string();
            return Err(line.error("cpu", ASCENDING, found.as_bytes()));
        }
        self.before = Some(cpu);
        Ok(Row {
            cpu,
            processed,
            dropped,
            times_squeezed,
            cpu_collision,
            received_rps: (count >= 10).then_some(rps),
            flow_limit_count: (count >= 11).then_some(limit),
            backlog_len: (count >= 13).then_some(backlog),
        })
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.and_then(|line| self.row(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11, with CPU 1 of 4 offline; figures that tell the columns apart.
    const SAMPLE: &[u8] = b"\
00000014 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
000020de 00000002 00000003 00000000 00000000 00000000 00000000 00000000 00000009 0000000a 0000000b 0000000c 00000002 0000000e 0000000f
";

    fn read(bytes: &[u8]) -> Result<Vec<Row>, ParseError> {
        rows(bytes)?.collect()
    }

    fn cut_to(columns: usize) -> Vec<u8> {
        let text = std::str::from_utf8(SAMPLE).expect("ASCII");
        let lines = text.lines().map(|line| {
            let words: Vec<&str> = line.split(' ').take(columns).collect();
            words.join(" ") + "\n"
        });
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        assert_eq!((found[0].cpu, found[0].processed), (0, 20));
        assert_eq!(
            found[1],
            Row {
                cpu: 2,
                processed: 8414,
                dropped: 2,
                times_squeezed: 3,
                cpu_collision: 9,
                received_rps: Some(10),
                flow_limit_count: Some(11),
                backlog_len: Some(12),
            }
        );
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn columns_that_a_kernel_lacks_are_not_zero() {
        for (columns, expected) in [
            (9, (1, None, None, None)),
            (10, (1, Some(10), None, None)),
            (11, (1, Some(10), Some(11), None)),
            (13, (2, Some(10), Some(11), Some(12))),
            (15, (2, Some(10), Some(11), Some(12))),
        ] {
            let bytes = cut_to(columns);
            let row = read(&bytes).expect("rows")[1];
            let found = (
                row.cpu,
                row.received_rps,
                row.flow_limit_count,
                row.backlog_len,
            );
            assert_eq!(found, expected, "{columns} columns");
            hostile::survive(&bytes, read);
        }
    }

    #[test]
    fn short() {
        let error = read(&cut_to(8)).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err(
                "1: columns: expected nine or more columns, as many as in the first line, \
                found \"00000014 00000000 00000000 00000000 0000…\""
                    .to_string()
            )
        );
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| (error.line, error.field.into_owned()));
        assert_eq!(error, Err((1, "columns".to_string())));
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((2, "a line feed at its end")));
    }

    #[test]
    fn lines_of_different_kernels_are_an_error() {
        let mut bytes = cut_to(13);
        bytes.extend_from_slice(&cut_to(11));
        let error = read(&bytes).map_err(|error| error.line);
        assert_eq!(error, Err(3));
    }

    #[test]
    fn an_error_names_the_column() {
        let bytes = String::from_utf8_lossy(SAMPLE).replace("0000000a", "0000000g");
        let error = read(bytes.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("2: received_rps: expected a hexadecimal number, found \"0000000g\"".to_string())
        );
    }
}
