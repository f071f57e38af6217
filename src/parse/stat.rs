//! `/proc/stat`: what the CPUs spent their time on since the machine booted, and what the kernel counted meanwhile.
//!
//! Documented in proc_stat(5); written by `show_stat` in the kernel's fs/proc/stat.c, since 1.0. From a virtual machine on
//! 6.18, the line of interrupts cut:
//!
//! ```text
//! cpu  7086 15517 7944 305384 579 0 103 39 0 0
//! cpu0 3199 7081 3355 154536 108 0 14 16 0 0
//! cpu1 3886 8436 4589 150848 471 0 88 22 0 0
//! intr 415192 0 0 1 13 84589
//! ctxt 677615
//! btime 1795229640
//! processes 18156
//! procs_running 2
//! procs_blocked 0
//! softirq 260310 0 35243 29 16204 84589 0 183 55295 0 68767
//! ```
//!
//! | columns of a CPU | kernel | what |
//! |---|---|---|
//! | 1 to 4 | 1.0 | user, nice, system, idle |
//! | 5, 6, 7 | 2.6.0 | iowait, irq, softirq |
//! | 8 | 2.6.11 | steal |
//! | 9 | 2.6.24 | guest, counted in user too |
//! | 10 | 2.6.33 | guest_nice, counted in nice too |
//!
//! Units: hundredths of a second (USER_HZ, on every machine that Rust builds for); `btime` in seconds since 1970; the rest are counts.
//!
//! Traps: idle and iowait of a CPU may go back a little; a CPU that is offline has no line; `intr` begins with the sum and
//! has a number for each interrupt there could be, thousands on a large machine.

use super::Line;
use super::Lines;
use super::ParseError;
use super::decimal;
use super::lines;

/// The ticks of a second.
pub const USER_HZ: f64 = 100.0;

/// How many columns of a CPU are known.
pub const COLUMNS: usize = 10;

/// The columns, as errors name them.
const NAMES: [&str; COLUMNS] = [
    "user",
    "nice",
    "system",
    "idle",
    "iowait",
    "irq",
    "softirq",
    "steal",
    "guest",
    "guest_nice",
];

/// One CPU's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The CPU's number.
    pub number: u64,
    /// Ticks in the order of the columns; `None` where the kernel has no such column.
    pub ticks: [Option<u64>; COLUMNS],
}

/// One count of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Interrupts serviced.
    Interrupts,
    /// Switches from one task to another.
    ContextSwitches,
    /// When the machine booted, in seconds since 1970.
    BootTime,
    /// Processes and threads made.
    Forks,
    /// Tasks that run or could.
    ProcsRunning,
    /// Tasks that wait for a disk.
    ProcsBlocked,
}

/// A line that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A CPU's.
    Cpu(Cpu),
    /// Another one's first number.
    Count(Count, u64),
}

/// The lines of one file that are known, in the kernel's order.
pub struct Entries<'a> {
    lines: Lines<'a>,
    /// The CPU of the line before; the kernel goes through them in ascending order.
    before: Option<u64>,
    /// The counts that were there, a bit each.
    seen: u8,
}

/// Reads the file line by line.
///
/// # Errors
/// When it is empty.
pub fn entries(bytes: &[u8]) -> Result<Entries<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "key", "cpu and its ticks", bytes));
    }
    Ok(Entries {
        lines: lines(bytes),
        before: None,
        seen: 0,
    })
}

impl Entries<'_> {
    fn entry(&mut self, mut line: Line<'_>) -> Result<Option<Entry>, ParseError> {
        let key = line.expect_word("key", "a word")?;
        if let Some(number) = key.strip_prefix(b"cpu").filter(|rest| !rest.is_empty()) {
            return self.cpu(line, number).map(|cpu| Some(Entry::Cpu(cpu)));
        }
        let (count, field) = match key {
            b"intr" => (Count::Interrupts, "intr"),
            b"ctxt" => (Count::ContextSwitches, "ctxt"),
            b"btime" => (Count::BootTime, "btime"),
            b"processes" => (Count::Forks, "processes"),
            b"procs_running" => (Count::ProcsRunning, "procs_running"),
            b"procs_blocked" => (Count::ProcsBlocked, "procs_blocked"),
            // The sum of the CPUs, and what other kernels have.
            _ => return Ok(None),
        };
        let bit = 1 << count as u8;
        if self.seen & bit != 0 {
            return Err(line.error("key", "each key once", key));
        }
        self.seen |= bit;
        Ok(Some(Entry::Count(count, line.expect_decimal(field)?)))
    }

    fn cpu(&mut self, mut line: Line<'_>, number: &[u8]) -> Result<Cpu, ParseError> {
        let number = decimal(number)
            .ok_or_else(|| line.error("cpu", "the number of a CPU behind cpu", number))?;
        if self.before.is_some_and(|before| number <= before) {
            let found = number.to_string();
            let expected = "a higher number than in the line before";
            return Err(line.error("cpu", expected, found.as_bytes()));
        }
        self.before = Some(number);
        let mut ticks = [None; COLUMNS];
        for (place, (ticks, name)) in ticks.iter_mut().zip(NAMES).enumerate() {
            let Some(word) = line.word() else {
                if place < 4 {
                    return Err(line.error(name, super::DECIMAL, b""));
                }
                break;
            };
            let value = decimal(word).ok_or_else(|| line.error(name, super::DECIMAL, word))?;
            *ticks = Some(value);
        }
        Ok(Cpu { number, ticks })
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.lines.next()?;
            match line.and_then(|line| self.entry(line)) {
                Ok(None) => {}
                Ok(Some(entry)) => return Some(Ok(entry)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11; the lines of interrupts cut, figures that tell the columns apart.
    const SAMPLE: &[u8] = b"\
cpu  7086 15517 7944 305384 579 0 103 39 0 0
cpu0 3199 7081 3355 154536 108 5 14 16 7 9
cpu2 3886 8436 4589 150848 471 0 88 22 0 0
intr 415192 0 0 1 13 84589
ctxt 677615
btime 1795229640
processes 18156
procs_running 2
procs_blocked 1
softirq 260310 0 35243 29 16204 84589 0 183 55295 0 68767
";

    fn read(bytes: &[u8]) -> Result<Vec<Entry>, ParseError> {
        entries(bytes)?.collect()
    }

    fn error(bytes: &[u8]) -> String {
        read(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        let cpu = Cpu {
            number: 0,
            ticks: [3199, 7081, 3355, 154_536, 108, 5, 14, 16, 7, 9].map(Some),
        };
        assert_eq!(found[0], Entry::Cpu(cpu));
        assert!(matches!(found[1], Entry::Cpu(Cpu { number: 2, .. })));
        let counts = [
            Entry::Count(Count::Interrupts, 415_192),
            Entry::Count(Count::ContextSwitches, 677_615),
            Entry::Count(Count::BootTime, 1_795_229_640),
            Entry::Count(Count::Forks, 18_156),
            Entry::Count(Count::ProcsRunning, 2),
            Entry::Count(Count::ProcsBlocked, 1),
        ];
        assert_eq!(found[2..], counts);
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn columns_that_a_kernel_lacks_are_not_zero() {
        let Entry::Cpu(cpu) = read(b"cpu0 1 2 3 4 5 6 7 8\n").expect("a kernel 2.6.11")[0] else {
            panic!("no CPU");
        };
        assert_eq!(cpu.ticks[7..], [Some(8), None, None]);
        let Entry::Cpu(cpu) = read(b"cpu0 1 2 3 4\n").expect("a kernel 2.4")[0] else {
            panic!("no CPU");
        };
        assert_eq!(cpu.ticks[3..5], [Some(4), None]);
        assert!(read(b"cpu0 1 2 3 4 5 6 7 8 9 10 11 new\n").is_ok());
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"cpu0 1 2 3\n"),
            "1: idle: expected an unsigned decimal number, found \"\""
        );
        assert_eq!(
            error(b"cpu0 1 2 3 4\nintr\n"),
            "2: intr: expected an unsigned decimal number, found \"\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(error(b""), "1: key: expected cpu and its ticks, found \"\"");
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((10, "a line feed at its end")));
    }

    #[test]
    fn what_stands_twice_is_an_error() {
        assert_eq!(
            error(b"ctxt 1\nctxt 1\n"),
            "2: key: expected each key once, found \"ctxt\""
        );
        assert_eq!(
            error(b"cpu1 1 2 3 4\ncpu1 1 2 3 4\n"),
            "2: cpu: expected a higher number than in the line before, found \"1\""
        );
    }
}
