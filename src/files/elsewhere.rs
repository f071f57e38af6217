//! The `net` of a network namespace other than the own one, while it is measured.

use std::cell::Cell;
use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;

use super::Cause;
use super::FileError;
use super::KEPT;
use super::READ;
use super::reading::UseBytes;
use super::reading::opened;
use super::reading::read_file;

/// `net` of another network namespace. It is held open while the namespace is measured: that saves the kernel the walk from the
/// root for each file, and a process whose number was given to another one does not become it. It does not keep the namespace
/// alive: each look-up asks anew which one the process is in.
pub(super) struct Elsewhere {
    net: Option<OwnedFd>,
    /// Small files that were read, since several ask for them.
    read: RefCell<Vec<(PathBuf, Arc<[u8]>)>>,
    buffer: Cell<Vec<u8>>,
}

impl Elsewhere {
    /// The largest file of which a copy is kept, in bytes.
    const SMALL: usize = 4096;

    pub(super) fn new(net: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self {
            // Where it has gone everything in it is absent.
            net: rustix::fs::open(net, flags, Mode::empty()).ok(),
            read: RefCell::default(),
            buffer: Cell::default(),
        }
    }

    /// What was read is of no use any more.
    pub(super) fn forget(&self) {
        if let Ok(mut read) = self.read.try_borrow_mut() {
            read.clear();
        }
    }

    pub(super) fn stat(&self, name: &str) -> Option<Stat> {
        let found = rustix::fs::statat(self.net.as_ref()?, name, AtFlags::empty());
        found.ok()
    }

    pub(super) fn open(&self, name: &Path, path: &Path) -> Result<Option<OwnedFd>, FileError> {
        match &self.net {
            None => Ok(None),
            Some(net) => opened(path, rustix::fs::openat(net, name, READ, Mode::empty())),
        }
    }

    /// Hands the content of a file on, if it exists. What could not be used is not kept.
    pub(super) fn read(
        &self,
        name: &Path,
        path: &Path,
        use_bytes: UseBytes<'_>,
    ) -> Result<(), FileError> {
        let mut use_bytes = |bytes: &[u8]| {
            use_bytes(bytes).map_err(|error| FileError {
                path: path.display().to_string(),
                cause: Cause::Parse(error),
            })
        };
        if let Some(bytes) = self.kept(name) {
            return use_bytes(&bytes);
        }
        let Some(file) = self.open(name, path)? else {
            return Ok(());
        };
        let mut buffer = self.buffer.take();
        let used = read_file(&file, path, &mut buffer).and_then(|found| match found {
            Some(()) => use_bytes(&buffer).map(Some),
            None => Ok(None),
        });
        if buffer.len() <= Self::SMALL
            && matches!(used, Ok(Some(())))
            && let Ok(mut known) = self.read.try_borrow_mut()
        {
            known.push((name.to_path_buf(), Arc::from(buffer.as_slice())));
        }
        if buffer.capacity() <= KEPT {
            self.buffer.set(buffer);
        }
        used.map(|_| ())
    }

    /// What was read of a file before. Shared, so that who parses it may read others meanwhile.
    fn kept(&self, name: &Path) -> Option<Arc<[u8]>> {
        let read = self.read.try_borrow().ok()?;
        let found = read.iter().find(|(known, _)| known == name)?;
        Some(Arc::clone(&found.1))
    }
}
