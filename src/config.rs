//! What the program was asked to do: plain values, validated when they are read, so that nothing past start-up can find
//! them wrong. The flags that set them are in `cli`, which applies the keys of a file (`--config.file`) to them too; how
//! such a file is read is in [`yaml`] and [`node`].

mod connections;
pub mod dhcp;
pub mod dns;
pub mod node;
pub mod sections;
pub mod sources;
mod spelling;
pub mod web;
pub mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use regex_lite::Regex;

pub use self::connections::Connections;
pub use self::connections::EXCLUDE as CONNECTIONS_EXCLUDE;
pub use self::connections::Hostnames;
pub use self::connections::MOST_SERIES as CONNECTIONS_MOST_SERIES;
pub use self::connections::cidrs;
pub use self::spelling::suggestion;

/// node_exporter's default for `--collector.netstat.fields`, with `Tcp_MaxConn`, which dashboards ask for, added.
pub const NETSTAT_FIELDS: &str = "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|\
    TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|\
    Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab|MaxConn)|\
    Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$";

/// node_exporter's default for `--collector.filesystem.mount-points-exclude`.
pub const MOUNT_POINTS_EXCLUDE: &str =
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";

/// node_exporter's default for `--collector.filesystem.fs-types-exclude`. While it is in force, the root of an OpenWrt-like
/// system is shown all the same.
pub const FS_TYPES_EXCLUDE: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|\
    iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$";
/// The labels that tell the servers of IPVS apart, in the order in which they are exported.
pub const IPVS_BACKEND_LABELS: [&str; 6] = [
    "local_address",
    "local_port",
    "remote_address",
    "remote_port",
    "proto",
    "local_mark",
];

/// The name of the file that `--textfile.output` keeps.
pub const TEXTFILE: &str = "weir.prom";

/// Everything the command line decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; empty: no HTTP server.
    pub listen: Vec<Listen>,
    /// The path of the metrics page.
    pub telemetry_path: String,
    /// The origin that may read answers from a browser page elsewhere.
    pub cors_origin: Option<String>,
    /// Whether answers may be gzip'd.
    pub compression: bool,
    /// Whether the program's own metrics (`process_*`, requests) are exported.
    pub exporter_metrics: bool,
    /// The most connections that are open at a time.
    pub max_connections: usize,
    /// From accept to a full request head.
    pub read_timeout: Duration,
    /// Without progress while an answer is written.
    pub write_timeout: Duration,
    /// The largest request head, in bytes.
    pub max_header_bytes: usize,
    /// The file that says who may connect, if any.
    pub web_config: Option<PathBuf>,
    /// The enabled collectors' names, in the order of the list of collectors.
    pub collectors: Vec<&'static str>,
    /// The time between two samples of the cheap counters.
    pub interval: Duration,
    /// Where procfs is mounted.
    pub procfs: PathBuf,
    /// Where sysfs is mounted.
    pub sysfs: PathBuf,
    /// Where the root file system is mounted.
    pub rootfs: PathBuf,
    /// Where the TCP sockets are read from.
    pub sockets_source: SocketsSource,
    /// Whose network is measured.
    pub netns: Netns,
    /// The most network namespaces that are measured beside the own one.
    pub limit_netns: usize,
    /// The devices of netdev and of the rates.
    pub netdev_devices: DeviceFilter,
    /// Whether netdev tells the devices' addresses.
    pub netdev_address_info: bool,
    /// Whether netdev's families have the label `ifalias`.
    pub netdev_label_ifalias: bool,
    /// The devices of arp.
    pub arp_devices: DeviceFilter,
    /// The devices that netclass leaves out.
    pub netclass_ignored: Regex,
    /// Whether netclass leaves out speeds below zero.
    pub netclass_ignore_invalid_speed: bool,
    /// The fields that netstat exports, as `Proto_Field`.
    pub netstat_fields: Regex,
    /// Where textfile looks for files; each may hold `*` and `?`.
    pub textfile_directories: Vec<PathBuf>,
    /// Where a text file for node_exporter is kept, if anywhere.
    pub textfile_output: Option<PathBuf>,
    /// The time between two writes of that file.
    pub textfile_interval: Duration,
    /// The most devices that each collector shows.
    pub limit_devices: usize,
    /// The kinds of devices that no collector shows.
    pub excluded_kinds: ExcludedKinds,
    /// Leave out every family that a node_exporter on the same machine has.
    pub companion: bool,
    /// The mount points that filesystem leaves out.
    pub filesystem_mount_points_exclude: Option<Regex>,
    /// The types that filesystem leaves out.
    pub filesystem_types_exclude: Option<Regex>,
    /// The devices of qdisc.
    pub qdisc_devices: DeviceFilter,
    /// The labels that ipvs tells servers apart by.
    pub ipvs_backend_labels: Vec<&'static str>,
    /// The DNS records that are checked.
    pub dns: dns::Dns,
    /// What connections counts and shows.
    pub connections: Connections,
    /// The interfaces of tc; without an include pattern loopback and veth are left out.
    pub tc_devices: DeviceFilter,
    /// How tc attaches its programs.
    pub tc_attach: TcAttach,
    /// Whether tc shows only interfaces over which something went.
    pub tc_active_only: bool,
    /// Whether tc counts by IP version and protocol too.
    pub tc_protocols: bool,
    /// The DHCP servers whose leases are counted.
    pub dhcp: dhcp::Dhcp,
    /// Numbers that are read from files.
    pub sources: Vec<sources::Source>,
    /// Whether rights that are not needed are given up.
    pub sandbox: SandboxMode,
    /// Whom to become once the sockets are open: a name, or numbers.
    pub user: Option<String>,
    /// Print the metrics once, or write the text file once, and exit.
    pub once: bool,
    /// The least severe lines that are logged.
    pub log_level: log::LevelFilter,
    /// How lines are logged.
    pub log_format: LogFormat,
    /// The file that this was read from besides the command line, if any.
    pub file: Option<PathBuf>,
    /// node_exporter's flags on the command line that change nothing here, as they were written.
    pub needless: Vec<String>,
    /// What was said that is no default: the values by flag, and sections of the file by key. Two configurations with the
    /// same are the same.
    pub said: BTreeMap<&'static str, Vec<String>>,
}

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

impl Config {
    /// The SQLite databases that are asked, below the root: of leases and of sources.
    pub fn databases(&self) -> impl Iterator<Item = &std::path::Path> {
        let leases = self.dhcp.servers.iter();
        let leases = leases.filter(|server| server.format == Some(dhcp::Format::Sqlite));
        let leases = leases.flat_map(|server| server.leases.iter().map(PathBuf::as_path));
        let sources = self.sources.iter();
        let sources =
            sources.filter(|source| matches!(source.format, sources::Format::Sqlite { .. }));
        leases.chain(sources.map(|source| source.file.path.as_path()))
    }

    /// What the walk over the sockets is to count of peers: nothing unless a collector wants it.
    #[must_use]
    pub fn peers(&self) -> Option<&Connections> {
        self.collectors
            .contains(&"connections")
            .then_some(&self.connections)
    }
}

impl Default for Config {
    /// What runs when no flag is given, but for the collectors, which their list decides.
    fn default() -> Self {
        Self {
            listen: vec![Listen::Any(2112)],
            telemetry_path: "/metrics".to_string(),
            cors_origin: None,
            compression: true,
            exporter_metrics: true,
            max_connections: 256,
            read_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_secs(10),
            max_header_bytes: 8192,
            web_config: None,
            collectors: Vec::new(),
            interval: Duration::from_secs(5),
            procfs: PathBuf::from("/proc"),
            sysfs: PathBuf::from("/sys"),
            rootfs: PathBuf::from("/"),
            sockets_source: SocketsSource::Auto,
            netns: Netns::Own,
            limit_netns: 100,
            netdev_devices: DeviceFilter::default(),
            netdev_address_info: false,
            netdev_label_ifalias: false,
            arp_devices: DeviceFilter::default(),
            netclass_ignored: constant("^$"),
            netclass_ignore_invalid_speed: false,
            netstat_fields: constant(NETSTAT_FIELDS),
            textfile_directories: Vec::new(),
            textfile_output: None,
            textfile_interval: Duration::from_secs(15),
            limit_devices: 1000,
            excluded_kinds: ExcludedKinds::default(),
            companion: false,
            filesystem_mount_points_exclude: Some(constant(MOUNT_POINTS_EXCLUDE)),
            filesystem_types_exclude: Some(constant(FS_TYPES_EXCLUDE)),
            qdisc_devices: DeviceFilter::default(),
            ipvs_backend_labels: IPVS_BACKEND_LABELS.to_vec(),
            dns: dns::Dns::default(),
            connections: Connections::default(),
            tc_devices: DeviceFilter::default(),
            tc_attach: TcAttach::Auto,
            tc_active_only: false,
            tc_protocols: false,
            dhcp: dhcp::Dhcp::default(),
            sources: Vec::new(),
            sandbox: SandboxMode::Auto,
            user: None,
            once: false,
            log_level: log::LevelFilter::Info,
            log_format: LogFormat::Logfmt,
            file: None,
            needless: Vec::new(),
            said: BTreeMap::new(),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the pattern is a constant of this file, compiled by the tests"
)]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_prometheus_writes_them() {
        let read = |text| duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(
            ["500ms", "15s", "1m30s", "2h", "24h"].map(read),
            [
                Some(500),
                Some(15_000),
                Some(90_000),
                Some(7_200_000),
                Some(86_400_000)
            ]
        );
        for bad in [
            "",
            "0s",
            "5",
            "s",
            "-5s",
            "+5s",
            "1.5s",
            "5 s",
            "25h",
            "5sec",
            "99999999999s",
            "4294967295h",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn places_to_listen() {
        let read = |text: &str| Listen::parse(text).map(|listen| listen.to_string());
        for good in [
            ":2112",
            ":0",
            "127.0.0.1:80",
            "[::1]:2112",
            "localhost:1",
            "unix:/run/weir.sock",
        ] {
            assert_eq!(read(good), Ok(good.to_string()));
        }
        for bad in [
            "",
            "2112",
            ":65536",
            ":x",
            ":+1",
            "::1:80",
            "[::1:80",
            "[host]:80",
            "unix:",
            "a b:1",
            "127.0.0.1:",
            "http://x:1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn network_namespaces() {
        assert_eq!(Netns::parse("all"), Ok(Netns::All));
        let named = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string);
            Ok(Netns::Named(names.collect()))
        };
        assert_eq!(Netns::parse("red"), named(&["red"]));
        assert_eq!(
            Netns::parse("red,4026532281,red"),
            named(&["red", "4026532281"])
        );
        for bad in [
            "", ",", "a,", ",a", "all,a", "a,all", "a/b", "..", " a", "a, b",
        ] {
            assert!(Netns::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn exclusion_wins() {
        let filter = DeviceFilter {
            include: Some(constant("^eth")),
            exclude: Some(constant("^eth1$")),
        };
        assert_eq!(
            ["eth0", "eth1", "lo"].map(|device| filter.shows(device)),
            [true, false, false]
        );
        assert!(DeviceFilter::default().shows("anything"));
    }
}
