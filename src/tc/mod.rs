//! TC counters: two small programs that the kernel runs for each packet that comes in or goes out, and the map in which
//! they count.
//!
//! [`program`] has the programs, written with [`assembler`] and given to the kernel by [`crate::sys::bpf`]: no compiler,
//! no object file and no type information (BTF) is needed when this is built or run. [`counters`] is the map. Attaching
//! the programs to devices is the business of whoever loads them: as a TCX link (Linux 6.6 and later) or as a filter of
//! the clsact qdisc (5.1 and later), which both take the same programs.
//!
//! It takes CAP_BPF and CAP_NET_ADMIN, before Linux 5.8 CAP_SYS_ADMIN. Nothing outlives the descriptors held here.

pub mod assembler;
pub mod attach;
mod clsact;
pub mod counters;
pub mod program;

use std::ffi::CStr;
use std::fmt;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::Resource;
use rustix::process::Rlimit;

use self::assembler::AssemblyError;
use self::counters::Counters;
pub use self::counters::Counts;
pub use self::counters::Direction;
pub use self::counters::ProtocolCounts;
use self::program::Variant;
use crate::parse::ByteOrder;
use crate::sys::bpf;
use crate::sys::bpf::BpfError;

/// Told to the kernel, which keeps some functions for programs under the GPL; none of them is used.
const LICENSE: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_LICENSE"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    };

/// Why packets cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcError {
    /// The kernel refused.
    Bpf(BpfError),
    /// A program is written wrongly.
    Assembly(AssemblyError),
}

impl fmt::Display for TcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bpf(error) => error.fmt(f),
            Self::Assembly(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TcError {}

impl From<BpfError> for TcError {
    fn from(error: BpfError) -> Self {
        Self::Bpf(error)
    }
}

impl From<AssemblyError> for TcError {
    fn from(error: AssemblyError) -> Self {
        Self::Assembly(error)
    }
}

/// Both programs and their map, in the kernel until this is dropped and no device has them attached.
#[derive(Debug)]
pub struct Programs {
    counters: Counters,
    ingress: OwnedFd,
    egress: OwnedFd,
}

/// Whoever attaches them and whoever reads may be two threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Programs>();
};

impl Programs {
    /// Loads the programs, the longer ones if `protocols` are to be told apart. Nothing is counted yet.
    ///
    /// Before Linux 5.11 maps and programs count as locked memory: where that is too little, RLIMIT_MEMLOCK of this process
    /// is raised.
    ///
    /// # Errors
    /// When the kernel refuses, above all for want of a capability.
    pub fn load(protocols: bool) -> Result<Self, TcError> {
        match Self::load_once(protocols) {
            Err(TcError::Bpf(error)) if error.errno == Errno::PERM && raise_memlock() => {
                Self::load_once(protocols)
            }
            result => result,
        }
    }

    fn load_once(protocols: bool) -> Result<Self, TcError> {
        let counters = Counters::create(protocols)?;
        let load = |direction| {
            let variant = Variant {
                direction,
                protocols,
                gso_size: true,
            };
            match load_variant(variant, &counters) {
                // Kernels before 5.7 do not know it.
                Err(TcError::Bpf(error)) if matches!(error.errno, Errno::ACCESS | Errno::INVAL) => {
                    load_variant(
                        Variant {
                            gso_size: false,
                            ..variant
                        },
                        &counters,
                    )
                }
                result => result,
            }
        };
        let ingress = load(Direction::Ingress)?;
        let egress = load(Direction::Egress)?;
        Ok(Self {
            counters,
            ingress,
            egress,
        })
    }

    /// The program for packets that come in.
    #[must_use]
    pub fn ingress(&self) -> BorrowedFd<'_> {
        self.ingress.as_fd()
    }

    /// The program for packets that go out.
    #[must_use]
    pub fn egress(&self) -> BorrowedFd<'_> {
        self.egress.as_fd()
    }

    /// Begins to count a device's packets in both directions, from 0, once the programs are attached to it.
    /// `link_header` is what its packets begin with: 14 bytes for Ethernet and the loopback device, 0 for those whose
    /// packets begin with IP.
    ///
    /// # Errors
    /// E2BIG when [`counters::DEVICES`] devices are counted already, ENOMEM.
    pub fn add(&self, ifindex: u32, link_header: u32) -> Result<(), TcError> {
        for direction in Direction::ALL {
            if let Err(error) = self.counters.insert(ifindex, direction, link_header) {
                // Half a device would be counted in one direction; the error that tells is the first one.
                let _ = self.remove(ifindex);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Forgets a device; no error if it was unknown.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(&self, ifindex: u32) -> Result<(), TcError> {
        for direction in Direction::ALL {
            self.counters.remove(ifindex, direction)?;
        }
        Ok(())
    }

    /// What was counted since [`Self::add`]; `None` for a device that was not added.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn read(&self, ifindex: u32, direction: Direction) -> Result<Option<Counts>, TcError> {
        Ok(self.counters.read(ifindex, direction)?)
    }
}

fn load_variant(variant: Variant, counters: &Counters) -> Result<OwnedFd, TcError> {
    let instructions = program::assemble(variant, counters.map.as_fd(), ByteOrder::NATIVE)?;
    let called = match variant.direction {
        Direction::Ingress => "weir_ingress",
        Direction::Egress => "weir_egress",
    };
    Ok(bpf::prog_load(called, &instructions, LICENSE)?)
}

/// Raises the limit for locked memory as far as this process may; `false` where that changes nothing.
pub(crate) fn raise_memlock() -> bool {
    let found = rustix::process::getrlimit(Resource::Memlock);
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let most = Rlimit {
        current: found.maximum,
        ..found
    };
    found.current.is_some()
        && (rustix::process::setrlimit(Resource::Memlock, unlimited).is_ok()
            || (found.current != found.maximum
                && rustix::process::setrlimit(Resource::Memlock, most).is_ok()))
}
