//! The page at `/` and the JSON at `/api/now`: what the machine's network does now, and what is wrong with it.
//!
//! Both are written from one [`View`], and that is read from the batch of a scrape (`read`): no number is measured a second
//! time, and what the page shows is what /metrics says, but for the devices' counters, which are the last tick's, and for what
//! the kernel reports of devices, which stands until it does (`scrape::look`). Only the last ten minutes come from elsewhere,
//! the sampler's history.
//! What counts as wrong is in `problems`; docs/page.md tells it to users, with the JSON's keys.
//!
//! The server renders all of the page, so that it is whole without a script. The script (page.js) asks for the JSON and
//! writes its numbers into the elements that name their keys (`html`). What is not a number has a fingerprint, `revision`,
//! in both: when it changes, the script asks for the page and takes its `<main>`.

mod devices;
mod html;
mod interfaces;
mod json;
mod page;
mod problems;
mod read;
mod sections;
mod table;
mod units;

use std::time::Duration;
use std::time::SystemTime;

use crate::metric::Batch;
use crate::sampler::Sampler;
use crate::sampler::history::POINTS;

pub use self::page::POLICY;
pub use self::problems::Level;
pub use self::problems::Problem;

use self::table::Row;
use self::table::Table;

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
    /// The enabled collectors, in the order in which a scrape runs them, and then those that ran for the page alone.
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
    /// In the order of [`table::SPECS`].
    tables: [Vec<Row>; 8],
    /// In the order of [`read::SINGLES`].
    singles: [Option<f64>; read::SINGLES.len()],
    interfaces_left_out: usize,
    listeners_left_out: usize,
    /// Whether listeners and peers could be counted: then none is none.
    listens: bool,
    connects: bool,
    /// Segments sent again in the last minute.
    retransmitted: f64,
    /// DHCP servers whose files cannot be read.
    unread: Vec<String>,
}

/// The last ten minutes of a device.
#[derive(Debug)]
struct Past {
    /// The highest rate of either direction, in bytes per second.
    peak: f64,
    /// What the pictures are as high as: the peak, or [`interfaces::LEAST_SCALE`] where that is more.
    scale: f64,
    /// A base 36 digit for each point, the oldest first, in 35ths of the scale; `.` where nothing was measured.
    receive: [u8; POINTS],
    transmit: [u8; POINTS],
}

impl View {
    /// What a scrape of [`COLLECTORS`] found, and what the ticks did; in the memory of the last view, where there is one.
    #[must_use]
    pub fn new(about: About, batch: &Batch, sampler: &Sampler, last: Option<Self>) -> Self {
        let mut view = Self {
            about,
            problems: Vec::new(),
            tables: last.map(|last| last.tables).unwrap_or_default(),
            singles: Default::default(),
            interfaces_left_out: 0,
            listeners_left_out: 0,
            listens: false,
            connects: false,
            retransmitted: 0.0,
            unread: Vec::new(),
        };
        read::fill(&mut view, batch, sampler);
        view.problems = problems::of(&view);
        view
    }

    /// The page, and the JSON of the same state, each in the memory of what it is given: of what was rendered before.
    #[must_use]
    pub fn render(&self, [mut html, mut json]: [Vec<u8>; 2]) -> [Vec<u8>; 2] {
        html.clear();
        json.clear();
        let (html, revision) = page::render(self, html);
        let json = json::render(self, &revision, json);
        [html, json]
    }

    /// What is wrong, the worst first.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn rows(&self, table: Table) -> &[Row] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    fn single(&self, place: usize) -> Option<f64> {
        self.singles.get(place).copied().flatten()
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
