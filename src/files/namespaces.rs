//! What the trees say of network namespaces: which processes there are, whose namespace a `net` directory shows, and the
//! roots as they are seen from another namespace.
//!
//! proc(5) and namespaces(7). `/proc/PID/net` shows the namespace of that process and needs no privilege; the inode of a file in
//! it differs from namespace to namespace (`proc_net_ns_init` makes each a tree of its own). `/proc/PID/ns/net` names the
//! namespace as everybody else does, but wants the right to trace that process.

use std::path::Path;
use std::path::PathBuf;

use rustix::fd::OwnedFd;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Cause;
use super::FileError;
use super::Files;
use super::elsewhere::Elsewhere;
use super::entries;
use crate::parse::decimal;
use crate::parse::ns_net;

/// `f_type` of nsfs (include/uapi/linux/magic.h), where the kernel keeps namespaces since 3.19.
const NSFS: u64 = 0x6e73_6673;
/// And of procfs, where it kept them before.
const PROCFS: u64 = 0x9fa0;

/// Nothing can be below it, so that what is looked for below it is absent.
const NOWHERE: &str = "/dev/null";

/// Which file it is, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Its inode, unique in its file system.
    #[must_use]
    pub fn inode(self) -> u64 {
        self.inode
    }
}

/// Whose view of the network is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The one that these roots show.
    Own,
    /// That of a process.
    Process(u32),
}

impl Files {
    /// Another namespace is meant from now on, so that what was read is of no use.
    pub fn forget(&self) {
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.forget();
        }
    }

    /// The processes below `PROCFS`, by number.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn processes(&self) -> Result<Vec<u32>, FileError> {
        let names = entries(&self.procfs)?.unwrap_or_default();
        let number = |name: &std::ffi::OsString| {
            let number = decimal(name.as_encoded_bytes())?;
            u32::try_from(number).ok()
        };
        let mut found: Vec<_> = names.iter().filter_map(number).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// What tells one namespace from another without any privilege: the identity of `net/dev`. `None` when there is none,
    /// as of a process that has ended.
    #[must_use]
    pub fn net_id(&self, whose: Whose) -> Option<FileId> {
        let found = match (whose, &self.elsewhere) {
            (Whose::Own, Some(elsewhere)) => elsewhere.stat("dev")?,
            (Whose::Own, None) => rustix::fs::stat(self.net.join("dev")).ok()?,
            (Whose::Process(process), _) => {
                rustix::fs::stat(self.procfs.join(format!("{process}/net/dev"))).ok()?
            }
        };
        Some(FileId {
            device: widened(found.st_dev),
            inode: widened(found.st_ino),
        })
    }

    /// The namespace's own inode; `None` where this process may not see it.
    #[must_use]
    pub fn net_inode(&self, whose: Whose) -> Option<u64> {
        namespace(&self.net_link(whose)?)
    }

    /// The link that leads into the namespace of a process.
    #[must_use]
    pub fn net_link(&self, whose: Whose) -> Option<PathBuf> {
        match whose {
            Whose::Own if self.live => Some(self.procfs.join("self/ns/net")),
            // `1/net` below another root; where that root has only `net`, nobody says whose it is.
            Whose::Own if self.net.parent() != Some(self.procfs.as_path()) => {
                Some(self.net.with_file_name("ns/net"))
            }
            Whose::Own => None,
            Whose::Process(process) => Some(self.procfs.join(format!("{process}/ns/net"))),
        }
    }

    /// The namespaces that have a name below `ROOTFS`, sorted by it: name, inode and the file that leads there. Names that
    /// are left of namespaces that are gone are passed over.
    ///
    /// # Errors
    /// When the directory exists and cannot be listed.
    pub fn named_namespaces(&self) -> Result<Vec<(String, u64, PathBuf)>, FileError> {
        // A captured tree has no root.
        if !self.live && self.rootfs.is_none() {
            return Ok(Vec::new());
        }
        let root = self.rootfs.as_deref().unwrap_or(Path::new("/"));
        let directory = root.join("run/netns");
        let names = entries(&directory)?.unwrap_or_default();
        let found = names.iter().filter_map(|name| {
            let path = directory.join(name);
            let inode = namespace(&path)?;
            let name = crate::parse::printable(name.as_encoded_bytes()).into_owned();
            Some((name, inode, path))
        });
        Ok(found.collect())
    }

    /// The same roots seen by a thread that is in another namespace: the kernel may be asked as before, and answers for that
    /// namespace. sysfs is left out, which always shows the namespace in which it was mounted.
    #[must_use]
    pub fn inside(&self) -> Self {
        // /proc/thread-self came with Linux 3.17; /proc/self/net is that of the first thread.
        let thread = self.procfs.join("thread-self/net");
        let net = if thread.exists() {
            thread
        } else {
            let number = rustix::thread::gettid().as_raw_nonzero();
            self.procfs.join(format!("self/task/{number}/net"))
        };
        Self {
            elsewhere: Some(Elsewhere::new(&net)),
            net,
            sysfs: PathBuf::from(NOWHERE),
            ..self.again()
        }
    }

    /// The roots as a process in another namespace sees them, without entering it: tables only. The kernel is not asked,
    /// and `sys/net`, which always shows the reader's own namespace, is absent.
    #[must_use]
    pub fn of_process(&self, process: u32) -> Self {
        let net = self.procfs.join(format!("{process}/net"));
        Self {
            elsewhere: Some(Elsewhere::new(&net)),
            net,
            sysfs: PathBuf::from(NOWHERE),
            live: false,
            foreign: true,
            ..self.again()
        }
    }

    /// The same roots with a buffer of their own, for another thread.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            procfs: self.procfs.clone(),
            sysfs: self.sysfs.clone(),
            rootfs: self.rootfs.clone(),
            net: self.net.clone(),
            live: self.live,
            foreign: self.foreign,
            elsewhere: None,
            byte_order: self.byte_order,
            captured: self.captured,
            page_size: self.page_size,
            machine: self.machine.clone(),
            buffer: std::cell::Cell::default(),
        }
    }
}

/// Opens a namespace to be entered and says which one it is by now: its path may lead to another one than before.
///
/// # Errors
/// When it has gone, or this process may not.
pub fn open_namespace(path: &Path) -> Result<(OwnedFd, u64), FileError> {
    let failed = |errno| FileError {
        path: path.display().to_string(),
        cause: Cause::Io(errno),
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
    let found = rustix::fs::fstat(&file).map_err(failed)?;
    Ok((file, widened(found.st_ino)))
}

/// The inode of the namespace that a path leads to: the text of a link, or a mount of it.
fn namespace(path: &Path) -> Option<u64> {
    match rustix::fs::readlink(path, Vec::new()) {
        Ok(text) => ns_net::parse(text.to_bytes()).ok(),
        Err(Errno::INVAL) => {
            let kind = rustix::fs::statfs(path).ok()?.f_type;
            // The width and the sign of the field depend on the architecture; the number fits all of them.
            let kind = u64::try_from(kind).ok()?;
            let found = rustix::fs::stat(path).ok()?;
            matches!(kind, NSFS | PROCFS).then(|| widened(found.st_ino))
        }
        Err(_) => None,
    }
}

/// Device and inode numbers are 32 bits wide on some architectures.
fn widened(number: impl Into<u64>) -> u64 {
    number.into()
}

#[cfg(test)]
mod tests;
