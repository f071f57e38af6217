//! Clients that ask and do not take the answer.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use super::Clock;
use super::crowd;
use super::dial;
use super::is_cut;
use super::survive;
use super::together;
use crate::http::harness::Options;

/// More than the kernels' buffers hold, and a new page for each, so that the server has to keep what is not read.
const LARGE: Options = Options {
    size: 1_000_000,
    fresh: true,
    read: Duration::from_secs(1),
    write: Duration::from_secs(1),
    cost: Duration::ZERO,
};

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// Connections that ask, each for a page of its own, with a small window, so that little of the answer leaves the server.
fn askers(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let askers = crowd(address, count, b"");
    for (number, mut stream) in askers.iter().enumerate() {
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(stream, 4096);
        let request = format!("GET /metrics?{number} HTTP/1.1\r\nHost: x\r\n\r\n");
        let _ = stream.write_all(request.as_bytes());
    }
    askers
}

#[test]
fn one_client_that_never_reads() {
    survive(LARGE, |address, clock| {
        let held = askers(address, 1);
        clock.wait();
        drop(held);
    });
}

#[test]
fn sixty_four_clients_that_never_read() {
    survive(LARGE, |address, clock| {
        let held = askers(address, 64);
        clock.wait();
        drop(held);
    });
}

#[test]
fn clients_that_never_read_and_come_again() {
    survive(LARGE, |address, clock| {
        let mut held = askers(address, 64);
        while clock.runs() {
            // The oldest goes, a new one comes.
            held.drain(..4.min(held.len()));
            held.extend(askers(address, 4));
        }
    });
}

#[test]
fn clients_that_read_a_byte_now_and_then() {
    survive(LARGE, |address, clock: Clock| {
        let mut held = askers(address, 64);
        while clock.runs() {
            for stream in &mut held {
                let _ = stream.read(&mut [0]);
            }
        }
    });
}

/// Too long for the kernels' buffers, and so many that each has to wait for those before it to be given up.
const CROWD: Options = Options {
    size: 300_000,
    ..LARGE
};

#[test]
fn two_hundred_and_fifty_clients_that_never_read() {
    survive(CROWD, |address, clock| {
        let held = askers(address, 250);
        clock.wait();
        drop(held);
    });
}

#[test]
fn two_hundred_and_fifty_clients_that_never_read_and_come_again() {
    survive(CROWD, |address, _| {
        for _ in 0..4 {
            let held = askers(address, 250);
            std::thread::sleep(Duration::from_millis(300));
            drop(held);
        }
    });
}

#[test]
fn pipelining_without_reading() {
    survive(Options::default(), |address, clock| {
        let many = REQUEST.repeat(200);
        together(4, || {
            let mut clients: Vec<_> = (0..8).filter_map(|_| dial(address)).collect();
            while clock.runs() {
                for client in &mut clients {
                    client.set_nonblocking(true).expect("set");
                    let written = client.write(&many);
                    if written.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
                        *client = dial(address).expect("connected");
                    }
                }
                std::thread::yield_now();
            }
        });
    });
}

#[test]
fn a_steady_reader_is_served_while_others_never_read() {
    survive(LARGE, |address, clock| {
        let held = askers(address, 1);
        let mut steady = dial(address).expect("connected");
        steady.write_all(REQUEST).expect("sent");
        let mut length = 0;
        let mut some = vec![0; 50_000];
        while length < LARGE.size {
            let count = steady.read(&mut some).expect("it comes");
            assert!(count > 0, "cut after {length} bytes");
            length += count;
        }
        clock.wait();
        assert!(!held.is_empty() && !is_cut(&mut steady));
    });
}
