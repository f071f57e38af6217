//! The unit and its drop-ins: by systemd's own checks, and by running weir under what they ask for. systemd is not the first
//! process where tests run, so confine.py does what it would do.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::deploy;
use super::says;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::scrape;
use crate::running::wait_until;
use crate::support::skip;
use crate::tc::setup;
use crate::text::Family;
use crate::text::LabelSet;
use crate::text::Page;

/// A copy of the unit that names this weir and the manual page where they are now.
struct Unit(Directory);

impl Unit {
    fn new(drop_ins: &[&str]) -> Self {
        let directory = Directory::new();
        let unit = fs::read_to_string(deploy("systemd/weir.service")).unwrap();
        assert!(unit.contains("ExecStart=/usr/bin/weir "));
        let unit = unit.replace("ExecStart=/usr/bin/weir ", &format!("ExecStart={WEIR} "));
        fs::write(directory.0.join("weir.service"), unit).unwrap();
        let beside = directory.0.join("weir.service.d");
        fs::create_dir(&beside).unwrap();
        for name in drop_ins {
            fs::copy(drop_in(name), beside.join(name)).unwrap();
        }
        let manual = directory.0.join("man/man8");
        fs::create_dir_all(&manual).unwrap();
        fs::copy(deploy("man/weir.8"), manual.join("weir.8")).unwrap();
        Self(directory)
    }

    fn analyze(&self, words: &[&str]) -> String {
        says(
            Command::new("systemd-analyze")
                .args(words)
                .arg(self.0.0.join("weir.service"))
                .env("MANPATH", self.0.0.join("man")),
        )
    }
}

fn drop_in(name: &str) -> PathBuf {
    deploy("systemd/weir.service.d").join(name)
}

#[test]
fn systemd_finds_nothing_to_complain_about_and_little_exposed() {
    if !installed("systemd-analyze") || !installed("man") {
        return skip("systemd-analyze or man is not installed");
    }
    // What the documents say of systemd 252; other versions weigh differently.
    for (drop_ins, most) in [
        (&[][..], 1.4),
        (&["tc.conf"], 1.9),
        (&["netns.conf"], 2.3),
        (&["tc.conf", "netns.conf"], 2.6),
    ] {
        let unit = Unit::new(drop_ins);
        assert_eq!(unit.analyze(&["verify"]), "", "{drop_ins:?}");
        let said = unit.analyze(&["security", "--offline=true", "--no-pager"]);
        let last = said.lines().last().unwrap();
        let (_, level) = last.split_once("level for weir.service: ").unwrap();
        let level: f64 = level.split(' ').next().unwrap().parse().unwrap();
        assert!(level <= most, "{drop_ins:?}: {last}");
    }
}

/// A program under the unit and these drop-ins, or why that cannot be had here.
fn confined(namespace: Option<&Namespace>, program: &str, drop_ins: &[&str]) -> Command {
    let python = "/usr/bin/python3";
    let mut command = match namespace {
        Some(namespace) => namespace.command(python),
        None => Command::new(python),
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/deploy/confine.py");
    command
        .args([script, program])
        .args([deploy("weir.yml"), deploy("systemd/weir.service")])
        .args(drop_ins.iter().map(|name| drop_in(name)))
        .arg("--");
    command
}

fn missing() -> Option<&'static str> {
    if !rustix::process::getuid().is_root() {
        return Some("only root may start what systemd would start");
    }
    let wanted = ["setpriv", "systemd-analyze", "cc", "ip"];
    let all = wanted.iter().all(|program| installed(program));
    let python = fs::exists("/usr/bin/python3").unwrap();
    (!all || !python).then_some("setpriv, systemd-analyze, cc, ip or /usr/bin/python3 is missing")
}

fn start(namespace: Option<&Namespace>, drop_ins: &[&str], flags: &[&str]) -> Weir {
    let mut command = confined(namespace, WEIR, drop_ins);
    command
        .arg("--web.listen-address=127.0.0.1:0")
        .arg("--config.file=/tmp/weir.yml")
        .args(flags);
    Weir::launch(&mut command)
}

fn inside(namespace: &Namespace, weir: &Weir) -> Page {
    let address = &weir.address;
    namespace.inside(|| scrape(address))
}

/// The collectors that say this of themselves.
fn collectors(page: &Page, success: f64) -> BTreeSet<String> {
    let family = &page.families["node_scrape_collector_success"];
    let samples = family.samples.iter();
    samples
        .filter(|(_, value)| **value == success)
        .map(|((_, labels), _)| labels["collector"].clone())
        .collect()
}

#[test]
fn the_unit_takes_nothing_from_what_is_measured() {
    if let Some(reason) = missing() {
        return skip(reason);
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let mut weir = start(Some(&namespace), &[], &[]);
    let page = inside(&namespace, &weir);
    let mut free = namespace.command(WEIR);
    let free = Weir::launch(free.arg("--web.listen-address=127.0.0.1:0"));
    let wanted = inside(&namespace, &free);
    assert_eq!(collectors(&page, 0.0), BTreeSet::new());
    assert_eq!(collectors(&page, 1.0), collectors(&wanted, 1.0));
    let sources = |page: &Page| page.families["weir_source_info"].samples.clone();
    assert_eq!(sources(&page), sources(&wanted));
    // What weir gives up by itself it can give up here too.
    let sandbox = |page: &Page| {
        let samples = &page.families["weir_sandbox_info"].samples;
        let (_, labels) = samples.keys().next().unwrap();
        ["no_new_privs", "landlock", "seccomp"].map(|part| labels[part].clone())
    };
    assert_eq!(sandbox(&page), sandbox(&wanted));
    // The unit sees its own tree as read-only; what is told is the machine's.
    let root = |page: &Page| {
        let family = &page.families["node_filesystem_readonly"];
        let root = |labels: &LabelSet| labels["mountpoint"] == "/";
        let sample = family.samples.iter().find(|((_, labels), _)| root(labels));
        sample.map(|(_, value)| *value)
    };
    assert_eq!(root(&page), root(&wanted));

    // What `systemctl reload` and `systemctl stop` do.
    weir.process.signal(Signal::HUP);
    loop {
        let line = weir.log.recv_timeout(PATIENCE).expect("a reload is logged");
        if line.contains("/tmp/weir.yml") {
            assert!(line.contains("level=info"), "{line}");
            break;
        }
    }
    weir.process.signal(Signal::TERM);
    assert_eq!(weir.process.code_within(PATIENCE), Some(0));
}

#[test]
fn the_drop_in_for_tc_lets_tc_work() {
    if let Some(reason) = missing() {
        return skip(reason);
    }
    let namespace = match setup::namespace() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    namespace.ip("link add near0 type veth peer name far0");
    namespace.ip("link set near0 up");
    let flags = [
        "--collector.tc",
        "--collector.tc.device-include=^near0$",
        "--collect.interval=100ms",
    ];
    let weir = start(Some(&namespace), &["tc.conf"], &flags);
    wait_until("something to be attached", || {
        let page = inside(&namespace, &weir);
        let attached = page.families.get("weir_tc_interface_attached");
        let all = |family: &Family| family.samples.values().copied().collect::<Vec<_>>();
        page.value("netprobe_up", &[]) == Some(1.0) && attached.map(all) == Some(vec![1.0])
    });
    drop(weir);

    // Without it tc is refused, and nothing else is lost.
    let weir = start(Some(&namespace), &[], &flags);
    let page = inside(&namespace, &weir);
    assert_eq!(page.value("netprobe_up", &[]), Some(0.0));
    assert_eq!(collectors(&page, 0.0), BTreeSet::from(["tc".to_string()]));
}

#[test]
fn the_drop_in_for_namespaces_lets_weir_enter_them() {
    if let Some(reason) = missing() {
        return skip(reason);
    }
    let (own, other) = match (Namespace::new(), Namespace::new()) {
        (Ok(own), Ok(other)) => (own, other),
        (Err(reason), _) | (_, Err(reason)) => return skip(&reason),
    };
    let flags = [format!("--netns={}", other.name)];
    let flags = flags.each_ref().map(String::as_str);
    let success = |drop_ins: &[&str]| {
        let weir = start(Some(&own), drop_ins, &flags);
        let page = inside(&own, &weir);
        assert_eq!(collectors(&page, 0.0), BTreeSet::new());
        page.value("weir_netns_success", &[("netns", &other.name)])
    };
    assert_eq!(success(&["netns.conf"]), Some(1.0));
    // Nobody is in it, so that its tables cannot be read either.
    assert_eq!(success(&[]), Some(0.0));
}

/// Tries what the unit forbids, and prints what was allowed.
const TRIES: &str = r#"
import mmap, os, socket
def tries(what, body):
    try:
        body()
        print(what)
    except OSError:
        pass
tries("writes to /etc", lambda: open("/etc/weir-was-here", "w"))
tries("writes to /proc/sys", lambda: open("/proc/sys/net/ipv4/ip_forward", "r+"))
tries("reads shadow", lambda: open("/etc/shadow"))
tries("opens packet sockets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
tries("opens raw sockets", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tries("changes owners", lambda: os.chown("/tmp/weir.yml", 0, 0))
tries("has code that can be written", lambda: mmap.mmap(-1, 4096, prot=7))
tries("sees devices", lambda: os.stat("/dev/kmsg"))
tries("sees others' files", lambda: os.stat("/tmp/" + os.environ["MARK"]))
tries("opens netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
tries("writes to /tmp", lambda: open("/tmp/x", "w"))
"#;

/// confine.py would prove nothing if it confined nothing.
#[test]
fn what_the_unit_forbids_is_refused() {
    if let Some(reason) = missing() {
        return skip(reason);
    }
    let mark = Directory::new();
    let mark = mark.0.file_name().unwrap();
    let mut tries = confined(None, "/usr/bin/python3", &[]);
    let said = says(tries.args(["-c", TRIES]).env("MARK", mark));
    assert_eq!(said, "opens netlink\nwrites to /tmp\n");
}
