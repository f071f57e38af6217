//! `/proc/net/ip_vs` and `/proc/net/ip_vs_stats`: the servers behind every virtual service of the load balancer IPVS, and
//! what went through it.
//!
//! Written by `ip_vs_info_seq_show` and `ip_vs_stats_show` in the kernel's net/netfilter/ipvs/ip_vs_ctl.c, since 2.6;
//! Documentation/networking/ipvs-sysctl.rst names neither. As that source prints them:
//!
//! ```text
//! IP Virtual Server version 1.2.1 (size=4096)
//! Prot LocalAddress:Port Scheduler Flags
//!   -> RemoteAddress:Port Forward Weight ActiveConn InActConn
//! TCP  C0000216:0CEA wlc
//!   -> C0000252:0CEA      Tunnel  100    248        2
//! TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 wlc
//!   -> [2001:0db8:0000:0000:0000:0000:0000:0002]:0050      Route   1      0          0
//! FWM  10001000 wlc
//!   -> C0000252:0CEA      Route   0      0          1
//!
//!    Total Incoming Outgoing         Incoming         Outgoing
//!    Conns  Packets  Packets            Bytes            Bytes
//!  16AA370 E33656E5        0     51D8C8883AB3                0
//!
//!  Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
//!        4    1FB3C        0          1282A8F                0
//! ```
//!
//! Units: connections, packets, bytes; weight has none. Addresses, ports, marks and everything in the second file are
//! hexadecimal, the other numbers decimal. Counters are 64 bits wide since 4.1, before that 32.
//!
//! Traps: addresses are printed most significant byte first on every machine. A service is known by protocol, address and
//! port, or by the mark that the firewall gave (FWM), and then has neither. Protocols are TCP, UDP, SCTP, AH and ESP.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// What went through the balancer since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections made.
    pub connections: u64,
    /// Packets towards the servers.
    pub incoming_packets: u64,
    /// Packets from the servers.
    pub outgoing_packets: u64,
    /// Bytes towards the servers.
    pub incoming_bytes: u64,
    /// Bytes from the servers.
    pub outgoing_bytes: u64,
}

/// Reads `ip_vs_stats`; the rates in it are not read.
///
/// # Errors
/// When the third line has not the five totals, or a line is cut short.
pub fn stats(bytes: &[u8]) -> Result<Stats, ParseError> {
    const HEADER: &str = "the names of the totals";
    let mut lines = lines(bytes);
    lines.expect("header", HEADER)?;
    lines.expect("header", HEADER)?;
    let mut line = lines.expect("Conns", super::HEX)?;
    let stats = Stats {
        connections: line.expect_hex("Conns")?,
        incoming_packets: line.expect_hex("Incoming Packets")?,
        outgoing_packets: line.expect_hex("Outgoing Packets")?,
        incoming_bytes: line.expect_hex("Incoming Bytes")?,
        outgoing_bytes: line.expect_hex("Outgoing Bytes")?,
    };
    if let Some(extra) = line.word() {
        return Err(line.error("totals", "five numbers", extra));
    }
    lines.try_for_each(|line| line.map(|_| ()))?;
    Ok(stats)
}

/// What clients connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// The protocol, or `FWM`.
    pub protocol: &'a [u8],
    /// Address and port; `None` for a mark.
    pub local: Option<(IpAddr, u16)>,
    /// The firewall's mark as the kernel writes it; empty for an address.
    pub mark: &'a [u8],
}

/// A server of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend<'a> {
    /// The service it works for.
    pub service: Service<'a>,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// How many connections it is given in proportion to others.
    pub weight: u64,
    /// Connections in use.
    pub active: u64,
    /// Connections that are closing or idle.
    pub inactive: u64,
}

/// The servers of one file.
pub struct Backends<'a> {
    lines: Lines<'a>,
    service: Option<Service<'a>>,
}

/// Reads `ip_vs` line by line.
///
/// # Errors
/// When the three lines of the header are not there.
pub fn backends(bytes: &[u8]) -> Result<Backends<'_>, ParseError> {
    const HEADER: &str = "IP Virtual Server …, Prot … and -> RemoteAddress:Port …";
    let mut lines = lines(bytes);
    for begin in ["IP Virtual Server ", "Prot ", "  -> RemoteAddress:Port "] {
        let line = lines.expect("header", HEADER)?;
        if !line.text().starts_with(begin.as_bytes()) {
            return Err(line.error("header", HEADER, line.text()));
        }
    }
    Ok(Backends {
        lines,
        service: None,
    })
}

fn service<'a>(protocol: &'a [u8], mut line: Line<'a>) -> Result<Service<'a>, ParseError> {
    const MARK: &str = "a hexadecimal mark of 32 bits";
    let (local, mark) = if protocol == b"FWM" {
        let mark = line.expect_word("mark", MARK)?;
        if super::hex(mark).is_none_or(|mark| mark > u64::from(u32::MAX)) {
            return Err(line.error("mark", MARK, mark));
        }
        (None, mark)
    } else {
        (Some(endpoint(&mut line, "LocalAddress:Port")?), &b""[..])
    };
    line.expect_word("Scheduler", "the name of a scheduler")?;
    Ok(Service {
        protocol,
        local,
        mark,
    })
}

fn backend<'a>(service: Service<'a>, mut line: Line<'a>) -> Result<Backend<'a>, ParseError> {
    let (address, port) = endpoint(&mut line, "RemoteAddress:Port")?;
    line.expect_word("Forward", "the way of forwarding")?;
    Ok(Backend {
        service,
        address,
        port,
        weight: line.expect_decimal("Weight")?,
        active: line.expect_decimal("ActiveConn")?,
        inactive: line.expect_decimal("InActConn")?,
    })
}

/// `C0000216:0CEA` or `[2001:0db8:…]:0050`.
fn endpoint(line: &mut Line<'_>, field: &'static str) -> Result<(IpAddr, u16), ParseError> {
    const ENDPOINT: &str = "<hex IPv4 address>:<hex port> or [<IPv6 address>]:<hex port>";
    let word = line.expect_word(field, ENDPOINT)?;
    read_endpoint(word).ok_or_else(|| line.error(field, ENDPOINT, word))
}

fn read_endpoint(word: &[u8]) -> Option<(IpAddr, u16)> {
    let colon = word.iter().rposition(|byte| *byte == b':')?;
    let (address, port) = (word.get(..colon)?, word.get(colon + 1..)?);
    let port = u16::try_from(super::hex(port)?).ok()?;
    let inner = address
        .strip_prefix(b"[")
        .map(|rest| rest.strip_suffix(b"]"));
    let address = match inner {
        Some(inner) => {
            let text = std::str::from_utf8(inner?).ok()?;
            IpAddr::V6(text.parse::<Ipv6Addr>().ok()?)
        }
        None if address.len() == 8 => {
            let number = u32::try_from(super::hex(address)?).ok()?;
            IpAddr::V4(Ipv4Addr::from_bits(number))
        }
        None => return None,
    };
    Some((address, port))
}

impl<'a> Iterator for Backends<'a> {
    type Item = Result<Backend<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        const LINE: &str = "a service, or one of its servers";
        loop {
            let mut line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            let read = match (line.word(), self.service) {
                (Some(b"->"), Some(service)) => return Some(backend(service, line)),
                (Some(b"->") | None, _) => Err(line.error("line", LINE, line.text())),
                (Some(protocol), _) => service(protocol, line),
            };
            match read {
                Ok(service) => self.service = Some(service),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
