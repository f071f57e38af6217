//! The real program: what signals, other programs' ports and attacks do to it.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;

use super::attacks::GROWTH_KIB;
use super::attacks::crowd;
use super::attacks::scrape;
use super::attacks::survived_by;
use super::harness::Child;
use super::harness::connect;
use super::harness::get;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// The heads and answers of an attack are given up after this, by default and a little more.
const PATIENCE: Duration = Duration::from_secs(15);

fn weir() -> Command {
    Command::new(env!("CARGO_BIN_EXE_weir"))
}

/// The program on a free port, which its log tells.
fn started() -> Child {
    let mut command = weir();
    command.arg("--web.listen-address=127.0.0.1:0");
    Child::run(command, |line| {
        let words = line.contains("msg=\"listening\"").then_some(line)?;
        let address = words.split_once("address=")?.1;
        address
            .split(' ')
            .next()
            .map(|address| address.trim_matches('"'))
    })
}

#[test]
fn a_signal_ends_it_within_a_second() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut child = started();
        let idle = crowd(child.address, 5, b"");
        scrape(&child);
        rustix::process::kill_process(child.pid(), signal).expect("sent");
        child.ended_within(Duration::from_secs(1));
        drop(idle);
    }
}

#[test]
fn an_answer_in_flight_is_finished_first() {
    let mut child = started();
    let mut stream = connect(child.address);
    stream.write_all(REQUEST).expect("sent");
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("the answer has begun");
    rustix::process::kill_process(child.pid(), Signal::TERM).expect("sent");
    let mut rest = Vec::new();
    stream
        .read_to_end(&mut rest)
        .expect("the rest and an orderly end");
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.ends_with('\n') && rest.contains("weir_build_info"));
    child.ended_within(Duration::from_secs(1));
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_1() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("bound").to_string();
    let output = weir()
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains(&address) && said.contains("Address already in use"),
        "{said}"
    );
}

#[test]
fn a_flag_of_node_exporters_that_changes_nothing_is_told_in_the_log() {
    let flag = "--no-collector.netdev.netlink";
    let output = weir()
        .args(["--once", "--collector.disable-defaults", flag])
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let told = said.lines().filter(|line| line.contains(flag));
    let told: Vec<_> = told.collect();
    assert!(
        matches!(told[..], [line] if line.contains("level=info") && line.contains("flag changes nothing here")),
        "{said}"
    );
}

#[test]
fn unknown_collectors_are_named() {
    let child = started();
    let reply = get(child.address, "/metrics?collect[]=no_such_thing", "");
    assert_eq!(reply.code, 400);
    assert!(reply.text().contains("no_such_thing"), "{}", reply.text());
}

#[test]
fn clients_that_never_read_cost_it_no_memory() {
    let child = started();
    survived_by(&child, PATIENCE, GROWTH_KIB, |address, clock| {
        let held = crowd(address, 300, REQUEST);
        clock.wait();
        drop(held);
    });
}

#[test]
fn unfinished_heads_cost_it_no_memory() {
    let child = started();
    let mut head = b"GET / HTTP/1.1\r\nX: ".to_vec();
    head.resize(8000, b'a');
    survived_by(&child, PATIENCE, GROWTH_KIB, |address, clock| {
        let held = crowd(address, 600, &head);
        clock.wait();
        drop(held);
    });
}

#[test]
fn it_serves_with_few_descriptors_left() {
    let child = started();
    let before = child.settled(scrape);
    let limit = before.descriptors as u64 + 64;
    let limit = Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    rustix::process::prlimit(Some(child.pid()), Resource::Nofile, limit).expect("lowered");
    survived_by(&child, PATIENCE, GROWTH_KIB, |address, clock| {
        while clock.runs() {
            drop(crowd(address, 200, b"GET /"));
        }
    });
}
