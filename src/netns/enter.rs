//! The thread that goes into other namespaces.
//!
//! setns(2) with CLONE_NEWNET moves the calling thread alone. It needs CAP_SYS_ADMIN in the user namespace that owns the
//! network namespace and in the caller's own; the main thread never does it, so that nothing of ours can end up elsewhere.
//! Inside, netlink sockets, /proc/thread-self/net and /proc/sys/net are those of the namespace.
//!
//! A namespace lives while anything holds it: the thread does as long as it is inside, and goes home in the end.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;

use super::Namespace;
use crate::files::Cause;
use crate::files::FileError;
use crate::files::FileId;
use crate::files::Files;
use crate::files::Whose;
use crate::files::open_namespace;

/// Why a namespace could not be entered.
#[derive(Debug)]
pub enum EnterError {
    /// It is there no more, or its path leads to another one by now.
    Gone,
    /// Nothing is known that leads into it.
    NoEntrance,
    /// Its path cannot be opened.
    Open(FileError),
    /// The kernel refuses to let the thread in.
    Refused(PathBuf, Errno),
    /// The kernel let the thread in, and /proc does not show it there.
    NotShown(PathBuf),
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("it is gone"),
            Self::NoEntrance => f.write_str("expected a path that leads into it, found none"),
            Self::Open(error) => error.fmt(f),
            Self::Refused(path, errno) => {
                write!(f, "{}: setns: {}", path.display(), io::Error::from(*errno))
            }
            Self::NotShown(path) => write!(
                f,
                "{}: expected /proc/thread-self/net to follow into it, found another",
                path.display()
            ),
        }
    }
}

impl std::error::Error for EnterError {}

/// A thread that may enter namespaces, at home when it begins and when it is dropped.
pub struct Traveller {
    inside: Files,
    home: OwnedFd,
}

impl Traveller {
    /// To be called in the thread that will travel, which must not be the main thread.
    ///
    /// # Errors
    /// When the way home cannot be opened.
    pub fn begin(files: &Files) -> Result<Self, EnterError> {
        let home = files.net_link(Whose::Own).ok_or(EnterError::NoEntrance)?;
        let (home, _) = open_namespace(&home).map_err(EnterError::Open)?;
        Ok(Self {
            inside: files.inside(),
            home,
        })
    }

    /// Enters a namespace, from wherever the thread is, and gives the roots as they are seen there and what its `net/dev` is.
    ///
    /// # Errors
    /// When it has gone, or this process may not.
    pub fn enter(&self, namespace: &Namespace) -> Result<(&Files, FileId), EnterError> {
        let path = namespace.entrance.as_deref();
        let path = path.ok_or(EnterError::NoEntrance)?;
        let (door, inode) = open_namespace(path).map_err(|error| match error.cause {
            Cause::Io(Errno::NOENT | Errno::SRCH) => EnterError::Gone,
            _ => EnterError::Open(error),
        })?;
        if namespace.inode.is_some_and(|expected| expected != inode) {
            return Err(EnterError::Gone);
        }
        move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| EnterError::Refused(path.to_path_buf(), errno))?;
        self.inside.forget();
        let shown = self.inside.net_id(Whose::Own);
        let expected = namespace.process.map(|(_, id)| id);
        let shown = shown.filter(|shown| expected.is_none_or(|expected| *shown == expected));
        let shown = shown.ok_or_else(|| EnterError::NotShown(path.to_path_buf()))?;
        Ok((&self.inside, shown))
    }
}

impl Drop for Traveller {
    fn drop(&mut self) {
        // The thread is about to end, which lets go of the namespace too, but a moment after its end was told.
        let home = move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Network));
        if let Err(errno) = home {
            log::debug!(err = errno.to_string().as_str(); "helper thread not back in its own network namespace");
        }
    }
}
