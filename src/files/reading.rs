//! Reading one file to its end.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::Mode;

use super::ATTRIBUTE;
use super::Cause;
use super::FileError;
use super::LIMIT;
use super::READ;
use crate::parse::ParseError;

/// Who is given the bytes of a file that was read.
pub(super) type UseBytes<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), ParseError>;

/// What `parse` makes of the bytes that `read` hands on, at most once; `None` where it hands on none. This much alone is
/// compiled for each parser, not the reading.
pub(super) fn once<T, E>(
    parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    read: impl FnOnce(UseBytes<'_>) -> Result<(), E>,
) -> Result<Option<T>, E> {
    let mut parse = Some(parse);
    let mut parsed = None;
    read(&mut |bytes| {
        if let Some(parse) = parse.take() {
            parsed = Some(parse(bytes)?);
        }
        Ok(())
    })?;
    Ok(parsed)
}

/// Opens a file; `None` when it does not exist.
pub(super) fn open(path: &Path) -> Result<Option<OwnedFd>, FileError> {
    opened(path, rustix::fs::open(path, READ, Mode::empty()))
}

/// What became of opening a file; `None` when it does not exist.
pub(super) fn opened(
    path: &Path,
    file: Result<OwnedFd, rustix::io::Errno>,
) -> Result<Option<OwnedFd>, FileError> {
    match file {
        Ok(file) => Ok(Some(file)),
        // ENOTDIR where a stripped kernel has no directory of that name at all.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(FileError {
            path: path.display().to_string(),
            cause: Cause::Io(errno),
        }),
    }
}

/// Reads a file to its end into `buffer`; `None` when it does not exist.
pub(super) fn read_whole(path: &Path, buffer: &mut Vec<u8>) -> Result<Option<()>, FileError> {
    match open(path)? {
        Some(file) => read_file(&file, path, buffer),
        None => Ok(None),
    }
}

/// The same of a file that is open.
pub(super) fn read_file(
    file: &OwnedFd,
    path: &Path,
    buffer: &mut Vec<u8>,
) -> Result<Option<()>, FileError> {
    buffer.clear();
    let failed = |cause| FileError {
        path: path.display().to_string(),
        cause,
    };
    loop {
        if buffer.len() > LIMIT {
            return Err(failed(Cause::TooLarge(LIMIT)));
        }
        // Kernel files tell no size; reading into half a page of room would cost a call more for each piece.
        if buffer.capacity() - buffer.len() < ATTRIBUTE {
            buffer.reserve(buffer.len().max(4 * ATTRIBUTE));
        }
        match rustix::io::read(file, rustix::buffer::spare_capacity(buffer)) {
            Ok(0) => return Ok(Some(())),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            // The process or device behind the file went away while it was read.
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::NODEV) => return Ok(None),
            Err(errno) => return Err(failed(Cause::Io(errno))),
        }
    }
}
