//! Reads a server's files when one of them has changed. It may do so in another thread.

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::formats;
use super::table::Table;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::files::Cause;
use crate::files::FileError;
use crate::files::watched;
use crate::files::watched::Stamp;
use crate::parse::ParseError;
use crate::parse::pools::Setting;
use crate::parse::printable;

/// The largest lease file, in bytes: some 500,000 leases.
const LEASES: usize = 64 << 20;
/// The largest file of settings, in bytes.
const SETTINGS: usize = 4 << 20;

/// A file to be read: its place with all links followed, and its name for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) shown: String,
    /// Whether it is an error when it does not exist.
    pub(super) required: bool,
}

/// What a server's files are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) format: Option<Format>,
    /// The oldest first.
    pub(super) leases: Vec<Place>,
    pub(super) settings: Vec<Place>,
}

/// What a server's files hold.
#[derive(Debug, Default)]
pub struct Content {
    /// The leases.
    pub table: Table,
    /// The lease files, and when each was last written, in seconds since 1970.
    pub files: Vec<(String, i64)>,
    /// How many entries could not be understood.
    pub bad: usize,
    /// Where and why the first of them could not, or a file of settings could not be read.
    pub first_bad: Option<String>,
    /// The pools of the settings.
    pub pools: Vec<Pool>,
    /// The addresses that the settings keep for one client each, in order.
    kept: Vec<IpAddr>,
}

/// One look at the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// What they held when they could last be read.
    pub(super) content: Option<Arc<Content>>,
    /// Why they cannot be read now.
    pub(super) error: Option<String>,
    /// Whether that is because one does not exist.
    pub(super) missing: bool,
}

/// The files of one server, as they were last seen.
#[derive(Debug, Default)]
pub(super) struct Reader {
    sources: Sources,
    seen: Option<Vec<Option<Stamp>>>,
    last: Look,
}

impl Reader {
    pub(super) fn new(sources: Sources, last: Look) -> Self {
        Self {
            sources,
            seen: None,
            last,
        }
    }

    /// Reads what has changed since the last look.
    pub(super) fn look(&mut self) -> Look {
        let stamps = self.stamps();
        if self.seen.is_some() && self.seen.as_ref() == stamps.as_ref().ok() {
            return self.last.clone();
        }
        let read = stamps.and_then(|_| self.read());
        self.seen = None;
        match read {
            Ok((content, stamps)) => {
                // Written just now: another write could leave the same stamp.
                let fresh = stamps.iter().flatten().any(Stamp::is_fresh);
                self.seen = Some(stamps).filter(|_| !fresh);
                self.last = Look {
                    content: Some(Arc::new(content)),
                    ..Look::default()
                };
            }
            Err(error) => {
                self.last.missing = matches!(error.cause, Cause::Io(rustix::io::Errno::NOENT));
                self.last.error = Some(error.to_string());
            }
        }
        self.last.clone()
    }

    fn stamps(&self) -> Result<Vec<Option<Stamp>>, FileError> {
        let leases = self.sources.leases.iter();
        let leases = leases.map(|place| match watched::stamp(&place.path)? {
            None if place.required => Err(missing(&place.path)),
            stamp => Ok(stamp),
        });
        let settings = self.sources.settings.iter();
        let settings = settings.map(|place| Ok(watched::stamp(&place.path).unwrap_or(None)));
        leases.chain(settings).collect()
    }

    fn read(&self) -> Result<(Content, Vec<Option<Stamp>>), FileError> {
        let mut content = Content::default();
        let mut stamps = Vec::new();
        let places = &self.sources.leases;
        let exists =
            |place: &&Place| watched::stamp(&place.path).is_ok_and(|stamp| stamp.is_some());
        // What Kea has cleaned up stands for the files that it was made of.
        let mut cleaned = places
            .iter()
            .filter(|place| place.shown.ends_with(".completed"));
        let cleaned = cleaned.any(|place| exists(&place));
        for place in places {
            let Some((bytes, stamp)) = watched::read(&place.path, LEASES)? else {
                if place.required {
                    return Err(missing(&place.path));
                }
                stamps.push(None);
                continue;
            };
            stamps.push(Some(stamp));
            let old = [".1", ".2"].iter().any(|end| place.shown.ends_with(end));
            if !(cleaned && old && !place.required) {
                content.take(self.sources.format, place, &bytes)?;
                content.files.push((place.shown.clone(), stamp.modified()));
            }
        }
        content.table.finish();
        for place in &self.sources.settings {
            let read = watched::read(&place.path, SETTINGS);
            let stamp = read.as_ref().ok().and_then(|read| Some(read.as_ref()?.1));
            stamps.push(stamp);
            match read {
                Ok(Some((bytes, _))) => content.set(self.sources.format, place, &bytes),
                Ok(None) => {}
                // Leases are counted without the pools, which others than root may often not read.
                Err(error) => {
                    content.first_bad.get_or_insert(error.to_string());
                }
            }
        }
        Ok((content, stamps))
    }
}

fn missing(path: &Path) -> FileError {
    FileError {
        path: path.display().to_string(),
        cause: Cause::Io(rustix::io::Errno::NOENT),
    }
}

impl Content {
    /// Whether the settings keep an address for one client.
    #[must_use]
    pub fn keeps(&self, address: IpAddr) -> bool {
        self.kept.binary_search(&address).is_ok()
    }

    /// Takes a lease file. One in which nothing can be understood is refused: it is of another format.
    fn take(
        &mut self,
        format: Option<Format>,
        place: &Place,
        bytes: &[u8],
    ) -> Result<(), FileError> {
        let before = self.table.taken();
        let (mut bad, mut first) = (0, None);
        let whole = formats::leases(format, bytes, &mut |entry| match entry {
            Ok(lease) => self.table.take(&lease),
            Err(error) => {
                bad += 1;
                first.get_or_insert(error);
            }
        });
        let failed = |error| FileError {
            path: place.path.display().to_string(),
            cause: Cause::Parse(error),
        };
        whole.map_err(failed)?;
        if let Some(error) = first {
            if self.table.taken() == before {
                return Err(failed(error));
            }
            self.complain(place, &error);
        }
        self.bad += bad;
        Ok(())
    }

    /// Takes what a file of settings says of pools.
    fn set(&mut self, format: Option<Format>, place: &Place, bytes: &[u8]) {
        formats::settings(format, bytes, &mut |setting| match setting {
            Ok(Setting::Range { name, first, last }) => {
                self.pools.extend(Range::new(first, last).map(|range| Pool {
                    name: printable(&name).into_owned(),
                    range,
                }));
            }
            Ok(Setting::Host(address)) => {
                if let Err(place) = self.kept.binary_search(&address) {
                    self.kept.insert(place, address);
                }
            }
            Err(error) => {
                self.bad += 1;
                self.complain(place, &error);
            }
        });
    }

    fn complain(&mut self, place: &Place, error: &ParseError) {
        self.first_bad
            .get_or_insert_with(|| format!("{}:{error}", place.path.display()));
    }
}
