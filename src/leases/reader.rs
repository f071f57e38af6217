//! Reads a server's files when one of them has changed. It may do so in another thread, which alone waits for the writer of a
//! FIFO and asks databases.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::formats;
#[cfg(feature = "sqlite")]
use super::rows;
use super::settings::Ground;
use super::settings::Walk;
use super::table::Table;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::files::Cause;
use crate::files::FileError;
use crate::files::fifo;
use crate::files::watched;
use crate::files::watched::Stamp;
use crate::parse::ParseError;
use crate::parse::leases::Lease;

/// The largest lease file, in bytes: some 500,000 leases.
const LEASES: usize = 64 << 20;
/// How long the writers of a server's FIFOs are waited for, all together.
const PATIENCE: Duration = Duration::from_secs(3);

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
    /// What is asked of a database.
    pub(super) query: Option<String>,
    /// The oldest first.
    pub(super) leases: Vec<Place>,
    pub(super) settings: Vec<Place>,
}

/// What a server's files hold.
#[derive(Debug, Default)]
pub struct Content {
    /// The leases.
    pub table: Table,
    /// The lease files, and when each was last written, in seconds since 1970; FIFOs apart.
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
    ground: Ground,
    seen: Option<Seen>,
    last: Look,
}

/// How the files were when they were read.
#[derive(Debug, Default)]
struct Seen {
    leases: Vec<Option<Stamp>>,
    /// The settings, whatever they include, and the directories that they name.
    settings: Vec<(PathBuf, Option<Stamp>)>,
}

/// Why files cannot be read.
struct Unread {
    text: String,
    missing: bool,
    /// Whether what they hold is wrong, so that it stays so while they are unchanged.
    lasts: bool,
}

impl From<FileError> for Unread {
    fn from(error: FileError) -> Self {
        Self {
            missing: matches!(error.cause, Cause::Io(rustix::io::Errno::NOENT)),
            lasts: false,
            text: error.to_string(),
        }
    }
}

impl Reader {
    pub(super) fn new(sources: Sources, ground: Ground, last: Look) -> Self {
        Self {
            sources,
            ground,
            seen: None,
            last,
        }
    }

    /// Looks below another root, or at other mounts, from now on.
    pub(super) fn stands_on(&mut self, ground: Ground) {
        self.ground = ground;
    }

    /// Reads what has changed since the last look.
    pub(super) fn look(&mut self) -> Look {
        if self.seen.as_ref().is_some_and(|seen| self.is_as(seen)) {
            return self.last.clone();
        }
        self.seen = None;
        match self.read() {
            Ok((content, seen)) => {
                self.seen = seen;
                self.last = Look {
                    content: Some(Arc::new(content)),
                    ..Look::default()
                };
            }
            Err(unread) => {
                self.last.missing = unread.missing;
                self.last.error = Some(unread.text);
                if unread.lasts {
                    self.seen = self.at_rest();
                }
            }
        }
        self.last.clone()
    }

    /// How the lease files are, unless one is a FIFO or was written just now.
    fn at_rest(&self) -> Option<Seen> {
        let places = self.sources.leases.iter();
        let stamps = places.map(|place| watched::stamp(&place.path).ok());
        let leases = stamps.collect::<Option<Vec<_>>>()?;
        let fresh = leases.iter().flatten().any(Stamp::is_fresh);
        let settings = Vec::new();
        Some(Seen { leases, settings }).filter(|_| !fresh)
    }

    fn is_as(&self, seen: &Seen) -> bool {
        let places = self.sources.leases.iter();
        let stamps = places.map(|place| watched::stamp(&place.path).ok());
        let mut settings = seen.settings.iter();
        stamps.eq(seen.leases.iter().map(|stamp| Some(*stamp)))
            && settings.all(|(path, stamp)| watched::any(path) == *stamp)
    }

    /// Reads everything. What was seen then is `None` where it tells nothing of the next time.
    fn read(&self) -> Result<(Content, Option<Seen>), Unread> {
        let mut content = Content::default();
        let mut seen = Seen::default();
        let mut stays = true;
        let places = &self.sources.leases;
        let exists =
            |place: &&Place| watched::stamp(&place.path).is_ok_and(|stamp| stamp.is_some());
        // What Kea has cleaned up stands for the files that it was made of.
        let mut cleaned = places
            .iter()
            .filter(|place| place.shown.ends_with(".completed"));
        let cleaned = cleaned.any(|place| exists(&place));
        for place in places {
            let old = [".1", ".2"].iter().any(|end| place.shown.ends_with(end));
            let counts = !(cleaned && old && !place.required);
            let stamp = match self.is_fifo(place) {
                true => {
                    let share = PATIENCE / u32::try_from(places.len()).unwrap_or(u32::MAX);
                    let bytes = fifo::read(&place.path, LEASES, share)?;
                    self.take(&bytes, place, &mut content)?;
                    stays = false;
                    None
                }
                false => self.read_file(place, counts, &mut content)?,
            };
            seen.leases.push(stamp);
        }
        content.table.finish();
        let mut walk = Walk::new(self.sources.format, &self.ground);
        for place in &self.sources.settings {
            walk.take(&place.path, &mut content);
        }
        walk.finish(&mut content);
        seen.settings = walk.seen;
        // Written just now: another write could leave the same stamp.
        let settings = seen.settings.iter().filter_map(|(_, stamp)| stamp.as_ref());
        stays &= !seen
            .leases
            .iter()
            .flatten()
            .chain(settings)
            .any(Stamp::is_fresh);
        Ok((content, Some(seen).filter(|_| stays)))
    }

    /// Whether it is a FIFO that may be waited for.
    fn is_fifo(&self, place: &Place) -> bool {
        self.ground.patient && fifo::is_one(&place.path)
    }

    /// Reads a regular file, if it counts, and gives its stamp; `None` where there is none and none is needed.
    fn read_file(
        &self,
        place: &Place,
        counts: bool,
        content: &mut Content,
    ) -> Result<Option<Stamp>, Unread> {
        let is_database = self.sources.format == Some(Format::Sqlite);
        let found = if is_database || !counts {
            // A database is read by who knows how; its log is not read here either.
            watched::stamp(&place.path)?.map(|stamp| (Vec::new(), stamp))
        } else {
            watched::read(&place.path, LEASES)?
        };
        let Some((bytes, stamp)) = found else {
            if place.required {
                let cause = Cause::Io(rustix::io::Errno::NOENT);
                let path = place.path.display().to_string();
                return Err(FileError { path, cause }.into());
            }
            return Ok(None);
        };
        let counts = counts && (!is_database || place.required);
        if counts {
            self.take(&bytes, place, content)?;
            content.files.push((place.shown.clone(), stamp.modified()));
        }
        Ok(Some(stamp))
    }

    /// Takes a lease file. One in which nothing can be understood is refused: it is of another format.
    fn take(&self, bytes: &[u8], place: &Place, content: &mut Content) -> Result<(), Unread> {
        let before = content.table.taken();
        let (mut bad, mut first) = (0, None);
        let mut take = |entry: Result<Lease<'_>, ParseError>| match entry {
            Ok(lease) => content.table.take(&lease),
            Err(error) => {
                bad += 1;
                first.get_or_insert(error);
            }
        };
        let unread = |text: String, lasts: bool| Unread {
            text,
            missing: false,
            lasts,
        };
        let path = place.path.display();
        match &self.sources.query {
            #[cfg(feature = "sqlite")]
            Some(query) => {
                rows::leases(&place.path, query, &mut take).map_err(|text| unread(text, false))?;
            }
            _ => formats::leases(self.sources.format, bytes, &mut take)
                .map_err(|error| unread(format!("{path}:{error}"), true))?,
        }
        if let Some(error) = first {
            let text = format!("{path}:{error}");
            if content.table.taken() == before {
                return Err(unread(text, true));
            }
            content.first_bad.get_or_insert(text);
        }
        content.bad += bad;
        Ok(())
    }
}

impl Content {
    /// Whether the settings keep an address for one client.
    #[must_use]
    pub fn keeps(&self, address: IpAddr) -> bool {
        self.kept.binary_search(&address).is_ok()
    }

    /// Says that the settings keep an address for one client, if it is one.
    pub(super) fn keep(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address
            && let Err(place) = self.kept.binary_search(&address)
        {
            self.kept.insert(place, address);
        }
    }

    /// Says that something could not be understood.
    pub(super) fn leave_out(&mut self, why: String) {
        self.bad += 1;
        self.first_bad.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests;
