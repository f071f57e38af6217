//! A name server that does what the first label of the question says. It knows the format by itself: the program's own
//! code must not judge itself.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Longer than the program under test is told to wait.
const LATE: Duration = Duration::from_secs(2);

/// Response, recursion desired and available.
const FINE: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;

pub(super) struct Server {
    pub(super) address: String,
    told: Arc<Mutex<Vec<(u16, u16)>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(super) fn start() -> Self {
        // A port that is free for both, which most are.
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let address = tcp.local_addr().unwrap().to_string();
        let told = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let pause = Some(Duration::from_millis(100));
        udp.set_read_timeout(pause).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let (asked, ended) = (Arc::clone(&told), Arc::clone(&stop));
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            let mut lost = false;
            let mut flap = false;
            while !ended.load(Ordering::Relaxed) {
                if let Ok((length, from)) = udp.recv_from(&mut buffer) {
                    let query = &buffer[..length];
                    let id = u16::from_be_bytes([query[0], query[1]]);
                    asked.lock().unwrap().push((id, from.port()));
                    flap = !flap;
                    over_udp(&udp, query, from, &mut lost, flap);
                }
            }
        });
        let ended = Arc::clone(&stop);
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match tcp.accept() {
                    Ok((stream, _)) => {
                        thread::spawn(move || over_tcp(stream));
                    }
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self {
            address,
            told,
            stop,
        }
    }

    /// The ids of the questions that came over UDP, and the ports that they came from.
    pub(super) fn told(&self) -> Vec<(u16, u16)> {
        self.told.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The first label, the type, and the end of the question.
fn question(query: &[u8]) -> (String, u16, usize) {
    let mut at = 12;
    let first = &query[13..13 + usize::from(query[12])];
    while query[at] != 0 {
        at += 1 + usize::from(query[at]);
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (String::from_utf8(first.to_vec()).unwrap(), kind, at + 5)
}

fn answer(query: &[u8], flags: u16, records: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let (_, _, end) = question(query);
    let mut bytes = query[..2].to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend([0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(&query[12..end]);
    for (kind, data) in records {
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

fn fine(query: &[u8]) -> Vec<u8> {
    let (_, kind, _) = question(query);
    let ns = |digit: u8| [&[3, b'n', b's', digit, 4][..], b"test\0"].concat();
    let records = match kind {
        1 => vec![(1, vec![192, 0, 2, 1])],
        2 => vec![(2, ns(b'2')), (2, ns(b'1'))],
        6 => {
            let serial = 2_024_010_101u32.to_be_bytes();
            vec![(6, [&ns(b'1')[..], &ns(b'1'), &serial, &[0; 16]].concat())]
        }
        other => panic!("type {other}"),
    };
    answer(query, FINE, &records)
}

/// What nobody should believe.
pub(super) fn forged(query: &[u8]) -> Vec<u8> {
    answer(query, FINE, &[(1, vec![203, 0, 113, 66])])
}

fn over_udp(socket: &UdpSocket, query: &[u8], from: SocketAddr, lost: &mut bool, flap: bool) {
    let send = |bytes: &[u8]| {
        socket.send_to(bytes, from).unwrap();
    };
    let mut wrong = forged(query);
    match question(query).0.as_str() {
        "servfail" => send(&answer(query, FINE | 2, &[])),
        "nxdomain" => send(&answer(query, FINE | 3, &[])),
        "notimp" => send(&answer(query, FINE | 4, &[])),
        "refused" => send(&answer(query, FINE | 5, &[])),
        "formerr" => send(&[&query[..2], &[0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]].concat()),
        // From before EDNS: no additional records.
        "noedns" if query[11] != 0 => send(&answer(query, FINE | 1, &[])),
        "garbage" => {
            let whole = fine(query);
            send(&whole[..whole.len() - 2]);
        }
        "silent" => {}
        // Reverse names.
        number if number.parse::<u8>().is_ok() => {}
        "late" => {
            let (socket, answer) = (socket.try_clone().unwrap(), fine(query));
            thread::spawn(move || {
                thread::sleep(LATE);
                socket.send_to(&answer, from)
            });
        }
        "lost" if !*lost => *lost = true,
        "flap" if flap => send(&answer(query, FINE | 3, &[])),
        "truncated" | "tcp-silent" | "tcp-close" | "tcp-forged" | "tcp-pieces" => {
            send(&answer(query, FINE | TRUNCATED, &[]));
        }
        "forged-id" => {
            wrong[1] ^= 1;
            send(&wrong);
            send(&fine(query));
        }
        "forged-question" => {
            wrong[13] ^= 1;
            send(&wrong);
            send(&fine(query));
        }
        "forged-address" => {
            // The right id and question, from another port and from another address.
            for other in ["127.0.0.1:0", "127.0.0.77:0"] {
                let other = UdpSocket::bind(other).unwrap();
                other.send_to(&wrong, from).unwrap();
            }
            send(&fine(query));
        }
        "forged-only" => {
            wrong[0] ^= 1;
            send(&wrong);
            wrong[0] ^= 1;
            wrong[2] = 0;
            send(&wrong);
            let other = UdpSocket::bind("127.0.0.1:0").unwrap();
            other.send_to(&forged(query), from).unwrap();
        }
        _ => send(&fine(query)),
    }
}

fn over_tcp(mut stream: TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(2 * LATE)).unwrap();
    let mut length = [0; 2];
    if stream.read_exact(&mut length).is_err() {
        return;
    }
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query).unwrap();
    let mut message = answer(&query, FINE, &[(1, vec![192, 0, 2, 2])]);
    let label = question(&query).0;
    match label.as_str() {
        "tcp-close" => return,
        "tcp-silent" => return thread::sleep(2 * LATE),
        "tcp-forged" => message[1] ^= 1,
        _ => {}
    }
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let message = [&length[..], &message].concat();
    if label != "tcp-pieces" {
        return stream.write_all(&message).unwrap();
    }
    for byte in message {
        stream.write_all(&[byte]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}
