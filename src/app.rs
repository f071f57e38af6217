//! Wiring and the one loop: wait for a request or the next tick; sample, scrape, answer, stop.

use std::fmt;
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;

use crate::cli;
use crate::config::Config;
use crate::exposition;
use crate::files::FileError;
use crate::files::Files;
use crate::http;
use crate::http::Health;
use crate::http::Page;
use crate::http::Selection;
use crate::http::Server;
use crate::http::Source;
use crate::http::page::PageCollector;
use crate::http::page::PageRun;
use crate::instruments::Counts;
use crate::instruments::Instruments;
use crate::parse::printable;
use crate::process::Process;
use crate::sampler::Sampler;
use crate::scrape::Engine;
use crate::scrape::Outcome;

/// How long an answer in flight may take after SIGTERM.
const DRAIN: Duration = Duration::from_millis(800);

/// The least age at which the last successful sample is stale.
const STALE: Duration = Duration::from_secs(30);

/// Why the program could not start or go on.
#[derive(Debug)]
pub enum RunError {
    /// A root is not there, or its CAPTURE file is wrong.
    Files(FileError),
    /// No place to listen.
    Listen(http::BindError),
    /// Standard output refused the metrics of `--once`.
    Output(io::Error),
    /// No handler for the signals that end the program.
    Signals(io::Error),
    /// Two instruments with one name.
    Instruments(prometheus::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::Output(error) => write!(f, "standard output: {error}"),
            Self::Signals(error) => write!(f, "signal handlers: {error}"),
            Self::Instruments(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

/// Prints once, or serves until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or standard output refuses the metrics.
pub fn run(config: &Config) -> Result<(), RunError> {
    crate::log::start(config.log_level, config.log_format);
    let files = Files::open(&config.procfs, &config.sysfs)
        .map_err(RunError::Files)?
        .with_rootfs(&config.rootfs);
    let mut app = App::new(config, files)?;
    if config.once {
        app.print_once()
    } else {
        app.serve()
    }
}

/// Writes to standard output. Whoever reads may have seen enough (`weir --once | head`).
///
/// # Errors
/// When it is refused for another reason.
pub fn print(text: &[u8]) -> Result<(), RunError> {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(RunError::Output(error)),
        _ => Ok(()),
    }
}

struct App<'a> {
    config: &'a Config,
    engine: Engine,
    sampler: Sampler,
    instruments: Instruments,
    started: Instant,
    process: Process,
    /// Why the own process could not be measured in the last scrape.
    process_error: Option<String>,
    /// What the HTTP server counted, as of the request that is being answered.
    server: http::Stats,
    port: u16,
    listening: Vec<String>,
    /// Samples in the last answer at /metrics.
    samples: usize,
    /// The bytes of the last answer.
    length: usize,
}

impl<'a> App<'a> {
    fn new(config: &'a Config, files: Files) -> Result<Self, RunError> {
        let instruments =
            Instruments::new(cli::COMMIT, cli::target()).map_err(RunError::Instruments)?;
        Ok(Self {
            config,
            engine: Engine::new(config, files),
            sampler: Sampler::new(config),
            instruments,
            started: Instant::now(),
            process: Process::begin(),
            process_error: None,
            server: http::Stats::default(),
            port: 0,
            listening: Vec::new(),
            samples: 0,
            length: 0,
        })
    }

    fn print_once(&mut self) -> Result<(), RunError> {
        self.sampler.tick(self.engine.files(), Instant::now());
        let text = self.render(&[], &[]).unwrap_or_else(String::into_bytes);
        print(&text)
    }

    fn serve(&mut self) -> Result<(), RunError> {
        let settings = settings(self.config);
        let mut server = Server::bind(&settings).map_err(RunError::Listen)?;
        let stop = stop_flag(&mut server).map_err(RunError::Signals)?;
        self.listening = server.addresses();
        for address in &self.listening {
            log::info!(address = address.as_str(), version = cli::VERSION_NUMBER; "listening");
        }
        self.port = server.first_port();
        let mut next = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= next {
                self.sampler.tick(self.engine.files(), now);
                self.engine.tick();
                next = next
                    .checked_add(self.config.interval)
                    .filter(|next| *next > now)
                    .unwrap_or(now + self.config.interval);
            }
            if let Some(request) =
                server.recv_timeout(next.saturating_duration_since(Instant::now()))
            {
                self.server = server.stats();
                http::serve(&mut server, &request, self, &settings);
            }
        }
        log::info!("stopping");
        server.drain(DRAIN);
        Ok(())
    }

    /// One scrape in the text format.
    fn render(&mut self, collect: &[String], exclude: &[String]) -> Result<Vec<u8>, String> {
        let begun = Instant::now();
        let counts = self.config.exporter_metrics.then(|| Counts {
            connections: self.server.open,
            accepted: self.server.accepted,
            evicted: self.server.evicted,
            timed_out: self.server.timed_out,
            refused: self.server.refused,
            ticks: self.sampler.ticks(),
        });
        // One page is about as long as the last one; growing step by step would touch twice the memory.
        let mut text = Vec::with_capacity(self.length + self.length / 8);
        let (batch, files) = self.engine.scrape(collect, exclude, &self.sampler)?;
        self.instruments.write(batch, counts);
        if self.config.exporter_metrics {
            let error = self
                .process
                .write(batch, files)
                .err()
                .map(|error| error.to_string());
            if let Some(error) = error.as_ref().filter(|_| self.process_error != error) {
                log::error!(err = error.as_str(); "own process not measured");
            }
            self.process_error = error;
        }
        exposition::encode(batch, &mut text);
        self.samples = batch.samples().len();
        self.length = text.len();
        self.instruments.scraped(begun.elapsed());
        Ok(text)
    }
}

impl Source for App<'_> {
    fn metrics(&mut self, selection: &Selection) -> Result<Vec<u8>, String> {
        self.render(&selection.collect, &selection.exclude)
    }

    fn health(&mut self) -> Health {
        let last = self.sampler.last_success();
        let limit = STALE.max(self.config.interval * 3);
        let age = last.map_or(self.started, |(instant, _)| instant).elapsed();
        Health {
            stale: age > limit,
            now: SystemTime::now(),
            port: self.port,
            requests: self.server.requests,
            metrics: self.samples as u64,
            collections: self.sampler.ticks(),
            last_collection: last.map(|(_, time)| time),
        }
    }

    fn page(&mut self) -> Page {
        let run = |outcome: &Outcome| PageRun {
            duration: outcome.duration,
            error: outcome.error.clone(),
        };
        let collectors = self.engine.outcomes().map(|(spec, outcome)| PageCollector {
            name: spec.name.to_string(),
            help: spec.help.to_string(),
            last: outcome.map(run),
        });
        Page {
            host: host(self.engine.files()),
            version: cli::version_text().trim_end().to_string(),
            uptime: self.started.elapsed(),
            listening: self.listening.clone(),
            telemetry_path: self.config.telemetry_path.clone(),
            collectors: collectors.collect(),
        }
    }

    fn answered(&mut self, handler: &'static str, code: u16) {
        self.instruments.answered(handler, code);
    }
}

/// The machine's name as the tree that is measured has it; empty where it has none.
fn host(files: &Files) -> String {
    let name = files.proc("sys/kernel/hostname", |bytes| {
        Ok(printable(bytes.trim_ascii()).into_owned())
    });
    name.ok().flatten().unwrap_or_default()
}

fn settings(config: &Config) -> http::Settings {
    http::Settings {
        listen: config.listen.clone(),
        telemetry_path: config.telemetry_path.clone(),
        cors_origin: config.cors_origin.clone(),
        compression: config.compression,
        max_connections: config.max_connections,
        read_timeout: config.read_timeout,
        write_timeout: config.write_timeout,
        max_header_bytes: config.max_header_bytes,
    }
}

/// A flag that SIGTERM and SIGINT set, and a byte on a socket that wakes the server's poll. A second signal ends the
/// program at once, should the first not.
fn stop_flag(server: &mut Server) -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (wake, woken) = UnixStream::pair()?;
    woken.set_nonblocking(true)?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
        signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    server.wake_on(OwnedFd::from(woken));
    Ok(stop)
}
