//! What the kernel demands of maps, programs and of who loads them.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use weir::parse::ByteOrder;
use weir::sys::bpf::PerCpuHash;
use weir::sys::bpf::TcxAttach;
use weir::sys::bpf::link_create_tcx;
use weir::sys::bpf::prog_load;
use weir::sys::bpf::prog_test_run;
use weir::tc::Direction;
use weir::tc::Programs;
use weir::tc::TcError;
use weir::tc::program::Variant;
use weir::tc::program::assemble;

use super::packets::Context;
use super::packets::Packet;
use crate::support::skip;

/// Runs in a thread of its own that has only these capabilities.
fn with_only<T: Send + 'static>(
    capabilities: CapabilitySet,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let thread = std::thread::spawn(move || {
        let sets = CapabilitySets {
            effective: capabilities,
            permitted: capabilities,
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, sets)
            .map_err(|errno| format!("cannot give up capabilities: {errno}"))?;
        Ok(run())
    });
    thread.join().unwrap()
}

#[test]
fn two_capabilities_are_enough() {
    let needed = CapabilitySet::BPF | CapabilitySet::NET_ADMIN;
    for protocols in [false, true] {
        let loaded = with_only(needed, move || Programs::load(protocols).map(|_| ()));
        match loaded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return skip(&error.to_string()),
            Err(reason) => return skip(&reason),
        }
    }
}

#[test]
fn without_capabilities_the_error_says_what_is_needed() {
    let loaded = with_only(CapabilitySet::empty(), || Programs::load(false).map(|_| ()));
    match loaded {
        Ok(result) => assert_eq!(
            result.unwrap_err().to_string(),
            "bpf BPF_MAP_CREATE: Operation not permitted (os error 1): needs CAP_BPF and CAP_NET_ADMIN, \
             before Linux 5.8 CAP_SYS_ADMIN, and a seccomp filter that lets bpf(2) pass"
        ),
        Err(reason) => skip(&reason),
    }
}

#[test]
fn cap_bpf_alone_loads_no_program() {
    let loaded = with_only(CapabilitySet::BPF, || Programs::load(false).map(|_| ()));
    match loaded {
        Ok(Err(TcError::Bpf(error))) if error.call == "BPF_PROG_LOAD" => {
            assert_eq!(error.errno, Errno::PERM);
        }
        Ok(result) => skip(&format!("{result:?}")),
        Err(reason) => skip(&reason),
    }
}

#[test]
fn kernels_without_gso_size_are_served_too() {
    for (protocols, words) in [(false, 5), (true, 21)] {
        let map = match PerCpuHash::create("test", words, 2) {
            Ok(map) => map,
            Err(error) => return skip(&error.to_string()),
        };
        map.update([1, 0], &[14]).unwrap();
        map.update([1, 1], &[14]).unwrap();
        // 14 + 20 + 20 bytes of headers. Of what nobody counted, such a kernel says nothing.
        for (direction, gso_segs, packets, bytes) in [
            (Direction::Ingress, 2, 2, 2054 + 54),
            (Direction::Ingress, 0, 3, 4162),
            (Direction::Egress, 2, 2, 2222),
            (Direction::Egress, 0, 3, 4444),
        ] {
            let variant = Variant {
                direction,
                protocols,
                gso_size: false,
            };
            let code = assemble(variant, map.as_fd(), ByteOrder::NATIVE).unwrap();
            let program = prog_load("test", &code, c"MIT").unwrap();
            let mut payload = vec![0; 2020];
            payload[12] = 0x50;
            let context = Context {
                gso_segs,
                gso_size: 1000,
                wire_len: 2222,
            };
            let packet = Packet::ipv4(6, &payload);
            prog_test_run(program.as_fd(), &packet.0, &context.bytes(), 1).unwrap();
            let number = if direction == Direction::Ingress {
                0
            } else {
                1
            };
            let values = map.lookup([1, number]).unwrap().unwrap();
            // The row for TCP over IPv4 is the second one.
            let row = if protocols { 5 } else { 3 };
            let sum = |word: usize| -> u64 {
                let cpus = values.chunks_exact(usize::from(words));
                cpus.map(|value| value[word]).sum()
            };
            assert_eq!((sum(row), sum(row + 1)), (packets, bytes), "{variant:?}");
        }
    }
}

#[test]
fn a_value_has_room_for_every_possible_cpu() {
    let map = match PerCpuHash::create("test", 3, 1) {
        Ok(map) => map,
        Err(error) => return skip(&error.to_string()),
    };
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
    let ranges = text.trim().split(',').map(|range| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        high.parse::<usize>().unwrap() - low.parse::<usize>().unwrap() + 1
    });
    map.update([7, 7], &[1, 2, 3]).unwrap();
    let values = map.lookup([7, 7]).unwrap().unwrap();
    assert_eq!(values, [1, 2, 3].repeat(ranges.sum()));
    assert_eq!(map.lookup([7, 8]), Ok(None));
    let error = map.update([7, 8], &[1]).unwrap_err();
    assert_eq!(error.errno, Errno::TOOBIG);
    assert!(error.to_string().ends_with(": the map is full"), "{error}");
    assert_eq!(map.delete([7, 7]), Ok(true));
    assert_eq!(map.delete([7, 7]), Ok(false));
}

#[test]
fn a_refused_program_comes_with_the_verifiers_reason() {
    // An exit without an answer in R0.
    let mut code = [[0u8; 8]];
    code[0][0] = 0x95;
    let error = match prog_load("test", &code, c"MIT") {
        Err(error) if error.errno == Errno::PERM => return skip(&error.to_string()),
        result => result.unwrap_err(),
    };
    assert_eq!(error.errno, Errno::ACCESS);
    assert!(error.log.contains("R0 !read_ok"), "{error:?}");
    assert!(error.to_string().len() < 700, "{error}");
}

#[test]
fn a_link_to_no_device_says_so() {
    let programs = match Programs::load(false) {
        Ok(programs) => programs,
        Err(error) => return skip(&error.to_string()),
    };
    let error = link_create_tcx(programs.ingress(), 0x7fff_fff0, TcxAttach::Ingress).unwrap_err();
    if error.errno == Errno::INVAL {
        return skip(&error.to_string());
    }
    assert_eq!(
        error.to_string(),
        "bpf BPF_LINK_CREATE: No such device (os error 19): the device is gone"
    );
}
