//! fixtures/capture.sh on this machine, under every shell that a router may have: what it captures is what the kernel
//! says, the engine takes it, and what it should hide is hidden.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use weir::collectors::ALL;
use weir::config::Config;
use weir::files::Files;
use weir::sampler::Sampler;
use weir::scrape::Engine;

use crate::support::skip;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/capture.sh");

/// The shells, each with the program that must be there for it.
const SHELLS: [&[&str]; 2] = [&["sh"], &["busybox", "sh"]];

/// A directory of this run, deleted when it goes out of scope.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("weir-capture-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the script; `None`, and a line that says so, where the shell is not installed.
fn run(shell: &[&str], arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(SCRIPT).args(arguments);
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(&format!("{shell:?}: {error}"));
            None
        }
    }
}

/// Captures this machine into a new directory.
fn capture(shell: &[&str], name: &str, options: &[&str]) -> Option<Directory> {
    let directory = Directory::new(&format!("{}-{name}", shell[0]));
    let mut arguments = options.to_vec();
    arguments.push(directory.0.to_str().unwrap());
    let output = run(shell, &arguments)?;
    assert!(output.status.success(), "{output:?}");
    Some(directory)
}

#[test]
fn what_is_captured_is_what_the_kernel_says() {
    for shell in SHELLS {
        let Some(captured) = capture(shell, "same", &[]) else {
            continue;
        };
        for path in [
            "proc/sys/kernel/osrelease",
            "proc/sys/kernel/hostname",
            "proc/sys/net/ipv4/ip_local_port_range",
            "sys/class/net/lo/mtu",
            "sys/class/net/lo/operstate",
            "sys/class/net/lo/address",
        ] {
            let live = fs::read(Path::new("/").join(path)).unwrap();
            assert_eq!(fs::read(captured.0.join(path)).unwrap(), live, "{path}");
        }
        let known = Files::open(&captured.0.join("proc"), &captured.0.join("sys")).unwrap();
        assert_eq!(known.page_size(), rustix::param::page_size() as u64);
        let told = fs::read_to_string(captured.0.join("CAPTURE")).unwrap();
        let order = if cfg!(target_endian = "big") {
            "big"
        } else {
            "little"
        };
        assert!(told.contains(&format!("\nbyte_order: {order}\n")), "{told}");
        assert!(told.contains("\nredacted: nothing\n"), "{told}");
    }
}

#[test]
fn no_collector_fails_on_a_capture() {
    for shell in SHELLS {
        for options in [&[][..], &["--redact"]] {
            let Some(captured) = capture(shell, "engine", options) else {
                continue;
            };
            let config = Config {
                procfs: captured.0.join("proc"),
                sysfs: captured.0.join("sys"),
                collectors: ALL.iter().map(|spec| spec.name).collect(),
                ..Config::default()
            };
            let files = Files::open(&config.procfs, &config.sysfs).unwrap();
            let mut engine = Engine::new(&config, files);
            engine.scrape(&[], &[], &Sampler::default()).unwrap();
            for (spec, outcome) in engine.outcomes() {
                let error = outcome.and_then(|outcome| outcome.error.as_ref());
                assert_eq!(error, None, "{}", spec.name);
            }
        }
    }
}

#[test]
fn redaction_leaves_no_hardware_address_and_no_host_name() {
    let mut secrets = vec![fs::read("/proc/sys/kernel/hostname").unwrap()];
    for device in fs::read_dir("/sys/class/net").unwrap() {
        let address = fs::read(device.unwrap().path().join("address")).unwrap_or_default();
        if address.len() == 18 && address != b"00:00:00:00:00:00\n" {
            secrets.push(address);
        }
    }
    for shell in SHELLS {
        let Some(captured) = capture(shell, "redacted", &["--redact"]) else {
            continue;
        };
        let mut open = vec![captured.0.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                continue;
            }
            let text = fs::read(&path).unwrap();
            let whole = |secret: &Vec<u8>| text == *secret;
            assert!(!secrets.iter().any(whole), "{} tells one", path.display());
        }
    }
}

#[test]
fn nothing_is_written_over() {
    for shell in SHELLS {
        let Some(captured) = capture(shell, "twice", &[]) else {
            continue;
        };
        let before = fs::read(captured.0.join("CAPTURE")).unwrap();
        let again = run(shell, &[captured.0.to_str().unwrap()]).unwrap();
        assert_eq!(again.status.code(), Some(1));
        let told = String::from_utf8(again.stderr).unwrap();
        assert!(told.contains("exists already"), "{told}");
        assert_eq!(fs::read(captured.0.join("CAPTURE")).unwrap(), before);
    }
}

#[test]
fn wrong_words_are_told_with_the_usage() {
    for shell in SHELLS {
        for arguments in [
            &[][..],
            &["--unknown"],
            &["a", "b"],
            &["--without-mounts-below"],
        ] {
            let Some(output) = run(shell, arguments) else {
                continue;
            };
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.starts_with("usage: capture.sh"), "{told}");
        }
    }
}
