//! seccomp(2): the system calls that this program makes, and no others from then on.
//!
//! Since Linux 3.17, documented in Documentation/userspace-api/seccomp_filter.rst. What is not on the list (calls.rs) fails
//! with EPERM: a collector that needs it fails visibly, and the rest goes on; the kernel logs it (`type=1326`). Calls that
//! are newer than the list fail with ENOSYS, so that a C library takes the older one that it knows. The filter is a small
//! program (program.rs) that the kernel runs before each call; since 5.11 it remembers which calls always pass.
//!
//! Written by hand: seccompiler knows three of the six architectures.

mod calls;
mod program;

use std::fmt;
use std::io;

use rustix::io::Errno;

use self::program::Instruction;

const SET_MODE_FILTER: libc::c_ulong = 1;
const GET_ACTION_AVAIL: libc::c_ulong = 2;
/// Threads that run already get it too.
const TSYNC: libc::c_ulong = 1;
/// The kernel logs what is refused; since Linux 4.14.
const LOG: libc::c_ulong = 1 << 1;
/// Before Linux 5.16 a filter made the whole process slower against attacks through speculation by code that somebody
/// else wrote, of which there is none here. Since 4.17.
const SPEC_ALLOW: libc::c_ulong = 1 << 2;

/// What is called only where something is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The programs of the TC counters: bpf(2).
    pub bpf: bool,
    /// Other network namespaces: setns(2).
    pub setns: bool,
}

/// Why there is no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeccompError {
    /// Nobody has written down the numbers of this architecture's calls.
    Architecture,
    /// The kernel refused it.
    Kernel(Errno),
}

impl fmt::Display for SeccompError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture => f.write_str("not for this architecture"),
            Self::Kernel(errno) => io::Error::from(*errno).fmt(f),
        }
    }
}

impl std::error::Error for SeccompError {}

/// Whether this process lives when it asks for what a sandbox is made of. A filter that was there before, as of a systemd unit with
/// SystemCallFilter, may end whoever makes a call that its author did not know: then a child that asks first is ended.
#[must_use]
pub fn may_ask() -> bool {
    use rustix::thread::SecureComputingMode;
    if !matches!(
        rustix::thread::secure_computing_mode(),
        Ok(SecureComputingMode::Filter)
    ) {
        return true;
    }
    // SAFETY: the process has one thread, so that no lock is held in the child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let _ = super::landlock::Ruleset::new();
        if let Ok(sets) = rustix::thread::capabilities(None) {
            let _ = rustix::thread::set_capabilities(None, sets);
        }
        // SAFETY: the action that is asked about is a number that lives until the call is over; the child then ends
        // without running anything that was meant for the end of the parent.
        unsafe {
            let action = program::PASS;
            libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action);
            libc::_exit(0);
        }
    }
    let mut status = 0;
    // SAFETY: the status is a number of ours.
    let ended = child > 0 && unsafe { libc::waitpid(child, &raw mut status, 0) } == child;
    ended && libc::WIFEXITED(status)
}

#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// Puts the filter in force for all threads, for ever.
///
/// # Errors
/// Where the kernel has no filters (ENOSYS, EINVAL) or refuses it: EACCES without no_new_privs.
pub fn install(features: Features) -> Result<(), SeccompError> {
    let architecture = calls::ARCHITECTURE.ok_or(SeccompError::Architecture)?;
    let instructions = program::assemble(architecture, &calls::list(features));
    let program = Program {
        length: u16::try_from(instructions.len())
            .map_err(|_| SeccompError::Kernel(Errno::TOOBIG))?,
        instructions: instructions.as_ptr(),
    };
    let mut last = Errno::INVAL;
    for flags in [TSYNC | LOG | SPEC_ALLOW, TSYNC | LOG, TSYNC] {
        // SAFETY: the program has as many instructions as it says, laid out as the kernel reads them.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        match answer {
            0 => return Ok(()),
            // The thread that has a filter of its own.
            1.. => return Err(SeccompError::Kernel(Errno::BUSY)),
            _ => last = super::last_errno(),
        }
        // An older kernel does not know all flags.
        if last != Errno::INVAL {
            break;
        }
    }
    Err(SeccompError::Kernel(last))
}
