//! The programs.

use super::assembler::Assembler;
use super::assembler::AssemblyError;
use super::assembler::Register::R0;
use super::counters::Direction;
use crate::parse::ByteOrder;
use std::os::fd::BorrowedFd;

/// TCX_NEXT, and TC_ACT_UNSPEC of the older hook: what comes next decides about the packet.
const NEXT: i32 = -1;

/// What a program is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) direction: Direction,
    /// Whether it tells protocols apart.
    pub(super) protocols: bool,
    /// Whether the kernel tells `gso_size` (since Linux 5.7).
    pub(super) gso_size: bool,
}

/// # Errors
/// When the program is written wrongly.
pub(super) fn assemble(
    variant: Variant,
    map: BorrowedFd<'_>,
    order: ByteOrder,
) -> Result<Vec<[u8; 8]>, AssemblyError> {
    let _ = (variant, map);
    let mut a = Assembler::default();
    a.set(R0, NEXT);
    a.exit();
    a.finish(order)
}
