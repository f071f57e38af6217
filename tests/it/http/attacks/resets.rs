//! Clients that reset the connection, at every stage of it: what `dial` made is reset when it is dropped.

use std::io::Read;
use std::thread;
use std::time::Duration;

use super::crowd;
use super::dial;
use super::scrape;
use super::survive;
use super::together;
use crate::http::harness::Child;
use crate::http::harness::Options;
use crate::http::harness::within;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
const REFUSED: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";

#[test]
fn resets_at_every_stage() {
    let options = Options {
        size: 500_000,
        ..Options::default()
    };
    survive(options, |address, clock| {
        while clock.runs() {
            // Before a word, in the head, after it, in the answer, in the linger.
            for words in [&b""[..], b"GET /me", REQUEST, REFUSED] {
                for stream in crowd(address, 5, words) {
                    drop(stream);
                }
                for mut stream in crowd(address, 5, words) {
                    let _ = stream.read(&mut [0; 100]);
                    drop(stream);
                }
            }
        }
    });
}

#[test]
fn resets_while_the_server_is_stopped() {
    let child = Child::spawn(Options::default());
    let before = child.settled(scrape);
    let signal = |signal| rustix::process::kill_process(child.pid(), signal).expect("sent");
    signal(rustix::process::Signal::STOP);
    // The kernel takes these connections for it; all are gone before it can accept.
    for words in [&b""[..], b"GET /me", REQUEST, REFUSED] {
        for stream in crowd(child.address, 100, words) {
            drop(stream);
        }
    }
    let full = crowd(child.address, 300, REQUEST);
    drop(full);
    signal(rustix::process::Signal::CONT);
    scrape(&child);
    let quiet = within(Duration::from_secs(5), || {
        child.footprint().descriptors <= before.descriptors
    });
    assert!(quiet, "{:?}", child.footprint());
    assert_eq!(child.footprint().threads, before.threads);
    child.stop();
}

#[test]
fn eight_thousand_connections_opened_and_reset() {
    survive(Options::default(), |address, _| {
        together(2, || {
            for _ in 0..4000 {
                if let Some(stream) = dial(address) {
                    drop(stream);
                } else {
                    thread::yield_now();
                }
            }
        });
    });
}
