//! Connections: how long they live, in which order they go, and that answers arrive whole.

use std::io::Read;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use weir::http::Settings;

use super::fake;
use super::harness;
use super::harness::connect;
use super::harness::get;
use super::harness::here;
use super::harness::reply;
use super::harness::settings;

#[test]
fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let done = here(settings(), fake(0), |address| {
        let mut stream = connect(address);
        let mut all = Vec::new();
        for target in ["/metrics", "/health", "/none", "/"] {
            all.extend(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes());
        }
        // Cut where no line ends, so that the rest comes later.
        let (first, second) = all.split_at(all.len() - 20);
        stream.write_all(first).expect("sent");
        let mut codes = Vec::new();
        for _ in 0..3 {
            let reply = reply(&mut stream, false).expect("an answer");
            assert_eq!(reply.header("connection"), Some("keep-alive"));
            codes.push(reply.code);
        }
        stream.write_all(second).expect("sent");
        codes.push(reply(&mut stream, false).expect("an answer").code);
        assert_eq!(codes, [200, 200, 404, 200]);
    });
    assert_eq!((done.stats.accepted, done.stats.requests), (1, 4));
}

#[test]
fn old_clients_are_closed_unless_they_ask() {
    here(settings(), fake(0), |address| {
        let mut stream = connect(address);
        stream
            .write_all(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .expect("sent");
        let kept = reply(&mut stream, false).expect("an answer");
        assert!(kept.head.starts_with("HTTP/1.0 200 OK\r\n"));
        stream
            .write_all(b"GET /health HTTP/1.0\r\n\r\n")
            .expect("sent");
        let mut rest = Vec::new();
        stream
            .read_to_end(&mut rest)
            .expect("an answer, then the end");
        assert!(rest.ends_with(b"Connection: close\r\n\r\nOK\n"));
    });
}

#[test]
fn a_client_that_closes_its_side_is_answered() {
    here(settings(), fake(100_000), |address| {
        let mut stream = connect(address);
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("shut");
        let mut all = Vec::new();
        stream
            .read_to_end(&mut all)
            .expect("an answer, then the end");
        assert!(all.ends_with(b"# end\n"));
    });
}

#[test]
fn an_answer_survives_input_that_nobody_reads() {
    here(settings(), fake(0), |address| {
        let mut stream = connect(address);
        let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
        stream.write_all(head).expect("sent");
        // The refusal is here; the body goes out all the same, as clients do that look for an answer only afterwards.
        stream.peek(&mut [0]).expect("an answer");
        for _ in 0..10 {
            stream.write_all(&[b'x'; 10_000]).expect("taken");
        }
        let mut all = Vec::new();
        stream
            .read_to_end(&mut all)
            .expect("an answer, then an orderly end");
        assert!(all.starts_with(b"HTTP/1.1 413 "));
    });
}

#[test]
fn requests_that_want_the_same_bytes_are_rendered_once() {
    let mut settings = settings();
    settings.read_timeout = Duration::from_secs(10);
    let mut server = weir::http::Server::bind(&settings).expect("a free port");
    let address = server.addresses()[0].parse().expect("an address");
    let mut source = fake(200_000);
    let mut clients: Vec<_> = (0..20).map(|_| connect(address)).collect();
    for client in &mut clients {
        client
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sent");
    }
    // All are in the kernel's hands before the loop runs for the first time, and one thread reads them slowly.
    let reader = std::thread::spawn(move || {
        for client in &mut clients {
            let reply = reply(client, false).expect("an answer");
            assert!(reply.body.ends_with(b"# end\n"));
        }
    });
    while !reader.is_finished() {
        if let Some(request) = server.recv_timeout(Duration::from_millis(20)) {
            weir::http::serve(&mut server, &request, &mut source, &settings);
        }
    }
    reader.join().expect("20 answers");
    assert_eq!(source.rendered, 1);
    assert_eq!(source.answered, [("metrics", 200); 20]);
}

#[test]
fn a_client_that_is_gone_is_not_answered() {
    let settings = settings();
    let mut server = weir::http::Server::bind(&settings).expect("a free port");
    let address = server.addresses()[0].parse().expect("an address");
    let mut source = fake(0);
    let mut clients: Vec<_> = ["/health", "/metrics", "/none"]
        .map(|target| {
            let mut client = connect(address);
            let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            client.write_all(request.as_bytes()).expect("sent");
            client
        })
        .into();
    let patience = Duration::from_secs(20);
    let first = server.recv_timeout(patience).expect("a request");
    assert_eq!(first.target, "/health");
    // The second resets its connection while its request waits.
    let second = clients.remove(1);
    rustix::net::sockopt::set_socket_linger(&second, Some(Duration::ZERO)).expect("set");
    drop(second);
    weir::http::serve(&mut server, &first, &mut source, &settings);
    // After this time the loop looks at its connections, whoever is ready.
    std::thread::sleep(Duration::from_millis(20));
    let next = server.recv_timeout(patience).expect("a request");
    assert_eq!(next.target, "/none");
    assert_eq!((server.stats().open, source.rendered), (2, 0));
}

#[test]
fn heads_and_answers_have_their_time() {
    let hasty = Settings {
        read_timeout: Duration::from_millis(200),
        write_timeout: Duration::from_millis(200),
        ..settings()
    };
    let done = here(hasty, fake(20 << 20), |address| {
        let start = Instant::now();
        let mut slow = connect(address);
        slow.write_all(b"GET /metr").expect("sent");
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).expect("an orderly end");
        assert!(rest.is_empty());
        assert!((200..2000).contains(&start.elapsed().as_millis()));
        let mut deaf = connect(address);
        deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sent");
        // Rendering so much takes seconds on a busy machine.
        let cut = harness::within(Duration::from_secs(20), || {
            deaf.take_error().ok().flatten().is_some() || deaf.write_all(b"x").is_err()
        });
        assert!(cut, "a client that never reads is cut");
    });
    assert_eq!((done.stats.timed_out, done.stats.open), (2, 0));
}

#[test]
fn the_least_valuable_connection_goes_first() {
    let few = Settings {
        max_connections: 4,
        ..settings()
    };
    let done = here(few, fake(0), |address| {
        // Two idle ones that have been served, two that have begun.
        let mut idle: Vec<_> = (0..2).map(|_| connect(address)).collect();
        for client in &mut idle {
            client
                .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                .expect("sent");
            reply(client, false).expect("an answer");
        }
        let mut begun: Vec<_> = (0..2).map(|_| connect(address)).collect();
        for client in &mut begun {
            client
                .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n")
                .expect("sent");
        }
        // Two more come: both idle ones go, the oldest first.
        for _ in 0..2 {
            assert_eq!(get(address, "/health", "").code, 200);
        }
        let mut byte = [0];
        assert_eq!(idle[0].read(&mut byte).expect("closed in order"), 0);
        for client in &mut begun {
            client.write_all(b"\r\n").expect("sent");
            assert_eq!(reply(client, false).expect("an answer").code, 200);
        }
    });
    assert!(done.stats.evicted >= 1, "{:?}", done.stats);
}

#[test]
fn an_answer_in_flight_is_finished_when_the_server_stops() {
    let mut late = None;
    here(settings(), fake(4 << 20), |address| {
        let mut stream = connect(address);
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sent");
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the answer has begun");
        late = Some(std::thread::spawn(move || {
            let mut all = Vec::new();
            stream
                .read_to_end(&mut all)
                .expect("the rest, then an orderly end");
            all
        }));
    });
    let all = late.map(|late| late.join().expect("read"));
    assert!(all.is_some_and(|all| all.ends_with(b"# end\n")));
}
