//! What is asked of the root file system (`--path.rootfs`): the space on what is mounted there, and the time zone.
//!
//! A captured tree has no root: nothing is asked then, unless one is named, as in a container that has the host's /proc and /
//! mounted elsewhere.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use super::Cause;
use super::FileError;
use super::Files;
use super::errno;
use super::regular;
use crate::parse::ParseError;

/// What statvfs(3) answers of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in a block.
    pub block: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub free: u64,
    /// Blocks that are free for everybody, not only for root.
    pub available: u64,
    /// Files that there can be.
    pub files: u64,
    /// Of those, files that are not there yet.
    pub files_free: u64,
}

/// What tells one state of a file from another: an editor writes a new file and renames it, `echo >>` the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn new(found: &fs::Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// What became of a file since it was last read.
#[derive(Debug)]
pub enum Reread<T> {
    /// There is none.
    Missing,
    /// It is the same.
    Same,
    /// It is another, and this is what it holds.
    New(Stamp, T),
}

impl Files {
    /// Names the root file system's place (`--path.rootfs`).
    #[must_use]
    pub fn with_rootfs(mut self, rootfs: &Path) -> Self {
        self.rootfs = Some(rootfs.to_path_buf()).filter(|path| path != Path::new("/"));
        self
    }

    /// What the machine that is measured is: CAPTURE's word for it, else this machine's.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// The path as it is below the root, as node_exporter tells mount points: in a container whose `/host` is the host's
    /// root, `/host/var` is `/var`.
    #[must_use]
    pub fn strip_rootfs<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        let root = self
            .rootfs
            .as_deref()
            .map(|root| root.as_os_str().as_bytes());
        let root = root.map(|root| root.strip_suffix(b"/").unwrap_or(root));
        match root.and_then(|root| path.strip_prefix(root)) {
            Some(b"") => b"/",
            Some(rest) if rest.starts_with(b"/") => rest,
            _ => path,
        }
    }

    /// Whether there is a root file system to look at: that of this machine, or one that was named.
    #[must_use]
    pub fn has_root(&self) -> bool {
        self.live || self.rootfs.is_some()
    }

    /// Where the root is.
    #[must_use]
    pub fn root_path(&self) -> &Path {
        self.rootfs.as_deref().unwrap_or(Path::new("/"))
    }

    /// Where the file system at a path below the root is asked with [`space`]. `None` when there is no root to ask.
    #[must_use]
    pub fn below_root(&self, path: &[u8]) -> Option<PathBuf> {
        if !self.has_root() {
            return None;
        }
        let path = Path::new(OsStr::from_bytes(path));
        Some(match &self.rootfs {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_path_buf(),
        })
    }

    /// Reads a regular file of at most `limit` bytes at `ROOTFS/PATH`, when it is another than `known`. A captured tree
    /// has none, unless its root is named.
    ///
    /// # Errors
    /// When it exists but cannot be read, is no regular file or too large.
    pub fn root_when_changed<T>(
        &self,
        path: &str,
        limit: usize,
        known: Option<Stamp>,
        parse: impl FnOnce(&[u8]) -> T,
    ) -> Result<Reread<T>, FileError> {
        if !self.live && self.rootfs.is_none() {
            return Ok(Reread::Missing);
        }
        let path = self.rootfs.as_deref().unwrap_or(Path::new("/")).join(path);
        let failed = |errno| FileError {
            path: path.display().to_string(),
            cause: Cause::Io(errno),
        };
        let found = match fs::metadata(&path) {
            Ok(found) => Stamp::new(&found),
            Err(error) => match errno(&error) {
                rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => return Ok(Reread::Missing),
                other => return Err(failed(other)),
            },
        };
        if known == Some(found) {
            return Ok(Reread::Same);
        }
        // Changed between the two calls, it has another stamp at the next look and is read again.
        let (bytes, _) = regular::read(&path, limit)?;
        Ok(Reread::New(found, parse(&bytes)))
    }

    /// Reads and parses `ROOTFS/PATH`; `None` when it does not exist.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or breaks its format.
    pub fn root<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, FileError> {
        self.parse(&self.root_path().join(path), parse)
    }
}

/// Asks the file system at a path.
///
/// This blocks for as long as the file system does: remote ones are asked in a thread of their own.
///
/// # Errors
/// With what statvfs(3) answers.
pub fn space(path: &Path) -> Result<Space, rustix::io::Errno> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Space {
        block: found.f_frsize,
        blocks: found.f_blocks,
        free: found.f_bfree,
        available: found.f_bavail,
        files: found.f_files,
        files_free: found.f_ffree,
    })
}

/// An errno as Go's standard library, and so node_exporter, words it: `permission denied`.
#[must_use]
pub fn errno_words(errno: rustix::io::Errno) -> String {
    // musl's words differ from glibc's in some places; these two are what mounts answer most.
    match errno {
        rustix::io::Errno::IO => return "input/output error".to_string(),
        rustix::io::Errno::STALE => return "stale NFS file handle".to_string(),
        _ => {}
    }
    let text = io::Error::from(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Files {
        Files::open(Path::new("/proc"), Path::new("/sys")).expect("this machine has both")
    }

    #[test]
    fn the_prefix_ends_at_a_slash() {
        for root in ["/host", "/host/"] {
            let files = live().with_rootfs(Path::new(root));
            for (path, expected) in [
                ("/host", "/"),
                ("/host/var", "/var"),
                ("/hostname", "/hostname"),
                ("/", "/"),
                ("/var/host", "/var/host"),
            ] {
                assert_eq!(
                    files.strip_rootfs(path.as_bytes()),
                    expected.as_bytes(),
                    "{path}"
                );
            }
        }
        assert_eq!(live().strip_rootfs(b"/host"), b"/host");
        assert_eq!(
            live().with_rootfs(Path::new("/")).strip_rootfs(b"/host"),
            b"/host"
        );
    }

    #[test]
    fn space_is_asked_below_the_root_and_not_of_a_captured_tree() {
        let asked = |files: &Files, path: &[u8]| files.below_root(path).map(|path| space(&path));
        let found = asked(&live(), b"/").expect("live").expect("a root");
        assert!(found.block > 0 && found.free <= found.blocks);
        let below = live().with_rootfs(Path::new("/proc"));
        assert!(asked(&below, b"/self").expect("live").is_ok());
        assert_eq!(
            asked(&below, b"/none such"),
            Some(Err(rustix::io::Errno::NOENT))
        );
        let captured = || Files::open(Path::new("/proc/self"), Path::new("/sys")).expect("there");
        assert_eq!(asked(&captured(), b"/"), None);
        assert_eq!(
            asked(&captured().with_rootfs(Path::new("/")), b"/"),
            None,
            "the default named"
        );
        let below = captured().with_rootfs(Path::new("/proc"));
        assert!(asked(&below, b"/").is_some());
    }

    #[test]
    fn a_file_is_read_again_when_it_is_another() {
        let root = std::env::temp_dir().join(format!("weir-{}-stamp", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let files = live().with_rootfs(&root);
        let read = |known| files.root_when_changed("x", 4, known, <[u8]>::to_vec);
        assert!(matches!(read(None), Ok(Reread::Missing)));
        fs::write(root.join("x"), "one").unwrap();
        let Ok(Reread::New(stamp, content)) = read(None) else {
            panic!("a new file");
        };
        assert_eq!(content, b"one");
        assert!(matches!(read(Some(stamp)), Ok(Reread::Same)));
        // The same size, and perhaps the same moment: another file all the same.
        fs::write(root.join("y"), "two").unwrap();
        fs::rename(root.join("y"), root.join("x")).unwrap();
        assert!(matches!(read(Some(stamp)), Ok(Reread::New(_, content)) if content == b"two"));
        fs::write(root.join("x"), "three").unwrap();
        let error = read(Some(stamp)).unwrap_err().to_string();
        assert!(
            error.ends_with("/x: expected at most 4 bytes, found more"),
            "{error}"
        );
        fs::remove_dir_all(&root).unwrap();
        let captured = Files::open(Path::new("/proc/self"), Path::new("/sys")).expect("there");
        let of_this_machine = captured.root_when_changed("etc/passwd", 1 << 20, None, <[u8]>::len);
        assert!(matches!(of_this_machine, Ok(Reread::Missing)));
    }

    #[test]
    fn errors_are_worded_as_node_exporter_does() {
        assert_eq!(errno_words(rustix::io::Errno::ACCESS), "permission denied");
        assert_eq!(
            errno_words(rustix::io::Errno::NOENT),
            "no such file or directory"
        );
        assert_eq!(errno_words(rustix::io::Errno::IO), "input/output error");
    }
}
