//! The floor: a process that reads what a scrape of weir reads and throws the bytes away. What the kernel takes to write
//! its files and to walk its sockets is paid by everybody; only what comes on top is ours.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::net::AddressFamily;
use rustix::net::Protocol;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink;

/// The files that the collectors read.
pub(crate) const FILES: &[&str] = &[
    "/proc/net/dev",
    "/proc/net/netstat",
    "/proc/net/snmp",
    "/proc/net/snmp6",
    "/proc/net/sockstat",
    "/proc/net/sockstat6",
    "/proc/net/softnet_stat",
    "/proc/net/arp",
    "/proc/net/udp",
    "/proc/net/udp6",
    "/proc/net/stat/nf_conntrack",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/net/ipv4/ip_local_port_range",
    "/proc/sys/net/ipv4/ip_local_reserved_ports",
];

/// Serves as the floor: each request on `listener` is answered with `page` bytes after one reading of everything.
/// Without a listener, each byte on standard input is answered with one on standard output.
pub(crate) fn serve(listener: Option<&TcpListener>, page: usize) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let Some(listener) = listener else {
        let mut byte = [0];
        while io::stdin().read(&mut byte)? == 1 {
            read_everything(&mut buffer)?;
            io::stdout().write_all(&byte)?;
            io::stdout().flush()?;
        }
        return Ok(());
    };
    let (mut stream, _) = listener.accept()?;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {page}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + page, b'x');
    let mut request = [0; 1024];
    while stream.read(&mut request)? > 0 {
        read_everything(&mut buffer)?;
        stream.write_all(&answer)?;
    }
    Ok(())
}

fn read_everything(buffer: &mut [u8]) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    for path in FILES {
        if let Ok(file) = rustix::fs::open(*path, flags, Mode::empty()) {
            discard(&file, buffer)?;
        }
    }
    discard_devices(buffer)?;
    discard_sockets(buffer)
}

fn discard(file: &OwnedFd, buffer: &mut [u8]) -> io::Result<()> {
    while rustix::io::read(file, &mut *buffer)? > 0 {}
    Ok(())
}

/// The socket dump that weir asks for: one pass over both families (inet_diag's TCPDIAG_GETSOCK).
fn discard_sockets(buffer: &mut [u8]) -> io::Result<()> {
    // struct nlmsghdr: length, type 18, NLM_F_REQUEST | NLM_F_DUMP, sequence, port; then struct inet_diag_req, whose last
    // words are the states that are asked for (all but BOUND_INACTIVE, which costs a walk of its own) and `dbs`.
    let words = [(0, 76_u32), (4, 18 | 0x301 << 16), (8, 1), (68, 0x0fff)];
    discard_dump(Some(netlink::SOCK_DIAG), &request::<76>(&words), buffer)
}

/// The list of devices that weir asks for, without their counters. That weir asks ethtool for speeds, too, and reads
/// three attributes of a new device, is not in the floor.
fn discard_devices(buffer: &mut [u8]) -> io::Result<()> {
    // struct nlmsghdr with type 18 (RTM_GETLINK), struct ifinfomsg, and the attribute 29 (IFLA_EXT_MASK) with
    // RTEXT_FILTER_SKIP_STATS.
    let words = [
        (0, 40_u32),
        (4, 18 | 0x301 << 16),
        (8, 1),
        (32, 8 | 29 << 16),
        (36, 8),
    ];
    discard_dump(None, &request::<40>(&words), buffer)
}

/// A request of little-endian pairs of 16 bits and words of 32, at their offsets.
fn request<const LENGTH: usize>(words: &[(usize, u32)]) -> [u8; LENGTH] {
    let mut request = [0; LENGTH];
    for (offset, word) in words {
        if let Some(place) = request.get_mut(*offset..*offset + 4) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
    }
    request
}

fn discard_dump(protocol: Option<Protocol>, request: &[u8], buffer: &mut [u8]) -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        protocol,
    )?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(socket.as_fd(), request, SendFlags::empty(), &kernel)?;
    loop {
        let (length, _) = rustix::net::recv(&socket, &mut *buffer, RecvFlags::empty())?;
        // A dump ends with NLMSG_DONE (type 3, 20 bytes long), alone or behind the last messages; NLMSG_ERROR is 2.
        let kind = |offset: usize| {
            buffer
                .get(offset..)
                .and_then(|header| header.get(4).copied())
        };
        if length < 20 || kind(0) == Some(2) || kind(length - 20) == Some(3) {
            return Ok(());
        }
    }
}
