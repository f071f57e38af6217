//! docs/security.md's table of capabilities: what weir keeps for each feature, that the feature works with exactly those,
//! and that it does not without.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::wait_until;
use crate::text::Page;

use super::Inside;
use super::able;
use super::all;
use super::namespace;
use super::of_threads;
use super::threads;

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md"));

/// veth is left out otherwise.
const INCLUDE: &str = "--collector.tc.device-include=0$";

/// The numbers of include/uapi/linux/capability.h.
const NUMBERS: [(&str, u32); 8] = [
    ("CAP_CHOWN", 0),
    ("CAP_DAC_OVERRIDE", 1),
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_FOWNER", 3),
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_BPF", 39),
];

/// The capabilities in the row of the table that begins with this.
fn documented(feature: &str) -> Vec<&'static str> {
    let row = TABLE
        .lines()
        .find(|line| line.starts_with(&format!("| {feature}")))
        .unwrap_or_else(|| panic!("no row for {feature}"));
    let cell = row.split('|').nth(2).unwrap();
    cell.split_whitespace().collect()
}

/// As `/proc/PID/status` has them: those of the features and those that are always kept.
fn mask(features: &[&str]) -> String {
    let names = features.iter().copied().chain(["always"]);
    let bits = names.flat_map(documented).map(|name| {
        let (_, number) = NUMBERS.iter().find(|(other, _)| *other == name).unwrap();
        1u64 << number
    });
    format!("{:016x}", bits.fold(0, |all, bit| all | bit))
}

#[test]
fn every_thread_has_what_the_table_says_and_no_more() {
    if !able() {
        return;
    }
    let Some(namespace) = namespace() else { return };
    let directory = Directory::new();
    let output = format!("--textfile.output={}", directory.0.display());
    let socket = format!("--web.listen-address=unix:{}/socket", directory.0.display());
    let text = format!("--collector.textfile.directory={}", directory.0.display());
    let (tc, netns, files) = ("`--collector.tc`", "`--netns`", "`--textfile.output`");
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &[]),
        (&["--collector.tc", "--collector.textfile", &text], &[tc]),
        (&["--netns=all"], &[netns]),
        (&[&output], &[files]),
        (&[&socket], &[files]),
        (
            &["--collector.tc", "--netns=all", &output],
            &[tc, netns, files],
        ),
    ];
    for (arguments, features) in cases {
        let arguments = [arguments, &["--sandbox=require"]].concat();
        let inside = Inside::start(&namespace, &arguments);
        inside.scrape();
        let weir = &inside.weir;
        let more = arguments
            .iter()
            .filter(|flag| flag.starts_with("--collector.t"))
            .count();
        assert!(threads(weir) > more.min(2), "each has a thread of its own");
        for (field, expected) in [
            ("CapEff", mask(features).as_str()),
            ("CapPrm", mask(features).as_str()),
            ("CapInh", "0000000000000000"),
            ("CapBnd", "0000000000000000"),
            ("CapAmb", "0000000000000000"),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
        ] {
            let found = of_threads(weir, field);
            assert_eq!(found, all(expected), "{field} {arguments:?}");
        }
    }
}

/// weir as a user that has these capabilities and no others.
fn with(program: &Path, capabilities: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    if !capabilities.is_empty() {
        let names = capabilities.iter().map(|name| {
            let name = name.trim_start_matches("CAP_").to_lowercase();
            format!("+{name}")
        });
        let names = names.collect::<Vec<_>>().join(",");
        command.arg(format!("--inh-caps={names}"));
        command.arg(format!("--ambient-caps={names}"));
    }
    command.arg(program);
    command
}

fn once(mut command: Command, arguments: &[&str]) -> Page {
    let output = command
        .args([
            "--once",
            "--collector.disable-defaults",
            "--sandbox=require",
        ])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    Page::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}\n{errors}"))
}

/// The capabilities of a row with one of them left out, each in turn.
fn one_less(row: &[&'static str]) -> Vec<Vec<&'static str>> {
    let without = |left: &&str| row.iter().copied().filter(|name| name != left).collect();
    row.iter().map(without).collect()
}

#[test]
fn other_users_files_are_read_with_what_is_always_kept() {
    if !able() {
        return;
    }
    let copy = Directory::new();
    let program = copied(&copy);
    let private = Directory::new();
    fs::write(private.0.join("x.prom"), "private 1\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&private.0, mode).unwrap();
    let directory = format!("--collector.textfile.directory={}", private.0.display());
    let arguments = ["--collector.textfile", directory.as_str()];
    let row = documented("always");
    let page = once(with(&program, &row), &arguments);
    assert_eq!(page.value("private", &[]), Some(1.0));
    let page = once(with(&program, &[]), &arguments);
    assert_eq!(page.value("private", &[]), None);
}

fn copied(directory: &Directory) -> std::path::PathBuf {
    let status = Command::new("cp").arg(WEIR).arg(&directory.0).status();
    assert!(status.unwrap().success());
    directory.0.join("weir")
}

#[test]
fn tc_takes_what_the_table_says() {
    if !able() {
        return;
    }
    let Some(namespace) = namespace() else { return };
    namespace.ip("link add here0 type veth peer name there0");
    let copy = Directory::new();
    let program = copied(&copy);
    let attached = |capabilities: &[&str]| {
        let inside = with(&program, capabilities);
        let mut command = namespace.command(inside.get_program());
        command.args(inside.get_args());
        let page = once(command, &["--collector.tc", INCLUDE]);
        let family = page.families.get("weir_tc_interface_attached");
        family.is_some_and(|family| family.samples.values().any(|value| *value == 1.0))
    };
    let row = documented("`--collector.tc`");
    assert!(attached(&row));
    for less in one_less(&row) {
        assert!(!attached(&less), "{less:?}");
    }
}

#[test]
fn netns_takes_what_the_table_says() {
    if !able() {
        return;
    }
    let Some(named) = namespace() else { return };
    let copy = Directory::new();
    let program = copied(&copy);
    // One that only a process of another user is in.
    let child = Command::new("unshare")
        .args(["--net", "sleep", "120"])
        .spawn();
    let process = Process(child.unwrap());
    let link = format!("/proc/{}/ns/net", process.0.id());
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let seen = || fs::read_link(&link).ok().filter(|text| *text != own);
    wait_until("a namespace of its own", || seen().is_some());
    let text = seen().unwrap().display().to_string();
    let number = text.trim_start_matches("net:[").trim_end_matches(']');
    let entered = |capabilities: &[&str]| {
        let page = once(
            with(&program, capabilities),
            &["--collector.sockstat", "--netns=all", "--limit.netns=10000"],
        );
        [number, &named.name].map(|netns| {
            let labels = [("netns", netns), ("source", "setns")];
            page.value("weir_netns_source_info", &labels) == Some(1.0)
        })
    };
    let row = documented("`--netns`");
    assert_eq!(entered(&row), [true, true]);
    assert_eq!(entered(&["CAP_SYS_ADMIN"]), [false, true]);
    assert_eq!(entered(&["CAP_SYS_PTRACE"]), [false, false]);
}

#[test]
fn a_text_file_replaces_another_users_with_what_the_table_says() {
    if !able() {
        return;
    }
    let copy = Directory::new();
    let program = copied(&copy);
    let row = documented("`--textfile.output`");
    let written = |capabilities: &[&str]| {
        let directory = Directory::new();
        // Where everybody may have files, but nobody may take those of others away.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1755);
        fs::set_permissions(&directory.0, mode).unwrap();
        std::os::unix::fs::chown(&directory.0, Some(1), Some(1)).unwrap();
        let file = directory.0.join("weir.prom");
        fs::write(&file, "").unwrap();
        let output = with(&program, capabilities)
            .args([
                "--once",
                "--collector.disable-defaults",
                "--sandbox=require",
            ])
            .arg(format!("--textfile.output={}", directory.0.display()))
            .output()
            .unwrap();
        output.status.success() && fs::metadata(&file).unwrap().len() > 0
    };
    assert!(written(&row));
    for less in one_less(&row) {
        assert!(!written(&less), "{less:?}");
    }
}

#[test]
fn what_comes_later_is_counted_and_entered() {
    if !able() {
        return;
    }
    let Some(namespace) = namespace() else { return };
    let flags = [
        "--collector.tc",
        INCLUDE,
        "--netns=all",
        "--limit.netns=10000",
        "--sandbox=require",
    ];
    let inside = Inside::start(&namespace, &flags);
    inside.scrape();
    namespace.ip("link add later0 type veth peer name there0");
    namespace.ip("link set later0 up");
    let attached = || {
        let page = inside.scrape();
        let family = page.families.get("weir_tc_interface_attached");
        family.is_some_and(|family| {
            let mut samples = family.samples.iter();
            samples.any(|((_, labels), value)| {
                labels.get("interface").is_some_and(|name| name == "later0") && *value == 1.0
            })
        })
    };
    wait_until(
        "the programs are attached to a device that came later",
        attached,
    );
    let later = Namespace::new().unwrap();
    wait_until("a namespace that came later is entered", || {
        let labels = [("netns", later.name.as_str()), ("source", "setns")];
        inside.scrape().value("weir_netns_source_info", &labels) == Some(1.0)
    });
}
