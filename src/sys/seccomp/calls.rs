//! The system calls that weir makes once it has started, found with strace over everything that it can do, with both C
//! libraries; and those that the standard library makes when things go wrong (panics, full memory).
//!
//! What is not here on purpose: starting programs (`execve`, `fork`), signals to others, making directories and links,
//! changing owners, mounting, modules, ptrace, `io_uring`, and listening on further sockets.

use super::Features;
use super::program::Architecture;
use super::program::Rule;

/// This machine's, where the numbers below are known to be right.
pub(super) const ARCHITECTURE: Option<Architecture> = {
    const LITTLE: bool = cfg!(target_endian = "little");
    if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
        Some(0xc000_003e)
    } else if cfg!(target_arch = "aarch64") && LITTLE {
        Some(0xc000_00b7)
    } else if cfg!(target_arch = "arm") && LITTLE {
        Some(0x4000_0028)
    } else if cfg!(target_arch = "riscv64") {
        Some(0xc000_00f3)
    } else if cfg!(target_arch = "mips") {
        Some(if LITTLE { 0x4000_0008 } else { 8 })
    } else {
        None
    }
};

/// What is added to the numbers that are the same on all architectures.
const BASE: libc::c_long = if cfg!(target_arch = "mips") { 4000 } else { 0 };

/// The last call that was known when this was written (`setxattrat` and its like follow).
const LAST_KNOWN: libc::c_long = BASE + 462;

const EVERYWHERE: &[libc::c_long] = &[
    // Files and directories.
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_getcwd,
    libc::SYS_fchmod,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    // Sockets.
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_shutdown,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
    libc::SYS_ppoll,
    // Time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Threads and signals of this process.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    // What the machine and this process are.
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_prlimit64,
    libc::SYS_setrlimit,
    libc::SYS_getrusage,
    libc::SYS_capget,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
];

/// What newer architectures were made without.
#[cfg(any(target_arch = "x86_64", target_arch = "arm", target_arch = "mips"))]
const OLD: &[libc::c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_accept,
    libc::SYS_poll,
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm", target_arch = "mips")))]
const OLD: &[libc::c_long] = &[];

#[cfg(target_arch = "x86_64")]
const OWN: &[libc::c_long] = &[
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_getrlimit,
    libc::SYS_time,
];
#[cfg(target_arch = "arm")]
const OWN: &[libc::c_long] = &[
    libc::SYS_pread64,
    libc::SYS_ugetrlimit,
    libc::SYS_getuid32,
    libc::SYS_geteuid32,
    libc::SYS_getgid32,
    libc::SYS_getegid32,
    libc::SYS_fstatat64,
    libc::SYS_sigprocmask,
    // The private calls cacheflush and set_tls.
    0xf0002,
    0xf0005,
];
#[cfg(target_arch = "mips")]
const OWN: &[libc::c_long] = &[
    libc::SYS_getrlimit,
    libc::SYS_sigprocmask,
    libc::SYS_cacheflush,
    libc::SYS_recv,
    libc::SYS_send,
    // pread64 and fstatat64.
    BASE + 200,
    BASE + 293,
];
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
const OWN: &[libc::c_long] = &[
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_getrlimit,
    libc::SYS_accept,
    #[cfg(target_arch = "aarch64")]
    libc::SYS_renameat,
];
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "arm",
    target_arch = "mips",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
const OWN: &[libc::c_long] = &[];

/// With 32 bits: what takes larger files, and time beyond 2038.
#[cfg(any(target_arch = "arm", target_arch = "mips"))]
const NARROW: &[libc::c_long] = &[
    libc::SYS__llseek,
    libc::SYS_fcntl64,
    libc::SYS_stat64,
    libc::SYS_lstat64,
    libc::SYS_fstat64,
    libc::SYS_statfs64,
    libc::SYS_fstatfs64,
    libc::SYS_sigreturn,
    // clock_gettime64, clock_getres_time64, clock_nanosleep_time64, ppoll_time64, recvmmsg_time64, futex_time64.
    BASE + 403,
    BASE + 406,
    BASE + 407,
    BASE + 414,
    BASE + 417,
    BASE + 422,
];
#[cfg(not(any(target_arch = "arm", target_arch = "mips")))]
const NARROW: &[libc::c_long] = &[];

/// SQLite reads a database beside another program that writes it, which takes its locks and its shared memory.
#[cfg(feature = "sqlite")]
const SQLITE: &[libc::c_long] = &[
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fchown,
    #[cfg(not(target_arch = "mips"))]
    libc::SYS_pread64,
    #[cfg(not(target_arch = "mips"))]
    libc::SYS_pwrite64,
    #[cfg(target_arch = "mips")]
    {
        BASE + 201
    },
    #[cfg(any(target_arch = "arm", target_arch = "mips"))]
    libc::SYS_ftruncate64,
    #[cfg(target_arch = "arm")]
    libc::SYS_fchown32,
];
#[cfg(not(feature = "sqlite"))]
const SQLITE: &[libc::c_long] = &[];

/// No new code: what may be written may not be run.
const NOT_EXECUTABLE: Rule = Rule::Without(2, libc::PROT_EXEC.cast_unsigned());

#[cfg(any(target_arch = "arm", target_arch = "mips"))]
const MAP: libc::c_long = libc::SYS_mmap2;
#[cfg(not(any(target_arch = "arm", target_arch = "mips")))]
const MAP: libc::c_long = libc::SYS_mmap;

/// A device's name by its index, and the other way round (include/uapi/linux/sockios.h).
const SIOCGIFNAME: u32 = 0x8910;
const SIOCGIFINDEX: u32 = 0x8933;

/// What passes with some arguments only.
const BY_ARGUMENT: &[(libc::c_long, Rule)] = &[
    (MAP, NOT_EXECUTABLE),
    (libc::SYS_mprotect, NOT_EXECUTABLE),
    // Threads, and no processes. What the newer call is asked for stands in memory, where no filter sees it: without it,
    // the older one is taken.
    (
        libc::SYS_clone,
        Rule::With(0, libc::CLONE_THREAD.cast_unsigned()),
    ),
    (libc::SYS_clone3, Rule::Unknown),
    (
        libc::SYS_socket,
        Rule::OneOf(
            0,
            &[
                libc::AF_UNIX.cast_unsigned(),
                libc::AF_INET.cast_unsigned(),
                libc::AF_INET6.cast_unsigned(),
                libc::AF_NETLINK.cast_unsigned(),
            ],
        ),
    ),
    (
        libc::SYS_socketpair,
        Rule::OneOf(0, &[libc::AF_UNIX.cast_unsigned()]),
    ),
    (
        libc::SYS_prctl,
        Rule::OneOf(0, &[libc::PR_SET_NAME.cast_unsigned()]),
    ),
    (
        libc::SYS_ioctl,
        Rule::OneOf(
            1,
            &[
                libc::FIONBIO as u32,
                libc::FIOCLEX as u32,
                libc::TCGETS as u32,
                SIOCGIFNAME,
                SIOCGIFINDEX,
            ],
        ),
    ),
];

/// rseq(2), with which glibc starts threads; libc does not have it everywhere.
const RSEQ: Option<libc::c_long> = match () {
    () if cfg!(target_arch = "x86_64") => Some(334),
    () if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) => Some(293),
    () if cfg!(target_arch = "arm") => Some(398),
    () if cfg!(target_arch = "mips") => Some(BASE + 367),
    () => None,
};

/// All rules, sorted by number, each once.
pub(super) fn list(features: Features) -> Vec<(u32, Rule)> {
    let mut found: Vec<(u32, Rule)> = Vec::new();
    let mut add = |call: libc::c_long, rule| {
        if let Ok(number) = u32::try_from(call) {
            let at = found.partition_point(|(other, _)| *other < number);
            if found.get(at).is_none_or(|(other, _)| *other != number) {
                found.insert(at, (number, rule));
            }
        }
    };
    for (call, rule) in BY_ARGUMENT {
        add(*call, *rule);
    }
    for calls in [EVERYWHERE, OLD, OWN, NARROW, SQLITE] {
        for call in calls {
            add(*call, Rule::Pass);
        }
    }
    let bpf = features.bpf.then_some(libc::SYS_bpf);
    let setns = features.setns.then_some(libc::SYS_setns);
    for call in [RSEQ, bpf, setns].into_iter().flatten() {
        add(call, Rule::Pass);
    }
    add(LAST_KNOWN, Rule::Refuse);
    found
}
