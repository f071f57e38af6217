//! What the tests start and make on this machine. All of it ends with its owner, also when a test fails: processes by
//! their id, namespaces and directories by names that only this run uses.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;

use crate::client;
use crate::client::Client;
use crate::text::Page;

/// Longer than anything that these tests wait for takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The program under test.
pub(crate) const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// A name that no other test and no other run has.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("weirlive{}x{count}", std::process::id())
}

/// A child that is ended, by its id, with its owner.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The exit code, waited for until `limit`.
    pub(crate) fn code_within(&mut self, limit: Duration) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory below the system's temporary one.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(unique());
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A named network namespace, with /sys of its own for what is started in it.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// Makes one with loopback up and IPv6 off, so that nothing is sent in it but what a test sends.
    ///
    /// # Errors
    /// With the reason, where this is not allowed.
    pub(crate) fn new() -> Result<Self, String> {
        let name = unique();
        let made = Command::new("ip")
            .args(["netns", "add", &name])
            .output()
            .map_err(|error| format!("ip: {error}"))?;
        if !made.status.success() {
            let reason = String::from_utf8_lossy(&made.stderr);
            return Err(format!("no network namespace: {}", reason.trim()));
        }
        let namespace = Self { name };
        namespace.run("sysctl", ["-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
        namespace.ip("link set lo up");
        Ok(namespace)
    }

    /// A command to be run inside.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Connects to a server inside; the connection may be used from anywhere.
    pub(crate) fn connect(&self, address: &str) -> io::Result<Client<TcpStream>> {
        self.inside(|| Client::connect(address))
    }

    /// Runs `body` in a thread of its own inside. Sockets made there stay inside.
    pub(crate) fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let namespace = fs::File::open(Path::new("/run/netns").join(&self.name)).unwrap();
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), kind).unwrap();
                body()
            });
            inside.join().unwrap()
        })
    }

    /// Runs `ip` inside with these words.
    pub(crate) fn ip(&self, words: &str) {
        self.run("ip", words.split_whitespace());
    }

    /// Captures what weir reads of it; given to weir as `--path.procfs` and `--path.sysfs`, the kernel is asked nothing.
    pub(crate) fn capture(&self) -> (Directory, [String; 2]) {
        let directory = Directory::new();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/capture.sh");
        self.run("sh", [script.as_ref(), directory.0.as_os_str()]);
        let root = directory.0.display();
        let paths = [
            format!("--path.procfs={root}/proc"),
            format!("--path.sysfs={root}/sys"),
        ];
        (directory, paths)
    }

    /// Runs a program inside and gives what it wrote.
    pub(crate) fn run<I: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = I>,
    ) -> Vec<u8> {
        success(
            self.command(program).args(arguments).output().unwrap(),
            program,
        )
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .stdin(Stdio::null())
            .status();
    }
}

/// What a program wrote, once it has succeeded.
pub(crate) fn success(output: Output, program: &str) -> Vec<u8> {
    assert!(
        output.status.success(),
        "{program}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Whether a program is installed.
pub(crate) fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    }) || ["/usr/sbin", "/sbin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).is_file())
}

/// A weir that listens.
pub(crate) struct Weir {
    pub(crate) process: Process,
    /// `HOST:PORT`, or `unix:PATH`.
    pub(crate) address: String,
    /// What it logs from then on.
    pub(crate) log: mpsc::Receiver<String>,
}

impl Weir {
    /// Starts it on a free port of 127.0.0.1.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(WEIR);
        command.arg("--web.listen-address=127.0.0.1:0");
        Self::launch(command.args(arguments))
    }

    /// Starts a prepared command and waits until its log tells the address.
    pub(crate) fn launch(command: &mut Command) -> Self {
        Self::launch_with(command, Stdio::null())
    }

    /// The same with a standard input.
    pub(crate) fn launch_with(command: &mut Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let process = Process(child);
        let (tell, told) = mpsc::channel();
        // The log is read to its end, so that a full pipe never stops the program.
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut seen = String::new();
        loop {
            let line = told
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("weir did not say where it listens:\n{seen}"));
            if line.contains("listening")
                && let Some((_, address)) = line.split_once("address=")
            {
                let address = address
                    .split(' ')
                    .next()
                    .unwrap()
                    .trim_matches('"')
                    .to_string();
                return Self {
                    process,
                    address,
                    log: told,
                };
            }
            seen.push_str(&line);
            seen.push('\n');
        }
    }

    pub(crate) fn scrape(&self) -> Page {
        scrape(&self.address)
    }
}

/// One scrape of `/metrics`, which must be well-formed.
pub(crate) fn scrape(address: &str) -> Page {
    let answer = client::get(address, "/metrics").unwrap();
    assert_eq!(answer.status, 200, "{address}");
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.fields["content-type"], kind);
    let text = answer.text().unwrap();
    Page::parse(text).unwrap_or_else(|error| panic!("{address}: {error}\n{text}"))
}

/// Asks until something answers.
pub(crate) fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < 2 * PATIENCE, "waited for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A port of 127.0.0.1 that was free a moment ago, for programs that cannot tell which one they took.
pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// For how long a thread, by its directory in /proc, could have run and others were let run instead, since it started (proc(5),
/// schedstat).
pub(crate) fn waited(task: &Path) -> Duration {
    let told = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let waited = told.split(' ').nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(waited.unwrap_or(0))
}
