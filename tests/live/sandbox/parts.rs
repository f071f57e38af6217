//! Kernels that lack a part: strace(1) makes the system call fail as they would.

use std::fs;
use std::process::Command;
use std::process::Output;

use crate::running::Directory;
use crate::running::WEIR;
use crate::running::installed;
use crate::support::skip;
use crate::text::Page;

/// Each part, the call without which it cannot be had, and how that fails on a kernel without it.
const PARTS: [(&str, &str, &str); 2] = [
    ("landlock", "landlock_create_ruleset", "ENOSYS"),
    ("seccomp", "seccomp", "EINVAL"),
];

fn once(call: &str, error: &str, arguments: &[&str]) -> Output {
    Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e"])
        .arg(format!("inject={call}:error={error}"))
        .args([WEIR, "--once"])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn what_is_missing_is_told_once_and_left_out() {
    if !installed("strace") {
        return skip("strace is not installed");
    }
    for (part, call, error) in PARTS {
        let output = once(call, error, &[]);
        assert!(output.status.success());
        let log = String::from_utf8(output.stderr).unwrap();
        let told = log.lines().filter(|line| line.contains("sandbox"));
        assert_eq!(told.count(), 1, "{log}");
        assert!(log.contains(&format!("part={part}")), "{log}");
        let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
        let family = &page.families["weir_sandbox_info"];
        let (_, labels) = family.samples.keys().next().unwrap();
        for (name, _, _) in PARTS {
            let expected = if name == part { "unavailable" } else { "on" };
            assert_eq!(labels[name], expected, "{name}");
        }
    }
}

#[test]
fn what_is_required_and_missing_ends_the_program() {
    if !installed("strace") {
        return skip("strace is not installed");
    }
    for (part, call, error) in PARTS {
        let output = once(call, error, &["--sandbox=require"]);
        assert_eq!(output.status.code(), Some(2));
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        let expected = format!("weir: --sandbox=require: {part} is not to be had here: ");
        assert!(log.starts_with(&expected), "{log}");
        assert!(output.stdout.is_empty());
    }
}

/// Ends whoever makes the call of a number that is the same everywhere (landlock_create_ruleset), and starts a program.
const FILTER: &str = "
import ctypes, os, struct, sys
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x80000000), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
program = Program(len(steps), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn a_filter_that_ends_who_asks_does_not_end_weir() {
    if !installed("python3") {
        return skip("python3 is not installed");
    }
    let directory = Directory::new();
    let script = directory.0.join("filter.py");
    fs::write(&script, FILTER).unwrap();
    let once = |mode: &str| {
        let mut command = Command::new("python3");
        command.arg(&script).args([WEIR, "--once", mode]);
        command.output().unwrap()
    };
    let output = once("--sandbox=auto");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("part=sandbox"), "{log}");
    let output = once("--sandbox=require");
    assert_eq!(output.status.code(), Some(2));
    let log = String::from_utf8(output.stderr).unwrap();
    let expected = "weir: --sandbox=require: sandbox is not to be had here: a seccomp filter";
    assert!(log.starts_with(expected), "{log}");
}
