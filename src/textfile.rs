//! The metrics as a file for node_exporter's textfile collector (`--textfile.output DIR`): DIR/weir.prom, replaced whole.
//!
//! A new file is written beside the old one and renamed over it, so that a reader, and whoever finds the file after weir
//! was killed, has one page or the other and never a part. The temporary name is always the same: what a killed process
//! left is taken away by the next write; and it does not end in `.prom`, so that nobody reads it. There is no fsync: the
//! file is rewritten soon, and flash wears.
//!
//! DIR may be writable for everybody. Both names are only ever made anew or replaced (`unlink`, `O_EXCL`, `rename`), never
//! opened as they stand, so that a symbolic link, a hard link or a FIFO of somebody else under one of them leads to no
//! other file and blocks nothing. Who may write there can still spoil the file, as with every file there. Two processes
//! that write into one DIR take each other's temporary file away, which the one whose rename then fails tells.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::config::TEXTFILE;

/// The file while it is written.
const TEMPORARY: &str = "weir.prom.tmp";

/// node_exporter runs as a user of its own.
const MODE: Mode = Mode::RUSR
    .union(Mode::WUSR)
    .union(Mode::RGRP)
    .union(Mode::ROTH);

/// Why the file was not replaced; the old one, if there is one, is as it was.
#[derive(Debug)]
pub struct WriteError {
    path: PathBuf,
    step: &'static str,
    cause: Errno,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = io::Error::from(self.cause);
        write!(f, "{}: {}: {cause}", self.path.display(), self.step)
    }
}

impl std::error::Error for WriteError {}

/// The file, and what became of it so far.
pub struct Textfile {
    directory: PathBuf,
    replaced: Option<SystemTime>,
    errors: u64,
    /// Why the last write failed.
    broken: Option<Errno>,
}

impl Textfile {
    /// Nothing is written yet, and the directory may be missing until something is.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
            replaced: None,
            errors: 0,
            broken: None,
        }
    }

    /// The same file in another directory, if that is another: counters go on, and what was written stays where it is.
    #[must_use]
    pub fn moved_to(self, directory: &Path) -> Self {
        if self.directory == directory {
            return self;
        }
        Self {
            errors: self.errors,
            ..Self::new(directory)
        }
    }

    /// When the file was last replaced.
    #[must_use]
    pub fn replaced(&self) -> Option<SystemTime> {
        self.replaced
    }

    /// How often it could not be replaced.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Replaces the file, and logs when that begins to fail, fails in another way, or works again.
    pub fn update(&mut self, text: &[u8]) {
        let before = self.broken;
        match self.replace(text) {
            Ok(()) if before.is_some() => {
                let path = self.directory.join(TEXTFILE).display().to_string();
                log::info!(path = path.as_str(); "text file is written again");
            }
            Err(error) if before != Some(error.cause) => {
                log::error!(err = error.to_string().as_str(); "text file not written");
            }
            _ => {}
        }
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// When a step was refused. The temporary file is removed then.
    pub fn replace(&mut self, text: &[u8]) -> Result<(), WriteError> {
        let result = replace(&self.directory, text);
        match &result {
            Ok(()) => {
                self.replaced = Some(SystemTime::now());
                self.broken = None;
            }
            Err(error) => {
                self.errors += 1;
                self.broken = Some(error.cause);
            }
        }
        result
    }
}

fn replace(path: &Path, text: &[u8]) -> Result<(), WriteError> {
    let failed = |step, path: PathBuf| move |cause| WriteError { path, step, cause };
    let temporary = || path.join(TEMPORARY);
    // Only a handle to look names up from: the directory need not be readable. It is opened at each write, since it may
    // be mounted, moved or made later.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory =
        rustix::fs::open(path, flags, Mode::empty()).map_err(failed("open", path.to_path_buf()))?;
    match rustix::fs::unlinkat(&directory, TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(failed("remove", temporary())(errno)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, TEMPORARY, flags, MODE)
        .map_err(failed("create", temporary()))?;
    let written = write(file, text)
        .map_err(failed("write", temporary()))
        .and_then(|()| {
            rustix::fs::renameat(&directory, TEMPORARY, &directory, TEXTFILE)
                .map_err(failed("rename to", path.join(TEXTFILE)))
        });
    if written.is_err() {
        // Where even this is refused, the next write finds it and says so.
        let _ = rustix::fs::unlinkat(&directory, TEMPORARY, AtFlags::empty());
    }
    written
}

fn write(file: OwnedFd, text: &[u8]) -> Result<(), Errno> {
    match rustix::fs::fchmod(&file, MODE) {
        // The umask may have taken bits away. A file system without modes (vfat) refuses to change them.
        Ok(()) | Err(Errno::PERM | Errno::NOTSUP) => {}
        Err(errno) => return Err(errno),
    }
    File::from(file)
        .write_all(text)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests;
