//! The descriptor limit, lowered under the running server.

use std::time::Duration;

use rustix::process::Resource;
use rustix::process::Rlimit;

use super::crowd;
use super::scrape;
use super::under_attack;
use crate::http::harness::Child;
use crate::http::harness::Options;
use crate::http::harness::within;

/// Holds more connections than the server may have when only `left` descriptors are left to it.
fn with_descriptors_left(left: u64) {
    let child = Child::spawn(Options::default());
    let before = child.settled(scrape);
    // Connections from before the limit stay open above it.
    let early = crowd(child.address, 100, b"GET /");
    let opened = within(Duration::from_secs(1), || {
        child.footprint().descriptors + 1 >= before.descriptors + 100
    });
    assert!(opened);
    let limit = before.descriptors as u64 + left;
    let limit = Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    rustix::process::prlimit(Some(child.pid()), Resource::Nofile, limit).expect("lowered");
    let most = under_attack(&child, &|address, clock: super::Clock| {
        while clock.runs() {
            let held = crowd(address, 300, b"GET / HTTP/1.1\r\n");
            let idle = crowd(address, 100, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
            drop((held, idle));
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(most.threads, before.threads);
    drop(early);
    let quiet = within(Duration::from_secs(5), || {
        child.footprint().descriptors <= before.descriptors
    });
    assert!(quiet, "before {before:?}, after {:?}", child.footprint());
    scrape(&child);
    child.stop();
}

#[test]
fn sixty_four_descriptors_left() {
    with_descriptors_left(64);
}

#[test]
fn one_descriptor_left() {
    with_descriptors_left(1);
}
