//! landlock(7): this thread, and those that it starts, may open files only below the directories that were named.
//!
//! Since Linux 5.13 (ABI 1); include/uapi/linux/landlock.h. What has been opened stays open, and paths may still be walked,
//! looked up (`stat`, `statfs`, `readlink`) and opened with `O_PATH`. A rule belongs to the directory that was opened, not
//! to its name: one that is made anew under that name, or mounted over it, has no rule.
//!
//! A process under landlock may not look at others as ptrace(2) would, whatever its capabilities, so that the links in
//! `/proc/PID/ns` of others cannot be read any more (`hook_ptrace_access_check`).

use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::path::Path;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

const CREATE_RULESET_VERSION: libc::c_ulong = 1;
const RULE_PATH_BENEATH: libc::c_ulong = 1;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

const BIND_TCP: u64 = 1;

/// Abstract Unix sockets and signals of processes outside.
const SCOPES: u64 = 3;

/// What may be done below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u64);

impl Access {
    /// Reading files and listing directories.
    pub const READ: Self = Self(READ_FILE | READ_DIR);
    /// Making, replacing, renaming and removing regular files; not reading them.
    pub const REPLACE: Self = Self(WRITE_FILE | MAKE_REG | REMOVE_FILE | TRUNCATE);
    /// Removing files.
    pub const REMOVE: Self = Self(REMOVE_FILE);
}

#[repr(C)]
struct RulesetAttributes {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: RawFd,
}

const _: () = assert!(size_of::<PathBeneath>() == 12);

/// Rules that are not in force yet: everything below no directory is forbidden.
pub struct Ruleset {
    rules: OwnedFd,
    handled: u64,
}

/// The answer of a system call: a descriptor, a version, or 0.
fn answer(answer: libc::c_long) -> Result<RawFd, Errno> {
    if answer < 0 {
        return Err(super::last_errno());
    }
    RawFd::try_from(answer).map_err(|_| Errno::RANGE)
}

impl Ruleset {
    /// Forbids as much as this kernel knows: what files can be opened, made, removed and executed for, from Linux 6.7 on also
    /// to listen on TCP ports, and from 6.12 on to signal processes outside.
    ///
    /// # Errors
    /// ENOSYS or EOPNOTSUPP where the kernel has no landlock.
    pub fn new() -> Result<Self, Errno> {
        let none: *const RulesetAttributes = std::ptr::null();
        // SAFETY: this asks for the version only, and no memory is named.
        let version = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                none,
                0 as libc::c_ulong,
                CREATE_RULESET_VERSION,
            )
        };
        let version = answer(version)?;
        let known = |since, rights: u64| if version >= since { rights } else { 0 };
        // All from EXECUTE to MAKE_SYM are of the first version.
        let handled = (MAKE_SYM | (MAKE_SYM - EXECUTE))
            | known(2, REFER)
            | known(3, TRUNCATE)
            | known(5, IOCTL_DEV);
        let attributes = RulesetAttributes {
            handled_access_fs: handled,
            handled_access_net: known(4, BIND_TCP),
            scoped: known(6, SCOPES),
        };
        // SAFETY: the struct is as long as it says; a kernel that knows less of it wants zeros there, which they are.
        let rules = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const attributes,
                size_of::<RulesetAttributes>() as libc::c_ulong,
                0 as libc::c_ulong,
            )
        };
        let rules = answer(rules)?;
        // SAFETY: the kernel has just made it, and nobody else knows of it.
        let rules = unsafe { OwnedFd::from_raw_fd(rules) };
        Ok(Self { rules, handled })
    }

    /// Allows something below a directory.
    ///
    /// # Errors
    /// When there is no such directory, or the kernel refuses.
    pub fn allow(&self, directory: &Path, access: Access) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::open(directory, flags, Mode::empty())?;
        let rule = PathBeneath {
            allowed_access: access.0 & self.handled,
            parent_fd: parent.as_raw_fd(),
        };
        // SAFETY: the struct is that of this type of rule, and both descriptors are open.
        let added = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                self.rules.as_raw_fd(),
                RULE_PATH_BENEATH,
                &raw const rule,
                0 as libc::c_ulong,
            )
        };
        answer(added).map(|_| ())
    }

    /// Puts the rules in force for this thread and those that it starts from now on, for ever.
    ///
    /// # Errors
    /// EPERM without no_new_privs, E2BIG below sixteen others.
    pub fn restrict(&self) -> Result<(), Errno> {
        // SAFETY: no memory is named.
        let restricted = unsafe {
            libc::syscall(
                libc::SYS_landlock_restrict_self,
                self.rules.as_raw_fd(),
                0 as libc::c_ulong,
            )
        };
        answer(restricted).map(|_| ())
    }
}
