//! Reads the configuration of a server with the files that it includes: `conf-file` and `conf-dir` of dnsmasq, `<?include …?>` of
//! Kea. How deep, how many and how large is bounded; a file of dnsmasq that includes itself is read once.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::formats;
use super::openwrt::Openwrt;
use super::reader::Content;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::files::Mounts;
use crate::files::regular;
use crate::files::watched;
use crate::files::watched::Stamp;
use crate::parse::ParseError;
use crate::parse::dnsmasq_conf;
use crate::parse::kea_conf;
use crate::parse::pools::Included;
use crate::parse::pools::Setting;
use crate::parse::printable;

/// How deep files may include each other; dnsmasq and Kea have limits too.
const DEPTH: usize = 8;
/// The most files that are read.
const FILES: usize = 256;
/// How much is read of all together, in bytes.
const BYTES: usize = 4 << 20;

/// Where files are.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    /// Below which root.
    pub(super) root: PathBuf,
    /// What is mounted there.
    pub(super) mounts: Arc<Mounts>,
    /// Whether who reads may wait for an answer that never comes.
    pub(super) patient: bool,
}

impl Ground {
    /// A file's place; `None` where it may not be looked at.
    fn place(&self, path: &Path) -> Option<PathBuf> {
        let found = self.mounts.resolve(&self.root, path);
        let below = path.strip_prefix("/").unwrap_or(path);
        found.or_else(|| Some(self.root.join(below)).filter(|_| self.patient))
    }
}

/// One reading of everything.
pub(super) struct Walk<'g> {
    format: Option<Format>,
    ground: &'g Ground,
    room: usize,
    /// What was looked at, in order, and how it was then.
    pub(super) seen: Vec<(PathBuf, Option<Stamp>)>,
    openwrt: Openwrt,
}

impl<'g> Walk<'g> {
    pub(super) fn new(format: Option<Format>, ground: &'g Ground) -> Self {
        Self {
            format,
            ground,
            room: BYTES,
            seen: Vec::new(),
            openwrt: Openwrt::default(),
        }
    }

    /// Takes a file that was named, and what it includes.
    pub(super) fn take(&mut self, path: &Path, content: &mut Content) {
        self.file(path, Included::Settings, 0, content);
    }

    /// Adds what can only be told once everything was read.
    pub(super) fn finish(&mut self, content: &mut Content) {
        self.openwrt.complete(self.format, content);
    }

    fn file(&mut self, path: &Path, what: Included<'_>, depth: usize, content: &mut Content) {
        if self.seen.iter().any(|(known, _)| known == path) {
            return;
        }
        let Some(bytes) = self.read(path, depth, content) else {
            return;
        };
        let of_openwrt = ["etc/config/dhcp", "etc/config/network"]
            .iter()
            .any(|end| path.ends_with(end));
        if of_openwrt {
            return self.openwrt.take(&bytes, content);
        }
        let bytes = match self.format {
            Some(Format::Kea) => self.expanded(bytes, depth, content),
            _ => bytes,
        };
        let mut more = Vec::new();
        let mut set = |setting| match setting {
            Ok(Setting::Include { path, what }) => more.push((path, what)),
            other => content.set(path, other),
        };
        match what {
            Included::Hosts => dnsmasq_conf::hosts(&bytes, &mut set),
            _ => formats::settings(self.format, &bytes, &mut set),
        }
        for (path, what) in more {
            self.include(path, what, depth + 1, content);
        }
    }

    /// Reads a file, where there is one and room for it.
    fn read(&mut self, path: &Path, depth: usize, content: &mut Content) -> Option<Vec<u8>> {
        let before = watched::any(path);
        let at = self.seen.len();
        self.seen.push((path.to_path_buf(), before));
        if depth > DEPTH || at >= FILES {
            let path = path.display();
            let text = format!("{path}: expected at most {FILES} files, {DEPTH} deep, found more");
            content.leave_out(text);
            return None;
        }
        match watched::read(path, self.room) {
            Ok(Some((bytes, stamp))) => {
                if let Some(seen) = self.seen.get_mut(at) {
                    seen.1 = Some(stamp);
                }
                self.room = self.room.saturating_sub(bytes.len());
                Some(bytes)
            }
            // What is named may be there or not; what is included should be.
            Ok(None) if depth == 0 => None,
            Ok(None) => {
                content.leave_out(format!("{}: expected a file, found none", path.display()));
                None
            }
            // Leases are counted without the pools, which others than root may often not read.
            Err(error) => {
                content.first_bad.get_or_insert(error.to_string());
                None
            }
        }
    }

    fn include(&mut self, path: &[u8], what: Included<'_>, depth: usize, content: &mut Content) {
        let Some(path) = self.place(path, content) else {
            return;
        };
        let listed = |path: &Path| regular::with_suffix(path, "");
        let (files, endings) = match what {
            Included::Directory(endings) => (listed(&path), endings),
            Included::Hosts if regular::is_directory(&path) => (listed(&path), b"".as_slice()),
            _ => return self.file(&path, what, depth, content),
        };
        self.seen.push((path.clone(), watched::any(&path)));
        let files = match files {
            Ok(files) => files,
            Err(error) => return content.leave_out(error.to_string()),
        };
        let what = match what {
            Included::Directory(_) => Included::Settings,
            other => other,
        };
        for file in files {
            let name = file.file_name().unwrap_or_default();
            if !dnsmasq_conf::is_read(name.as_bytes(), endings) {
                continue;
            }
            // What it leads to may be elsewhere.
            let shown = Path::new("/").join(file.strip_prefix(&self.ground.root).unwrap_or(&file));
            let Some(place) = self.place(shown.as_os_str().as_bytes(), content) else {
                continue;
            };
            if !regular::is_directory(&place) {
                self.file(&place, what, depth, content);
            }
        }
    }

    /// Where a path that is included leads to.
    fn place(&self, path: &[u8], content: &mut Content) -> Option<PathBuf> {
        let named = Path::new(OsStr::from_bytes(path));
        let expected = if !named.is_absolute() {
            "an absolute path"
        } else if let Some(found) = self.ground.place(named) {
            return Some(found);
        } else {
            "a file of this machine"
        };
        content.leave_out(format!(
            "include: expected {expected}, found {:?}",
            printable(path)
        ));
        None
    }

    /// A text of Kea's with everything in the place of its includes.
    fn expanded(&mut self, bytes: Vec<u8>, depth: usize, content: &mut Content) -> Vec<u8> {
        let mut whole = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((place, path)) = kea_conf::include(rest) {
            whole.extend_from_slice(rest.get(..place.start).unwrap_or_default());
            if let Some(path) = self.place(path, content)
                && let Some(included) = self.read(&path, depth + 1, content)
            {
                let included = self.expanded(included, depth + 1, content);
                whole.extend_from_slice(&included);
            }
            rest = rest.get(place.end..).unwrap_or_default();
        }
        if whole.is_empty() {
            return bytes;
        }
        whole.extend_from_slice(rest);
        whole
    }
}

impl Content {
    /// Takes one setting of a file.
    fn set(&mut self, path: &Path, setting: Result<Setting<'_>, ParseError>) {
        match setting {
            Ok(Setting::Range { name, first, last }) => {
                self.pools.extend(Range::new(first, last).map(|range| Pool {
                    name: printable(&name).into_owned(),
                    range,
                }));
            }
            Ok(Setting::Host(address)) => self.keep(Some(address)),
            Ok(Setting::Include { .. }) => {}
            Err(error) => self.leave_out(format!("{}:{error}", path.display())),
        }
    }
}
