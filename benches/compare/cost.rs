//! What a process costs: the CPU time of its threads, in nanoseconds, and its memory.

use std::fs;
use std::io;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::WaitId;
use rustix::process::WaitIdOptions;

/// A process that is ended, by its id, when it goes out of scope.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing to do about a process that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The CPU time that a process has used so far: the sum over its threads of the first figure of their `schedstat`,
/// which counts nanoseconds where `stat` counts ticks of 10 ms. It stays readable until the process is waited for.
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split(' ').next().and_then(|word| word.parse().ok());
        total += first.unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

/// A figure of `/proc/PID/status`: kilobytes for memory, a number for `Threads`.
pub(crate) fn status(pid: u32, key: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    text.lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .find_map(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/status has no {key}")))
}

/// Runs programs connected by pipes, the last one's output thrown away, and gives the CPU time of all of them. They are
/// started directly, without a shell: what a shell would cost on top is to their advantage.
pub(crate) fn pipeline(programs: &[&[&str]]) -> io::Result<Duration> {
    let mut running: Vec<Process> = Vec::new();
    for (position, program) in programs.iter().enumerate() {
        let (name, arguments) = program
            .split_first()
            .ok_or_else(|| io::Error::other("an empty command"))?;
        let input = running
            .last_mut()
            .and_then(|previous| previous.0.stdout.take())
            .map_or_else(Stdio::null, Stdio::from);
        let last = position + 1 == programs.len();
        let child = Command::new(name)
            .args(arguments)
            .stdin(input)
            .stdout(if last { Stdio::null() } else { Stdio::piped() })
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        running.push(Process(child));
    }
    let mut total = Duration::ZERO;
    for process in &running {
        // WNOWAIT leaves the ended process in the table, so that its CPU time can still be read.
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process id out of range"))?;
        rustix::process::waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        total += cpu(process.id())?.max(ticks(process.id())?);
    }
    Ok(total)
}

/// User and system time in ticks of 10 ms, which counts threads that have ended too (sort's, for long inputs;
/// weir's, which goes into other network namespaces).
pub(crate) fn ticks(pid: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Fields 14 and 15; the second one, the name, may hold spaces.
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}
