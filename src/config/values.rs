//! What a setting may be: places to listen, choices, filters, durations.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use regex_lite::Regex;

/// One place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port on every address, both families where the machine has both.
    Any(u16),
    /// A TCP port on one host or address.
    Tcp(String, u16),
    /// A Unix stream socket.
    Unix(PathBuf),
}

impl Listen {
    /// Reads `:2112`, `127.0.0.1:2112`, `[::1]:2112`, `localhost:2112` or `unix:/run/weir.sock`.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "[HOST]:PORT, [IPV6]:PORT or unix:PATH";
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(EXPECTED)
            } else {
                Ok(Self::Unix(PathBuf::from(path)))
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        let port = port
            .and_then(|port| port.parse().ok())
            .ok_or("a port from 0 to 65535 after the last colon")?;
        match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(Some(inner)) if inner.parse::<std::net::Ipv6Addr>().is_ok() => {
                Ok(Self::Tcp(inner.to_string(), port))
            }
            Some(_) => Err("an IPv6 address between [ and ]"),
            None if host.is_empty() => Ok(Self::Any(port)),
            None if host.contains([':', '/', ' ']) => Err(EXPECTED),
            None => Ok(Self::Tcp(host.to_string(), port)),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(port) => write!(f, ":{port}"),
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where the TCP sockets are read from (`--sockets.source`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketsSource {
    /// Netlink where the kernel has it, else /proc.
    Auto,
    /// Netlink or an error.
    Netlink,
    /// /proc/net/tcp and tcp6.
    Proc,
}

/// Which network namespaces are measured (`--netns`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Netns {
    /// The process's own, without a label.
    Own,
    /// All that can be found.
    All,
    /// The own one and those of these names.
    Named(Vec<String>),
}

impl Netns {
    /// Reads `all` or names separated by commas, each as it stands below /run/netns; a name that is there twice counts
    /// once.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "all, or names separated by commas";
        if text == "all" {
            return Ok(Self::All);
        }
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',') {
            if name == "all" {
                return Err("all without other names, or names separated by commas");
            }
            // What no file below /run/netns can be called.
            let impossible = matches!(name, "" | "." | "..")
                || name.len() > 255
                || name.contains(['/', '\0'])
                || name.trim() != name;
            if impossible {
                return Err(EXPECTED);
            }
            if !names.iter().any(|other| other == name) {
                names.push(name.to_string());
            }
        }
        Ok(Self::Named(names))
    }
}

/// How the TC counters are attached (`--collector.tc.attach`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcAttach {
    /// TCX links where the kernel has them, else clsact.
    Auto,
    /// TCX links or an error.
    Tcx,
    /// Filters of the discipline clsact.
    Clsact,
}

/// Whether rights that are not needed are given up (`--sandbox`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxMode {
    /// As far as the kernel can.
    Auto,
    /// Not at all.
    Off,
    /// Wholly, or weir does not start.
    Require,
}

/// How lines are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `ts=… level=info msg="…"`.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Which devices a collector shows. Where a device is both included and excluded, exclusion wins.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Only these, when given.
    pub include: Option<Regex>,
    /// Never these, when given.
    pub exclude: Option<Regex>,
}

impl DeviceFilter {
    /// Whether the device is shown.
    #[must_use]
    pub fn shows(&self, device: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|include| include.is_match(device))
            && !self
                .exclude
                .as_ref()
                .is_some_and(|exclude| exclude.is_match(device))
    }
}

/// The kinds of devices that no collector shows (`--devices.exclude-kinds`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExcludedKinds {
    /// Either end of a veth pair.
    pub veth: bool,
    /// veth and tap devices that are ports of a bridge; its other ports stay.
    pub bridge_port: bool,
}

/// A duration as Prometheus writes it: `500ms`, `15s`, `1m30s`, `2h`. More than zero, at most 24 hours.
///
/// # Errors
/// With what was expected.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a duration such as 500ms, 15s or 1m30s, more than 0 and at most 24h";
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit())
            .ok_or(EXPECTED)?;
        let (number, tail) = rest.split_at(digits);
        let number: u32 = number.parse().map_err(|_| EXPECTED)?;
        let unit_end = tail
            .find(|character: char| character.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(60 * 60),
            _ => return Err(EXPECTED),
        };
        total = unit
            .checked_mul(number)
            .and_then(|part| total.checked_add(part))
            .ok_or(EXPECTED)?;
        rest = tail;
    }
    if total.is_zero() || total > DAY {
        Err(EXPECTED)
    } else {
        Ok(total)
    }
}
