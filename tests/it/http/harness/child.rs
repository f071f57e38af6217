//! A server in a process of its own, and what can be seen of it from outside.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::OPTIONS;
use super::Options;
use super::within;

/// A server in a process of its own.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
    /// Reads what it says, so that it never has to wait for that.
    said: Option<thread::JoinHandle<String>>,
}

/// What can be seen of a process from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    /// Without the pages of the program's own file, which come in as its parts are first used.
    pub(crate) own_kib: usize,
}

impl Child {
    pub(crate) fn spawn(options: Options) -> Self {
        let told = format!(
            "{} {} {} {} {}",
            options.size,
            u8::from(options.fresh),
            options.read.as_millis(),
            options.write.as_millis(),
            options.cost.as_millis()
        );
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--exact", "http::harness::served_for_another_test"])
            .args(["--nocapture", "--test-threads=1"])
            .env(OPTIONS, told);
        Self::run(command, |line| line.strip_prefix("listening "))
    }

    pub(crate) fn run(mut command: Command, address: impl Fn(&str) -> Option<&str>) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut stderr = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            let count = stderr.read_line(&mut line).expect("UTF-8");
            assert!(count > 0, "it ended before it listened");
            if let Some(address) = address(line.trim_end()).and_then(|text| text.parse().ok()) {
                break address;
            }
        };
        let said = thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            said
        });
        Self {
            process,
            address,
            said: Some(said),
        }
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.process)
    }

    /// For how long its threads could have run and were not let, since it started.
    pub(crate) fn waited(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let tasks = tasks.expect("the server lives").filter_map(Result::ok);
        tasks.map(|task| waited(&task.path())).sum()
    }

    pub(crate) fn footprint(&self) -> Footprint {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("the server lives");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        Footprint {
            threads: field("Threads:"),
            descriptors: descriptors.expect("the server lives").count(),
            own_kib: field("RssAnon:"),
        }
    }

    /// The footprint after a first answer; its connection may be closing still, so that one descriptor is too many.
    pub(crate) fn settled(&self, scrape: impl FnOnce(&Self)) -> Footprint {
        scrape(self);
        self.footprint()
    }

    /// Closes its standard input and waits for its end, which must be in order.
    pub(crate) fn stop(mut self) {
        drop(self.process.stdin.take());
        // How soon a signal ends it is told in process.rs; here the machine may be busy.
        self.ended_within(Duration::from_secs(20));
    }

    /// Waits for its end, which must be in order; says what it wrote to its standard error since it listened.
    pub(crate) fn ended_within(&mut self, limit: Duration) -> String {
        let ended = within(limit, || {
            self.process.try_wait().expect("a child").is_some()
        });
        assert!(ended, "the server does not stop");
        let status = self.process.wait().expect("a child");
        assert!(status.success(), "{status}");
        let said = self.said.take().map(|said| said.join().expect("UTF-8"));
        said.unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// For how long a thread, by its directory in /proc, could have run and was not let, since it started (proc(5), schedstat).
/// Zero where the kernel does not count that.
pub(crate) fn waited(task: &Path) -> Duration {
    let told = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let waited = told.split(' ').nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(waited.unwrap_or(0))
}
