//! The program as a process: how it starts, listens, refuses, answers once and ends.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::process::Output;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;

use crate::client::Client;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::WEIR;
use crate::running::Weir;
use crate::support::skip;
use crate::text::Page;

/// How long it may take to end.
const SOON: Duration = Duration::from_secs(1);

#[test]
fn signals_end_it_with_zero() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut weir = Weir::start(&[]);
        weir.scrape();
        // Connections that ask nothing and a head that never ends do not hold it.
        let _idle = TcpStream::connect(&weir.address).unwrap();
        let mut half = TcpStream::connect(&weir.address).unwrap();
        half.write_all(b"GET /metrics HTTP/1.1\r\nHost:").unwrap();
        weir.process.signal(signal);
        assert_eq!(weir.process.code_within(SOON), Some(0), "{signal:?}");
    }
}

#[test]
fn an_answer_in_flight_is_finished() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    // So many devices that their page is larger than the buffers of a Unix socket: it must wait for its reader.
    let directory = Directory::new();
    let batch = directory.0.join("links");
    let links: String = (0..125)
        .map(|number| format!("link add name near{number} type veth peer name far{number}\n"))
        .collect();
    fs::write(&batch, links).unwrap();
    namespace.run("ip", ["-batch", batch.to_str().unwrap()]);
    let path = directory.0.join("weir.sock");
    let listen = format!("--web.listen-address=unix:{}", path.display());
    let mut weir = Weir::launch(namespace.command(WEIR).arg(listen));

    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut begin = [0; 16];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK\r");
    weir.process.signal(Signal::TERM);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(weir.process.code_within(SOON), Some(0));
    let rest = String::from_utf8(rest).unwrap();
    let (head, body) = rest.split_once("\r\n\r\n").unwrap();
    assert!(
        body.len() > 300_000,
        "{} bytes fit into the buffers",
        body.len()
    );
    let length = format!("content-length: {}", body.len());
    assert!(
        head.to_ascii_lowercase().contains(&length),
        "{head}\nbody: {}",
        body.len()
    );
    assert!(body.contains("near124") && Page::parse(body).is_ok());
    assert!(!path.exists(), "the socket is left behind");
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&[&format!("--web.listen-address={address}")]);
    assert_eq!(output.status.code(), Some(1));
    let line = one_line(&output.stderr);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn bad_command_lines_are_refused_in_one_line() {
    for (arguments, named) in [
        (&["--no-such-flag"] as &[&str], "--no-such-flag"),
        (
            &["--web.listen-address=127.0.0.1:99999"],
            "--web.listen-address",
        ),
        (&["--web.listen-address"], "--web.listen-address"),
        (&["--collect.interval=0s"], "--collect.interval"),
        (&["--collect.interval", "5"], "--collect.interval"),
        (&["--collector.nonsense"], "--collector.nonsense"),
        (&["--sockets.source=guess"], "--sockets.source"),
        (
            &["--collector.netdev.device-exclude=("],
            "--collector.netdev.device-exclude",
        ),
        (&["--path.procfs=/nonexistent"], "/nonexistent"),
        (&["--log.level=loud"], "--log.level"),
        (&["stray"], "stray"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let line = one_line(&output.stderr);
        assert!(line.contains(named), "{arguments:?}: {line}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
    }
}

#[test]
fn once_prints_a_page_and_nothing_else() {
    let output = run(&["--once"]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !said.contains("level=warn") && !said.contains("level=error"),
        "{said}"
    );
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    for family in [
        "node_network_receive_bytes_total",
        "node_netstat_Tcp_OutSegs",
        "node_tcp_connection_states",
        "ephemeral_ports_used",
        "weir_build_info",
    ] {
        assert!(page.families.contains_key(family), "{family}");
    }
    // Rates need two samples.
    let rate = page
        .families
        .keys()
        .find(|name| name.ends_with("_per_second"));
    assert_eq!(rate, None);
}

#[test]
fn one_thread_serves_it_all() {
    let weir = Weir::start(&["--collect.interval=500ms"]);
    for _ in 0..5 {
        weir.scrape();
        let tasks = fs::read_dir(format!("/proc/{}/task", weir.process.0.id())).unwrap();
        assert_eq!(tasks.count(), 1);
    }
}

#[test]
fn it_listens_on_ipv6_and_on_several_addresses() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("no IPv6 loopback");
    }
    let directory = Directory::new();
    let path = directory.0.join("weir.sock");
    let mut command = Command::new(WEIR);
    command.arg("--web.listen-address=[::1]:0");
    command.arg(format!("--web.listen-address=unix:{}", path.display()));
    let weir = Weir::launch(&mut command);
    assert!(weir.address.starts_with("[::1]:"), "{}", weir.address);
    weir.scrape();
    let begin = Instant::now();
    let stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}"),
        }
    };
    assert_eq!(
        Client::over(stream).get("/health", "").unwrap().body,
        b"OK\n"
    );
}

/// Runs the program to its end.
fn run(arguments: &[&str]) -> Output {
    Command::new(WEIR).args(arguments).output().unwrap()
}

fn one_line(said: &[u8]) -> String {
    let said = String::from_utf8(said.to_vec()).unwrap();
    assert!(
        said.ends_with('\n') && said.lines().count() == 1,
        "{said:?}"
    );
    said
}
