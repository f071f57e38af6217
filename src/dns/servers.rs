//! Whom to ask: the server of the configuration, or those of /etc/resolv.conf below the root.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::SocketAddrV4;
use std::net::SocketAddrV6;
use std::net::UdpSocket;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crate::config::dns::Server;
use crate::files::Cause;
use crate::files::regular;
use crate::parse::resolv_conf;
use crate::parse::resolv_conf::ResolvConf;
use crate::seldom::Seldom;

/// The largest resolv.conf, in bytes.
const FILE: usize = 64 << 10;

/// Where servers listen.
const PORT: u16 = 53;

/// How long what was read is taken for true.
const AGE: Duration = Duration::from_secs(10);

/// The servers, looked up again from time to time: a router's resolv.conf changes with its uplink.
pub struct Servers {
    configured: Option<Server>,
    path: PathBuf,
    read: Option<Instant>,
    addresses: Vec<SocketAddr>,
    /// What is wrong, so that it is told once.
    wrong: Option<String>,
    told: Seldom,
}

impl Servers {
    /// The configured server, else those that `rootfs`/etc/resolv.conf names.
    #[must_use]
    pub fn new(configured: Option<&Server>, rootfs: &Path) -> Self {
        Self {
            configured: configured.cloned(),
            path: rootfs.join("etc/resolv.conf"),
            read: None,
            addresses: Vec::new(),
            wrong: None,
            told: Seldom::default(),
        }
    }

    /// The servers in the order in which they are asked; none when the file cannot be read, which the log tells.
    pub fn current(&mut self, now: Instant) -> &[SocketAddr] {
        let fresh = |read: Instant| now.saturating_duration_since(read) < AGE;
        if !self.read.is_some_and(fresh) {
            self.read = Some(now);
            let found = self.look();
            let wrong = found.as_ref().err().cloned();
            let changed = wrong.is_some() && wrong != self.wrong;
            if let Some(error) = &wrong
                && let Some(left_out) = self.told.tell(changed, now)
            {
                log::error!(err = error.as_str(); "name servers{left_out}");
            }
            self.wrong = wrong;
            self.addresses = found.unwrap_or_default();
        }
        &self.addresses
    }

    fn look(&self) -> Result<Vec<SocketAddr>, String> {
        if let Some(server) = &self.configured {
            let address = address(server.address, &server.scope, server.port);
            return address.map(|address| vec![address]);
        }
        let found = match regular::read(&self.path, FILE) {
            Ok((bytes, _)) => resolv_conf::read(&bytes),
            Err(error) if matches!(error.cause, Cause::Io(rustix::io::Errno::NOENT)) => {
                ResolvConf::default()
            }
            Err(error) => return Err(error.to_string()),
        };
        if found.servers.is_empty() {
            if let Some(refused) = found.refused {
                return Err(format!("{}:{refused}", self.path.display()));
            }
            // As resolv.conf(5) has it: without a server, the one on this machine.
            return Ok(vec![SocketAddr::from(([127, 0, 0, 1], PORT))]);
        }
        let servers = found.servers.iter();
        let (good, bad): (Vec<_>, Vec<_>) = servers
            .map(|(ip, scope)| address(*ip, scope, PORT))
            .partition(Result::is_ok);
        let good: Vec<_> = good.into_iter().filter_map(Result::ok).collect();
        match bad.into_iter().find_map(Result::err) {
            Some(error) if good.is_empty() => Err(error),
            _ => Ok(good),
        }
    }
}

fn address(ip: IpAddr, scope: &str, port: u16) -> Result<SocketAddr, String> {
    Ok(match ip {
        IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, port)),
        IpAddr::V6(ip) => {
            let index = index(scope).map_err(|error| {
                format!("{ip}%{scope}: expected the name or number of a device: {error}")
            })?;
            SocketAddr::V6(SocketAddrV6::new(ip, port, 0, index))
        }
    })
}

fn index(scope: &str) -> io::Result<u32> {
    if scope.is_empty() {
        return Ok(0);
    }
    if let Ok(number) = scope.parse() {
        return Ok(number);
    }
    // Any socket will do to ask the kernel by.
    let socket = UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0"))?;
    Ok(rustix::net::netdevice::name_to_index(&socket, scope)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn found(text: Option<&str>) -> Result<Vec<String>, String> {
        let number = crate::dns::random().expect("a kernel with getrandom");
        let root = std::env::temp_dir().join(format!("weir-{}-{number}-dns", std::process::id()));
        fs::create_dir_all(root.join("etc")).expect("a directory");
        if let Some(text) = text {
            fs::write(root.join("etc/resolv.conf"), text).expect("a file");
        }
        let found = Servers::new(None, &root).look();
        fs::remove_dir_all(&root).expect("ours");
        let shown = root.display().to_string();
        found
            .map(|found| found.iter().map(ToString::to_string).collect())
            .map_err(|error| error.replace(&shown, "ROOT"))
    }

    #[test]
    fn the_systems_servers_and_none() {
        let text = "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%lo\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%1]:53"];
        assert_eq!(found(Some(text)), Ok(expected.map(str::to_string).to_vec()));
        let local = Ok(vec!["127.0.0.1:53".to_string()]);
        assert_eq!(found(Some("search lan\n")), local);
        assert_eq!(found(None), local);
    }

    #[test]
    fn servers_that_cannot_be_asked() {
        let text = "nameserver fe80::1%nosuchdevice0\nnameserver 192.0.2.1\n";
        assert_eq!(found(Some(text)), Ok(vec!["192.0.2.1:53".to_string()]));
        let error = found(Some("nameserver fe80::1%nosuchdevice0\n")).expect_err("no such device");
        assert!(
            error.starts_with("fe80::1%nosuchdevice0: expected the name or number of a device: "),
            "{error}"
        );
        assert_eq!(
            found(Some("nameserver router.lan\n")),
            Err(
                "ROOT/etc/resolv.conf:1: nameserver: expected an IP address, found \"router.lan\""
                    .to_string()
            )
        );
    }

    #[test]
    fn a_configured_server_is_the_only_one() {
        let server = Server::parse("192.0.2.9:5353").expect("valid");
        let mut servers = Servers::new(Some(&server), Path::new("/nowhere"));
        let found = servers.current(Instant::now());
        assert_eq!(found, [SocketAddr::from(([192, 0, 2, 9], 5353))]);
    }
}
