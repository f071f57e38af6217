//! The leases of the DHCP servers on this machine, read from the files in which the servers keep them.
//!
//! Which files those are is looked for at most once a minute; whether one has changed, at each tick and each scrape, by stat(2).
//! Only what has changed is read. A file on a file system that another machine or program must answer for, a FIFO and a database
//! are read by a probe's thread, and nothing of them is touched by the loop. While files cannot be read, what they last held
//! stays.
//!
//! Collectors share it: it also tells the name of whoever holds an address ([`Leases::hostname`]).
//!
//! Leases that come and go between two looks are not seen.

mod formats;
mod openwrt;
mod places;
mod reader;
#[cfg(feature = "sqlite")]
mod rows;
mod server;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

pub use self::places::usual_places;
pub use self::reader::Content;
pub use self::server::Counts;
pub use self::server::PoolCount;
pub use self::server::Server;
pub use self::table::Entry;
pub use self::table::State;
pub use self::table::Table;

use self::reader::Place;
use self::reader::Sources;
use self::settings::Ground;
use crate::config::Config;
use crate::config::dhcp;
use crate::config::dhcp::Dhcp;
use crate::config::dhcp::Format;
use crate::files::Files;
use crate::files::Mounts;
use crate::files::fifo;
use crate::files::regular;
use crate::files::watched;
use crate::parse::dnsmasq_conf;
use crate::parse::printable;

/// How often it is looked for files.
const SEARCH: Duration = Duration::from_secs(60);
/// How long `--once` waits for files elsewhere.
const PATIENCE: Duration = Duration::from_secs(2);
/// At ticks reading takes at most one part in so many of the time.
const SHARE: u32 = 20;
/// The most files of one server.
const FILES: usize = 64;

/// The servers that are watched.
#[derive(Default)]
pub struct Leases {
    /// What to watch; `None` when nobody asks.
    wanted: Option<Dhcp>,
    once: bool,
    servers: Vec<Server>,
    searched: Option<Instant>,
    /// Whether it was looked for files at all.
    begun: bool,
    /// Until when ticks read nothing.
    rest: Option<Instant>,
    /// Why the mount table could not be read.
    error: Option<String>,
}

impl Leases {
    /// Watches what the configuration says, if a collector asks for it.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            wanted: Some(config.dhcp.clone()).filter(|_| config.collectors.contains(&"dhcp")),
            once: config.once,
            ..Self::default()
        }
    }

    /// Goes on with another configuration. What was seen is forgotten only where other files or pools are wanted.
    pub fn reload(&mut self, config: &Config) {
        let new = Self::new(config);
        let read = |leases: &Self| {
            let wanted = leases.wanted.as_ref();
            wanted.map(|dhcp| (dhcp.servers.clone(), dhcp.pools.clone()))
        };
        if read(&new) != read(self) {
            *self = new;
        }
    }

    /// The same between scrapes, so that leases of a short life are seen; large files are not read at every tick.
    pub fn tick(&mut self, files: &Files) {
        if self.rest.is_none_or(|rest| Instant::now() >= rest) {
            self.look(files);
        }
    }

    /// Reads what has changed.
    pub fn look(&mut self, files: &Files) {
        let begun = Instant::now();
        let due = |searched: Instant| begun.duration_since(searched) >= SEARCH;
        if self.wanted.is_some() && self.searched.is_none_or(due) {
            self.searched = Some(begun);
            self.search(files);
            if self.once {
                self.wait();
            }
        }
        let now = files.now();
        for server in &mut self.servers {
            server.look(now);
        }
        self.rest = Some(Instant::now() + begun.elapsed() * SHARE);
    }

    /// The servers that are watched, in the order of the configuration or of their names.
    pub fn servers(&mut self) -> &mut [Server] {
        &mut self.servers
    }

    /// The name of whoever holds an address at a time ([`Files::now`]); `None` when no server knows one.
    #[must_use]
    pub fn hostname(&self, address: IpAddr, now: i64) -> Option<&str> {
        let contents = self.servers.iter().filter_map(Server::content);
        contents
            .filter_map(|content| content.table.holder(address, now))
            .next()
    }

    /// What is wrong with each server's files, in words.
    pub fn complaints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.servers.iter().flat_map(|server| {
            let bad = server
                .content()
                .and_then(|content| content.first_bad.as_deref());
            let told = server.error().into_iter().chain(bad);
            told.map(|text| (server.name(), text))
        })
    }

    fn search(&mut self, files: &Files) {
        let Some(wanted) = &self.wanted else {
            return;
        };
        let mounts = match files.mounts() {
            Ok(mounts) => Arc::new(mounts),
            Err(error) => {
                let error = Some(error.to_string());
                if let Some(text) = error.as_ref().filter(|_| self.error != error) {
                    log::error!(err = text.as_str(); "no lease files are looked for");
                }
                self.error = error;
                return;
            }
        };
        self.error = None;
        let first = !std::mem::replace(&mut self.begun, true);
        let root = files.root_path();
        let usual = wanted.servers.is_empty();
        let servers = if !usual {
            wanted.servers.clone()
        } else if files.has_root() {
            places::found(|path| is_there(&mounts, root, path))
        } else {
            Vec::new()
        };
        for server in servers {
            let (sources, far) = sources(&mounts, root, &server);
            let ground = Ground {
                root: root.to_path_buf(),
                mounts: Arc::clone(&mounts),
                patient: far,
            };
            let known = self
                .servers
                .iter_mut()
                .find(|known| known.name == server.name);
            if let Some(known) = known {
                if known.sources != sources || known.far != far {
                    known.rearrange(sources, ground);
                } else {
                    known.stands_on(ground);
                }
                continue;
            }
            let pools = server.pools.into_iter().chain(wanted.pools.iter().cloned());
            let mut found = Server::new(server.name, pools.collect(), sources, ground);
            if usual && !first {
                found.arrives();
            }
            self.servers.push(found);
        }
    }

    fn wait(&self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && self.servers.iter().any(Server::is_pending) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether a file of that name or pattern is there, without asking another machine.
fn is_there(mounts: &Mounts, root: &Path, path: &Path) -> bool {
    let (found, far) = expand(mounts, root, path);
    !far && found
        .iter()
        .any(|place| watched::stamp(&place.path).is_ok_and(|stamp| stamp.is_some()))
}

/// A server's files with patterns and links followed, and whether any of them may never answer.
fn sources(mounts: &Mounts, root: &Path, server: &dhcp::Server) -> (Sources, bool) {
    let mut far = false;
    let mut expanded = |paths: &[PathBuf]| {
        let mut found: Vec<Place> = Vec::new();
        for path in paths {
            let (places, elsewhere) = expand(mounts, root, path);
            far |= elsewhere;
            for place in places {
                // Named twice, it would be told twice.
                if !found.contains(&place) && found.len() < FILES {
                    found.push(place);
                }
            }
        }
        found
    };
    let leases = expanded(&with_others(server));
    let mut settings = expanded(&server.settings);
    // Debian's dnsmasq is told to pass over what dpkg has put aside.
    const ASIDE: &[u8] = b".dpkg-dist,.dpkg-old,.dpkg-new";
    settings.retain(|place| {
        let name = place.shown.rsplit('/').next().unwrap_or_default();
        place.required || dnsmasq_conf::is_read(name.as_bytes(), ASIDE)
    });
    for place in &mut settings {
        place.required = false;
    }
    far |= server.query.is_some();
    let own = |place: &Place| {
        server
            .leases
            .iter()
            .any(|path| *path == Path::new(&place.shown))
    };
    let leases = leases.into_iter().map(|place| Place {
        required: place.required && own(&place),
        ..place
    });
    let sources = Sources {
        format: server.format,
        query: server.query.clone(),
        leases: leases.collect(),
        settings,
    };
    (sources, far)
}

/// The lease files, for Kea with what stands beside them while they are cleaned up, for a database with what is to be written
/// into it.
fn with_others(server: &dhcp::Server) -> Vec<PathBuf> {
    let others: &[&str] = match server.format {
        Some(Format::Kea) => &[".2", ".1", ".completed", ""],
        Some(Format::Sqlite) => &["", "-wal"],
        _ => &[""],
    };
    let mut paths = Vec::new();
    for path in &server.leases {
        for end in others {
            let mut other = path.clone().into_os_string();
            other.push(end);
            paths.push(PathBuf::from(other));
        }
    }
    paths
}

/// The files that a path or a pattern in its last part stands for, and whether one may never answer, which is then not
/// looked at, or is a FIFO.
fn expand(mounts: &Mounts, root: &Path, path: &Path) -> (Vec<Place>, bool) {
    let name = path.file_name().unwrap_or_default();
    let is_pattern = name
        .as_encoded_bytes()
        .iter()
        .any(|byte| b"*?".contains(byte));
    if !is_pattern {
        let (place, far) = place(mounts, root, path);
        return (vec![place], far);
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    let Some(directory) = mounts.resolve(root, parent) else {
        return (vec![place(mounts, root, path).0], true);
    };
    let pattern = directory.join(name);
    let mut far = false;
    let mut places = Vec::new();
    for file in regular::matching(&pattern).0 {
        // A pattern that nothing fits stands for itself.
        if let Some(name) = file.file_name().filter(|_| file != pattern) {
            let (found, elsewhere) = place(mounts, root, &parent.join(name));
            far |= elsewhere;
            places.push(Place {
                required: false,
                ..found
            });
        }
    }
    (places, far)
}

fn place(mounts: &Mounts, root: &Path, path: &Path) -> (Place, bool) {
    let found = mounts.resolve(root, path);
    let far = found.as_deref().is_none_or(fifo::is_one);
    let below = path.strip_prefix("/").unwrap_or(path);
    let place = Place {
        path: found.unwrap_or_else(|| root.join(below)),
        shown: printable(path.as_os_str().as_encoded_bytes()).into_owned(),
        required: true,
    };
    (place, far)
}
