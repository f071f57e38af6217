//! Clients that say odd things.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;
use std::time::Instant;

use super::crowd;
use super::dial;
use super::part;
use super::survive;
use super::together;
use crate::http::harness::Options;
use crate::http::harness::exchange;

#[test]
fn odd_requests_are_answered_for_what_they_are() {
    let full = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let mut cases: Vec<(Vec<u8>, u16)> = [
        ("TE: gzip;q=NaN\r\n\r\n", 200),
        ("TE: x;q=NaN, chunked;q=1\r\n\r\n", 200),
        ("Accept-Encoding: gzip;q=NaN\r\n\r\n", 200),
        ("Expect: 100-continue\r\n\r\n", 200),
        ("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 413),
        ("Expect: a-pony\r\n\r\n", 200),
        ("Content-Length: 18446744073709551615\r\n\r\n", 413),
        ("Content-Length: 4611686018427387904\r\n\r\n", 413),
        ("Content-Length: 1099511627776\r\n\r\n", 413),
        ("Content-Length: 99999999999999999999999999\r\n\r\n", 413),
        ("Content-Length: -1\r\n\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            413,
        ),
        ("Upgrade: websocket\r\nConnection: close\r\n\r\n", 200),
        ("X: a\0b\r\n\r\n", 400),
        ("X\u{1}: b\r\n\r\n", 400),
        (" folded: line\r\n\r\n", 400),
        ("X: caf\u{e9}\r\n\r\n", 200),
        ("Range: bytes=0-0\r\n\r\n", 200),
    ]
    .into_iter()
    .map(|(lines, code)| (format!("{full}{lines}").into_bytes(), code))
    .collect();
    let whole: [(&[u8], u16); 11] = [
        (
            b"GET /metrics HTTP/1.1\nHost: x\nConnection: close\n\n",
            200,
        ),
        (b"GET http://x/metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 505),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\0\0\0\0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /../../etc/passwd HTTP/1.0\r\n\r\n", 404),
        (b"GET /metrics?collect[]=%00 HTTP/1.0\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    ];
    cases.extend(whole.map(|(request, code)| (request.to_vec(), code)));
    survive(Options::default(), |address, _| {
        for (request, code) in &cases {
            let reply = exchange(address, request);
            let got = reply.map(|reply| reply.code).ok();
            assert_eq!(got, Some(*code), "{}", request.escape_ascii());
        }
    });
}

#[test]
fn garbage_is_refused_or_cut() {
    survive(Options::default(), |address, clock| {
        // xorshift: the same garbage on each run.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        while clock.runs() {
            let mut garbage = Vec::with_capacity(1024);
            while garbage.len() < 1024 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                garbage.extend(state.to_le_bytes());
            }
            let held = crowd(address, 20, &garbage);
            drop(held);
        }
    });
}

#[test]
fn bursts_of_good_and_bad() {
    survive(Options::default(), |address, clock| {
        together(4, || {
            let words: [&[u8]; 6] = [
                b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
                b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                b"\0\0\0\0\r\n\r\n",
                b"GET /metr",
                b"",
            ];
            while clock.runs() {
                let held: Vec<_> = words
                    .iter()
                    .flat_map(|words| crowd(address, 8, words))
                    .collect();
                drop(held);
                // Bursts, and no flood that overflows the kernel's queue: a client that falls out of it comes again only
                // after a second.
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    });
}

#[test]
fn half_closed_and_gone_without_reading() {
    survive(Options::default(), |address, clock| {
        while clock.runs() {
            for words in [
                &b""[..],
                b"GET /metr",
                b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
            ] {
                for mut stream in crowd(address, 10, words) {
                    stream.shutdown(Shutdown::Write).expect("shut");
                    if words.len() > 20 {
                        stream
                            .set_read_timeout(Some(Duration::from_secs(2)))
                            .expect("set");
                        let mut all = Vec::new();
                        stream.read_to_end(&mut all).expect("an answer and an end");
                        assert!(all.ends_with(b"# end\n"));
                    }
                }
                crowd(address, 10, words).into_iter().for_each(part);
            }
        }
    });
}

#[test]
fn sixty_four_greedy_clients() {
    survive(Options::default(), |address, clock| {
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        together(2, || {
            let mut clients: Vec<_> = (0..32).filter_map(|_| dial(address)).collect();
            let mut sink = vec![0; 64 << 10];
            while clock.runs() {
                for client in &mut clients {
                    // One request more, and whatever has come: it always has something to answer.
                    let _ = client.write(request);
                    client.set_nonblocking(true).expect("set");
                    let _ = client.read(&mut sink);
                    client.set_nonblocking(false).expect("set");
                }
            }
        });
    });
}

#[test]
fn two_hundred_clients_with_pages_to_ask_for_in_advance() {
    let costly = Options {
        size: 100,
        cost: Duration::from_millis(2),
        ..Options::default()
    };
    survive(costly, |address, _| {
        // Longer than the others: a starved scrape shows only while they go on.
        let end = Instant::now() + Duration::from_secs(2);
        // Every request wants another page, none is held up by its answer, and there is always a next one.
        let many: String = (0..200)
            .map(|number| format!("HEAD /metrics?{number} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .collect();
        let mut clients = crowd(address, 200, many.as_bytes());
        let mut sink = vec![0; 64 << 10];
        while Instant::now() < end {
            for client in &mut clients {
                client.set_nonblocking(true).expect("set");
                let over = matches!(client.read(&mut sink), Ok(0));
                let written = client.write(many.as_bytes());
                let gone = written.is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
                client.set_nonblocking(false).expect("set");
                if over || gone {
                    *client = dial(address).expect("connected");
                }
            }
        }
    });
}
