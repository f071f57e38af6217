//! What strangers do to a port that speaks TLS. Every count and time is bounded.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use crate::running::PATIENCE;
use crate::running::Weir;
use crate::support::skip;

use super::client;
use super::curl;
use super::pki::Pki;
use super::server;
use super::tls;
use super::value;
use super::weir;
use super::weir_with;

fn connect(weir: &Weir) -> TcpStream {
    let stream = TcpStream::connect(&weir.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the server closes, in whichever way it does.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("it stays open"),
        _ => all,
    }
}

/// The beginning of a record with a handshake in it, of this length.
fn record(length: u16) -> Vec<u8> {
    [&[22, 3, 1], &length.to_be_bytes()[..]].concat()
}

#[test]
fn unfinished_handshakes_are_cut_at_the_deadline() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir_with(&pki, &server(""), &["--web.read-timeout=700ms"]);
    let begun = Instant::now();
    // Silent, with half a record, with a record's beginning, and half closed with a record's beginning.
    let mut streams: Vec<_> = (0..4).map(|_| connect(&weir)).collect();
    streams[1].write_all(&record(512)[..3]).unwrap();
    streams[2]
        .write_all(&[&record(512)[..], &[1, 0, 1, 252, 3, 3]].concat())
        .unwrap();
    streams[3].write_all(&record(512)).unwrap();
    streams[3].shutdown(Shutdown::Write).unwrap();
    // And one that says a byte now and then.
    let mut slow = connect(&weir);
    slow.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut hello = record(512)
        .into_iter()
        .chain([1, 0, 1, 252])
        .chain(std::iter::repeat(3));
    let cut = loop {
        let byte = hello.next().unwrap();
        if slow.write_all(&[byte]).is_err() || matches!(slow.read(&mut [0; 16]), Ok(0)) {
            break begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "a slow client is never cut");
    };
    assert!(cut >= Duration::from_millis(600), "{cut:?}");
    for stream in &mut streams {
        assert_eq!(until_closed(stream), b"");
    }
    assert_eq!(curl(&pki, &weir, &[]), 200);
    assert_eq!(
        value(&pki, &weir, "weir_http_connections_timed_out_total "),
        4.0
    );
}

#[test]
fn garbage_is_refused_with_an_alert() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let endless: Vec<u8> = std::iter::repeat_n([&record(16000)[..], &[0xff; 16000]].concat(), 8)
        .flatten()
        .collect();
    for garbage in [
        &[0xff; 600][..],
        &[0; 600],
        &[&record(100)[..], &[9; 100]].concat(),
        &[
            &record(4)[..],
            &[1, 0xff, 0xff, 0xff],
            &record(16000),
            &[0; 16000],
        ]
        .concat(),
        &endless,
    ] {
        let mut stream = connect(&weir);
        // It may be refused before all of it is taken.
        let _ = stream.write_all(garbage);
        let answer = until_closed(&mut stream);
        // Content type 21 is an alert; a reset may have taken it away.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    // A handshake message without end, in small records that are each in order.
    let mut stream = connect(&weir);
    let mut sent = 0;
    let begin = [&record(1024)[..], &[1, 0, 0xff, 0xf0], &[3; 1020]].concat();
    let more = [&record(1024)[..], &[3; 1024]].concat();
    let mut refused = stream.write_all(&begin).is_err();
    while !refused && sent < 200 {
        refused = stream.write_all(&more).is_err();
        sent += 1;
    }
    until_closed(&mut stream);
    for plain in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "G",
    ] {
        let mut stream = connect(&weir);
        stream.write_all(plain.as_bytes()).unwrap();
        let answer = until_closed(&mut stream);
        assert!(
            answer.starts_with(b"HTTP/1.0 400 Bad Request\r\n"),
            "{plain}"
        );
    }
    assert_eq!(curl(&pki, &weir, &[]), 200);
    assert!(
        value(
            &pki,
            &weir,
            "weir_web_tls_handshakes_total{result=\"failed\"} "
        ) >= 6.0
    );
}

#[test]
fn two_hundred_idle_connections_stay_small() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let resident = || {
        let path = format!("/proc/{}/status", weir.process.0.id());
        let status = fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<i64>().unwrap()
    };
    for _ in 0..5 {
        assert_eq!(client(&pki, &weir).get("/metrics", "").unwrap().status, 200);
    }
    let before = resident();
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut client = client(&pki, &weir);
        assert_eq!(client.get("/health", "").unwrap().status, 200);
        idle.push(client);
    }
    let grown = resident() - before;
    println!(
        "200 idle connections: {grown} KiB, {} bytes each",
        grown * 1024 / 200
    );
    assert!(grown < 4096, "{grown} KiB");
    assert_eq!(idle[0].get("/health", "").unwrap().status, 200);
}

#[test]
fn clients_that_end_in_any_way_are_let_go() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    // Says what it wants and that this is all, in one go.
    let mut stream = tls(&pki, &weir).unwrap();
    stream.conn.writer().write_all(request).unwrap();
    stream.conn.send_close_notify();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert!(
        all.ends_with(b"\r\n\r\nOK\n"),
        "{}",
        String::from_utf8_lossy(&all)
    );
    // Half closed after the request.
    let mut stream = tls(&pki, &weir).unwrap();
    stream.write_all(request).unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    // close_notify on an idle connection.
    let mut stream = tls(&pki, &weir).unwrap();
    stream.conn.send_close_notify();
    let mut nothing = Vec::new();
    let ended = stream.read_to_end(&mut nothing);
    assert!(
        nothing.is_empty()
            && ended.map_or_else(
                |error| error.kind() != std::io::ErrorKind::WouldBlock,
                |_| true
            )
    );
    assert_eq!(curl(&pki, &weir, &[]), 200);
}

#[test]
fn of_many_requests_in_one_record_few_are_kept() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    for (count, answers, last) in [(20, 20, "keep-alive"), (400, 1, "close")] {
        let mut stream = tls(&pki, &weir).unwrap();
        stream.sock.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.repeat(count).as_bytes()).unwrap();
        let (mut text, mut piece) = (String::new(), [0; 4096]);
        while text.matches("HTTP/1.1 200 OK\r\n").count() < answers || !text.ends_with("OK\n") {
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "{count}: {text}");
            text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        assert!(
            text.contains(&format!("Connection: {last}\r\n")),
            "{count}: {text}"
        );
        if last == "close" {
            // In order, so that the client knows that no answer is missing but those to what came after.
            assert_eq!(stream.read(&mut piece).unwrap(), 0);
        }
    }
}
