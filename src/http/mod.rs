//! HTTP: one thread, everything bounded. It moves strings and knows no collector: what is served comes from a [`Source`].
//!
//! [`Server`] is a `poll(2)` loop over the listeners and the connections. It takes tiny_http's messages and its response
//! writer, but not its server, which one hostile request can kill or fill (tests/it/http/attacks has the list). Heads
//! are read by httparse. What every connection may cost is bounded: the size of its head, the time to send it, the time
//! to take the answer, the memory of answers not taken yet; and so is the number of connections.
//!
//! [`routes`] turns a request into an [`Answer`].

use std::rc::Rc;
use std::time::Duration;
use std::time::SystemTime;

use crate::config::Listen;

mod answer;
mod connection;
mod connections;
#[cfg(feature = "tls")]
mod guard;
#[cfg(not(feature = "tls"))]
#[path = "no_guard.rs"]
mod guard;
mod gzip;
pub mod head;
mod health;
mod listeners;
mod negotiate;
mod room;
mod rounds;
pub mod routes;
mod selection;
#[cfg(feature = "tls")]
mod tls;

pub use answer::Answer;
pub use connections::Server;
pub use connections::Stats;
pub use guard::Guard;
pub use guard::GuardError;
pub use gzip::Gzip;
pub use head::Request;
pub use health::Health;
pub use listeners::BindError;
pub use selection::Selection;

/// What the guard counted, and what became of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardStats {
    /// Whether the files were sound when they were last read.
    pub successful: bool,
    /// When they were last read and sound.
    pub last_success: SystemTime,
    /// Requests without a name and password that are known.
    pub unauthorized: u64,
    /// Requests above the limit.
    pub limited: u64,
    /// Requests that came while too many passwords waited to be checked.
    pub busy: u64,
    /// Whether there is TLS.
    pub tls: bool,
}

/// What the command line says about serving.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// The origin that a browser may hand the answers to; `*` for all.
    pub cors_origin: Option<String>,
    /// Whether answers are compressed for clients that accept it.
    pub compression: bool,
    /// The most connections that are open at a time; half of the descriptor limit bounds it, too.
    pub max_connections: usize,
    /// From accept to a full request head.
    pub read_timeout: Duration,
    /// Without progress while an answer is written.
    pub write_timeout: Duration,
    /// The largest request head, in bytes.
    pub max_header_bytes: usize,
}

/// The page at `/`.
#[derive(Clone, Debug)]
pub struct Page {
    /// All of it.
    pub html: Rc<Vec<u8>>,
    /// What it may load and run: its Content-Security-Policy.
    pub policy: &'static str,
}

/// What is served: the application, seen from here.
pub trait Source {
    /// The metrics in the text format, of all collectors or of those that are selected.
    ///
    /// # Errors
    /// When the selection cannot be met; the text goes to the client with status 400.
    fn metrics(&mut self, selection: &Selection) -> Result<Vec<u8>, String>;

    /// How the program is.
    fn health(&mut self) -> Health;

    /// The page.
    fn page(&mut self) -> Page;

    /// What the page shows, as JSON.
    fn now(&mut self) -> Rc<Vec<u8>>;

    /// Told once for each request that was answered: which handler (`metrics`, `health`, `page`, `api` or `other`) and the status.
    fn answered(&mut self, handler: &'static str, code: u16);
}

/// Answers one request, and with the same bytes all others that wait for them.
pub fn serve(server: &mut Server, request: &Request, source: &mut dyn Source, settings: &Settings) {
    let answer = routes::answer(request, source, settings, &mut server.gzip);
    for _ in 0..server.respond(request, &answer) {
        source.answered(answer.handler(), answer.status());
    }
}
