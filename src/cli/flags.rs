//! The table of flags: name, value, default, meaning and what it sets. Those of single collectors are in
//! collector_flags.rs.

use std::path::PathBuf;

use crate::config::Listen;
use crate::config::LogFormat;
use crate::config::Netns;
use crate::config::SandboxMode;
use crate::config::SocketsSource;

use super::collector_flags;
use super::dns_flags;
use super::flag::Flag;
use super::flag::Set;
use super::flag::asked;
use super::flag::commas;
use super::flag::one;
use super::flag::switch;
use super::values::directory;
use super::values::duration;
use super::values::excluded_kinds;
use super::values::interval;
use super::values::number;
use super::values::procfs;
use super::values::refused;

pub(super) const VERSION: &str = "--version";
pub(super) const HELP: &str = "--help";
pub(super) const CONFIG_FILE: &str = "--config.file";
pub(super) const CHECK_CONFIG: &str = "--check-config";

/// What stays as it is while the program runs: a change in the file is told and waits for a restart.
pub(super) static RESTART: &[&str] = &[
    "--web.listen-address",
    "--web.config.file",
    "--web.max-connections",
    "--web.read-timeout",
    "--web.write-timeout",
    "--web.max-header-bytes",
    "--path.procfs",
    "--path.sysfs",
    "--path.rootfs",
    "--log.format",
    "--sandbox",
    "--user",
    // Detaching from many interfaces takes seconds.
    "--collector.tc",
    "--collector.tc.device-include",
    "--collector.tc.device-exclude",
    "--collector.tc.attach",
    "--collector.tc.active-only",
    "--collector.tc.protocols",
];

/// The whole table, in the order of help.
pub(super) fn flags() -> impl Iterator<Item = &'static Flag> {
    GENERAL
        .iter()
        .chain(collector_flags::FLAGS)
        .chain(dns_flags::FLAGS)
}

static GENERAL: &[Flag] = &[
    Flag {
        name: "--web.listen-address",
        value: "ADDRESS",
        default: ":2112",
        help: "Where to listen: [HOST]:PORT or unix:PATH, repeatable; port 0 takes a free one, which the log tells; empty: no HTTP server.",
        set: Set::Many(|config, values| {
            let parse =
                |text: &String| Listen::parse(text).map_err(|expected| refused(expected, text));
            config.listen = match values {
                [none] if none.is_empty() => Vec::new(),
                some => some.iter().map(parse).collect::<Result<_, _>>()?,
            };
            Ok(())
        }),
    },
    one(
        "--web.config.file",
        "PATH",
        "",
        "Who may connect: TLS, users and passwords, limits and headers, in exporter-toolkit's format; read again when it changes.",
        |config, text| {
            config.web_config = Some(PathBuf::from(text)).filter(|_| !text.is_empty());
            Ok(())
        },
    ),
    one(
        "--web.telemetry-path",
        "PATH",
        "/metrics",
        "Path of the metrics.",
        |config, text| {
            let fine = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'%');
            if !text.starts_with('/') || !text.bytes().all(fine) {
                return Err(refused(
                    "a path that begins with / and needs no escaping",
                    text,
                ));
            }
            if matches!(text, "/health" | "/healthz") {
                return Err(refused("a path that is not taken", text));
            }
            config.telemetry_path = text.to_string();
            Ok(())
        },
    ),
    one(
        "--web.cors-origin",
        "ORIGIN",
        "",
        "Origin whose pages may read the answers in a browser; * for any; empty for none.",
        |config, text| {
            if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(refused(
                    "an origin such as https://grafana.example, or *",
                    text,
                ));
            }
            config.cors_origin = Some(text.to_string()).filter(|text| !text.is_empty());
            Ok(())
        },
    ),
    switch(
        "--web.disable-compression",
        "Never answer with gzip.",
        |config| config.compression = false,
    ),
    switch(
        "--web.disable-exporter-metrics",
        "Leave out the metrics of weir itself (process_*, weir_config_*, weir_http_*, weir_sandbox_info, weir_scrape_*, weir_textfile_*, weir_web_*).",
        |config| {
            config.exporter_metrics = false;
        },
    ),
    one(
        "--web.max-connections",
        "N",
        "256",
        "Open connections at most, 4 to 65536; half of the limit on open files bounds it too.",
        |config, text| {
            config.max_connections = number(text, 4, 65_536)?;
            Ok(())
        },
    ),
    one(
        "--web.read-timeout",
        "DURATION",
        "3s",
        "From accepting a connection to a full request.",
        |config, text| {
            config.read_timeout = duration(text)?;
            Ok(())
        },
    ),
    one(
        "--web.write-timeout",
        "DURATION",
        "10s",
        "How long a client may take no byte of its answer.",
        |config, text| {
            config.write_timeout = duration(text)?;
            Ok(())
        },
    ),
    one(
        "--web.max-header-bytes",
        "BYTES",
        "8192",
        "The largest request head, 256 to 1048576.",
        |config, text| {
            config.max_header_bytes = number(text, 256, 1 << 20)?;
            Ok(())
        },
    ),
    one(
        "--collect.interval",
        "DURATION",
        "5s",
        "How often rates, maxima and the retransmission ratio are sampled; 100ms at least.",
        |config, text| {
            config.interval = interval(text)?;
            Ok(())
        },
    ),
    one(
        "--textfile.output",
        "DIR",
        "",
        "Where to keep weir.prom for node_exporter's textfile collector, without the families that it has; empty: nowhere.",
        |config, text| {
            config.textfile_output = Some(PathBuf::from(text)).filter(|_| !text.is_empty());
            Ok(())
        },
    ),
    one(
        "--textfile.interval",
        "DURATION",
        "15s",
        "How often that file is replaced; 100ms at least.",
        |config, text| {
            config.textfile_interval = interval(text)?;
            Ok(())
        },
    ),
    one(
        "--path.procfs",
        "DIR",
        "/proc",
        "Where procfs is; any other than /proc is read as files only, without netlink.",
        |config, text| {
            config.procfs = procfs(text)?;
            Ok(())
        },
    ),
    one(
        "--path.sysfs",
        "DIR",
        "/sys",
        "Where sysfs is.",
        |config, text| {
            config.sysfs = directory(text)?;
            Ok(())
        },
    ),
    one(
        "--path.rootfs",
        "DIR",
        "/",
        "Where the root file system is; mount points are told without it.",
        |config, text| {
            config.rootfs = directory(text)?;
            Ok(())
        },
    ),
    one(
        "--sockets.source",
        "SOURCE",
        "auto",
        "Where TCP sockets are read: auto, netlink, or proc.",
        |config, text| {
            config.sockets_source = match text {
                "auto" => SocketsSource::Auto,
                "netlink" => SocketsSource::Netlink,
                "proc" => SocketsSource::Proc,
                _ => return Err(refused("auto, netlink or proc", text)),
            };
            Ok(())
        },
    ),
    commas(
        "--netns",
        "NAMES",
        "",
        "Network namespaces to measure beside the own one: all, or names separated by commas; gives the label netns.",
        |config, text| {
            config.netns = Netns::parse(text).map_err(|expected| refused(expected, text))?;
            Ok(())
        },
    ),
    one(
        "--limit.netns",
        "N",
        "100",
        "The most network namespaces beside the own one; names stay before numbers.",
        |config, text| {
            config.limit_netns = number(text, 1, 10_000)?;
            Ok(())
        },
    ),
    one(
        "--limit.devices",
        "N",
        "1000",
        "The most devices that each collector shows; those with the lowest indexes stay.",
        |config, text| {
            config.limit_devices = number(text, 1, 1_000_000)?;
            Ok(())
        },
    ),
    commas(
        "--devices.exclude-kinds",
        "KINDS",
        "",
        "Devices that no collector shows, whatever their names: veth, bridge-port (veth and tap devices in a bridge; its other ports stay), or veth,bridge-port.",
        |config, text| {
            config.excluded_kinds = excluded_kinds(text)?;
            Ok(())
        },
    ),
    switch(
        "--companion",
        "node_exporter runs here too: leave out every family that it has (node_*).",
        |config| config.companion = true,
    ),
    one(
        CONFIG_FILE,
        "FILE",
        "",
        "A YAML file with flags' names, without dashes, and their values; the command line wins; read again on SIGHUP.",
        |config, text| {
            config.file = Some(PathBuf::from(text)).filter(|_| !text.is_empty());
            Ok(())
        },
    ),
    asked(
        CHECK_CONFIG,
        "Check flags and file, print what is wrong, and exit; nothing is started.",
    ),
    switch(
        "--once",
        "Print the metrics to standard output and exit; with --textfile.output write that file once and print nothing.",
        |config| config.once = true,
    ),
    one(
        "--sandbox",
        "MODE",
        "auto",
        "Whether to give up rights that are not needed once the sockets are open: auto as far as the kernel can, off, or require.",
        |config, text| {
            config.sandbox = match text {
                "auto" => SandboxMode::Auto,
                "off" => SandboxMode::Off,
                "require" => SandboxMode::Require,
                _ => return Err(refused("auto, off or require", text)),
            };
            Ok(())
        },
    ),
    one(
        "--user",
        "USER",
        "",
        "Whom to become once the sockets are open, when started as root: a name in /etc/passwd, or UID[:GID]; empty: nobody else.",
        |config, text| {
            config.user = Some(text.to_string()).filter(|text| !text.is_empty());
            Ok(())
        },
    ),
    one(
        "--log.level",
        "LEVEL",
        "info",
        "The least severe lines to log: debug, info, warn, error.",
        |config, text| {
            config.log_level = match text {
                "debug" => log::LevelFilter::Debug,
                "info" => log::LevelFilter::Info,
                "warn" => log::LevelFilter::Warn,
                "error" => log::LevelFilter::Error,
                _ => return Err(refused("debug, info, warn or error", text)),
            };
            Ok(())
        },
    ),
    one(
        "--log.format",
        "FORMAT",
        "logfmt",
        "How to log: logfmt or json, to standard error.",
        |config, text| {
            config.log_format = match text {
                "logfmt" => LogFormat::Logfmt,
                "json" => LogFormat::Json,
                _ => return Err(refused("logfmt or json", text)),
            };
            Ok(())
        },
    ),
    asked(VERSION, "Print version, commit and target, and exit."),
    asked(HELP, "Print this list and exit."),
];
