//! The real program with `--textfile.output`, beside its server and without one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::harness::Child;
use super::harness::get;
use super::harness::within;
use crate::tree::Copy;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn weir(arguments: &[&str], output: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments);
    command.arg(format!("--textfile.output={}", output.display()));
    command.args(["--textfile.interval=100ms", "--collect.interval=100ms"]);
    command
}

fn ran(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program without an address, ended with its owner.
struct Silent(std::process::Child);

impl Drop for Silent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The inodes of the sockets that a process has open.
fn sockets(pid: u32) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives");
    let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let names = links.filter_map(|link| {
        let name = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(name.to_string())
    });
    names.collect()
}

#[test]
fn without_an_address_it_only_writes() {
    let output = Copy::of_nothing();
    let file = output.root.join("weir.prom");
    let mut command = weir(&["--web.listen-address="], &output.root);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut child = Silent(child);
    let inode = || fs::metadata(&file).ok().map(|found| found.ino());
    assert!(within(PATIENCE, || inode().is_some()), "no file");
    let rates = || text(&fs::read(&file).expect("the file")).contains("_per_second{");
    assert!(within(PATIENCE, rates), "it is written once only");
    let page = text(&fs::read(&file).expect("the file"));
    assert!(
        page.contains("weir_build_info{") && !page.contains("weir_http_"),
        "{page}"
    );
    // What is left is the pair that signals come through, and netlink.
    let own = sockets(child.0.id());
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let path = format!("/proc/{}/net/{table}", child.0.id());
        let table = fs::read_to_string(path).unwrap_or_default();
        let mut inodes = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(9));
        assert!(!inodes.any(|inode| own.iter().any(|own| own == inode)));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child.0), Signal::TERM)
        .expect("sent");
    let ended = || child.0.try_wait().expect("a child").is_some();
    assert!(within(Duration::from_secs(1), ended), "it goes on");
    assert_eq!(child.0.wait().expect("a child").code(), Some(0));
    let mut said = String::new();
    let mut printed = String::new();
    let (stdout, stderr) = (child.0.stdout.take(), child.0.stderr.take());
    std::io::Read::read_to_string(&mut stdout.expect("a pipe"), &mut printed).expect("UTF-8");
    std::io::Read::read_to_string(&mut stderr.expect("a pipe"), &mut said).expect("UTF-8");
    let begin = format!("msg=\"writing a text file\" path={}", file.display());
    assert!(
        said.contains(&begin) && !said.contains("listening"),
        "{said}"
    );
    assert!(!said.contains("level=error"), "{said}");
    assert_eq!(printed, "");
}

#[test]
fn a_missing_directory_is_told_once_and_heals() {
    let parent = Copy::of_nothing();
    let output = parent.root.join("later");
    let command = weir(&["--web.listen-address=127.0.0.1:0"], &output);
    let mut child = Child::run(command, |line| {
        let line = line.contains("msg=\"listening\"").then_some(line)?;
        line.split_once("address=")?.1.split(' ').next()
    });
    let value = |name: &str| {
        let page = get(child.address, "/metrics", "").text();
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().parse::<f64>().expect("a number"))
    };
    let errors = || value("weir_textfile_write_errors_total ").expect("told");
    let written = || value("weir_textfile_last_write_timestamp_seconds ");
    assert!(within(PATIENCE, || errors() >= 3.0), "{} errors", errors());
    assert_eq!(written(), None);
    fs::create_dir(&output).expect("made");
    assert!(within(PATIENCE, || written().is_some()), "never healed");
    let (healed, first) = (errors(), written());
    assert!(within(PATIENCE, || written() > first), "written once only");
    assert_eq!(errors().to_bits(), healed.to_bits());
    let page = fs::read_to_string(output.join("weir.prom")).expect("the file");
    assert!(page.contains("\nweir_http_connections ") && !page.contains("process_"));
    rustix::process::kill_process(child.pid(), Signal::TERM).expect("sent");
    let said = child.ended_within(Duration::from_secs(1));
    let count = |message: &str| said.lines().filter(|line| line.contains(message)).count();
    assert_eq!(count("text file not written"), 1, "{said}");
    assert_eq!(count("text file is written again"), 1, "{said}");
    assert!(output.join("weir.prom").is_file(), "it stays");
}

#[test]
fn once_writes_and_prints_nothing() {
    let output = Copy::of_nothing();
    for (directory, code) in [(output.root.clone(), 0), (output.root.join("no"), 1)] {
        let ran = ran(weir(&["--once"], &directory));
        let said = text(&ran.stderr);
        assert_eq!(ran.status.code(), Some(code), "{said}");
        assert_eq!(text(&ran.stdout), "");
        assert_eq!(said.lines().count(), usize::from(code == 1), "{said}");
        assert_eq!(directory.join("weir.prom").is_file(), code == 0);
        let why = format!("weir: {}: open: No such file", directory.display());
        assert!(code == 0 || said.starts_with(&why), "{said}");
    }
}

#[test]
fn nothing_to_do_is_one_line_and_exit_code_2() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("--web.listen-address=");
    let ran = ran(command);
    assert_eq!(ran.status.code(), Some(2));
    let said = text(&ran.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("--textfile.output"), "{said}");
}
