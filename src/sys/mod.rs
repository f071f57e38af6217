//! System calls that rustix does not have, or has wrong on some architecture, as safe functions: the only place where `unsafe`
//! may stand.

#![expect(unsafe_code, reason = "system calls are what this is for")]

pub mod bpf;
pub mod clock;
pub mod landlock;
pub mod poll;
pub mod seccomp;

pub use poll::poll;

use std::io;

use rustix::io::Errno;

/// Why the last system call failed.
fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}
