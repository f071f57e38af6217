//! The program's own process (`process_*`), with the names of every Prometheus client library.
//!
//! Memory from /proc/self/statm below the procfs root, read with the procfs crate; a captured tree has none, and then there
//! is no family. CPU time from the kernel's clock for it, which is finer than the ticks of /proc/self/stat; all fields of
//! that file would be 16 kB of program.

use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use procfs::FromRead;
use procfs::process::StatM;

use crate::files::FileError;
use crate::files::Files;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::ParseError;
use crate::parse::float;
use crate::sys::clock::Whose;
use crate::sys::clock::processor_time;

/// The wall clock was set when it moved by more than this against the monotonic one, in seconds.
const CLOCK_STEP: f64 = 1.0;

/// Every family that this file writes.
pub static FAMILIES: &[&Desc] = &[
    &CPU_SECONDS,
    &OPEN_FDS,
    &MAX_FDS,
    &VIRTUAL_BYTES,
    &VIRTUAL_MAX_BYTES,
    &RESIDENT_BYTES,
    &START_SECONDS,
    &THREADS,
];

static CPU_SECONDS: Desc = Desc::counter(
    "process_cpu_seconds_total",
    &[],
    "User and system CPU time of this process in seconds, from clock_gettime(2).",
);
static OPEN_FDS: Desc = Desc::gauge(
    "process_open_fds",
    &[],
    "Open file descriptors of this process, from /proc/self/fd.",
);
static MAX_FDS: Desc = Desc::gauge(
    "process_max_fds",
    &[],
    "The most file descriptors this process may open, from getrlimit(2).",
);
static VIRTUAL_BYTES: Desc = Desc::gauge(
    "process_virtual_memory_bytes",
    &[],
    "Virtual memory of this process in bytes, from /proc/self/statm.",
);
static VIRTUAL_MAX_BYTES: Desc = Desc::gauge(
    "process_virtual_memory_max_bytes",
    &[],
    "The most virtual memory this process may have in bytes, from getrlimit(2); -1 for no limit.",
);
static RESIDENT_BYTES: Desc = Desc::gauge(
    "process_resident_memory_bytes",
    &[],
    "Resident memory of this process in bytes, from /proc/self/statm.",
);
static START_SECONDS: Desc = Desc::gauge(
    "process_start_time_seconds",
    &[],
    "When this process started, in seconds since 1970, by the clock as it is set now.",
);
static THREADS: Desc = Desc::gauge(
    "process_threads",
    &[],
    "Threads of this process, from /proc/self/task.",
);

/// The process since it began.
pub struct Process {
    begun: Instant,
    /// In seconds since 1970; fixed, so that clocks that run apart a little do not look like a restart.
    start: f64,
}

impl Process {
    /// The process begins now.
    #[must_use]
    pub fn begin() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            start: start_seconds(begun),
        }
    }

    /// Writes the process as it is now.
    ///
    /// # Errors
    /// When /proc/self is there but cannot be read.
    pub fn write(&mut self, batch: &mut Batch, files: &Files) -> Result<(), FileError> {
        // A router without a battery starts in 1970 and learns the time later.
        let start = start_seconds(self.begun);
        if (start - self.start).abs() > CLOCK_STEP {
            self.start = start;
        }
        batch_process(batch, files, self.start)
    }
}

/// When the process began by the wall clock as it is set now, in seconds since 1970.
fn start_seconds(begun: Instant) -> f64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.saturating_sub(begun.elapsed()).as_secs_f64()
}

fn batch_process(batch: &mut Batch, files: &Files, start: f64) -> Result<(), FileError> {
    let memory = files.proc("self/statm", |bytes| {
        StatM::from_read(bytes)
            .map_err(|_| ParseError::new(1, "statm", "the fields of proc_pid_statm(5)", bytes))
    })?;
    let Some(memory) = memory else { return Ok(()) };
    let cpu = processor_time(Whose::Process);
    batch.push(&CPU_SECONDS, NO_LABELS, cpu.as_secs_f64());
    if let Some(descriptors) = files.proc_entries("self/fd")? {
        // One of them is the directory being read.
        batch.push(
            &OPEN_FDS,
            NO_LABELS,
            float(descriptors.len().saturating_sub(1) as u64),
        );
    }
    let limit = |resource| rustix::process::getrlimit(resource).current;
    if let Some(files) = limit(rustix::process::Resource::Nofile) {
        batch.push(&MAX_FDS, NO_LABELS, float(files));
    }
    batch.push(
        &VIRTUAL_BYTES,
        NO_LABELS,
        float(memory.size * files.page_size()),
    );
    batch.push(
        &VIRTUAL_MAX_BYTES,
        NO_LABELS,
        limit(rustix::process::Resource::As).map_or(-1.0, float),
    );
    batch.push(
        &RESIDENT_BYTES,
        NO_LABELS,
        float(memory.resident * files.page_size()),
    );
    batch.push(&START_SECONDS, NO_LABELS, start);
    if let Some(threads) = files.proc_entries("self/task")? {
        batch.push(&THREADS, NO_LABELS, float(threads.len() as u64));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn this_process_is_measured() {
        let files =
            Files::open(Path::new("/proc"), Path::new("/sys")).expect("this machine has both");
        let mut batch = Batch::default();
        Process::begin()
            .write(&mut batch, &files)
            .expect("/proc/self is readable");
        let value = |desc: &Desc| {
            let family = batch
                .families()
                .iter()
                .position(|family| family.name == desc.name);
            let of = |family: usize| {
                batch
                    .samples()
                    .iter()
                    .find(|sample| sample.family as usize == family)
            };
            family.and_then(of).map(|sample| sample.value)
        };
        for desc in FAMILIES {
            assert!(value(desc).is_some(), "{}", desc.name);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs_f64();
        let age = now - value(&START_SECONDS).expect("written");
        assert!((-2.0..60.0).contains(&age), "started {age} s ago");
        // Emulators leave it at zero.
        assert!(value(&RESIDENT_BYTES).is_some_and(|bytes| bytes == 0.0 || bytes > 100_000.0));
        assert!(value(&OPEN_FDS) < value(&MAX_FDS));
    }
}
