//! BPF_PROG_TEST_RUN: a program run in the kernel on a packet of ours. The live tests and the bench use it.
//!
//! `bpf_prog_test_run_skb` in net/bpf/test_run.c, since Linux 4.12, with a context since 5.2. The packet begins with an
//! Ethernet header and is taken as received by the device that the context names, else by the loopback device. Of the
//! context (`struct __sk_buff`) mark, priority, ingress_ifindex, ifindex, cb, tstamp, wire_len, gso_segs, gso_size and
//! hwtstamp may be set; anything else must be 0.

use std::os::fd::BorrowedFd;

use super::BpfError;
use super::Command;
use super::address;
use super::call;
use super::descriptor;

#[repr(C)]
struct ProgTestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
}

const _: () = assert!(size_of::<ProgTestRun>() == 64);

// SAFETY: BPF_PROG_TEST_RUN and the beginning of its struct, up to the context that comes back.
unsafe impl Command for ProgTestRun {
    const NUMBER: libc::c_long = 10;
    const NAME: &'static str = "BPF_PROG_TEST_RUN";
}

/// What a program did to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// What it returned.
    pub returned: i32,
    /// The mean time of a run, in nanoseconds.
    pub nanoseconds: u32,
    /// The packet after the last run.
    pub packet: Vec<u8>,
    /// The context after the last run.
    pub context: Vec<u8>,
}

/// Runs a program `repeat` times on a packet; an empty context is one of zeros.
///
/// # Errors
/// When the kernel refuses the packet or the context, or the context names a device that does not exist.
pub fn prog_test_run(
    program: BorrowedFd<'_>,
    packet: &[u8],
    context: &[u8],
    repeat: u32,
) -> Result<TestRun, BpfError> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    // A program of this kind could make the packet longer.
    let mut packet_out = vec![0u8; packet.len() + 256];
    let mut context_out = vec![0u8; context.len()];
    let mut attributes = ProgTestRun {
        prog_fd: descriptor(program),
        retval: 0,
        data_size_in: length(packet),
        data_size_out: length(&packet_out),
        data_in: address(packet.as_ptr()),
        data_out: address(packet_out.as_mut_ptr()),
        repeat,
        duration: 0,
        ctx_size_in: length(context),
        ctx_size_out: length(&context_out),
        ctx_in: if context.is_empty() {
            0
        } else {
            address(context.as_ptr())
        },
        ctx_out: if context.is_empty() {
            0
        } else {
            address(context_out.as_mut_ptr())
        },
    };
    // SAFETY: packet and context are as long as it says, those that go in and those that come out.
    unsafe { call(&mut attributes) }.map_err(BpfError::of::<ProgTestRun>)?;
    packet_out.truncate(attributes.data_size_out as usize);
    context_out.truncate(attributes.ctx_size_out as usize);
    Ok(TestRun {
        returned: attributes.retval.cast_signed(),
        nanoseconds: attributes.duration,
        packet: packet_out,
        context: context_out,
    })
}
