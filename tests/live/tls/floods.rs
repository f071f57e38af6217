//! Many connections at once that mean no good, to a port that speaks TLS. While one attack runs, an ordinary scrape over TLS,
//! handshake included, must be answered within a second; memory must not grow by a megabyte, and threads and descriptors must
//! be as before. Every count and time is bounded.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustls::ClientConnection;

use crate::client::Client;
use crate::running::Directory;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::Weir;
use crate::running::wait_until;
use crate::running::waited;
use crate::support::skip;

use super::Tls;
use super::configured;
use super::handshake;
use super::pki::Pki;
use super::server;
use super::weir_with;

/// How long an attack goes on.
const ATTACK: Duration = Duration::from_secs(1);
/// How much memory an attack may cost, in KiB: less than a megabyte.
const GROWTH: u64 = 1_000_000 / 1024;
/// When connections run out, who has been in a handshake for longer than 50 ms may go: for so long this thread may have been
/// kept from going on.
const STALLED: Duration = Duration::from_millis(40);
/// A page that does not fit into the kernel's buffers, in bytes, about.
const LARGE: usize = 300_000;

/// A weir with TLS, and what its attackers need to know.
struct Target {
    process: Process,
    address: String,
    config: Arc<rustls::ClientConfig>,
    _files: (Pki, Directory),
}

/// What can be seen of the program from outside.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    threads: u64,
    descriptors: usize,
    /// Without the pages of the program's own file, in KiB.
    own: u64,
}

impl Target {
    /// With a page of so many bytes, and nothing on it that other tests could change; `None` where what it takes is missing, which
    /// is told.
    fn new(size: usize) -> Option<Self> {
        if let Some(reason) = super::missing() {
            skip(&reason);
            return None;
        }
        let (pki, directory) = (Pki::new(), Directory::new());
        let mut page = "# TYPE flood_bytes gauge\n".to_string();
        while page.len() < size {
            page.push_str(&format!("flood_bytes{{at=\"{:0>99}\"}} 1\n", page.len()));
        }
        fs::write(directory.0.join("flood.prom"), page).unwrap();
        let directory_flag = format!("--collector.textfile.directory={}", directory.0.display());
        let flags = [
            "--collector.disable-defaults",
            "--collector.textfile",
            &directory_flag,
            "--web.read-timeout=1s",
            "--web.write-timeout=1s",
        ];
        let Weir {
            process, address, ..
        } = weir_with(&pki, &server(""), &flags);
        let config = configured(&pki);
        let target = Self {
            process,
            address,
            config,
            _files: (pki, directory),
        };
        // Files are read beside the scrape.
        wait_until("the page is whole", || target.page().len() >= size);
        Some(target)
    }

    fn page(&self) -> Vec<u8> {
        let mut client = Client::over(self.tls().unwrap());
        let answer = client.get("/metrics", "Connection: close\r\n").unwrap();
        assert_eq!(answer.status, 200);
        answer.body
    }

    fn pid(&self) -> u32 {
        self.process.0.id()
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // As Prometheus and curl do; else the end of the handshake holds up the request.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn tls(&self) -> std::io::Result<Tls> {
        handshake(&self.config, self.connect()?)
    }

    /// The first words of a client.
    fn hello(&self) -> Vec<u8> {
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        hello
    }

    /// So many connections that have said `words`.
    fn crowd(&self, count: usize, words: &[u8]) -> Vec<TcpStream> {
        let spoken = (0..count).filter_map(|_| {
            let mut stream = self.connect().ok()?;
            // The server may have cut it already.
            let _ = stream.write_all(words);
            Some(stream)
        });
        spoken.collect()
    }

    fn footprint(&self) -> Footprint {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap()
                .split_whitespace()
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        Footprint {
            threads: field("Threads:"),
            descriptors: fs::read_dir(format!("/proc/{}/fd", self.pid()))
                .unwrap()
                .count(),
            own: field("RssAnon:"),
        }
    }

    /// For how long the program's threads could have run, and others were let run instead.
    fn waited(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let tasks = tasks.filter_map(|task| task.ok().map(|task| task.path()));
        tasks.map(|task| waited(&task)).sum()
    }

    /// An ordinary scrape, within a second but for the time in which others were let run. It is asked for again if it was cut
    /// and this thread was not let run for as long as a newcomer may be silent.
    fn scrape(&self) {
        let client = || waited(Path::new("/proc/thread-self"));
        let all = || self.waited() + client();
        let (begun, before) = (Instant::now(), all());
        let answer = loop {
            let before = client();
            let tls = self.tls().map_err(|error| error.to_string());
            let answer = tls.and_then(|tls| {
                let got = Client::over(tls).get("/metrics", "Connection: close\r\n");
                got.map_err(|error| error.to_string())
            });
            match answer {
                Ok(answer) => break answer,
                Err(error) => {
                    let stalled = client().saturating_sub(before);
                    println!("a scrape ended with {error}, {stalled:?} without a processor");
                    assert!(stalled >= STALLED, "{error}");
                }
            }
        };
        let took = begun.elapsed();
        // A thread that has ended since has taken its time along.
        let waited = all().saturating_sub(before);
        assert_eq!(answer.status, 200);
        let told = format!("a scrape took {took:?}, {waited:?} of it without a processor");
        println!("{told}");
        assert!(
            took.saturating_sub(waited) < Duration::from_secs(1),
            "{told}"
        );
        assert!(took < Duration::from_secs(10), "{told}");
    }

    /// Runs `attack`, which ends at the time that it is told, and scrapes meanwhile.
    fn survives(&self, growth: u64, attack: impl Fn(Instant) + Sync) {
        (0..5).for_each(|_| self.scrape());
        let before = self.footprint();
        let mut most = before;
        thread::scope(|scope| {
            let attacker = scope.spawn(|| attack(Instant::now() + ATTACK));
            while !attacker.is_finished() {
                self.scrape();
                let now = self.footprint();
                most.own = most.own.max(now.own);
                most.threads = most.threads.max(now.threads);
                thread::sleep(Duration::from_millis(50));
            }
        });
        println!("before {before:?}, at most {most:?}, {growth} KiB allowed");
        assert_eq!(most.threads, before.threads);
        assert!(most.own - before.own < growth, "{before:?}, {most:?}");
        wait_until("its descriptors are as before", || {
            self.footprint().descriptors <= before.descriptors
        });
        self.scrape();
    }
}

/// Holds what it holds until the end of the attack.
fn hold<T>(held: T, end: Instant) {
    thread::sleep(end.saturating_duration_since(Instant::now()));
    drop(held);
}

#[test]
fn six_hundred_that_say_nothing_half_a_hello_or_a_whole_one() {
    let Some(target) = Target::new(1000) else {
        return;
    };
    let hello = target.hello();
    for words in [&[][..], &hello[..hello.len() / 2], &hello] {
        target.survives(GROWTH, |end| hold(target.crowd(600, words), end));
    }
}

#[test]
fn hellos_again_and_again() {
    let Some(target) = Target::new(1000) else {
        return;
    };
    let hello = target.hello();
    target.survives(GROWTH, |end| {
        let mut sent = 0;
        while Instant::now() < end && sent < 20_000 {
            sent += target.crowd(20, &hello).len();
        }
        println!("{sent} hellos");
    });
}

#[test]
fn garbage_and_garbled_hellos() {
    let Some(target) = Target::new(1000) else {
        return;
    };
    let hello = target.hello();
    target.survives(GROWTH, |_| {
        for at in 0..hello.len() {
            let mut garbled = hello.clone();
            garbled[at] ^= 0x81;
            drop(target.crowd(1, &garbled));
            drop(target.crowd(1, &hello[..at]));
            // And what comes after it is no more than noise.
            drop(target.crowd(1, &[&hello[..], &garbled].concat()));
        }
        // xorshift: the same garbage on each run.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..200 {
            let mut garbage = vec![22, 3, 1, 2, 0];
            while garbage.len() < 1024 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                garbage.extend(state.to_le_bytes());
            }
            drop(target.crowd(1, &garbage));
        }
    });
}

#[test]
fn connections_that_are_reset_at_once() {
    let Some(target) = Target::new(1000) else {
        return;
    };
    let hello = target.hello();
    target.survives(GROWTH, |end| {
        let mut sent = 0;
        while Instant::now() < end && sent < 8000 {
            for words in [&[][..], &hello[..7], &hello] {
                for stream in target.crowd(10, words) {
                    let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
                    sent += 1;
                }
            }
        }
        println!("{sent} resets");
    });
}

/// RFC 8446, 4.6.3: each asks the server for another of its own.
#[test]
fn new_keys_again_and_again() {
    let Some(target) = Target::new(1000) else {
        return;
    };
    target.survives(GROWTH, |end| {
        let (mut updates, mut refused) = (0, 0);
        while Instant::now() < end && updates < 100_000 {
            let Ok(mut client) = target.tls() else {
                continue;
            };
            for _ in 0..1000 {
                if client.conn.refresh_traffic_keys().is_err() || client.flush().is_err() {
                    refused += 1;
                    break;
                }
                updates += 1;
            }
        }
        println!("{updates} new keys on connections of which {refused} were refused more");
    });
}

/// After some new keys of the client's, the answer comes under the server's own new ones.
#[test]
fn an_answer_after_new_keys_is_read() {
    let Some(target) = Target::new(LARGE) else {
        return;
    };
    let mut tls = target.tls().unwrap();
    for _ in 0..3 {
        tls.conn.refresh_traffic_keys().unwrap();
        tls.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut client = Client::over(&mut tls);
        let answer = client.read_answer().unwrap();
        assert!(answer.status == 200 && answer.body.len() > LARGE);
    }
}

/// All of them are alive at once, with a page that few renderings serve.
#[test]
fn two_hundred_and_fifty_slow_readers() {
    let Some(target) = Target::new(LARGE) else {
        return;
    };
    let pages = 5 * (LARGE as u64 / 1024);
    target.survives(GROWTH + pages, |end| {
        let mut held: Vec<_> = (0..250).filter_map(|_| target.tls().ok()).collect();
        for client in &mut held {
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&client.sock, 4096);
            let _ = client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        let end = end + ATTACK;
        while Instant::now() < end {
            for client in &mut held {
                let _ = client.sock.set_nonblocking(true);
                let _ = client.sock.read(&mut [0]);
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
}
