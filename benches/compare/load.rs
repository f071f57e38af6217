//! The load: established connections on loopback, held by several processes because one may open 20,000 files only.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;

use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::process::Resource;
use rustix::process::Rlimit;

use crate::cost::Process;

/// The connections of one process: two files each, below a hard limit of 20,000.
const PER_PROCESS: u32 = 9_500;

const PORT: u16 = 8000;

/// Holds `connections` connections, two sockets each, in this network namespace until the processes are dropped. They
/// also end when this process does, because their standard input ends then.
/// `peers` is how many source addresses the clients have.
pub(crate) fn hold(connections: u32, peers: u32) -> io::Result<Vec<Process>> {
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000")?;
    let mut processes = Vec::new();
    for index in 0..connections.div_ceil(PER_PROCESS) {
        let count = PER_PROCESS.min(connections - index * PER_PROCESS);
        let child = Command::new(std::env::current_exe()?)
            .args([
                "--hold",
                &index.to_string(),
                &count.to_string(),
                &peers.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        processes.push(Process(child));
    }
    for process in &mut processes {
        let mut line = String::new();
        if let Some(output) = process.0.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line != "ready\n" {
            return Err(io::Error::other("a process could not open its connections"));
        }
    }
    Ok(processes)
}

/// What each of those processes does.
pub(crate) fn hold_some(index: u32, count: u32, peers: u32) -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limits = Rlimit {
        current: limit,
        maximum: limit,
    };
    rustix::process::setrlimit(Resource::Nofile, limits)?;
    let server = SocketAddrV4::new(address(10, index), PORT);
    let listener = TcpListener::bind(server)?;
    let mut held = Vec::new();
    for number in 0..count {
        let peer = (index * PER_PROCESS + number) % peers + 1;
        let client = connect(SocketAddrV4::new(address(128, peer), 0), server)?;
        held.push((client, listener.accept()?));
    }
    println!("ready");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The standard library cannot choose a client's address.
fn connect(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &from)?;
    rustix::net::connect(&socket, &to)?;
    Ok(socket)
}

fn address(network: u8, host: u32) -> Ipv4Addr {
    let [_, carry, high, low] = (host + 1).to_be_bytes();
    Ipv4Addr::new(127, network + carry, high, low)
}
