//! One directory of sysfs, its attributes read one by one: a page each, without the path to it being walked again.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::io::Errno;

use crate::parse::ParseError;

use super::ATTRIBUTE;
use super::Cause;
use super::FileError;
use super::Files;
use super::READ;
use super::reading::UseBytes;
use super::reading::once;

/// An open sysfs directory (a device, say) whose attributes are read relative to it.
pub struct Attributes<'a> {
    pub(super) directory: OwnedFd,
    pub(super) path: PathBuf,
    pub(super) files: &'a Files,
}

impl Attributes<'_> {
    /// Reads one attribute, without the white space around it. `None` when it does not exist, or when the device does
    /// not say (`speed` answers EINVAL while the link is down; EOPNOTSUPP, ENODEV of a device that is just going away).
    ///
    /// # Errors
    /// On any other errno, and what `parse` makes of the text.
    pub fn read<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, FileError> {
        once(parse, |use_bytes| self.read_bytes(name, use_bytes))
    }

    fn read_bytes(&self, name: &str, use_bytes: UseBytes<'_>) -> Result<(), FileError> {
        let failed = |cause| FileError {
            path: self.path.join(name).display().to_string(),
            cause,
        };
        let mut buffer = self.files.buffer.take();
        buffer.clear();
        buffer.reserve(ATTRIBUTE);
        let read = rustix::fs::openat(&self.directory, name, READ, Mode::empty())
            .and_then(|file| rustix::io::read(&file, rustix::buffer::spare_capacity(&mut buffer)));
        let result = match read {
            Ok(_) => use_bytes(buffer.trim_ascii()).map_err(|error| failed(Cause::Parse(error))),
            Err(
                Errno::NOENT
                | Errno::INVAL
                | Errno::OPNOTSUPP
                | Errno::NODEV
                | Errno::NXIO
                | Errno::NOTDIR
                | Errno::ACCESS,
            ) => Ok(()),
            Err(errno) => Err(failed(Cause::Io(errno))),
        };
        self.files.buffer.set(buffer);
        result
    }
}
