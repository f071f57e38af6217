//! `--netns` against the kernel, `ss` and `ip`: the same numbers as they tell inside, with privilege and without.

mod connections;
mod crowd;
mod numbers;

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::running::Namespace;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::support::skip;
use crate::text::Page;

/// The user nobody.
const NOBODY: u32 = 65534;

/// A copy of the program that everybody may run, wherever the build is.
struct ForAll(crate::running::Directory);

impl ForAll {
    fn new() -> Self {
        let directory = crate::running::Directory::new();
        // Not copied here: a process that another test starts meanwhile would have it open for writing, and nobody could
        // run it.
        let copied = Command::new("cp").arg(WEIR).arg(&directory.0).status();
        assert!(copied.unwrap().success());
        Self(directory)
    }

    /// To be run by nobody in particular, who has no capability.
    fn command(&self) -> Command {
        let mut command = Command::new(self.0.0.join("weir"));
        command.uid(NOBODY).gid(NOBODY);
        command
    }
}

/// What `--once` prints.
fn once(command: &mut Command, arguments: &[&str]) -> Page {
    let printed = command.arg("--once").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{errors}");
    let text = String::from_utf8(printed.stdout).unwrap();
    Page::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Namespaces of the test's own, or the reason why there are none.
fn namespaces(count: usize) -> Option<Vec<Namespace>> {
    let made: Result<Vec<_>, _> = (0..count).map(|_| Namespace::new()).collect();
    match made {
        Ok(made) => Some(made),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

/// The inode by which ip and lsns know it.
fn inode(namespace: &Namespace) -> u64 {
    let path = Path::new("/run/netns").join(&namespace.name);
    std::fs::metadata(path).unwrap().ino()
}

/// A process that does nothing inside for a while.
fn sleeper(namespace: &Namespace) -> Process {
    let path = Path::new("/run/netns").join(&namespace.name);
    let file = std::fs::File::open(path).unwrap();
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let kind = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(file.as_fd(), kind).unwrap();
            let mut sleep = Command::new("sleep");
            Process(sleep.arg("120").stdin(Stdio::null()).spawn().unwrap())
        });
        inside.join().unwrap()
    })
}

/// What a process's namespace is called by who may not see which one it is.
fn seen_from_outside(process: &Process) -> String {
    let path = format!("/proc/{}/net/dev", process.0.id());
    format!("proc/{}", std::fs::metadata(path).unwrap().ino())
}

fn netns_labels(page: &Page, family: &str) -> BTreeSet<String> {
    let Some(family) = page.families.get(family) else {
        return BTreeSet::new();
    };
    let labels = family.samples.keys();
    labels
        .filter_map(|(_, labels)| labels.get("netns").cloned())
        .collect()
}

#[test]
fn a_namespace_is_free_once_its_name_is_gone() {
    let Some(made) = namespaces(2) else { return };
    let [gone, stays] = <[Namespace; 2]>::try_from(made).ok().unwrap();
    // The kernel takes the pair away with the namespace, when nothing holds that any more.
    stays.ip(&format!(
        "link add here type veth peer name there netns {}",
        gone.name
    ));
    let names = format!("--netns={},{}", gone.name, stays.name);
    let weir = Weir::start(&[&names]);
    for _ in 0..3 {
        let page = weir.scrape();
        assert_eq!(
            page.value(
                "node_network_receive_bytes_total",
                &[("device", "there"), ("netns", &gone.name)]
            ),
            Some(0.0)
        );
    }
    let name = gone.name.clone();
    drop(gone);
    let listed = || String::from_utf8(stays.run("ip", ["-o", "link"])).unwrap();
    crate::running::wait_until("the end of a namespace", || !listed().contains("here"));
    let page = weir.scrape();
    assert_eq!(
        page.value("weir_netns_success", &[("netns", &name)]),
        Some(0.0)
    );
    assert_eq!(
        page.value("weir_netns_success", &[("netns", &stays.name)]),
        Some(1.0)
    );
    assert_eq!(netns_labels(&page, "node_sockstat_TCP_inuse").len(), 2);
}

#[test]
fn a_name_may_come_later() {
    let Some(made) = namespaces(1) else { return };
    let first = &made[0];
    let later = crate::running::unique();
    let weir = Weir::start(&[&format!("--netns={later},{}", first.name)]);
    let success = || {
        weir.scrape()
            .value("weir_netns_success", &[("netns", &later)])
    };
    assert_eq!(success(), Some(0.0));
    let made = Command::new("ip")
        .args(["netns", "add", &later])
        .status()
        .unwrap();
    assert!(made.success());
    let made = Namespace {
        name: later.clone(),
    };
    assert_eq!(success(), Some(1.0));
    drop(made);
    assert_eq!(success(), Some(0.0));
}

#[test]
fn without_privilege_the_tables_of_processes_are_read() {
    let Some(made) = namespaces(2) else { return };
    let [with, without] = <[Namespace; 2]>::try_from(made).ok().unwrap();
    let sleeps = sleeper(&with);
    let program = ForAll::new();
    let page = once(
        &mut program.command(),
        &["--netns=all", "--limit.netns=10000"],
    );
    // Whose namespace it is may only be seen by its owner.
    let label = seen_from_outside(&sleeps);
    let of = |netns: &str| page.value("weir_netns_success", &[("netns", netns)]);
    assert_eq!((of(&label), of(&without.name)), (Some(1.0), Some(0.0)));
    let labels = [("netns", label.as_str()), ("source", "proc")];
    assert_eq!(page.value("weir_netns_source_info", &labels), Some(1.0));
    let labels = [("device", "lo"), ("netns", label.as_str())];
    assert!(
        page.value("node_network_receive_bytes_total", &labels)
            .is_some()
    );
    let labels = [("netns", label.as_str()), ("state", "listen")];
    assert_eq!(page.value("node_tcp_connection_states", &labels), Some(0.0));
    // Only the own port range is known.
    let ranges = netns_labels(&page, "ephemeral_ports_total");
    let own: Vec<_> = ranges.iter().map(String::as_str).collect();
    assert_eq!(
        own,
        ["init"],
        "this test runs in the namespace of process 1"
    );
    // Its owner sees which one it is, and needs no other privilege.
    let privileged = once(
        &mut Command::new(WEIR),
        &["--netns=all", "--limit.netns=10000"],
    );
    let of = |netns: &str| privileged.value("weir_netns_success", &[("netns", netns)]);
    assert_eq!((of(&with.name), of(&without.name)), (Some(1.0), Some(1.0)));
    assert_eq!(of(&label), None);
}

#[test]
fn who_may_enter_but_not_trace_measures_each_once() {
    if !installed("setpriv") {
        return skip("setpriv is not installed");
    }
    let Some(made) = namespaces(2) else { return };
    let [with, without] = <[Namespace; 2]>::try_from(made).ok().unwrap();
    let sleeps = sleeper(&with);
    let program = ForAll::new();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=+sys_admin", "--ambient-caps=+sys_admin"])
        .arg(program.0.0.join("weir"));
    let page = once(&mut command, &["--netns=all", "--limit.netns=10000"]);
    for name in [&with.name, &without.name] {
        let labels = [("netns", name.as_str()), ("source", "setns")];
        assert_eq!(page.value("weir_netns_source_info", &labels), Some(1.0));
    }
    let twice = seen_from_outside(&sleeps);
    let labels = netns_labels(&page, "weir_netns_success");
    assert!(!labels.contains(&twice), "{labels:?}");
    assert!(!netns_labels(&page, "node_sockstat_TCP_inuse").contains(&twice));
}

#[test]
fn a_namespace_without_a_name_is_called_by_its_inode() {
    if !installed("unshare") {
        return skip("unshare is not installed");
    }
    let mut unshare = Command::new("unshare");
    let started = unshare
        .args(["--net", "sleep", "120"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let process = Process(started);
    let link = format!("/proc/{}/ns/net", process.0.id());
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let seen = || std::fs::read_link(&link).ok().filter(|text| *text != own);
    crate::running::wait_until("a namespace of its own", || seen().is_some());
    let text = seen().unwrap().display().to_string();
    let number = text.trim_start_matches("net:[").trim_end_matches(']');
    let page = once(
        &mut Command::new(WEIR),
        &["--netns=all", "--limit.netns=10000"],
    );
    let labels = [("netns", number), ("source", "setns")];
    assert_eq!(
        page.value("weir_netns_source_info", &labels),
        Some(1.0),
        "{text}"
    );
    let only = once(&mut Command::new(WEIR), &[&format!("--netns={number}")]);
    let expected = BTreeSet::from(["init".to_string(), number.to_string()]);
    assert_eq!(netns_labels(&only, "weir_netns_success"), expected);
    assert_eq!(netns_labels(&only, "ephemeral_ports_total"), expected);
}

#[test]
fn two_names_are_one_namespace() {
    let Some(made) = namespaces(1) else { return };
    let first = &made[0];
    let second = Namespace {
        name: format!("{}z", first.name),
    };
    let file = Path::new("/run/netns").join(&second.name);
    std::fs::write(&file, "").unwrap();
    let from = Path::new("/run/netns").join(&first.name);
    let mounted = Command::new("mount")
        .arg("--bind")
        .args([&from, &file])
        .status()
        .unwrap();
    assert!(mounted.success());
    assert_eq!(inode(first), inode(&second));
    let labels = |argument: &str| {
        let page = once(&mut Command::new(WEIR), &[argument, "--limit.netns=10000"]);
        let labels = netns_labels(&page, "weir_netns_success").into_iter();
        labels
            .filter(|label| label.starts_with(&first.name))
            .collect::<Vec<_>>()
    };
    assert_eq!(labels("--netns=all"), [first.name.as_str()]);
    assert_eq!(
        labels(&format!("--netns={}", second.name)),
        [second.name.as_str()]
    );
}
