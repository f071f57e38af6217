//! The page at `/` and the JSON at `/api/now`: what the machine's network does now, and what is wrong with it.
//!
//! Both are written from one [`View`], and that is read from the batch of a scrape ([`read`]): no number is measured a second
//! time, and what the page shows is what /metrics says. Only the last ten minutes come from elsewhere, the sampler's history.
//! What counts as wrong is in [`problems`]; docs/page.md tells it to users, with the JSON's keys.
//!
//! The server renders all of the page, so that it is whole without a script. The script (page.js) asks for the JSON and
//! writes its numbers into the elements that name their keys ([`html`]). What is not a number has a fingerprint, `revision`,
//! in both: when it changes, the script asks for the page and takes its `<main>`.

mod devices;
mod html;
mod interfaces;
mod json;
mod page;
mod problems;
mod read;
mod sections;
mod units;

use std::time::Duration;
use std::time::SystemTime;

use crate::metric::Batch;
use crate::sampler::Sampler;

pub use self::page::POLICY;
pub use self::problems::Level;
pub use self::problems::Problem;

/// The collectors whose families the page shows.
pub const COLLECTORS: [&str; 10] = [
    "connections",
    "conntrack",
    "dhcp",
    "dns",
    "ephemeral_ports",
    "listeners",
    "netclass",
    "netdev",
    "tcpstat",
    "throughput",
];

/// What the page shows besides what was scraped.
#[derive(Clone, Debug)]
pub struct About {
    /// The machine's name.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// How long the program has run.
    pub uptime: Duration,
    /// When the scrape began.
    pub time: SystemTime,
    /// How long the script waits between two looks.
    pub refresh: Duration,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// The enabled collectors, in the order in which they run, and then those that ran for the page alone.
    pub collectors: Vec<Run>,
    /// Devices that have no carrier as long as nothing is plugged into them: bridges.
    pub bridges: Vec<String>,
}

/// A collector, and how it last fared.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub name: &'static str,
    /// What it answers, in half a sentence.
    pub help: &'static str,
    /// Whether the configuration enables it; else it ran for the page.
    pub enabled: bool,
    /// How long it took, if it has run.
    pub duration: Option<Duration>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// Everything that the page and the JSON say.
#[derive(Debug)]
pub struct View {
    about: About,
    problems: Vec<Problem>,
    interfaces: Vec<Interface>,
    interfaces_left_out: usize,
    tcp: Option<Tcp>,
    ports: Option<Ports>,
    listeners: Option<Vec<Listener>>,
    listeners_left_out: usize,
    peers: Option<Peers>,
    conntrack: Option<Use>,
    dhcp: Vec<Pool>,
    /// DHCP servers whose files cannot be read.
    unread: Vec<String>,
    dns: Vec<Record>,
}

/// A network device.
#[derive(Debug, Default)]
struct Interface {
    name: String,
    /// `up`, `down`, `off` (by its configuration), `no carrier`, or another word of RFC 2863's ifOperStatus; `None` where
    /// netclass did not run.
    state: Option<String>,
    loopback: bool,
    /// The numbers of [`interfaces::NUMBERS`], in that order.
    numbers: [Option<f64>; interfaces::NUMBERS.len()],
    /// Whether it has had a carrier, where that is known.
    had_carrier: Option<bool>,
    history: Option<Past>,
}

/// The last ten minutes of a device.
#[derive(Debug, Default)]
struct Past {
    /// The highest rate of either direction, in bytes per second.
    peak: f64,
    /// What the pictures are as high as: the peak, or [`interfaces::LEAST_SCALE`] where that is more.
    scale: f64,
    /// A base 36 digit for each point, the oldest first, in 35ths of the scale; `.` where nothing was measured.
    receive: String,
    transmit: String,
    errors: f64,
    drops: f64,
}

/// TCP as a whole.
#[derive(Debug, Default)]
struct Tcp {
    /// States and sockets, in the kernel's order of states.
    states: Vec<(String, f64)>,
    /// Of the last tick.
    retransmission_ratio: Option<f64>,
    /// Of the last minute, and how many segments that were.
    minute: Option<(f64, f64)>,
}

/// How much of a supply is in use.
#[derive(Clone, Copy, Debug)]
struct Use {
    used: f64,
    limit: f64,
}

impl Use {
    fn ratio(self) -> Option<f64> {
        (self.limit > 0.0).then(|| self.used / self.limit)
    }
}

/// The ephemeral ports.
#[derive(Debug)]
struct Ports {
    all: Use,
    /// Reserved ports in the range, which no destination can have.
    reserved: f64,
    destinations: Vec<Destination>,
}

#[derive(Debug)]
struct Destination {
    source: String,
    address: String,
    port: String,
    ports: Use,
}

/// A listening address and port.
#[derive(Debug)]
struct Listener {
    address: String,
    port: String,
    backlog: f64,
    limit: Option<f64>,
}

impl Listener {
    /// `0.0.0.0:80`, `[::]:80`.
    fn name(&self) -> String {
        endpoint(&self.address, &self.port)
    }

    fn ratio(&self) -> Option<f64> {
        let used = self.backlog;
        self.limit.and_then(|limit| Use { used, limit }.ratio())
    }
}

/// Who is connected.
#[derive(Debug, Default)]
struct Peers {
    /// Who connected to this machine, and to whom it connected.
    input: Vec<Peer>,
    output: Vec<Peer>,
}

#[derive(Debug)]
struct Peer {
    address: String,
    name: String,
    connections: f64,
}

/// A pool of a DHCP server, or what is in none.
#[derive(Debug)]
struct Pool {
    server: String,
    pool: String,
    leases: f64,
    addresses: Option<f64>,
    ratio: Option<f64>,
}

/// A DNS record that is checked.
#[derive(Debug)]
struct Record {
    name: String,
    kind: String,
    valid: bool,
    reason: Option<String>,
    ttl: Option<f64>,
}

impl View {
    /// What a scrape of [`COLLECTORS`] found, and what the ticks did.
    #[must_use]
    pub fn new(about: About, batch: &Batch, sampler: &Sampler) -> Self {
        let mut view = read::view(about, batch, sampler);
        view.problems = problems::of(&view);
        view
    }

    /// The page, and the JSON of the same state.
    #[must_use]
    pub fn render(&self) -> (Vec<u8>, Vec<u8>) {
        let (html, revision) = page::render(self);
        let json = json::render(self, &revision);
        (html.into_bytes(), json.into_bytes())
    }

    /// What is wrong, the worst first.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Why a collector of the page failed.
    fn error(&self, collector: &str) -> Option<&str> {
        let mut runs = self.about.collectors.iter();
        let run = runs.find(|run| run.name == collector)?;
        run.error.as_deref()
    }
}

fn endpoint(address: &str, port: &str) -> String {
    if address.contains(':') {
        ["[", address, "]:", port].concat()
    } else {
        [address, ":", port].concat()
    }
}
