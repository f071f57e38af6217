//! The configuration and the files that it names: reading them, and telling whether they are still the same.

use std::path::Path;
use std::path::PathBuf;

use crate::config::web;
use crate::config::web::Web;
use crate::config::yaml;
use crate::files::regular;

use super::GuardError;
use super::tls;

/// The most errors that are told one by one.
const TOLD: usize = 20;

/// The files, the configuration first, and what each was like when it was last looked at.
pub(super) struct Sources(Vec<(PathBuf, Option<Stamp>)>);

/// Device, inode, length, and the times of the last change of content and of anything.
type Stamp = [i128; 5];

impl Sources {
    fn of(path: &Path) -> Self {
        Self(vec![(path.to_path_buf(), stamp(path))])
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn are_as_before(&self) -> bool {
        self.0.iter().all(|(path, before)| stamp(path) == *before)
    }

    /// Takes the files as they are now for what they should be.
    pub(super) fn note(&mut self) {
        for (path, before) in &mut self.0 {
            *before = stamp(path);
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = rustix::fs::stat(path).ok()?;
    let time = |seconds: i128, nanoseconds: i128| seconds * 1_000_000_000 + nanoseconds;
    // The fields' types differ between architectures.
    Some([
        i128::from(found.st_dev),
        i128::from(found.st_ino),
        i128::from(found.st_size),
        time(found.st_mtime.into(), found.st_mtime_nsec.into()),
        time(found.st_ctime.into(), found.st_ctime_nsec.into()),
    ])
}

/// Reads everything. What files are like is asked before they are read, so that what changes meanwhile is read again.
pub(super) fn read(path: &Path) -> Result<(Web, Option<tls::Setup>, Sources), GuardError> {
    let mut sources = Sources::of(path);
    let one = |line: String| GuardError(vec![line]);
    let (bytes, _) = regular::read(path, yaml::LIMIT)
        .map_err(|error| one(format!("--web.config.file: {error}")))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let web = web::read(&bytes, directory).map_err(|mut wrong| {
        wrong.sort_by_key(|error| error.place);
        wrong.truncate(TOLD);
        let line = |error: &_| format!("{}:{error}", path.display());
        GuardError(wrong.iter().map(line).collect())
    })?;
    for file in web.files() {
        sources.0.push((file.to_path_buf(), stamp(file)));
    }
    let tls = web.tls.as_ref().map(tls::Setup::new).transpose();
    let tls = tls.map_err(|error| one(format!("{}: {error}", path.display())))?;
    Ok((web, tls, sources))
}
