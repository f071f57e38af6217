//! The real program with `--config.file`: SIGHUP, and `--check-config`.

use std::fs;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::harness::Child;
use super::harness::get;
use super::harness::within;
use crate::tree::Copy;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const SUCCESSFUL: &str = "weir_config_last_reload_successful";
const TIMESTAMP: &str = "weir_config_last_reload_success_timestamp_seconds";

/// A program with a file of its own.
struct Weir {
    child: Child,
    directory: Copy,
}

impl Weir {
    fn start(text: &str) -> Self {
        let directory = Copy::of_nothing();
        directory.write(Path::new("weir.yml"), text.as_bytes());
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg(format!(
            "--config.file={}/weir.yml",
            directory.root.display()
        ));
        let child = Child::run(command, listening);
        Self { child, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.root.join("weir.yml")
    }

    /// Another file under the name, whole at every moment.
    fn replace(&self, text: &str) {
        let new = self.directory.root.join("new");
        fs::write(&new, text).expect("written");
        fs::rename(new, self.path()).expect("renamed");
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.child.pid(), signal).expect("sent");
    }

    /// Another file, read.
    fn reload(&self, text: &str) {
        let before = self.value(TIMESTAMP);
        self.replace(text);
        self.signal(Signal::HUP);
        let read = || self.value(TIMESTAMP) != before;
        assert!(within(PATIENCE, read), "not read again:\n{text}");
    }

    fn page(&self) -> String {
        page(self.child.address)
    }

    fn value(&self, name: &str) -> Option<f64> {
        value(&self.page(), name)
    }

    /// Ends it; what it said since it listened.
    fn said(mut self) -> String {
        self.signal(Signal::TERM);
        self.child.ended_within(PATIENCE)
    }
}

fn listening(line: &str) -> Option<&str> {
    let address = line.split_once("address=")?.1;
    line.contains("msg=\"listening\"")
        .then(|| address.split(' ').next())?
}

fn page(address: SocketAddr) -> String {
    let reply = get(address, "/metrics", "");
    assert_eq!(reply.code, 200, "{}", reply.text());
    reply.text()
}

fn value(page: &str, name: &str) -> Option<f64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

const ADDRESS: &str = "web.listen-address: 127.0.0.1:0\n";

#[test]
fn no_scrape_fails_and_no_rate_is_lost_in_fifty_reloads() {
    let text = |round: u32| {
        let interval = "collect.interval: 100ms\n";
        let levels = ["info", "debug"];
        let level = levels[round as usize % 2];
        format!(
            "{ADDRESS}{interval}log.level: {level}\ncollector.loadavg: {}\nlimit.devices: {}\n",
            round.is_multiple_of(2),
            1000 + round
        )
    };
    let weir = Weir::start(&text(0));
    let rates = |page: &str| page.contains("weir_network_receive_bytes_per_second{");
    assert!(within(PATIENCE, || rates(&weir.page())), "no rates");
    let stop = Arc::new(AtomicBool::new(false));
    let scrapers: Vec<_> = (0..3)
        .map(|_| {
            let (address, stop) = (weir.child.address, Arc::clone(&stop));
            thread::spawn(move || {
                let (mut pages, mut ticks) = (0, 0.0);
                while !stop.load(Ordering::Relaxed) {
                    let page = page(address);
                    assert!(
                        page.contains("weir_network_receive_bytes_per_second{"),
                        "{page}"
                    );
                    let now = value(&page, "weir_ticks_total").expect("ticks");
                    assert!(now >= ticks, "counters go on");
                    ticks = now;
                    pages += 1;
                }
                pages
            })
        })
        .collect();
    for round in 1..=50 {
        weir.reload(&text(round));
        assert_eq!(
            weir.page().contains("node_load1 "),
            round.is_multiple_of(2),
            "round {round}"
        );
    }
    stop.store(true, Ordering::Relaxed);
    for scraper in scrapers {
        assert!(scraper.join().expect("every scrape succeeds") > 50);
    }
    let page = weir.page();
    assert_eq!(value(&page, SUCCESSFUL), Some(1.0));
    assert_eq!(
        value(&page, "weir_http_connections_evicted_total"),
        Some(0.0)
    );
    let said = weir.said();
    assert!(
        !said.contains("level=error") && !said.contains("level=warn"),
        "{said}"
    );
    assert_eq!(
        said.matches("msg=\"configuration read again\"").count(),
        50,
        "{said}"
    );
}

#[test]
fn a_broken_file_changes_nothing_until_it_is_mended() {
    let weir = Weir::start(&format!(
        "{ADDRESS}limit.devices: 5\ncollector.loadavg: false\n"
    ));
    let before = weir.value(TIMESTAMP).expect("a time");
    assert_eq!(weir.value(SUCCESSFUL), Some(1.0));
    weir.replace(&format!(
        "{ADDRESS}limit.devices: 5\ncollector.loadavg: maybe\nx: y\n"
    ));
    weir.signal(Signal::HUP);
    assert!(
        within(PATIENCE, || weir.value(SUCCESSFUL) == Some(0.0)),
        "it is taken"
    );
    let page = weir.page();
    assert_eq!(value(&page, TIMESTAMP), Some(before));
    assert!(!page.contains("node_load1 "));
    // Gone is as wrong as broken.
    fs::remove_file(weir.path()).expect("removed");
    weir.signal(Signal::HUP);
    weir.replace(&format!("{ADDRESS}collector.loadavg: true\n"));
    weir.signal(Signal::HUP);
    assert!(
        within(PATIENCE, || weir.value(SUCCESSFUL) == Some(1.0)),
        "it is not taken"
    );
    let page = weir.page();
    assert!(value(&page, TIMESTAMP) > Some(before) && page.contains("node_load1 "));
    let path = weir.path().display().to_string();
    let said = weir.said();
    let why = format!(
        "level=error msg=\"configuration is wrong, the old one stays\" err=\"{path}:3:20: collector.loadavg: expected true or false, \
         found \\\"maybe\\\" (and 1 more)\""
    );
    assert!(said.contains(&why), "{said}");
}

#[test]
fn what_needs_a_restart_is_told_and_stays() {
    let weir = Weir::start(ADDRESS);
    weir.reload("web.listen-address: 127.0.0.1:1\nlog.format: json\ncollector.loadavg: false\n");
    assert!(!weir.page().contains("node_load1 "), "the rest is taken");
    weir.replace(&format!("{ADDRESS}web.telemetry-path: /elsewhere\n"));
    weir.signal(Signal::HUP);
    let moved = || get(weir.child.address, "/elsewhere", "").code == 200;
    assert!(within(PATIENCE, moved), "the path stays");
    assert_eq!(get(weir.child.address, "/metrics", "").code, 404);
    let said = weir.said();
    let warning = "level=warn msg=\"changed, but only a restart changes it\" flags=\"--web.listen-address --log.format\"\n";
    assert_eq!(said.matches(warning).count(), 1, "{said}");
    assert_eq!(said.matches("level=warn").count(), 1, "{said}");
}

#[test]
fn sighup_without_a_file_does_no_harm() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("--web.listen-address=127.0.0.1:0");
    let mut child = Child::run(command, listening);
    assert!(!page(child.address).contains("weir_config_"));
    for _ in 0..3 {
        rustix::process::kill_process(child.pid(), Signal::HUP).expect("sent");
        page(child.address);
    }
    rustix::process::kill_process(child.pid(), Signal::TERM).expect("sent");
    let said = child.ended_within(PATIENCE);
    assert!(
        said.contains("level=info msg=\"SIGHUP: no --config.file to read again\""),
        "{said}"
    );
}

#[test]
fn the_text_file_moves() {
    let (first, second) = (Copy::of_nothing(), Copy::of_nothing());
    // What may be written is decided at the start otherwise.
    let anywhere = format!("{ADDRESS}sandbox: \"off\"\n");
    let text = |directory: &Copy| {
        format!(
            "{anywhere}textfile.interval: 100ms\ntextfile.output: {}\n",
            directory.root.display()
        )
    };
    let written = |directory: &Copy| directory.root.join("weir.prom").exists();
    let weir = Weir::start(&anywhere);
    weir.reload(&text(&first));
    assert!(within(PATIENCE, || written(&first)), "not begun");
    weir.reload(&text(&second));
    assert!(within(PATIENCE, || written(&second)), "not moved");
    fs::remove_file(first.root.join("weir.prom")).expect("removed");
    weir.reload(&anywhere);
    fs::remove_file(second.root.join("weir.prom")).expect("removed");
    thread::sleep(Duration::from_millis(300));
    assert!(!written(&first) && !written(&second), "it still writes");
    assert_eq!(weir.value("weir_textfile_write_errors_total"), None);
}

fn check(directory: &Copy, text: &str) -> Output {
    directory.write(Path::new("weir.yml"), text.as_bytes());
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(&directory.root)
        .args(["--check-config", "--config.file=weir.yml"])
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn words(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn check_config_says_ok_or_all_that_is_wrong_and_binds_nothing() {
    let directory = Copy::of_nothing();
    // Taken: who binds it fails.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let socket = directory.root.join("weir.sock");
    let text = format!(
        "web.listen-address: [\"{address}\", \"unix:{}\"]\n",
        socket.display()
    );
    let good = check(
        &directory,
        &format!("{text}textfile.output: {}\n", directory.root.display()),
    );
    assert_eq!(
        words(&good),
        (Some(0), "weir.yml: ok\n".to_string(), String::new())
    );
    assert!(!socket.exists() && !directory.root.join("weir.prom").exists());
    let bad = check(
        &directory,
        "limit.devices: x\ncollector.netdev.device-include: \"(\"\nnonesuch: 1\n",
    );
    let (code, stdout, stderr) = words(&bad);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    for (line, begin) in lines
        .iter()
        .zip(["1:16: limit", "2:34: collector", "3:1: nonesuch"])
    {
        assert!(
            line.starts_with(&format!("weir: weir.yml:{begin}")),
            "{line}"
        );
    }
    // A start says the same, and starts nothing.
    let start = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(&directory.root)
        .arg("--config.file=weir.yml")
        .output()
        .expect("it runs");
    assert_eq!(words(&start), (Some(2), String::new(), stderr));
    let flags = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("--check-config")
        .output()
        .expect("it runs");
    assert_eq!(
        words(&flags),
        (Some(0), "flags: ok\n".to_string(), String::new())
    );
}

#[test]
fn once_takes_the_file_too() {
    let directory = Copy::of_nothing();
    directory.write(
        Path::new("weir.yml"),
        b"collector.disable-defaults: true\ncollector.uname: true\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(&directory.root)
        .args(["--once", "--config.file", "weir.yml"])
        .output()
        .expect("it runs");
    let (code, page, _) = words(&output);
    assert_eq!(code, Some(0));
    assert!(
        page.contains("node_uname_info{") && !page.contains("node_load1 "),
        "{page}"
    );
    assert_eq!(value(&page, SUCCESSFUL), Some(1.0), "{page}");
}
