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
mod values;
pub mod web;
pub mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use regex_lite::Regex;

pub use self::connections::Connections;
pub use self::connections::EXCLUDE as CONNECTIONS_EXCLUDE;
pub use self::connections::Hostnames;
pub use self::connections::MOST_SERIES as CONNECTIONS_MOST_SERIES;
pub use self::connections::cidrs;
pub use self::spelling::suggestion;
pub use self::values::DeviceFilter;
pub use self::values::ExcludedKinds;
pub use self::values::Listen;
pub use self::values::LogFormat;
pub use self::values::Netns;
pub use self::values::SandboxMode;
pub use self::values::SocketsSource;
pub use self::values::TcAttach;
pub use self::values::duration;

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
mod tests;
