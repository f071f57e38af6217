use super::*;
use crate::config::dns::RecordType;
use crate::config::dns::Server;
use std::net::UdpSocket;
use std::thread;

fn bytes(values: &[&str]) -> Vec<Vec<u8>> {
    values.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn values_are_a_set() {
    let record = |expect: &[&str]| {
        Record::new("a.example", RecordType::A, expect.iter().copied()).expect("valid")
    };
    let two = record(&["192.0.2.1", "192.0.2.2"]);
    assert!(is_expected(&two, &bytes(&["192.0.2.2", "192.0.2.1"])));
    assert!(is_expected(
        &two,
        &bytes(&["192.0.2.2", "192.0.2.1", "192.0.2.2"])
    ));
    assert!(!is_expected(&two, &bytes(&["192.0.2.1"])));
    assert!(!is_expected(
        &two,
        &bytes(&["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    ));
    assert!(is_expected(&record(&[]), &bytes(&["192.0.2.9"])));
}

#[test]
fn intervals_spread_by_a_tenth() {
    let interval = Duration::from_secs(10);
    let spreads: Vec<_> = (0..50).map(|_| spread(interval)).collect();
    assert!(
        spreads
            .iter()
            .all(|time| (9.0..=11.0).contains(&time.as_secs_f64()))
    );
    assert!(spreads.iter().any(|time| *time != spreads[0]));
}

#[test]
fn counts_and_times() {
    let mut table = Table::new(2);
    let verdict = |reason| Verdict { reason, ttl: None };
    table.enter(0, verdict(None), Some(Duration::from_millis(1)));
    table.enter(0, verdict(Some(Reason::Timeout)), None);
    assert!(!table.is_complete());
    table.enter(
        1,
        verdict(Some(Reason::Servfail)),
        Some(Duration::from_secs(11)),
    );
    assert!(table.is_complete() && table.last.is_some());
    assert_eq!((table.valid, table.invalid), (1, 2));
    assert_eq!((table.buckets[0], table.buckets[BUCKETS.len()]), (1, 1));
    assert_eq!(table.buckets.iter().sum::<u64>(), 2);
}

/// Answers each question with NXDOMAIN, once.
fn serve(socket: &UdpSocket, count: usize) {
    let mut buffer = [0; 512];
    for _ in 0..count {
        let (length, from) = socket.recv_from(&mut buffer).expect("a question");
        // What stands behind the question is EDNS, of 11 bytes.
        let question = &buffer[2..length - 11];
        let flags_and_counts = [0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0];
        let answer = [&buffer[..2], &flags_and_counts, &question[10..]].concat();
        socket.send_to(&answer, from).expect("sent");
    }
}

/// A check costs two turns of the loop: one sends the question, one takes the answer. What waits costs nothing.
#[test]
fn a_check_takes_two_steps_and_waiting_none() {
    const RECORDS: usize = 60;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let resolver = socket.local_addr().expect("bound").to_string();
    let server = thread::spawn(move || serve(&socket, RECORDS));
    let record = |number| Record::new(&format!("n{number}.test"), RecordType::A, []);
    let config = Dns {
        resolver: Server::parse(&resolver).ok(),
        // On a busy machine none is repeated either.
        timeout: Duration::from_secs(60),
        interval: Duration::from_secs(3600),
        records: (0..RECORDS)
            .filter_map(|number| record(number).ok())
            .collect(),
    };
    let mut checks = Checks::new(&config, Path::new("/nowhere"));
    let (begun, mut steps) = (Instant::now(), 0);
    while checks.table.invalid < RECORDS as u64 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        let table = checks.step();
        assert!(
            table
                .verdicts
                .iter()
                .flatten()
                .all(|verdict| verdict.reason == Some(Reason::Nxdomain))
        );
        steps += 1;
    }
    server.join().expect("every question came once");
    let looks = begun.elapsed().as_secs() / LOOK.as_secs();
    assert!(steps <= 2 * RECORDS as u64 + looks + 1, "{steps} steps");
    let begun = Instant::now();
    checks.step();
    assert!(begun.elapsed() >= LOOK, "woken by nothing");
}
