//! The text file against what reads it and what breaks it: node_exporter, promtool, a full and a read-only file system, and
//! SIGKILL.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::net::AddressFamily;
use rustix::net::SocketType;
use rustix::net::bind;
use rustix::net::connect;
use rustix::net::socket;
use rustix::process::Signal;

use crate::client;
use crate::connections::INPUT;
use crate::connections::OUTPUT;
use crate::promtool::complaints;
use crate::running::Directory;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::free_address;
use crate::running::installed;
use crate::running::scrape;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

const NODE_EXPORTER: &str = "/usr/bin/prometheus-node-exporter";

/// Every collector of weir's that is off by default and needs nothing.
const MORE: &[&str] = &[
    "connections",
    "lnstat",
    "network_route",
    "qdisc",
    "textfile",
    "xfrm",
];

/// Kills in each of the two ways of running.
const ROUNDS: u32 = 40;

fn file(directory: &Path) -> PathBuf {
    directory.join("weir.prom")
}

fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    Page::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A weir without a server that writes into the directory.
fn writing(directory: &Path, arguments: &[&str]) -> Process {
    let child = Command::new(WEIR)
        .arg("--web.listen-address=")
        .arg(format!("--textfile.output={}", directory.display()))
        .args(["--textfile.interval=100ms", "--collect.interval=100ms"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Process(child.unwrap())
}

/// A file with rates, which the second tick brings, of a weir that has ended.
fn written(directory: &Path, more: &[&str]) -> Page {
    let on: Vec<_> = MORE
        .iter()
        .map(|name| format!("--collector.{name}"))
        .collect();
    let mut arguments: Vec<_> = on.iter().map(String::as_str).collect();
    let own = format!("--collector.textfile.directory={}", directory.display());
    arguments.push(&own);
    arguments.extend(more);
    let mut weir = writing(directory, &arguments);
    wait_until("rates", || {
        fs::read_to_string(file(directory)).is_ok_and(|text| text.contains("_per_second{"))
    });
    weir.signal(Signal::TERM);
    assert_eq!(weir.code_within(Duration::from_secs(1)), Some(0));
    page(&file(directory))
}

/// A connection on loopback between an address and itself that no other run of this test has.
struct Connection {
    address: Ipv4Addr,
    _listener: TcpListener,
    _client: OwnedFd,
}

impl Connection {
    fn open() -> Self {
        // Process numbers have 22 bits.
        let [_, a, b, c] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 64 | a, b, c);
        let listener = TcpListener::bind((address, 0)).unwrap();
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        // Else the kernel would give 127.0.0.1 to it.
        bind(&client, &SocketAddr::from((address, 0))).unwrap();
        connect(&client, &listener.local_addr().unwrap()).unwrap();
        Self {
            address,
            _listener: listener,
            _client: client,
        }
    }
}

#[test]
fn node_exporter_serves_all_of_it_and_nothing_twice() {
    if !Path::new(NODE_EXPORTER).exists() {
        return skip("prometheus-node-exporter is not installed");
    }
    let directory = Directory::new();
    let connection = Connection::open();
    let address = connection.address.to_string();
    let ours = written(
        &directory.0,
        &[
            "--collector.connections.exclude=",
            &format!("--collector.connections.include={address}/32"),
        ],
    );
    drop(connection);
    let ends = [
        ("dest_ip", address.as_str()),
        ("src_ip", &address),
        ("peer_hostname", ""),
    ];
    for family in [INPUT, OUTPUT] {
        assert_eq!(ours.value(family, &ends), Some(1.0), "{family}");
    }
    let address = free_address();
    let child = Command::new(NODE_EXPORTER)
        .arg(format!("--web.listen-address={address}"))
        .arg(format!(
            "--collector.textfile.directory={}",
            directory.0.display()
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _node_exporter = Process(child.unwrap());
    wait_until("node_exporter", || {
        client::get(&address, "/health").is_ok_and(|answer| answer.status != 0)
    });
    // An error of its registry, such as a family told twice, is a 500 here.
    let there = scrape(&address);
    assert_eq!(there.value("node_textfile_scrape_error", &[]), Some(0.0));
    let path = file(&directory.0);
    let mtime = there.value(
        "node_textfile_mtime_seconds",
        &[("file", path.to_str().unwrap())],
    );
    assert!(mtime.is_some_and(|time| time > 1.0), "{mtime:?}");
    for (name, family) in &ours.families {
        let Some(served) = there.families.get(name) else {
            panic!("{name}: not served");
        };
        assert_eq!(served.kind, family.kind, "{name}");
        assert_eq!(served.help, family.help, "{name}");
        assert_eq!(served.samples, family.samples, "{name}");
    }
    assert!(ours.families.len() > 20, "{}", ours.families.len());
    // Its own process is still there, and ours is not in the file.
    assert!(there.families.contains_key("process_cpu_seconds_total"));
}

#[test]
fn promtool_has_nothing_to_say_about_it() {
    if !installed("promtool") {
        return skip("promtool is not installed");
    }
    let directory = Directory::new();
    written(&directory.0, &[]);
    assert_eq!(complaints(&fs::read(file(&directory.0)).unwrap()), [""; 0]);
}

/// A weir in a mount namespace whose directory is a small tmpfs, seen from here through /proc/PID/root.
struct Small {
    weir: Weir,
    directory: PathBuf,
    outside: Directory,
}

impl Small {
    fn start() -> Result<Self, String> {
        let may = Command::new("unshare").args(["-m", "true"]).output();
        if !may.is_ok_and(|output| output.status.success()) || !installed("nsenter") {
            return Err("no mount namespace".to_string());
        }
        let outside = Directory::new();
        let script = "mount -t tmpfs -o size=128k weir \"$1\" && exec \"$0\" --web.listen-address=127.0.0.1:0 \
            --textfile.output=\"$1\" --textfile.interval=100ms";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, WEIR]);
        let weir = Weir::launch(command.arg(&outside.0));
        let root = PathBuf::from(format!("/proc/{}/root", weir.process.0.id()));
        let below = outside.0.strip_prefix("/").unwrap();
        Ok(Self {
            directory: root.join(below),
            weir,
            outside,
        })
    }

    fn value(&self, name: &str) -> f64 {
        self.weir.scrape().value(name, &[]).unwrap_or(0.0)
    }

    fn errors(&self) -> f64 {
        self.value("weir_textfile_write_errors_total")
    }

    fn remount(&self, how: &str) {
        let id = self.weir.process.0.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &id, "-m", "mount", "-o", &format!("remount,{how}")]);
        command.arg(&self.outside.0);
        // Busy while weir has its file open for writing.
        wait_until("mount", || command.output().unwrap().status.success());
    }

    /// Waits until it fails `more` times, during which the file is what it was; then `heal`s it and waits for a new one.
    fn breaks(&self, words: &str, heal: impl FnOnce()) {
        let before = fs::read(file(&self.directory)).unwrap();
        let errors = self.errors();
        wait_until("errors", || self.errors() >= errors + 5.0);
        assert_eq!(fs::read(file(&self.directory)).unwrap(), before, "{words}");
        assert!(!self.directory.join("weir.prom.tmp").exists(), "{words}");
        heal();
        let written = self.value("weir_textfile_last_write_timestamp_seconds");
        wait_until("a new file", || {
            self.value("weir_textfile_last_write_timestamp_seconds") > written
        });
        page(&file(&self.directory));
        // One line for each of the two, however often it failed.
        let told: Vec<_> = self.weir.log.try_iter().collect();
        let told: Vec<_> = told
            .iter()
            .filter(|line| line.contains("text file") && !line.contains("writing"))
            .collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(words), "{told:?}");
        assert!(told[1].contains("is written again"), "{told:?}");
    }
}

#[test]
fn a_full_or_read_only_file_system_is_told_once_and_heals() {
    let small = match Small::start() {
        Ok(small) => small,
        Err(reason) => return skip(&reason),
    };
    wait_until("a first file", || file(&small.directory).exists());
    let filler = small.directory.join("filler");
    let mut full = fs::File::create(&filler).unwrap();
    // It is written in between, and takes back what was free for a moment.
    let mut left = 1000;
    while left > 0 && (small.errors() < 1.0) {
        while full.write_all(&[0; 4096]).is_ok() {}
        left -= 1;
    }
    drop(full);
    small.breaks("No space left on device", || {
        fs::remove_file(&filler).unwrap();
    });
    small.remount("ro");
    small.breaks("Read-only file system", || small.remount("rw"));
}

/// The families and how many series each has: what is the same for each page of a captured host.
fn shape(page: &Page) -> Vec<(String, usize)> {
    let families = page.families.iter();
    families
        .filter(|(name, _)| name.as_str() != "weir_textfile_last_write_timestamp_seconds")
        .map(|(name, family)| (name.clone(), family.samples.len()))
        .collect()
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_file() {
    let directory = Directory::new();
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts");
    let host = fs::read_dir(host).unwrap().next().unwrap().unwrap().path();
    let procfs = format!("--path.procfs={}/proc", host.display());
    let sysfs = format!("--path.sysfs={}/sys", host.display());
    // Rates come and go with the second tick.
    let flags = [&procfs, &sysfs, "--no-collector.throughput"];
    let once = || writing(&directory.0, &[&flags[..], &["--once"]].concat());
    let begin = Instant::now();
    let code = once().code_within(Duration::from_secs(20));
    let whole = begin.elapsed();
    assert_eq!(code, Some(0));
    let expected = shape(&page(&file(&directory.0)));
    let temporary = directory.0.join("weir.prom.tmp");
    let mut left_behind = 0;
    let mut killed = |process: Process, wait: &dyn Fn()| {
        wait();
        drop(process);
        assert_eq!(shape(&page(&file(&directory.0))), expected);
        left_behind += u32::from(temporary.exists());
    };
    for round in 0..ROUNDS {
        // From its start to a little after its end.
        let after = whole * round / (ROUNDS - 4);
        killed(once(), &|| thread::sleep(after));
    }
    for _ in 0..ROUNDS {
        // As soon as something changes: while it writes, if the other processor is quick enough.
        let _ = fs::remove_file(&temporary);
        let seen = || {
            let found = fs::metadata(file(&directory.0));
            found.ok().map(|found| (found.ino(), found.len()))
        };
        let before = seen();
        let begin = Instant::now();
        let changes = || {
            while !temporary.exists() && seen() == before && begin.elapsed() < 20 * whole {}
        };
        killed(writing(&directory.0, &flags), &changes);
    }
    println!("{left_behind} kills left a temporary file");
    assert_eq!(once().code_within(Duration::from_secs(20)), Some(0));
    assert!(!temporary.exists());
}
