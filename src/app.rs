//! Wiring and the one loop: wait for a request, the next tick or the next text file; sample, scrape, answer, write, stop.

mod error;
mod every;
mod look;
mod reload;
mod signals;

use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::cli;
use crate::config::Config;
use crate::config::TEXTFILE;
use crate::exposition;
use crate::files::Files;
use crate::http;
use crate::http::Guard;
use crate::http::Health;
use crate::http::Page;
use crate::http::Selection;
use crate::http::Server;
use crate::http::Source;
use crate::instruments::ConfigCounts;
use crate::instruments::Counts;
use crate::instruments::HttpCounts;
use crate::instruments::Instruments;
use crate::instruments::TextfileCounts;
use crate::instruments::WebCounts;
use crate::parse::printable;
use crate::process::Process;
use crate::sampler::Sampler;
use crate::sandbox;
use crate::sandbox::Sandbox;
use crate::scrape::Engine;
use crate::tc::attach::Settings;
use crate::tc::attach::Watch;
use crate::textfile::Textfile;

pub use self::error::RunError;
use self::every::Every;
use self::look::Seen;
use self::reload::Loaded;
use self::signals::Signals;

/// How long an answer in flight may take after SIGTERM.
const DRAIN: Duration = Duration::from_millis(800);

/// How long `--once` waits for the TC counters to be attached.
const SETTLE: Duration = Duration::from_secs(30);

/// The least age at which the last successful sample is stale.
const STALE: Duration = Duration::from_secs(30);

/// Prints or writes once, or serves and writes until SIGTERM or SIGINT. The arguments are those that gave the
/// configuration: SIGHUP reads the file that they name again.
///
/// # Errors
/// When it cannot start, or the metrics of `--once` are refused.
pub fn run(config: Config, arguments: Vec<OsString>) -> Result<(), RunError> {
    crate::log::start(config.log_level, config.log_format);
    for flag in &config.needless {
        log::info!(flag = flag.as_str(); "flag changes nothing here");
    }
    let files = roots(&config)?;
    // Ports below 1024 want a right that is given up next, and that comes before the first thread, which then has it not.
    let server = match config.once {
        true => None,
        false => Some(bound(&config)?),
    };
    let reread = server.as_ref().map(Server::guarded_by).unwrap_or_default();
    let sandbox = Sandbox::enter(&config, &files, reread).map_err(RunError::Sandbox)?;
    let mut app = App::new(config, arguments, files, sandbox)?;
    match server {
        None => app.once(),
        Some(server) => app.serve(server),
    }
}

/// A server that listens, and lets in whom its file says. Keys that only root may read are read now.
fn bound(config: &Config) -> Result<Server, RunError> {
    let guard = config.web_config.as_deref().map(Guard::open);
    let guard = guard.transpose().map_err(RunError::Web)?;
    let mut server = Server::bind(&settings(config)).map_err(RunError::Listen)?;
    if let Some(guard) = guard {
        server.guard_with(guard);
    }
    Ok(server)
}

/// Says that the configuration could run, as far as that can be seen without starting anything.
///
/// # Errors
/// When a root is not what it should be, or standard output refuses the verdict.
pub fn check(config: &Config) -> Result<(), RunError> {
    roots(config)?;
    sandbox::check_user(config).map_err(RunError::Sandbox)?;
    if let Some(path) = &config.web_config {
        Guard::check(path).map_err(RunError::Web)?;
    }
    let named = config.file.as_ref().map(|path| path.display().to_string());
    print(format!("{}: ok\n", named.as_deref().unwrap_or("flags")).as_bytes())
}

fn roots(config: &Config) -> Result<Files, RunError> {
    let files = Files::open(&config.procfs, &config.sysfs).map_err(RunError::Files)?;
    Ok(files.with_rootfs(&config.rootfs))
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

struct App {
    config: Config,
    arguments: Vec<OsString>,
    loaded: Loaded,
    sandbox: Sandbox,
    engine: Engine,
    sampler: Sampler,
    instruments: Instruments,
    started: Instant,
    process: Process,
    /// Why the own process could not be measured in the last scrape.
    process_error: Option<String>,
    /// The file for node_exporter, if one is kept.
    textfile: Option<Textfile>,
    /// What the HTTP server counted, as of the request that is being answered or the file that is being written; `None`
    /// without one.
    server: Option<http::Stats>,
    port: u16,
    listening: Vec<String>,
    /// Samples in the last answer at /metrics.
    samples: usize,
    /// The bytes of the last answer.
    length: usize,
    /// The page, while somebody looks at it.
    seen: Option<Seen>,
}

impl App {
    fn new(
        config: Config,
        arguments: Vec<OsString>,
        files: Files,
        sandbox: Sandbox,
    ) -> Result<Self, RunError> {
        let instruments = Instruments::new(cli::COMMIT, cli::target(), sandbox.labels())
            .map_err(RunError::Instruments)?;
        let counts = config.collectors.contains(&"tc") && files.live();
        let tc = counts.then(|| Watch::start(Settings::new(&config)));
        Ok(Self {
            engine: Engine::new(&config, files),
            sampler: Sampler::new(&config).with_tc(tc),
            arguments,
            loaded: Loaded::now(),
            sandbox,
            instruments,
            started: Instant::now(),
            process: Process::begin(),
            process_error: None,
            textfile: config.textfile_output.as_deref().map(Textfile::new),
            config,
            server: None,
            port: 0,
            listening: Vec::new(),
            samples: 0,
            length: 0,
            seen: None,
        })
    }

    /// Writes the text file if there is to be one, else prints.
    fn once(&mut self) -> Result<(), RunError> {
        if let Some(tc) = self.sampler.tc() {
            tc.watch().settle(SETTLE);
        }
        self.sampler.tick(self.engine.files(), Instant::now());
        if self.config.textfile_output.is_some() {
            let text = self.render_textfile();
            let written = self.textfile.as_mut().map(|file| file.replace(&text));
            return written.unwrap_or(Ok(())).map_err(RunError::Textfile);
        }
        let text = self.render(&[], &[]).unwrap_or_else(String::into_bytes);
        print(&text)
    }

    fn serve(&mut self, mut server: Server) -> Result<(), RunError> {
        server.start_guard().map_err(RunError::Web)?;
        let mut settings = settings(&self.config);
        let signals = Signals::watch(&mut server).map_err(RunError::Signals)?;
        self.listening = server.addresses();
        self.port = server.first_port();
        self.tell_start();
        // Without a listener there is nothing to count, and the server waits for signals only.
        let serves = !settings.listen.is_empty();
        let count = |server: &Server| serves.then(|| server.stats());
        let mut ticks = Every::starting(Instant::now(), self.config.interval);
        let mut writes = Every::starting(Instant::now(), self.config.textfile_interval);
        while !signals.stop() {
            let now = Instant::now();
            if signals.reload() && !self.reload().is_empty() {
                settings = self::settings(&self.config);
                ticks.set_interval(now, self.config.interval);
                writes.set_interval(now, self.config.textfile_interval);
            }
            if ticks.is_due(now) {
                self.sampler.tick(self.engine.files(), now);
                self.engine.tick();
            }
            let mut next = ticks.next();
            next = self.look_away(now).map_or(next, |away| away.min(next));
            if self.textfile.is_some() {
                if writes.is_due(now) {
                    self.server = count(&server);
                    self.write_textfile();
                }
                next = next.min(writes.next());
            }
            if let Some(request) =
                server.recv_timeout(next.saturating_duration_since(Instant::now()))
            {
                self.server = count(&server);
                http::serve(&mut server, &request, self, &settings);
            }
        }
        log::info!("stopping");
        server.drain(DRAIN);
        Ok(())
    }

    fn tell_start(&self) {
        for address in &self.listening {
            log::info!(address = address.as_str(), version = cli::VERSION_NUMBER; "listening");
        }
        if let Some(directory) = &self.config.textfile_output {
            let path = directory.join(TEXTFILE).display().to_string();
            log::info!(path = path.as_str(), version = cli::VERSION_NUMBER; "writing a text file");
        }
    }

    fn write_textfile(&mut self) {
        let text = self.render_textfile();
        if let Some(textfile) = &mut self.textfile {
            textfile.update(&text);
        }
    }

    /// The text file's content. Not `process_*`, which a node_exporter has of itself.
    fn render_textfile(&mut self) -> Vec<u8> {
        let begun = Instant::now();
        let counts = self.counts();
        let (batch, _) = self.engine.scrape_for_textfile(&self.sampler);
        self.instruments.write(batch, counts);
        let mut text = Vec::new();
        exposition::encode(batch, &mut text);
        self.instruments.scraped(begun.elapsed());
        text
    }

    fn counts(&self) -> Option<Counts> {
        self.config.exporter_metrics.then(|| Counts {
            ticks: self.sampler.ticks(),
            http: self.server.map(|server| HttpCounts {
                connections: server.open,
                accepted: server.accepted,
                evicted: server.evicted,
                timed_out: server.timed_out,
                refused: server.refused,
            }),
            config: self.config.file.as_ref().map(|_| self.loaded.counts()),
            web: self.server.and_then(web_counts),
            textfile: self.textfile.as_ref().map(|file| TextfileCounts {
                replaced: file.replaced(),
                errors: file.errors(),
            }),
        })
    }

    /// One scrape in the text format.
    fn render(&mut self, collect: &[String], exclude: &[String]) -> Result<Vec<u8>, String> {
        let begun = Instant::now();
        let counts = self.counts();
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

impl Source for App {
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
            requests: self.server.map_or(0, |server| server.requests),
            metrics: self.samples as u64,
            collections: self.sampler.ticks(),
            last_collection: last.map(|(_, time)| time),
        }
    }

    fn page(&mut self) -> Page {
        self.look().page()
    }

    fn now(&mut self) -> Rc<Vec<u8>> {
        self.look().json()
    }

    fn answered(&mut self, handler: &'static str, code: u16) {
        self.instruments.answered(handler, code);
    }
}

fn web_counts(server: http::Stats) -> Option<WebCounts> {
    let guard = server.guard?;
    let handshakes = (server.handshakes, server.handshakes_failed);
    Some(WebCounts {
        file: ConfigCounts {
            successful: guard.successful,
            last_success: guard.last_success,
        },
        unauthorized: guard.unauthorized,
        limited: guard.limited,
        busy: guard.busy,
        handshakes: guard.tls.then_some(handshakes),
    })
}

/// The machine's name as the tree that is measured has it; empty where it has none.
fn host(files: &Files) -> String {
    if files.live() {
        let uname = rustix::system::uname();
        return printable(uname.nodename().to_bytes()).into_owned();
    }
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
