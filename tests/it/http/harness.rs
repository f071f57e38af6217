//! A server to test against, and a client that is as blunt as the tests need.
//!
//! [`here`] serves in a thread of the test process: for behaviour. [`Child::spawn`] serves in a process of its own, whose
//! memory, threads and descriptors can be looked at and limited: it runs this test binary again, asking for the one
//! test [`served_for_another_test`], which then serves until its standard input is closed.

mod child;

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use weir::config::Listen;
use weir::http;
use weir::http::Guard;
use weir::http::Health;
use weir::http::Page;
use weir::http::Selection;
use weir::http::Server;
use weir::http::Settings;
use weir::http::Source;

pub(crate) use child::Child;
pub(crate) use child::Footprint;
pub(crate) use child::waited;

/// Settings for a test: any free port of 127.0.0.1.
pub(crate) fn settings() -> Settings {
    Settings {
        listen: vec![Listen::Tcp("127.0.0.1".to_string(), 0)],
        telemetry_path: "/metrics".to_string(),
        cors_origin: None,
        compression: true,
        max_connections: 256,
        read_timeout: Duration::from_secs(3),
        write_timeout: Duration::from_secs(10),
        max_header_bytes: 8192,
    }
}

/// A source that knows the collectors `a` and `b` and exports as many bytes as it is told.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) size: usize,
    pub(crate) stale: bool,
    pub(crate) rendered: u64,
    pub(crate) answered: Vec<(&'static str, u16)>,
    /// A different page at each scrape.
    pub(crate) fresh: bool,
    pub(crate) cost: Duration,
    pub(crate) samples: Vec<u8>,
}

impl Source for Fake {
    fn metrics(&mut self, selection: &Selection) -> Result<Vec<u8>, String> {
        for name in selection.collect.iter().chain(&selection.exclude) {
            if !["a", "b"].contains(&name.as_str()) {
                return Err(format!("missing collector: {name}"));
            }
        }
        self.rendered += 1;
        thread::sleep(self.cost);
        while self.samples.len() < self.size {
            let line = format!("weir_test_bytes{{at=\"{}\"}} 1\n", self.samples.len());
            self.samples.extend(line.bytes());
        }
        let first = if self.fresh {
            format!("# {}\n", self.rendered)
        } else {
            format!("# {selection:?}\n")
        };
        Ok([first.as_bytes(), &self.samples, b"# end\n"].concat())
    }

    fn health(&mut self) -> Health {
        Health {
            stale: self.stale,
            now: SystemTime::now(),
            port: 2112,
            requests: self.answered.len() as u64,
            metrics: 1,
            collections: 2,
            last_collection: None,
        }
    }

    fn page(&mut self) -> Page {
        Page {
            html: Rc::new(b"<h1>router</h1>".to_vec()),
            policy: "default-src 'none'",
        }
    }

    fn now(&mut self) -> Rc<Vec<u8>> {
        Rc::new(b"{}\n".to_vec())
    }

    fn answered(&mut self, handler: &'static str, code: u16) {
        self.answered.push((handler, code));
    }
}

/// What came of a server in a thread.
pub(crate) struct Done {
    pub(crate) source: Fake,
    pub(crate) stats: http::Stats,
}

/// Runs `test` against a server in a thread of this process, which is drained afterwards.
pub(crate) fn here(settings: Settings, source: Fake, test: impl FnOnce(SocketAddr)) -> Done {
    guarded(None, settings, source, test)
}

/// The same, with a file that says who may connect.
pub(crate) fn guarded(
    web_config: Option<PathBuf>,
    settings: Settings,
    source: Fake,
    test: impl FnOnce(SocketAddr),
) -> Done {
    let (tell, told) = mpsc::channel();
    let (reader, writer) = UnixStream::pair().expect("a pair of sockets");
    let server = thread::spawn(move || {
        let mut server = Server::bind(&settings).expect("a free port");
        if let Some(path) = web_config {
            server.guard_with(Guard::open(&path).expect("a sound file"));
            server.start_guard().expect("a thread");
        }
        server.wake_on(reader.into());
        let address = server.addresses().first().cloned();
        tell.send(address).expect("the test waits");
        let mut source = source;
        while !server.woken() {
            if let Some(request) = server.recv_timeout(Duration::from_secs(5)) {
                http::serve(&mut server, &request, &mut source, &settings);
            }
        }
        let stats = server.stats();
        server.drain(Duration::from_secs(1));
        Done { source, stats }
    });
    let address = told.recv().expect("the server is up").expect("one address");
    let address = address
        .parse()
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    test(address);
    drop(writer);
    server.join().expect("the server ends in order")
}

/// What a server in a process of its own is told.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) size: usize,
    pub(crate) fresh: bool,
    pub(crate) read: Duration,
    pub(crate) write: Duration,
    /// What each page costs the one thread.
    pub(crate) cost: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: 50_000,
            fresh: false,
            read: Duration::from_secs(1),
            write: Duration::from_secs(2),
            cost: Duration::ZERO,
        }
    }
}

const OPTIONS: &str = "WEIR_TEST_SERVER";

/// Not a test of its own: the server of [`Child`].
#[test]
fn served_for_another_test() {
    let Ok(options) = std::env::var(OPTIONS) else {
        return;
    };
    let numbers: Vec<u64> = options
        .split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect();
    let settings = Settings {
        read_timeout: Duration::from_millis(numbers[2]),
        write_timeout: Duration::from_millis(numbers[3]),
        ..settings()
    };
    let mut source = Fake {
        size: numbers[0] as usize,
        fresh: numbers[1] == 1,
        cost: Duration::from_millis(numbers[4]),
        ..Fake::default()
    };
    let mut server = Server::bind(&settings).expect("a free port");
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    server.wake_on(stdin.expect("standard input"));
    eprintln!("listening {}", server.addresses().join(" "));
    while !server.woken() {
        if let Some(request) = server.recv_timeout(Duration::from_secs(5)) {
            http::serve(&mut server, &request, &mut source, &settings);
            source.answered.clear();
        }
    }
    server.drain(Duration::from_secs(1));
}

/// Waits until something is so; says whether it came to be in time.
pub(crate) fn within(limit: Duration, mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if so() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's value; the name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Connects with a patience of 5 s for everything.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let patience = Duration::from_secs(5);
    let stream = TcpStream::connect_timeout(&address, patience).expect("connected");
    stream.set_read_timeout(Some(patience)).expect("set");
    stream.set_write_timeout(Some(patience)).expect("set");
    stream
}

/// Reads one answer; `without_body` after HEAD.
pub(crate) fn reply(stream: &mut impl Read, without_body: bool) -> std::io::Result<Reply> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut reply = Reply {
        code: code.unwrap_or(0),
        head,
        body: Vec::new(),
    };
    let length = reply.header("content-length").unwrap_or("0");
    let length: usize = length.parse().expect("a length");
    if !without_body {
        reply.body.resize(length, 0);
        stream.read_exact(&mut reply.body)?;
    }
    Ok(reply)
}

/// Sends bytes on a connection of its own and reads one answer.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<Reply> {
    let mut stream = connect(address);
    stream.write_all(bytes)?;
    reply(&mut stream, false)
}

/// A plain request on a connection of its own, with more header lines if need be.
pub(crate) fn get(address: SocketAddr, target: &str, lines: &str) -> Reply {
    ask(address, target, lines).expect("an answer")
}

/// The same, where there may be none.
pub(crate) fn ask(address: SocketAddr, target: &str, lines: &str) -> std::io::Result<Reply> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
    exchange(address, request.as_bytes())
}
