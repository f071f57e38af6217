//! What the program says of itself: its build, and its own counters and histograms, kept in a prometheus Registry and
//! gathered into the same batch as everything else.

mod counts;

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use prometheus::Gauge;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::IntCounter;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::proto::MetricFamily;
use prometheus::proto::MetricType;

use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::metric::Part;
use crate::parse::float;

pub use self::counts::ConfigCounts;
pub use self::counts::Counts;
pub use self::counts::HttpCounts;
pub use self::counts::TextfileCounts;
pub use self::counts::WebCounts;

/// Every family that this file writes.
pub static FAMILIES: &[&Desc] = &[
    &BUILD_INFO,
    &SANDBOX_INFO,
    &REQUESTS,
    &SCRAPE_SECONDS,
    &CONNECTIONS,
    &CONNECTIONS_TOTAL,
    &EVICTED,
    &TIMED_OUT,
    &REFUSED,
    &TICKS,
    &TEXTFILE_WRITTEN,
    &TEXTFILE_ERRORS,
    &CONFIG_SUCCESSFUL,
    &CONFIG_TIMESTAMP,
    &WEB_SUCCESSFUL,
    &WEB_TIMESTAMP,
    &WEB_REFUSED,
    &HANDSHAKES,
];

static BUILD_INFO: Desc = Desc::gauge(
    "weir_build_info",
    &["version", "commit", "target"],
    "Version, commit and target of this binary. Always 1.",
);
static SANDBOX_INFO: Desc = Desc::gauge(
    "weir_sandbox_info",
    &["capabilities", "no_new_privs", "landlock", "seccomp"],
    "Which capabilities this process has, and how each part of --sandbox stands: on, off, unavailable (this kernel lacks it) or left_out (--netns cannot work with it). Always 1.",
);
static REQUESTS: Desc = Desc::counter(
    "weir_http_requests_total",
    &["code", "handler"],
    "HTTP requests answered since the start, by status code and by what answered them.",
);
static SCRAPE_SECONDS: Desc = Desc::histogram(
    "weir_scrape_duration_seconds",
    "How long collecting and encoding the earlier scrapes took, in seconds.",
);
static CONNECTIONS: Desc = Desc::gauge(
    "weir_http_connections",
    &[],
    "HTTP connections that are open now.",
);
static CONNECTIONS_TOTAL: Desc = Desc::counter(
    "weir_http_connections_accepted_total",
    &[],
    "HTTP connections accepted since the start.",
);
static EVICTED: Desc = Desc::counter(
    "weir_http_connections_evicted_total",
    &[],
    "HTTP connections closed early to make room for others since the start.",
);
static TIMED_OUT: Desc = Desc::counter(
    "weir_http_connections_timed_out_total",
    &[],
    "HTTP connections closed since the start because the client took too long to ask or to read.",
);
static REFUSED: Desc = Desc::counter(
    "weir_http_requests_refused_total",
    &[],
    "HTTP requests refused since the start because they were malformed, too long or had a body.",
);
static TICKS: Desc = Desc::counter(
    "weir_ticks_total",
    &[],
    "Samples of the cheap counters, from which rates are computed, taken since the start.",
);
static TEXTFILE_WRITTEN: Desc = Desc::gauge(
    "weir_textfile_last_write_timestamp_seconds",
    &[],
    "When the text file (--textfile.output) was last replaced, in seconds since 1970, absent until it was; in the file itself, the time before that.",
);
static TEXTFILE_ERRORS: Desc = Desc::counter(
    "weir_textfile_write_errors_total",
    &[],
    "Times that the text file (--textfile.output) could not be replaced since the start; the log says why.",
);
static CONFIG_SUCCESSFUL: Desc = Desc::gauge(
    "weir_config_last_reload_successful",
    &[],
    "Whether the file (--config.file) was sound when it was last read (1) or not (0), when the configuration before it stays and the log says why; absent without a file.",
);
static CONFIG_TIMESTAMP: Desc = Desc::gauge(
    "weir_config_last_reload_success_timestamp_seconds",
    &[],
    "When the file (--config.file) was last read and sound, in seconds since 1970; absent without a file.",
);
static WEB_SUCCESSFUL: Desc = Desc::gauge(
    "weir_web_config_last_reload_successful",
    &[],
    "Whether the file (--web.config.file) and what it names were sound when they were last read (1) or not (0), when what was read before stays and the log says why; absent without a file.",
);
static WEB_TIMESTAMP: Desc = Desc::gauge(
    "weir_web_config_last_reload_success_timestamp_seconds",
    &[],
    "When the file (--web.config.file) and what it names were last read and sound, in seconds since 1970; absent without a file.",
);
static WEB_REFUSED: Desc = Desc::counter(
    "weir_web_requests_refused_total",
    &["reason"],
    "Requests refused since the start by what --web.config.file says, by reason: no right name and password (unauthorized, 401), too many requests (limited, 429), too many passwords to check at a time (busy, 503); absent without a file.",
);
static HANDSHAKES: Desc = Desc::counter(
    "weir_web_tls_handshakes_total",
    &["result"],
    "TLS handshakes since the start by result (done, failed), those that were never finished not counted; absent without TLS.",
);
/// What the families of the HTTP server begin with.
const HTTP: &str = "weir_http_";
/// Upper bounds of the scrape histogram in seconds: a home router needs some milliseconds, a server with 500,000 sockets
/// some hundred.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The program's own counters.
pub struct Instruments {
    registry: Registry,
    requests: IntCounterVec,
    scrapes: Histogram,
    connections: Gauge,
    accepted: IntCounter,
    evicted: IntCounter,
    timed_out: IntCounter,
    refused: IntCounter,
    ticks: IntCounter,
    commit: &'static str,
    target: String,
    sandbox: [(&'static str, String); 4],
}

impl Instruments {
    /// Registers everything at zero.
    ///
    /// # Errors
    /// When two instruments have one name, or a name is not valid: a mistake in this file that its test would show.
    pub fn new(
        commit: &'static str,
        target: String,
        sandbox: [(&'static str, String); 4],
    ) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let opts = |desc: &Desc| Opts::new(desc.name.as_ref(), desc.help.as_ref());
        let instruments = Self {
            requests: IntCounterVec::new(opts(&REQUESTS), REQUESTS.labels)?,
            scrapes: Histogram::with_opts(
                HistogramOpts::from(opts(&SCRAPE_SECONDS)).buckets(BUCKETS.to_vec()),
            )?,
            connections: Gauge::with_opts(opts(&CONNECTIONS))?,
            accepted: IntCounter::with_opts(opts(&CONNECTIONS_TOTAL))?,
            evicted: IntCounter::with_opts(opts(&EVICTED))?,
            timed_out: IntCounter::with_opts(opts(&TIMED_OUT))?,
            refused: IntCounter::with_opts(opts(&REFUSED))?,
            ticks: IntCounter::with_opts(opts(&TICKS))?,
            registry,
            commit,
            target,
            sandbox,
        };
        instruments
            .registry
            .register(Box::new(instruments.requests.clone()))?;
        instruments
            .registry
            .register(Box::new(instruments.scrapes.clone()))?;
        instruments
            .registry
            .register(Box::new(instruments.connections.clone()))?;
        for counter in [
            &instruments.accepted,
            &instruments.evicted,
            &instruments.timed_out,
            &instruments.refused,
            &instruments.ticks,
        ] {
            instruments.registry.register(Box::new(counter.clone()))?;
        }
        Ok(instruments)
    }

    /// Counts an answer.
    pub fn answered(&self, handler: &str, code: u16) {
        self.requests
            .with_label_values(&[code.to_string().as_str(), handler])
            .inc();
    }

    /// Notes how long a scrape took.
    pub fn scraped(&self, duration: Duration) {
        self.scrapes.observe(duration.as_secs_f64());
    }

    /// Writes the build, and where they are wanted the counters.
    pub fn write(&self, batch: &mut Batch, counts: Option<Counts>) {
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", self.commit),
            ("target", &self.target),
        ];
        let labels = batch.labels(&build);
        batch.push(&BUILD_INFO, labels, 1.0);
        let Some(counts) = counts else { return };
        let sandbox = self
            .sandbox
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let labels = batch.labels(&sandbox);
        batch.push(&SANDBOX_INFO, labels, 1.0);
        let http = counts.http.unwrap_or_default();
        self.connections.set(float(http.connections as u64));
        for (counter, value) in [
            (&self.accepted, http.accepted),
            (&self.evicted, http.evicted),
            (&self.timed_out, http.timed_out),
            (&self.refused, http.refused),
            (&self.ticks, counts.ticks),
        ] {
            counter.inc_by(value.saturating_sub(counter.get()));
        }
        for family in self.registry.gather() {
            if counts.http.is_some() || !family.name().starts_with(HTTP) {
                write_family(&family, batch);
            }
        }
        if let Some(textfile) = counts.textfile {
            write_textfile(&textfile, batch);
        }
        if let Some(config) = counts.config {
            write_config(&config, &CONFIG_SUCCESSFUL, &CONFIG_TIMESTAMP, batch);
        }
        if let Some(web) = counts.web {
            write_web(&web, batch);
        }
    }
}

fn write_config(
    config: &ConfigCounts,
    successful: &'static Desc,
    timestamp: &'static Desc,
    batch: &mut Batch,
) {
    let value = f64::from(u8::from(config.successful));
    batch.push(successful, NO_LABELS, value);
    let last_success = since_1970(config.last_success).as_secs_f64();
    batch.push(timestamp, NO_LABELS, last_success);
}

fn write_web(web: &WebCounts, batch: &mut Batch) {
    write_config(&web.file, &WEB_SUCCESSFUL, &WEB_TIMESTAMP, batch);
    let mut counts = |desc: &'static Desc, label, counts: &[(&str, u64)]| {
        for (value, count) in counts {
            let labels = batch.labels(&[(label, *value)]);
            batch.push(desc, labels, float(*count));
        }
    };
    let refused = [
        ("unauthorized", web.unauthorized),
        ("limited", web.limited),
        ("busy", web.busy),
    ];
    counts(&WEB_REFUSED, "reason", &refused);
    if let Some((done, failed)) = web.handshakes {
        counts(&HANDSHAKES, "result", &[("done", done), ("failed", failed)]);
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn write_textfile(counts: &TextfileCounts, batch: &mut Batch) {
    if let Some(replaced) = counts.replaced.map(since_1970) {
        batch.push(&TEXTFILE_WRITTEN, NO_LABELS, replaced.as_secs_f64());
    }
    batch.push(&TEXTFILE_ERRORS, NO_LABELS, float(counts.errors));
}

fn write_family(family: &MetricFamily, batch: &mut Batch) {
    let Some(desc) = FAMILIES.iter().find(|desc| desc.name == family.name()) else {
        return;
    };
    for metric in family.get_metric() {
        let labels: Vec<_> = metric
            .get_label()
            .iter()
            .map(|pair| (pair.name(), pair.value()))
            .collect();
        let plain = batch.labels(&labels);
        match family.get_field_type() {
            MetricType::COUNTER => batch.push(desc, plain, metric.get_counter().get_value()),
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                for bucket in histogram.get_bucket() {
                    let bound = batch.labels(&[("le", &bucket.upper_bound().to_string())]);
                    batch.push_part(desc, Part::Bucket, bound, float(bucket.cumulative_count()));
                }
                let bound = batch.labels(&[("le", "+Inf")]);
                batch.push_part(
                    desc,
                    Part::Bucket,
                    bound,
                    float(histogram.get_sample_count()),
                );
                batch.push_part(desc, Part::Sum, plain, histogram.get_sample_sum());
                batch.push_part(
                    desc,
                    Part::Count,
                    plain,
                    float(histogram.get_sample_count()),
                );
            }
            _ => batch.push(desc, plain, metric.get_gauge().get_value()),
        }
    }
}

#[cfg(test)]
mod tests;
