//! bpf(2): a map, programs of one type, TCX links, and runs of a program on a packet that no device has seen.
//!
//! Documented in bpf(2) and include/uapi/linux/bpf.h (`union bpf_attr`); kernel/bpf/syscall.c reads it. The attributes of
//! a command are a struct of their own here, without what later kernels added at its end: what is not given is zero.
//! Pointers are 64 bits wide in them, on every machine. Every descriptor that the kernel makes here is close-on-exec.

mod error;
mod map;
mod test_run;

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

use rustix::io::Errno;

pub use self::error::BpfError;
pub use self::map::Key;
pub use self::map::PerCpuHash;
pub use self::test_run::TestRun;
pub use self::test_run::prog_test_run;

/// The longest log of the verifier that is asked for, in bytes; before Linux 6.4 a longer one ends with ENOSPC.
const LOG: usize = 256 << 10;

/// How often a call is repeated that a signal cut short.
const TRIES: u32 = 10;

const PROG_TYPE_SCHED_CLS: u32 = 3;
const LINK_BEFORE: u32 = 1 << 3;

/// The commands of bpf(2) that are used, each with its attributes.
///
/// # Safety
/// `NUMBER` must be the command whose attributes the struct lays out as bpf_attr does; it must have no padding.
unsafe trait Command {
    const NUMBER: libc::c_long;
    const NAME: &'static str;
}

/// A number that is a pointer to the kernel.
fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Calls the kernel. Every command here answers with a descriptor or 0.
///
/// # Safety
/// What the attributes point to must be readable, and where the command says so writable, in the length that the
/// command uses.
unsafe fn call<C: Command>(attributes: &mut C) -> Result<RawFd, Errno> {
    let size = size_of::<C>() as libc::c_ulong;
    let mut left = TRIES;
    loop {
        // SAFETY: the struct is the command's, as `Command` demands, and its pointers are good, as the caller promises.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                C::NUMBER,
                std::ptr::from_mut(attributes),
                size,
            )
        };
        if answer >= 0 {
            return RawFd::try_from(answer).map_err(|_| Errno::RANGE);
        }
        match super::last_errno() {
            // BPF_PROG_LOAD gives up where a signal is pending, and asks to be called again.
            Errno::AGAIN | Errno::INTR if left > 0 => left -= 1,
            errno => return Err(errno),
        }
    }
}

/// As [`call`], for commands whose answer is a new descriptor.
///
/// # Safety
/// As [`call`].
unsafe fn open<C: Command>(attributes: &mut C) -> Result<OwnedFd, Errno> {
    // SAFETY: as the caller promises.
    let descriptor = unsafe { call(attributes) }?;
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn descriptor(fd: impl AsFd) -> u32 {
    fd.as_fd().as_raw_fd().cast_unsigned()
}

/// A name as the kernel keeps it: 15 bytes at most.
fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().take(15).zip(text.bytes()) {
        *to = from;
    }
    name
}

#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

const _: () = assert!(size_of::<ProgLoad>() == 64);

// SAFETY: BPF_PROG_LOAD and the beginning of its struct, up to the name.
unsafe impl Command for ProgLoad {
    const NUMBER: libc::c_long = 5;
    const NAME: &'static str = "BPF_PROG_LOAD";
}

#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
    relative_fd: u32,
    unused: u32,
    expected_revision: u64,
}

const _: () = assert!(size_of::<LinkCreate>() == 32);

// SAFETY: BPF_LINK_CREATE and its struct with the part for TCX.
unsafe impl Command for LinkCreate {
    const NUMBER: libc::c_long = 28;
    const NAME: &'static str = "BPF_LINK_CREATE";
}

/// Loads a program that classifies packets (BPF_PROG_TYPE_SCHED_CLS). The instructions are as the kernel reads them:
/// each of 8 bytes, in the machine's byte order.
///
/// # Errors
/// When the kernel refuses it; what its verifier wrote is then in the error.
pub fn prog_load(
    called: &str,
    instructions: &[[u8; 8]],
    license: &CStr,
) -> Result<OwnedFd, BpfError> {
    let mut attributes = ProgLoad {
        prog_type: PROG_TYPE_SCHED_CLS,
        insn_cnt: u32::try_from(instructions.len()).unwrap_or(u32::MAX),
        insns: address(instructions.as_ptr()),
        license: address(license.as_ptr()),
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name: name(called),
    };
    // SAFETY: there are as many instructions as it says, and the licence ends with a zero.
    let errno = match unsafe { open(&mut attributes) } {
        Ok(program) => return Ok(program),
        Err(errno) => errno,
    };
    let mut error = BpfError::of::<ProgLoad>(errno);
    if !matches!(errno, Errno::ACCESS | Errno::INVAL) {
        return Err(error);
    }
    // Once more, to hear why. The log costs time, so it is not asked for when all is well.
    let mut log = vec![0u8; LOG];
    attributes.log_level = 1;
    attributes.log_size = LOG as u32;
    attributes.log_buf = address(log.as_mut_ptr());
    // SAFETY: as before, and the log has room for what it says.
    match unsafe { open(&mut attributes) } {
        Ok(program) => Ok(program),
        Err(_) => {
            error.set_log(&log);
            Err(error)
        }
    }
}

/// Which way packets go past a TCX link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcxAttach {
    /// BPF_TCX_INGRESS.
    Ingress = 46,
    /// BPF_TCX_EGRESS.
    Egress = 47,
}

/// Attaches a program to a device of this thread's network namespace, before every other program there; it is attached
/// for as long as the link is open.
///
/// # Errors
/// EINVAL before Linux 6.6, ENODEV when there is no such device, EPERM without CAP_BPF and CAP_NET_ADMIN.
pub fn link_create_tcx(
    program: BorrowedFd<'_>,
    ifindex: u32,
    attach: TcxAttach,
) -> Result<OwnedFd, BpfError> {
    let mut attributes = LinkCreate {
        prog_fd: descriptor(program),
        target_ifindex: ifindex,
        attach_type: attach as u32,
        // Relative to no program: before all.
        flags: LINK_BEFORE,
        relative_fd: 0,
        unused: 0,
        expected_revision: 0,
    };
    // SAFETY: there are no pointers in it.
    unsafe { open(&mut attributes) }.map_err(BpfError::of::<LinkCreate>)
}
