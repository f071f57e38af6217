//! The trees that are read (`--path.procfs`, `--path.sysfs`, `--path.rootfs`) and bounded reads below them. Nobody else knows where /proc
//! is.
//!
//! With the real /proc the live kernel may be asked too (netlink); with any other path everything comes from files, so
//! that a captured host gives the same answer on every machine. Where another procfs has `1/net`, that is read and not
//! `net`: in a container with the host's /proc mounted, `net` is the container's own network namespace.
//!
//! A captured tree may carry a file `CAPTURE` beside its `proc`, with lines `byte_order: big`, `page_size: 65536`,
//! `architecture: mips` and `date: 2026-11-21T03:22:07Z`; what it does not say is this machine's.

mod attributes;
mod capture;
mod elsewhere;
mod error;
mod mounts;
mod namespaces;
mod reading;
mod rootfs;

pub mod fifo;
pub mod regular;
pub mod watched;

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use self::elsewhere::Elsewhere;
use self::reading::UseBytes;
use self::reading::once;
use self::reading::open;
use self::reading::read_whole;

pub use self::attributes::Attributes;
pub use self::error::Cause;
pub use self::error::FileError;
pub use self::mounts::Mounts;
pub use self::mounts::answers_at_once;
pub use self::namespaces::FileId;
pub use self::namespaces::Whose;
pub use self::namespaces::open_namespace;
pub use self::rootfs::Reread;
pub use self::rootfs::Space;
pub use self::rootfs::Stamp;
pub use self::rootfs::errno_words;
pub use self::rootfs::space;
pub use crate::parse::ByteOrder;
use crate::parse::ParseError;
use crate::parse::printable;

/// The largest file that is read whole, in bytes. A machine with 50,000 devices has a /proc/net/dev of 6 MB.
pub const LIMIT: usize = 16 << 20;

/// What one sysfs attribute can hold: the kernel gives it one page.
const ATTRIBUTE: usize = 4096;

/// Without NONBLOCK a FIFO in a captured tree would stop everything until somebody writes into it.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// Memory that is kept from one read to the next; a larger buffer is given back.
const KEPT: usize = 256 << 10;

/// The roots, and a buffer that every read shares.
pub struct Files {
    procfs: PathBuf,
    sysfs: PathBuf,
    rootfs: Option<PathBuf>,
    net: PathBuf,
    live: bool,
    /// `net` is another network namespace's, which was not entered.
    foreign: bool,
    /// Of another network namespace: `net` itself, and what was read of it.
    elsewhere: Option<Elsewhere>,
    byte_order: ByteOrder,
    page_size: u64,
    machine: String,
    captured: Option<i64>,
    buffer: Cell<Vec<u8>>,
}

impl Files {
    /// Looks at the roots once: which `net` to read, and what a capture says of itself.
    ///
    /// # Errors
    /// When a root is not a directory, or CAPTURE says something unknown.
    pub fn open(procfs: &Path, sysfs: &Path) -> Result<Self, FileError> {
        for root in [procfs, sysfs] {
            let cause = match fs::metadata(root) {
                Ok(found) if found.is_dir() => continue,
                Ok(_) => rustix::io::Errno::NOTDIR,
                Err(error) => {
                    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
                }
            };
            return Err(FileError {
                path: root.display().to_string(),
                cause: Cause::Io(cause),
            });
        }
        let live = procfs == Path::new("/proc");
        let init = procfs.join("1/net");
        let mut files = Self {
            net: if !live && init.is_dir() {
                init
            } else {
                procfs.join("net")
            },
            procfs: procfs.to_path_buf(),
            sysfs: sysfs.to_path_buf(),
            rootfs: None,
            live,
            foreign: false,
            elsewhere: None,
            byte_order: ByteOrder::NATIVE,
            page_size: rustix::param::page_size() as u64,
            machine: printable(rustix::system::uname().machine().to_bytes()).into_owned(),
            captured: None,
            buffer: Cell::new(Vec::new()),
        };
        if let Some(parent) = procfs.parent().filter(|_| !live) {
            files.read_capture(&parent.join("CAPTURE"))?;
        }
        Ok(files)
    }

    fn read_capture(&mut self, path: &Path) -> Result<(), FileError> {
        if let Some(capture) = self.parse(path, capture::parse)? {
            self.byte_order = capture.byte_order.unwrap_or(self.byte_order);
            self.page_size = capture.page_size.unwrap_or(self.page_size);
            self.captured = capture.date;
            self.machine = capture
                .machine
                .unwrap_or_else(|| std::mem::take(&mut self.machine));
        }
        Ok(())
    }

    /// Whether the running kernel is what is measured, so that netlink may be asked.
    #[must_use]
    pub fn live(&self) -> bool {
        self.live
    }

    /// Whether sysfs is the running kernel's too, so that netlink may stand for /sys/class/net.
    #[must_use]
    pub fn live_sysfs(&self) -> bool {
        self.live && self.sysfs == Path::new("/sys")
    }

    /// The byte order of the machine that wrote these files.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// The page size of the machine that wrote these files, in bytes.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.page_size
    }

    /// Seconds since 1970, by which leases are over or not: a captured tree's are those of its date, else this moment's.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.captured.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
        })
    }

    /// Reads and parses `PROCFS/net/NAME`; `None` when this kernel does not have it.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or breaks its format.
    pub fn net<T>(
        &self,
        name: impl AsRef<Path>,
        parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, FileError> {
        once(parse, |use_bytes| self.read_net(name.as_ref(), use_bytes))
    }

    fn read_net(&self, name: &Path, use_bytes: UseBytes<'_>) -> Result<(), FileError> {
        let path = self.net.join(name);
        match &self.elsewhere {
            None => self.read(&path, use_bytes),
            Some(elsewhere) => elsewhere.read(name, &path, use_bytes),
        }
    }

    /// Reads and parses `PROCFS/PATH`; `None` when this kernel does not have it, or shows it for another network namespace
    /// than is meant.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or breaks its format.
    pub fn proc<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, FileError> {
        once(parse, |use_bytes| self.read_proc(path, use_bytes))
    }

    fn read_proc(&self, path: &str, use_bytes: UseBytes<'_>) -> Result<(), FileError> {
        if self.foreign && path.starts_with("sys/net/") {
            return Ok(());
        }
        self.read(&self.procfs.join(path), use_bytes)
    }

    /// Reads and parses a file below `SYSFS`; `None` when it does not exist.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or breaks its format.
    pub fn sys<T>(
        &self,
        path: impl AsRef<Path>,
        parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, FileError> {
        once(parse, |use_bytes| self.read_sys(path.as_ref(), use_bytes))
    }

    fn read_sys(&self, path: &Path, use_bytes: UseBytes<'_>) -> Result<(), FileError> {
        self.read(&self.sysfs.join(path), use_bytes)
    }

    /// The path of `PROCFS/net/NAME`, as errors name it.
    #[must_use]
    pub fn net_path(&self, name: &str) -> PathBuf {
        self.net.join(name)
    }

    /// Opens `PROCFS/net/NAME` to be read in pieces; `None` when this kernel does not have it.
    ///
    /// # Errors
    /// When it exists but cannot be opened.
    pub fn open_net(&self, name: &str) -> Result<Option<OwnedFd>, FileError> {
        let path = self.net.join(name);
        match &self.elsewhere {
            None => open(&path),
            Some(elsewhere) => elsewhere.open(Path::new(name), &path),
        }
    }

    /// The names in a directory below `SYSFS`, sorted by their bytes; `None` when it does not exist.
    ///
    /// # Errors
    /// When it exists but cannot be listed.
    pub fn sys_entries(&self, path: impl AsRef<Path>) -> Result<Option<Vec<OsString>>, FileError> {
        entries(&self.sysfs.join(path))
    }

    /// The names in a directory below `PROCFS/net`, sorted by their bytes; `None` when it does not exist.
    ///
    /// # Errors
    /// When it exists but cannot be listed.
    pub fn net_entries(&self, path: &str) -> Result<Option<Vec<OsString>>, FileError> {
        entries(&self.net.join(path))
    }

    /// The names in a directory below `PROCFS`, sorted by their bytes; `None` when it does not exist.
    ///
    /// # Errors
    /// When it exists but cannot be listed.
    pub fn proc_entries(&self, path: &str) -> Result<Option<Vec<OsString>>, FileError> {
        entries(&self.procfs.join(path))
    }

    /// Opens a directory below `SYSFS` whose attributes are then read one by one; `None` when it has vanished.
    ///
    /// # Errors
    /// When it exists but cannot be opened.
    pub fn sys_directory(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<Option<Attributes<'_>>, FileError> {
        let path = self.sysfs.join(path);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(directory) => Ok(Some(Attributes {
                directory,
                path,
                files: self,
            })),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(FileError {
                path: path.display().to_string(),
                cause: Cause::Io(errno),
            }),
        }
    }

    fn parse<T>(
        &self,
        path: &Path,
        parse: impl FnOnce(&[u8]) -> Result<T, ParseError>,
    ) -> Result<Option<T>, FileError> {
        once(parse, |use_bytes| self.read(path, use_bytes))
    }

    /// Reads a file and hands its content on, if it exists.
    fn read(&self, path: &Path, use_bytes: UseBytes<'_>) -> Result<(), FileError> {
        let mut buffer = self.buffer.take();
        let result = read_whole(path, &mut buffer).and_then(|found| match found {
            None => Ok(()),
            Some(()) => use_bytes(&buffer).map_err(|error| FileError {
                path: path.display().to_string(),
                cause: Cause::Parse(error),
            }),
        });
        if buffer.capacity() <= KEPT {
            self.buffer.set(buffer);
        }
        result
    }
}

fn entries(path: &Path) -> Result<Option<Vec<OsString>>, FileError> {
    let failed = |error: &io::Error| FileError {
        path: path.display().to_string(),
        cause: Cause::Io(errno(error)),
    };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let names: Result<Vec<_>, _> = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect();
    let mut names = names.map_err(|error| failed(&error))?;
    names.sort_unstable();
    Ok(Some(names))
}

fn errno(error: &io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO)
}
