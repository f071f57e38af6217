//! Files that daemons write while others read them: looked at by stat(2), and read again when something about them has
//! changed.

use std::fs;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use super::Cause;
use super::FileError;
use super::errno;

/// How often a file that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// What changes whenever a file is written to, replaced or rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    blocks: u64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            blocks: metadata.blocks(),
        }
    }

    /// When it was last written, in seconds since 1970.
    #[must_use]
    pub fn modified(&self) -> i64 {
        self.modified.0
    }

    /// Whether what it holds is stored somewhere. The kernel makes up what stands in the files of /proc, /sys and cgroups when
    /// they are read, and their stamps never change.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.blocks > 0
    }

    /// Whether it was written so short a time ago that another write could leave the same stamp: kernels tell the time of
    /// a write in steps of up to 10 ms, some file systems in steps of two seconds.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        const STEP: Duration = Duration::from_secs(2);
        let seconds = u64::try_from(self.changed.0.max(self.modified.0)).unwrap_or_default();
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        match SystemTime::now().duration_since(written) {
            Ok(age) => age <= STEP,
            Err(ahead) => ahead.duration() <= STEP,
        }
    }
}

fn failed(path: &Path, cause: Cause) -> FileError {
    FileError {
        path: path.display().to_string(),
        cause,
    }
}

/// A file's stamp; `None` when it does not exist.
///
/// # Errors
/// When it cannot be looked at, or is no regular file.
pub fn stamp(path: &Path) -> Result<Option<Stamp>, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Stamp::of(&metadata))),
        Ok(_) => Err(failed(path, Cause::NotRegular)),
        Err(error) => match errno(&error) {
            rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => Ok(None),
            errno => Err(failed(path, Cause::Io(errno))),
        },
    }
}

/// The stamp of whatever is there, which for a directory changes as files come and go; `None` where nothing is, or nothing
/// that may be looked at.
#[must_use]
pub fn any(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().as_ref().map(Stamp::of)
}

/// Reads a regular file of at most `limit` bytes; `None` when it does not exist. One that changes meanwhile is read again a
/// few times, so that a rewrite in place is rarely seen in the middle; one that never rests is taken as it is.
///
/// # Errors
/// When it cannot be read, is no regular file, or is too large.
pub fn read(path: &Path, limit: usize) -> Result<Option<(Vec<u8>, Stamp)>, FileError> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let Some((bytes, before, after)) = read_once(path, limit)? else {
            return Ok(None);
        };
        last = Some((bytes, before));
        if before == after {
            break;
        }
    }
    Ok(last)
}

fn read_once(path: &Path, limit: usize) -> Result<Option<(Vec<u8>, Stamp, Stamp)>, FileError> {
    let io = |error: io::Error| failed(path, Cause::Io(errno(&error)));
    // Opening a FIFO waits for its writer otherwise, and a terminal could become ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => fs::File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(failed(path, Cause::Io(errno))),
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(failed(path, Cause::NotRegular));
    }
    let size = usize::try_from(metadata.size()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(size.min(limit).saturating_add(1));
    let bound = limit as u64 + 1;
    Read::by_ref(&mut file)
        .take(bound)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() > limit {
        return Err(failed(path, Cause::TooLarge(limit)));
    }
    let after = file.metadata().map_err(io)?;
    Ok(Some((bytes, Stamp::of(&metadata), Stamp::of(&after))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_gone_has_another_stamp() {
        let path = std::env::temp_dir().join(format!("weir-{}-watched", std::process::id()));
        let other = path.with_extension("new");
        fs::write(&path, "one").expect("a file");
        let first = stamp(&path).expect("readable").expect("there");
        assert!(first.is_fresh());
        let (bytes, same) = read(&path, 3).expect("readable").expect("there");
        assert_eq!((bytes.as_slice(), same), (b"one".as_slice(), first));
        assert!(read(&path, 2).is_err_and(|error| matches!(error.cause, Cause::TooLarge(2))));
        fs::write(&other, "two").expect("a file");
        fs::rename(&other, &path).expect("renamed");
        assert_ne!(stamp(&path).expect("readable"), Some(first));
        fs::remove_file(&path).expect("removed");
        assert!(stamp(&path).is_ok_and(|found| found.is_none()));
        assert!(read(&path, 3).is_ok_and(|found| found.is_none()));
    }

    #[test]
    fn what_the_kernel_makes_up_is_stored_nowhere() {
        for path in [
            "/proc/self/stat",
            "/sys/kernel/mm/transparent_hugepage/enabled",
        ] {
            let Ok(Some(stamp)) = stamp(Path::new(path)) else {
                continue;
            };
            assert!(!stamp.is_stored(), "{path}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_never_waited_for() {
        for path in ["/dev/tty", "/dev", "/dev/zero"].map(Path::new) {
            if stamp(path).is_ok_and(|found| found.is_none()) {
                continue;
            }
            assert!(stamp(path).is_err_and(|error| matches!(error.cause, Cause::NotRegular)));
            assert!(read(path, 10).is_err());
        }
    }
}
