//! Clients that never come to an end.

use std::io::ErrorKind;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::Clock;
use super::crowd;
use super::dial;
use super::is_cut;
use super::survive;
use super::together;
use crate::http::harness::Options;
use crate::http::harness::within;

/// More than the server and two kernels' buffers can have taken of a client that is refused, in bytes.
const FAR_TOO_MUCH: usize = 16 << 20;

/// Sends `start` and then `more` again and again until the server cuts the connection, which it must.
fn pour(address: SocketAddr, clock: Clock, start: &[u8], more: &[u8]) {
    let more = more.repeat(16_384 / more.len());
    while clock.runs() {
        let Some(mut stream) = dial(address) else {
            continue;
        };
        let mut sent = 0;
        let mut piece = start;
        while clock.runs() {
            match stream.write(piece) {
                Ok(count) => {
                    sent += count;
                    piece = &more;
                    assert!(sent < FAR_TOO_MUCH, "{}: still taken", start.escape_ascii());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
    }
}

#[test]
fn endless_line_url_and_header_list() {
    survive(Options::default(), |address, clock| {
        let kinds: [(&[u8], &[u8]); 5] = [
            (b"A", b"A"),
            (b"GET /", b"a"),
            (b"GET / HTTP/1.1\r\nX: ", b"a"),
            (b"GET / HTTP/1.1\r\n", b"X: 1\r\n"),
            (b"\r\n", b"\r\n"),
        ];
        std::thread::scope(|scope| {
            for (start, more) in kinds {
                scope.spawn(move || pour(address, clock, start, more));
            }
        });
    });
}

#[test]
fn endless_body_and_chunks() {
    survive(Options::default(), |address, clock| {
        let kinds: [(&[u8], &[u8]); 4] = [
            (
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n",
                b"x",
            ),
            (
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1\r\nx\r\n",
            ),
            (
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"f",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
            ),
        ];
        std::thread::scope(|scope| {
            for (start, more) in kinds {
                scope.spawn(move || pour(address, clock, start, more));
            }
        });
    });
}

#[test]
fn a_hundred_heads_of_256_kib() {
    let mut head = b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
    head.resize(256 << 10, b'a');
    survive(Options::default(), |address, clock| {
        together(4, || {
            let held = crowd(address, 25, &head);
            clock.wait();
            drop(held);
        });
    });
}

#[test]
fn a_trickled_body_and_a_trickled_head() {
    survive(Options::default(), |address, clock| {
        let body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
        let mut held = crowd(address, 50, body);
        held.extend(crowd(address, 50, b"GET / HTTP/1.1\r\nX: "));
        while clock.runs() {
            for stream in &mut held {
                let _ = stream.write(b"x\n");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let cut = within(Duration::from_secs(2), || {
            held.iter_mut().take(50).all(is_cut)
        });
        assert!(cut, "a refused body is not waited for");
    });
}
