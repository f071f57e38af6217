//! What is compared: programs that serve metrics, and programs that run once for each reading.

use std::env;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use weir::collectors::ALL;
use weir::config::MOUNT_POINTS_EXCLUDE;

use crate::client::Client;
use crate::cost;
use crate::cost::Process;
use crate::floor;

/// What both measure: node_exporter's names for the collectors. Listed here and not taken from the defaults, so that the
/// comparison stays the same when either grows.
const SHARED: &[&str] = &[
    "arp",
    "conntrack",
    "netclass",
    "netdev",
    "netstat",
    "sockstat",
    "softnet",
    "tcpstat",
    "udp_queues",
];

/// What weir measures on top, from the same reading of the sockets and devices.
const OURS: &[&str] = &["ephemeral_ports", "listeners", "throughput"];

/// weir's default collectors that node_exporter does not have. Another one missing here keeps node_exporter from starting,
/// and so fails the comparison of the defaults.
const NOT_THERE: &[&str] = &[
    "dhcp",
    "dns",
    "ephemeral_ports",
    "listeners",
    "sources",
    "throughput",
    "uptime",
];

/// Which collectors are compared.
#[derive(Clone, Copy)]
pub(crate) enum Set {
    /// Those of the network that both have, with what weir reads from the same sources: what the floor reads too.
    Network,
    /// All that weir runs when no flag is given; node_exporter runs those of them that it has.
    Defaults,
    /// The checks of DNS records, which node_exporter does not have.
    Dns,
}

impl Set {
    fn of_weir(self) -> Vec<String> {
        match self {
            Self::Network => only(collectors()),
            Self::Defaults => Vec::new(),
            Self::Dns => only(std::iter::once("dns")),
        }
    }

    fn of_node_exporter(self) -> Vec<String> {
        match self {
            Self::Network => only(SHARED.iter().copied()),
            Self::Defaults => only(defaults().filter(|name| !NOT_THERE.contains(name))),
            Self::Dns => only(std::iter::empty()),
        }
    }
}

/// The names of weir's default collectors.
pub(crate) fn defaults() -> impl Iterator<Item = &'static str> {
    let listed = ALL.iter().filter(|spec| spec.on_by_default);
    listed.map(|spec| spec.name)
}

const NODE_EXPORTER: &str = "/usr/bin/prometheus-node-exporter";

/// The names of weir's collectors in the comparison.
pub(crate) fn collectors() -> impl Iterator<Item = &'static str> {
    SHARED.iter().chain(OURS).copied()
}

/// One thing to compare: its name, and one round, which gives the CPU time of one scrape.
pub(crate) struct Rival<'a> {
    pub(crate) name: &'static str,
    pub(crate) round: Box<dyn FnMut() -> io::Result<Duration> + 'a>,
}

impl<'a> Rival<'a> {
    pub(crate) fn new(
        name: &'static str,
        round: impl FnMut() -> io::Result<Duration> + 'a,
    ) -> Self {
        Self {
            name,
            round: Box::new(round),
        }
    }
}

/// A running server, and a connection to it that is kept as Prometheus keeps it.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: String,
    client: Client<TcpStream>,
}

impl Server {
    /// The CPU time of one scrape, measured over `count`.
    pub(crate) fn scrapes(&mut self, count: u32, fields: &str) -> io::Result<Duration> {
        self.requests(count, "/metrics", fields)
    }

    pub(crate) fn requests(
        &mut self,
        count: u32,
        path: &str,
        fields: &str,
    ) -> io::Result<Duration> {
        let before = cost::cpu(self.process.id())?;
        for _ in 0..count {
            let answer = self.client.get(path, fields)?;
            if answer.status != 200 {
                return Err(io::Error::other(format!("{path}: {}", answer.status)));
            }
        }
        Ok((cost::cpu(self.process.id())? - before) / count)
    }

    /// The same in ticks of the scheduler, threads that have ended included.
    pub(crate) fn scrapes_in_ticks(&mut self, count: u32) -> io::Result<Duration> {
        let before = cost::ticks(self.process.id())?;
        self.scrapes(count, "")?;
        Ok((cost::ticks(self.process.id())? - before) / count)
    }

    /// The size of the page, in bytes.
    pub(crate) fn page(&mut self) -> io::Result<usize> {
        Ok(self.client.get("/metrics", "")?.body.len())
    }
}

/// The binary that is measured: what WEIR_BENCH_BINARY names, else the static one that `make static` leaves, else the
/// one that cargo built for this run.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = env::var_os("WEIR_BENCH_BINARY") {
        return path.into();
    }
    static_or_built("")
}

fn static_or_built(features: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_weir"));
    let target = built.parent().and_then(Path::parent);
    target
        .map(|target| target.join(format!("static/weir-{}{features}", env::consts::ARCH)))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| built.to_path_buf())
}

/// weir with these collectors.
pub(crate) fn weir(set: Set, extra: &[&str]) -> io::Result<Server> {
    start(&binary(), set, extra)
}

/// The same of a weir built with TLS.
#[cfg(feature = "tls")]
pub(crate) fn weir_tls(set: Set, extra: &[&str]) -> io::Result<Server> {
    start(&static_or_built("-tls"), set, extra)
}

fn start(binary: &Path, set: Set, extra: &[&str]) -> io::Result<Server> {
    let mut command = Command::new(binary);
    command
        .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"])
        .arg("--web.disable-exporter-metrics")
        .args(set.of_weir())
        .args(extra)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = Process(command.spawn()?);
    let log = process.0.stderr.take();
    let mut log = BufReader::new(log.ok_or_else(|| io::Error::other("no standard error"))?);
    let mut line = String::new();
    let address = loop {
        line.clear();
        if log.read_line(&mut line)? == 0 {
            return Err(io::Error::other("weir ended before it listened"));
        }
        if line.contains("listening")
            && let Some((_, address)) = line.trim_end().split_once("address=")
        {
            let address = address.split(' ').next().unwrap_or_default();
            break address.trim_matches('"').to_string();
        }
        eprint!("weir: {line}");
    };
    // What it logs later is thrown away, but read: a full pipe would stop it.
    thread::spawn(move || io::copy(&mut log, &mut io::sink()));
    connected(process, address)
}

/// node_exporter with the same families, or `None` where it is not installed.
pub(crate) fn node_exporter(set: Set) -> io::Result<Option<Server>> {
    if !Path::new(NODE_EXPORTER).exists() {
        return Ok(None);
    }
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let child = Command::new(NODE_EXPORTER)
        .arg(format!("--web.listen-address={address}"))
        .arg("--web.disable-exporter-metrics")
        // Debian's defaults leave out lo, and more mount points.
        .arg("--collector.netdev.device-exclude=^$")
        .arg(format!(
            "--collector.filesystem.mount-points-exclude={MOUNT_POINTS_EXCLUDE}"
        ))
        .args(set.of_node_exporter())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    connected(Process(child), address).map(Some)
}

/// The flags that run these collectors and no others.
fn only(names: impl Iterator<Item = &'static str>) -> Vec<String> {
    let named = names.map(|name| format!("--collector.{name}"));
    std::iter::once("--collector.disable-defaults".to_string())
        .chain(named)
        .collect()
}

/// The floor behind HTTP, answering with as many bytes as weir does.
pub(crate) fn floor_server(page: usize) -> io::Result<Server> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    drop(listener);
    let child = Command::new(env::current_exe()?)
        .args(["--floor-server", &address, &page.to_string()])
        .spawn()?;
    connected(Process(child), address)
}

fn connected(process: Process, address: String) -> io::Result<Server> {
    for _ in 0..100 {
        if let Ok(client) = Client::connect(&address) {
            return Ok(Server {
                process,
                address,
                client,
            });
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(io::Error::other(format!("nothing answers on {address}")))
}

/// The floor without HTTP: a byte asks, a byte answers.
pub(crate) struct Floor(Process);

impl Floor {
    pub(crate) fn start() -> io::Result<Self> {
        let child = Command::new(env::current_exe()?)
            .arg("--floor")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self(Process(child)))
    }

    pub(crate) fn readings(&mut self, count: u32) -> io::Result<Duration> {
        let before = cost::cpu(self.0.id())?;
        for _ in 0..count {
            if let (Some(input), Some(output)) = (&mut self.0.0.stdin, &mut self.0.0.stdout) {
                input.write_all(b"x")?;
                output.read_exact(&mut [0])?;
            }
        }
        Ok((cost::cpu(self.0.id())? - before) / count)
    }
}

/// What ephemeral-port-exporter starts for each scrape: sockets listed, local ports cut out, those in the range counted.
pub(crate) fn ports_pipeline() -> io::Result<Duration> {
    const PORTS: &str =
        "{ n = split($4, a, \":\"); if (a[n] >= 10000 && a[n] <= 65000) print a[n] }";
    cost::pipeline(&[
        &["ss", "-Htan"],
        &["awk", PORTS],
        &["sort"],
        &["uniq"],
        &["wc", "-l"],
    ])
}

/// `cat` of the same files.
pub(crate) fn cat() -> io::Result<Duration> {
    let mut command = vec!["cat"];
    command.extend(floor::FILES);
    command.extend(["/proc/net/tcp", "/proc/net/tcp6"]);
    cost::pipeline(&[&command])
}

/// `cat` of the socket tables.
pub(crate) fn cat_sockets() -> io::Result<Duration> {
    cost::pipeline(&[&["cat", "/proc/net/tcp", "/proc/net/tcp6"]])
}
