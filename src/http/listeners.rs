//! The listening sockets: how an address on the command line becomes one or more of them.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::SocketAddrUnix;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::sockopt;

use crate::config::Listen;

/// Connections that the kernel holds until they are accepted; it cuts this to net.core.somaxconn.
const BACKLOG: i32 = 4096;
/// What the kernel holds of an answer that is not taken yet, in bytes; it doubles the figure for its own needs.
const SEND_BUFFER: usize = 64 << 10;

/// An address that could not be listened on.
#[derive(Debug)]
pub struct BindError {
    address: String,
    cause: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The number behind the text tells a user nothing.
        let cause = self.cause.to_string();
        let cause = cause.split(" (os error").next().unwrap_or_default();
        write!(f, "listen on {}: {cause}", self.address)
    }
}

impl std::error::Error for BindError {}

/// One listening socket.
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    address: Address,
}

enum Address {
    Tcp(SocketAddr),
    /// The path, and device and inode of the file that was made there.
    Unix(PathBuf, Option<(u64, u64)>),
}

impl Listener {
    /// The address as it is logged, with the real port.
    pub(super) fn address(&self) -> String {
        match &self.address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(path, _) => format!("unix:{}", path.display()),
        }
    }

    /// The TCP port, if it has one.
    pub(super) fn port(&self) -> Option<u16> {
        match &self.address {
            Address::Tcp(address) => Some(address.port()),
            Address::Unix(..) => None,
        }
    }
}

impl Drop for Listener {
    /// Removes the socket's file, unless another program has put its own there meanwhile.
    fn drop(&mut self) {
        if let Address::Unix(path, made) = &self.address
            && made.is_some()
            && *made == identity(path)
        {
            let _ = rustix::fs::unlink(path);
        }
    }
}

/// Opens the sockets of one address. Accepted connections inherit `patience`: how long sent bytes may stay unacknowledged.
pub(super) fn open(listen: &Listen, patience: Duration) -> Result<Vec<Listener>, BindError> {
    let failed = |address: String, cause: io::Error| BindError { address, cause };
    match listen {
        Listen::Any(port) => {
            let all = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), *port);
            let opened = tcp(all, false, patience).or_else(|errno| {
                if lacks_address(errno) {
                    tcp((Ipv4Addr::UNSPECIFIED, *port).into(), false, patience)
                } else {
                    Err(errno)
                }
            });
            let opened = opened.map_err(|errno| failed(listen.to_string(), errno.into()))?;
            Ok(vec![opened])
        }
        Listen::Tcp(host, port) => resolved(host, *port, patience)
            .map_err(|(address, cause)| failed(address.unwrap_or(listen.to_string()), cause)),
        Listen::Unix(path) => unix(path)
            .map(|listener| vec![listener])
            .map_err(|cause| failed(listen.to_string(), cause)),
    }
}

/// This machine does not have the address or the whole family.
fn lacks_address(errno: Errno) -> bool {
    matches!(errno, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
}

/// Listens on every address that a name stands for. One that this machine lacks is passed over if there is another:
/// `localhost` is `::1`, too, where IPv6 is switched off.
fn resolved(
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<Vec<Listener>, (Option<String>, io::Error)> {
    let mut addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => (host, port)
            .to_socket_addrs()
            .map_err(|error| (None, error))?
            .collect(),
    };
    addresses.sort_unstable();
    addresses.dedup();
    let mut listeners = Vec::new();
    let mut lacking = None;
    for address in addresses {
        // `[::]` means both families, as everywhere; a name's addresses are listened on one by one.
        match tcp(address, !address.ip().is_unspecified(), patience) {
            Ok(listener) => listeners.push(listener),
            Err(errno) if lacks_address(errno) => lacking = Some((address, errno)),
            Err(errno) => return Err((Some(address.to_string()), errno.into())),
        }
    }
    match (listeners.is_empty(), lacking) {
        (false, _) => Ok(listeners),
        (true, Some((address, errno))) => Err((Some(address.to_string()), errno.into())),
        (true, None) => Err((None, io::Error::other("the name has no address"))),
    }
}

fn tcp(address: SocketAddr, v6_only: bool, patience: Duration) -> Result<Listener, Errno> {
    let family = if address.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let socket = stream(family)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, v6_only)?;
    }
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // What follows is inherited by accepted sockets. None of it is worth failing for.
    let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
    let _ = sockopt::set_tcp_nodelay(&socket, true);
    let patience = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    let _ = sockopt::set_tcp_user_timeout(&socket, patience);
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let bound = rustix::net::getsockname(&socket)?.try_into()?;
    Ok(Listener {
        socket,
        address: Address::Tcp(bound),
    })
}

fn unix(path: &Path) -> io::Result<Listener> {
    remove_stale(path)?;
    let address = SocketAddrUnix::new(path)?;
    let socket = stream(AddressFamily::UNIX)?;
    let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(Listener {
        socket,
        address: Address::Unix(path.to_path_buf(), identity(path)),
    })
}

/// Takes away the socket file of a server that is gone. One that answers, or any other file, stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match rustix::fs::lstat(path) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(io::Error::other("the path exists and is not a socket"));
    }
    let probe = stream(AddressFamily::UNIX)?;
    match rustix::net::connect(&probe, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => Ok(rustix::fs::unlink(path)?),
        // It answers, or is too busy to (EAGAIN), or listens for datagrams (EPROTOTYPE).
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Err(Errno::ADDRINUSE.into()),
        Err(errno) => Err(errno.into()),
    }
}

fn stream(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

/// Device and inode of a file.
#[expect(
    clippy::useless_conversion,
    reason = "the fields are narrower on some architectures"
)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::lstat(path).ok()?;
    Some((u64::from(found.st_dev), u64::from(found.st_ino)))
}
