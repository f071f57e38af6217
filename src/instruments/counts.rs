//! What others counted, as it is handed over for a scrape.

use std::time::SystemTime;

/// What others counted themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Ticks since the start.
    pub ticks: u64,
    /// The HTTP server, where there is one.
    pub http: Option<HttpCounts>,
    /// The text file, where one is written.
    pub textfile: Option<TextfileCounts>,
    /// The configuration's file, where there is one.
    pub config: Option<ConfigCounts>,
    /// What was done for the file that says who may connect, where there is one.
    pub web: Option<WebCounts>,
}

/// What became of the configuration's file.
#[derive(Clone, Copy, Debug)]
pub struct ConfigCounts {
    /// Whether it was sound when it was last read.
    pub successful: bool,
    /// When it was last read and sound.
    pub last_success: SystemTime,
}

/// What became of the file that says who may connect, and what was done for it since the start.
#[derive(Clone, Copy, Debug)]
pub struct WebCounts {
    /// What became of the file.
    pub file: ConfigCounts,
    /// Requests without a right name and password.
    pub unauthorized: u64,
    /// Requests above the limit.
    pub limited: u64,
    /// Requests while too many passwords waited.
    pub busy: u64,
    /// TLS handshakes that were done and that failed; `None` without TLS.
    pub handshakes: Option<(u64, u64)>,
}

/// What became of the text file.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextfileCounts {
    /// When it was last replaced.
    pub replaced: Option<SystemTime>,
    /// How often it could not be replaced since the start.
    pub errors: u64,
}

/// What the HTTP server counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpCounts {
    /// Open connections.
    pub connections: usize,
    /// Accepted since the start.
    pub accepted: u64,
    /// Closed early to make room since the start.
    pub evicted: u64,
    /// Closed since the start because the client took too long.
    pub timed_out: u64,
    /// Requests refused since the start.
    pub refused: u64,
}
