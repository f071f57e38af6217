//! Much work in little time, while everything that weir looks at changes: interfaces and namespaces come and go, files are
//! rewritten, rotated and lost, the configuration is read again, the page is looked at. Memory, descriptors and threads must
//! stay as they were. So many scrapes as WEIR_SOAK_SCRAPES says; `make soak` says a million.

mod clock;
mod memory;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::client;
use crate::client::Client;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::scrape;
use crate::running::unique;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

/// Scrapes among the ordinary tests.
const SCRAPES: u64 = 200;
/// Scrapes before the first look at what it takes.
const WARM_UP: u64 = 100;
/// Scrapes for each step of everything around: the kernel lets nobody look at interfaces while it removes a namespace.
const PACE: u64 = 10;
/// What memory may grow by after that, in KiB.
const GROWTH_KIB: u64 = 1024;
/// Namespaces that come and go.
const NAMESPACES: usize = 2;

/// What a process takes.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    resident_kib: u64,
    peak_kib: u64,
    /// Resident, without the pages of the program's own file.
    own_kib: u64,
    threads: u64,
    descriptors: u64,
}

impl Footprint {
    fn of(process: &Process) -> Self {
        let id = process.0.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
        };
        Self {
            resident_kib: field("VmRSS:"),
            peak_kib: field("VmHWM:"),
            own_kib: field("RssAnon:"),
            threads: field("Threads:"),
            descriptors: fs::read_dir(format!("/proc/{id}/fd")).unwrap().count() as u64,
        }
    }
}

struct Scene {
    /// Where weir is.
    home: Namespace,
    /// What it is told to look at besides.
    names: Vec<String>,
    directory: Directory,
    process: Process,
    address: String,
    log: Mutex<mpsc::Receiver<String>>,
}

impl Scene {
    fn new() -> Result<Self, String> {
        let home = Namespace::new()?;
        let directory = Directory::new();
        let names: Vec<_> = (0..NAMESPACES).map(|_| unique()).collect();
        fs::create_dir(directory.0.join("text")).unwrap();
        configure(&directory.0, &names, 0);
        write_files(&directory.0, 0);
        let path = directory.0.join("weir.yml");
        // Another build of it, by a path from where cargo runs the tests.
        let program = std::env::var_os("WEIR_SOAK_PROGRAM");
        let mut command = home.command(program.unwrap_or_else(|| WEIR.into()));
        let weir = Weir::launch(command.arg(format!("--config.file={}", path.display())));
        Ok(Self {
            home,
            names,
            directory,
            process: weir.process,
            address: weir.address,
            log: Mutex::new(weir.log),
        })
    }

    /// Scrapes so often, and changes something else now and then meanwhile.
    fn work(&self, scrapes: u64) {
        let (failed, scraped) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let around = scope.spawn(|| {
                let _failure = Failure(&failed);
                for step in 1..=scrapes / PACE {
                    while scraped.load(Ordering::Relaxed) < (step - 1) * PACE {
                        if failed.load(Ordering::Relaxed) {
                            return;
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                    self.step(step);
                }
            });
            self.home.inside(|| {
                let _failure = Failure(&failed);
                self.scrape(scrapes, &failed, &scraped);
            });
            around.join().unwrap();
        });
    }

    /// Half of them on connections that are kept.
    fn scrape(&self, scrapes: u64, failed: &AtomicBool, scraped: &AtomicU64) {
        let mut kept = Client::connect(&self.address).unwrap();
        let mut ticks = 0.0;
        for scrape in 0..scrapes {
            scraped.store(scrape, Ordering::Relaxed);
            if failed.load(Ordering::Relaxed) {
                return;
            }
            if scrape % 100 == 0 {
                kept = Client::connect(&self.address).unwrap();
            }
            let encoding = ["", "Accept-Encoding: gzip\r\n"][usize::from(scrape % 8 == 2)];
            let answer = match scrape % 2 {
                0 => kept.get("/metrics", encoding).unwrap(),
                _ => client::get(&self.address, "/metrics").unwrap(),
            };
            assert_eq!(answer.status, 200);
            if !answer.fields.contains_key("content-encoding") {
                let page = Page::parse(answer.text().unwrap()).unwrap();
                let now = page.value("weir_ticks_total", &[]).unwrap();
                assert!(now >= ticks, "{now} after {ticks}");
                ticks = now;
            }
            if scrape % 10 == 0 {
                for path in ["/", "/api/now", "/health", "/none"] {
                    let answer = kept.get(path, "").unwrap();
                    let expected = if path == "/none" { 404 } else { 200 };
                    assert_eq!(answer.status, expected, "{path}");
                }
            }
        }
    }

    /// Something changes.
    fn step(&self, step: u64) {
        let root = self.directory.0.as_path();
        write_files(root, step);
        self.home.ip(&format!(
            "link add soak{step} type veth peer name peer{step}"
        ));
        self.home.ip(&format!("link set soak{step} up"));
        let name = &self.names[step as usize % NAMESPACES];
        if Path::new("/run/netns").join(name).exists() {
            remove_namespace(name);
        } else {
            let made = Command::new("ip").args(["netns", "add", name]).status();
            assert!(made.unwrap().success());
        }
        if step.is_multiple_of(4) {
            configure(root, &self.names, step);
            self.process.signal(Signal::HUP);
        }
        self.home.ip(&format!("link del soak{step}"));
    }

    /// As at the beginning; what it takes then. What has been going on ends in a while: connections and readers of files have
    /// their own time.
    fn rest(&self) -> Footprint {
        for name in &self.names {
            remove_namespace(name);
        }
        write_files(&self.directory.0, 0);
        configure(&self.directory.0, &self.names, 0);
        self.process.signal(Signal::HUP);
        self.home.inside(|| {
            let scrape = || scrape(&self.address);
            wait_until("the first state of all files", || {
                let page = scrape();
                let read = ["soak_number", "soak_text", "dhcp_lease_count"];
                let read = read.map(|name| page.value(name, &[]));
                read == [Some(0.0), Some(0.0), Some(3.0)]
            });
            for _ in 0..5 {
                scrape();
            }
        });
        Footprint::of(&self.process)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| remove_namespace(name));
    }
}

/// Tells the others when this thread fails, which would else go on to their end.
struct Failure<'a>(&'a AtomicBool);

impl Drop for Failure<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(thread::panicking(), Ordering::Relaxed);
    }
}

/// It may not be there.
fn remove_namespace(name: &str) {
    let _ = Command::new("ip")
        .args(["netns", "del", name])
        .stderr(Stdio::null())
        .status();
}

/// Another file under the name, whole at every moment.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Each file by turns written in place, replaced, cut in the middle of a line, and lost.
fn write_files(root: &Path, step: u64) {
    let leases: String = (0..3 + step % 50)
        .map(|number| format!("0 02:00:00:00:00:{number:02x} 192.0.2.{number} host{number} *\n"))
        .collect();
    let text = format!("# TYPE soak_text gauge\nsoak_text {step}\n");
    let files = [
        ("leases", leases),
        ("number", format!("{step}\n")),
        ("text/soak.prom", text),
    ];
    for (turn, (name, text)) in files.iter().enumerate() {
        let path = root.join(name);
        match (step + turn as u64) % 4 {
            _ if step == 0 => replace(&path, text),
            0 => replace(&path, text),
            1 => fs::write(&path, text).unwrap(),
            2 => fs::write(&path, &text[..text.len() / 2]).unwrap(),
            _ => {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Sound at every other time; a broken one changes nothing.
fn configure(root: &Path, names: &[String], step: u64) {
    let directory = root.display();
    let broken = if step % 8 == 4 { "nonsense: [\n" } else { "" };
    let text = format!(
        "web.listen-address: 127.0.0.1:0
collect.interval: 100ms
netns: [{}]
limit.devices: {}
collector.dhcp.leases: dnsmasq:{directory}/leases
collector.textfile: true
collector.textfile.directory: {directory}/text
collector.sources: true
collector.qdisc: {}
sources:
  - {{metric: soak_number, file: {directory}/number, format: number}}
{broken}",
        names.join(", "),
        1000 + step % 100,
        step % 16 == 8,
    );
    replace(&root.join("weir.yml"), &text);
}

#[test]
fn much_work_costs_nothing_that_stays() {
    let scrapes = match std::env::var("WEIR_SOAK_SCRAPES") {
        Ok(count) => count.parse().expect("WEIR_SOAK_SCRAPES is a number"),
        Err(_) => SCRAPES,
    };
    let scene = match Scene::new() {
        Ok(scene) => scene,
        Err(reason) => return skip(&reason),
    };
    scene.work(WARM_UP);
    let before = scene.rest();
    println!("before: {before:?}");
    scene.work(scrapes);
    let mut after = scene.rest();
    // A thread that reads a file for one who no longer waits ends when it has read it.
    wait_until("threads and descriptors as before", || {
        after = Footprint::of(&scene.process);
        after.threads <= before.threads && after.descriptors <= before.descriptors
    });
    println!("after: {after:?}");
    for (what, before, after) in [
        ("VmRSS", before.resident_kib, after.resident_kib),
        ("VmHWM", before.peak_kib, after.peak_kib),
        ("RssAnon", before.own_kib, after.own_kib),
    ] {
        let growth = after.saturating_sub(before);
        println!("{what}: {before} KiB, {after} KiB after {scrapes} scrapes");
        assert!(growth < GROWTH_KIB, "{what} grew by {growth} KiB");
    }
    let said: Vec<_> = scene.log.lock().unwrap().try_iter().collect();
    let reloads = said.iter().filter(|line| line.contains("read again"));
    assert!(reloads.count() > 1, "{said:?}");
}
