//! Clients that take a connection and do nothing with it.

use std::io::Write;
use std::time::Duration;

use super::crowd;
use super::dial;
use super::is_cut;
use super::survive;
use crate::http::harness::Options;
use crate::http::harness::reply;
use crate::http::harness::within;

#[test]
fn six_hundred_idle_and_six_hundred_partial_heads() {
    survive(Options::default(), |address, clock| {
        let idle = crowd(address, 600, b"");
        let partial = crowd(address, 600, b"GET /metrics HTTP/1.1\r\nHost: x\r\n");
        clock.wait();
        drop((idle, partial));
    });
}

#[test]
fn slowloris_reopened_at_once() {
    survive(Options::default(), |address, clock| {
        let mut held = crowd(address, 2000, b"GET / HTTP/1.1\r\n");
        while clock.runs() {
            for stream in &mut held {
                if !clock.runs() {
                    break;
                }
                // Closed already or not: another byte, or another connection.
                if (is_cut(stream) || stream.write(b"X").is_err())
                    && let Some(mut next) = dial(address)
                {
                    let _ = next.write_all(b"GET / HTTP/1.1\r\n");
                    *stream = next;
                }
            }
        }
    });
}

#[test]
fn idle_keep_alive_and_upgrades_held() {
    survive(Options::default(), |address, clock| {
        let mut held = Vec::new();
        let upgrade = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
            HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
        let plain = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
        for request in [&plain[..], upgrade].into_iter().cycle().take(600) {
            let Some(mut stream) = dial(address) else {
                continue;
            };
            stream
                .set_read_timeout(Some(Duration::from_secs(1)))
                .expect("set");
            stream.write_all(request).expect("sent");
            let answer = reply(&mut stream, false).expect("an answer");
            assert_eq!(answer.code, 200);
            held.push(stream);
        }
        assert!(held.len() > 500, "{}", held.len());
        clock.wait();
    });
}

/// As many as there may be, each as long as a head may be but for its end, and as many that pipeline as much behind a request.
#[test]
fn long_heads_held() {
    survive(Options::default(), |address, clock| {
        let mut head = b"GET / HTTP/1.1\r\nX: ".to_vec();
        head.resize(8000, b'a');
        let behind = [b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", &head[..]].concat();
        let held = (crowd(address, 400, &head), crowd(address, 400, &behind));
        clock.wait();
        drop(held);
    });
}

#[test]
fn bodies_announced_and_held() {
    survive(Options::default(), |address, clock| {
        let announce = |length: u64| {
            format!("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
        };
        let mut held = Vec::new();
        for length in [u64::MAX, 1 << 62, 1 << 40, 8 << 30] {
            held.extend(crowd(address, 50, announce(length).as_bytes()));
        }
        held.extend(crowd(address, 500, announce(2000).as_bytes()));
        let waiting =
            "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\nhalf";
        held.extend(crowd(address, 50, waiting.as_bytes()));
        for _ in 0..50 {
            held.extend(crowd(address, 10, announce(8 << 30).as_bytes()));
        }
        clock.wait();
        // Each got its refusal, or was cut for a later one; none is still held.
        let cut = within(Duration::from_secs(3), || held.iter_mut().all(is_cut));
        assert!(cut, "a refused body is not waited for");
    });
}
