//! Why packets are not counted, in a line that says what to do about it.

use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::sys::bpf::BpfError;
use crate::tc::TcError;

/// Why nothing, or one interface, is not counted.
#[derive(Debug)]
pub enum AttachError {
    /// The programs could not be loaded, or their map not be used.
    Programs(TcError),
    /// A TCX link was refused.
    Tcx(BpfError),
    /// The kernel refused the discipline clsact or a filter on it.
    Clsact(NetlinkError),
    /// The device has the older discipline ingress, which cannot have filters for what goes out.
    Ingress,
    /// A foreign filter stands where ours belong.
    PlaceTaken,
    /// The devices could not be listed or watched.
    Links(NetlinkError),
    /// The system gave no thread.
    Thread(io::Error),
    /// The thread panicked; the log says where.
    Ended,
}

impl AttachError {
    /// Whether the device just went, which the kernel tells separately.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Tcx(error) => error.errno == Errno::NODEV,
            Self::Clsact(error) => error.cause == Cause::Refused(Errno::NODEV),
            _ => false,
        }
    }

    /// Whether no other interface would fare better.
    pub(super) fn is_everywhere(&self) -> bool {
        match self {
            Self::Tcx(error) => matches!(error.errno, Errno::PERM | Errno::INVAL | Errno::NOSYS),
            Self::Clsact(error) => {
                let passing = matches!(error.cause, Cause::Call(..));
                passing || matches!(error.cause, Cause::Refused(Errno::PERM | Errno::NOENT))
            }
            Self::Ingress | Self::PlaceTaken => false,
            Self::Programs(_) | Self::Links(_) | Self::Thread(_) | Self::Ended => true,
        }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Programs(error) => error.fmt(f),
            Self::Tcx(error) => error.fmt(f),
            Self::Clsact(error) => {
                error.fmt(f)?;
                match error.cause {
                    Cause::Refused(Errno::PERM) => {
                        write!(f, ": needs CAP_NET_ADMIN in this network namespace")
                    }
                    Cause::Refused(Errno::NOENT) => write!(
                        f,
                        ": needs Linux 6.6 for TCX, or a kernel with clsact and BPF filters (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF; \
                         kmod-sched-core and kmod-sched-bpf on OpenWrt)"
                    ),
                    _ => Ok(()),
                }
            }
            Self::Ingress => write!(
                f,
                "expected no discipline or clsact, found ingress, whose filters cannot see what goes out: \
                 remove it (tc qdisc del dev DEVICE ingress) or use Linux 6.6 for TCX"
            ),
            Self::PlaceTaken => write!(
                f,
                "expected no filter at preference 27, found another program's: move it (tc filter show dev DEVICE ingress) or use Linux 6.6 for TCX"
            ),
            Self::Links(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "no thread to attach the programs: {error}"),
            Self::Ended => write!(
                f,
                "the thread that attaches the programs ended; the log says why: restart weir"
            ),
        }
    }
}

impl std::error::Error for AttachError {}

impl From<TcError> for AttachError {
    fn from(error: TcError) -> Self {
        Self::Programs(error)
    }
}

impl From<BpfError> for AttachError {
    fn from(error: BpfError) -> Self {
        Self::Tcx(error)
    }
}

/// Whatever is asked of netlink about an interface is about clsact; the devices' list says so itself.
impl From<NetlinkError> for AttachError {
    fn from(error: NetlinkError) -> Self {
        Self::Clsact(error)
    }
}
