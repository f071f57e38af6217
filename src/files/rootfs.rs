//! What is asked of the root file system (`--path.rootfs`): the space on what is mounted there, and the time zone.
//!
//! A captured tree has no root: nothing is asked then, unless one is named, as in a container that has the host's /proc and /
//! mounted elsewhere.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::FileError;
use super::Files;
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

    /// Asks the file system at a path below the root. `None` when there is no root to ask.
    ///
    /// This blocks for as long as the file system does: the caller asks no remote ones.
    pub fn space(&self, path: &[u8]) -> Option<Result<Space, rustix::io::Errno>> {
        if !self.has_root() {
            return None;
        }
        let path = Path::new(OsStr::from_bytes(path));
        let path = match &self.rootfs {
            Some(root) => Cow::Owned(root.join(path.strip_prefix("/").unwrap_or(path))),
            None => Cow::Borrowed(path),
        };
        let found = rustix::fs::statvfs(&*path);
        Some(found.map(|found| Space {
            block: found.f_frsize,
            blocks: found.f_blocks,
            free: found.f_bfree,
            available: found.f_bavail,
            files: found.f_files,
            files_free: found.f_ffree,
        }))
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
        let space = live().space(b"/").expect("live").expect("a root");
        assert!(space.block > 0 && space.free <= space.blocks);
        let below = live().with_rootfs(Path::new("/proc"));
        assert!(below.space(b"/self").expect("live").is_ok());
        assert_eq!(
            below.space(b"/none such"),
            Some(Err(rustix::io::Errno::NOENT))
        );
        let captured = || Files::open(Path::new("/proc/self"), Path::new("/sys")).expect("there");
        assert_eq!(captured().space(b"/"), None);
        assert_eq!(
            captured().with_rootfs(Path::new("/")).space(b"/"),
            None,
            "the default named"
        );
        let below = captured().with_rootfs(Path::new("/proc"));
        assert!(below.space(b"/").is_some());
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
