//! A router of the test's own and its client, so busy that every panel has something to show: traffic, connections in both
//! directions, leases and names of a dnsmasq, a number from a file and a text file, and a Prometheus that scrapes it all.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::dhcp::wire::Wire;
use crate::prometheus::Prometheus;
use crate::prometheus::ask;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::wait_until;
use crate::tc::setup::able;

/// Where things listen: in a namespace of their own no port is taken.
const WEIR_ADDRESS: &str = "127.0.0.1:2112";
const COMPANION: &str = "127.0.0.1:2113";
const PROMETHEUS: &str = "127.0.0.1:9090";

/// Everything that weir can show is switched on. CLIENT and DIRECTORY are filled in.
const CONFIGURATION: &str = "\
web.listen-address: 127.0.0.1:2112
collect.interval: 500ms
netns: [CLIENT]
collector.connections: true
collector.connections.tcp-info: true
collector.connections.hostnames: dns
collector.tc: true
collector.tc.device-include: .
collector.tc.protocols: true
collector.qdisc: true
collector.wifi: true
collector.textfile: true
collector.textfile.directory: DIRECTORY/text
textfile.output: DIRECTORY/output
textfile.interval: 1s
dhcp:
  servers:
    - {name: dnsmasq, format: dnsmasq, leases: DIRECTORY/leases, settings: DIRECTORY/dnsmasq.conf}
  per-lease: true
dns:
  resolver: 127.0.0.1
  interval: 1s
  records:
    - {name: router.lan, type: A, expect: 192.0.2.1}
    - {name: missing.lan, type: A}
sources:
  - {metric: shelf_temperature_celsius, file: DIRECTORY/shelf, format: number}
";

const DNSMASQ: &str = "\
dhcp-range=set:lan,192.0.2.100,192.0.2.199,12h
domain=lan
local=/lan/
host-record=router.lan,192.0.2.1
host-record=laptop.lan,192.0.2.2
";

/// What runs. It ends in the order of the fields.
pub(crate) struct Scene {
    _traffic: Traffic,
    prometheus: Prometheus,
    _weirs: [Weir; 2],
    _dnsmasq: Process,
    wire: Wire,
}

impl Scene {
    /// # Errors
    /// With the reason why there can be none here.
    pub(crate) fn new() -> Result<Self, String> {
        able()?;
        let wire = Wire::new(&["dnsmasq", "busybox"])?;
        let dnsmasq = begin_dnsmasq(&wire);
        wire.lease("02:00:00:00:0d:01", "laptop");
        wire.client.ip("addr add 192.0.2.2/24 dev c0");
        let traffic = Traffic::begin(&wire);
        let weirs = [begin_weir(&wire), begin_companion(&wire)];
        let prometheus = begin_prometheus(&wire);
        let scene = Self {
            _traffic: traffic,
            prometheus,
            _weirs: weirs,
            _dnsmasq: dnsmasq,
            wire,
        };
        scene.inside(|| {
            wait_until("four scrapes of both", || {
                ask(PROMETHEUS, "count_over_time(up[30s]) >= 4 and up == 1").len() == 2
            });
        });
        // Handed out after weir's start, so that it counts as given out.
        scene.wire.lease("02:00:00:00:0d:02", "tablet");
        Ok(scene)
    }

    pub(crate) fn address(&self) -> &str {
        &self.prometheus.address
    }

    /// Runs `body` where Prometheus can be asked.
    pub(crate) fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.wire.server.inside(body)
    }

    /// One value for each variable of the dashboards.
    pub(crate) fn chosen(&self) -> [(&str, String); 5] {
        [
            ("instance", WEIR_ADDRESS.to_string()),
            ("netns", self.wire.server.name.clone()),
            ("device", "s0".to_string()),
            ("interface", "s0".to_string()),
            ("server", "dnsmasq".to_string()),
        ]
    }
}

fn begin_dnsmasq(wire: &Wire) -> Process {
    for directory in ["text", "output"] {
        fs::create_dir(wire.directory.0.join(directory)).unwrap();
    }
    wire.write("shelf", "21.5\n");
    wire.write("text/backup.prom", "backup_bytes 5\n");
    let settings = wire.write("dnsmasq.conf", DNSMASQ);
    let file = wire.path("leases");
    let leases = format!("--dhcp-leasefile={file}");
    let flags = ["-k", "-C", &settings, &leases, "--no-ping", "--user=root"];
    let alone = ["--interface=s0,lo", "--no-resolv", "--no-hosts"];
    let process = wire.start("dnsmasq", &[&flags[..], &alone].concat());
    wait_until("dnsmasq", || Path::new(&file).exists());
    process
}

fn begin_weir(wire: &Wire) -> Weir {
    let directory = wire.directory.0.display().to_string();
    let text = CONFIGURATION
        .replace("CLIENT", &wire.client.name)
        .replace("DIRECTORY", &directory);
    let configuration = format!("--config.file={}", wire.write("weir.yml", &text));
    let mut command = wire.server.command(WEIR);
    Weir::launch(command.arg(configuration))
}

/// Beside a node_exporter weir has verdicts of another name.
fn begin_companion(wire: &Wire) -> Weir {
    let mut command = wire.server.command(WEIR);
    let listen = format!("--web.listen-address={COMPANION}");
    Weir::launch(command.args(["--companion", &listen]))
}

fn begin_prometheus(wire: &Wire) -> Prometheus {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");
    let configuration = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
        rule_files: [{rules}/weir-recording.yml, {rules}/weir-alerts.yml]\n\
        scrape_configs:\n\
        \x20 - job_name: weir\n\
        \x20   static_configs: [{{targets: ['{WEIR_ADDRESS}', '{COMPANION}']}}]\n"
    );
    let mut command = wire.server.command("prometheus");
    Prometheus::launch(&mut command, &configuration, PROMETHEUS.to_string())
}

/// Connections in both directions, over one of which something is sent all the time, until this goes out of scope.
struct Traffic {
    ends: Arc<AtomicBool>,
    _held: Vec<TcpStream>,
    _listeners: [TcpListener; 2],
    senders: Option<thread::JoinHandle<()>>,
}

impl Traffic {
    fn begin(wire: &Wire) -> Self {
        let listen = |namespace: &Namespace, address: &str| {
            namespace.inside(|| TcpListener::bind(address).unwrap())
        };
        let connect = |namespace: &Namespace, address: &str| {
            namespace.inside(|| TcpStream::connect(address).unwrap())
        };
        let here = listen(&wire.server, "192.0.2.1:8080");
        let there = listen(&wire.client, "192.0.2.2:9000");
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(connect(&wire.client, "192.0.2.1:8080"));
            held.push(connect(&wire.server, "192.0.2.2:9000"));
        }
        let mut sender = connect(&wire.client, "192.0.2.1:8080");
        // The others wait in the queues.
        let mut receiver = loop {
            let (stream, peer) = here.accept().unwrap();
            if peer == sender.local_addr().unwrap() {
                break stream;
            }
            held.push(stream);
        };
        // With a limit, so that a wire that breaks ends the test and does not hang it.
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        sender.set_write_timeout(Some(PATIENCE)).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ends);
        let senders = thread::spawn(move || {
            let mut piece = vec![0; 20_000];
            while !until.load(Ordering::Relaxed) {
                sender.write_all(&piece).unwrap();
                receiver.read_exact(&mut piece).unwrap();
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self {
            ends,
            _held: held,
            _listeners: [here, there],
            senders: Some(senders),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(senders) = self.senders.take() {
            let _ = senders.join();
        }
    }
}
