//! What can be told of the programs without a kernel.

use std::fs::File;
use std::os::fd::AsFd;

use super::*;

/// Every program there is, for this byte order.
fn all(order: ByteOrder) -> Vec<(Variant, Vec<[u8; 8]>)> {
    let map = File::open("/dev/null").unwrap();
    let mut all = Vec::new();
    for direction in Direction::ALL {
        for protocols in [false, true] {
            for gso_size in [false, true] {
                let variant = Variant {
                    direction,
                    protocols,
                    gso_size,
                };
                let program = assemble(variant, map.as_fd(), order).unwrap();
                all.push((variant, program));
            }
        }
    }
    all
}

#[test]
fn programs_are_short_enough_for_every_kernel() {
    for (variant, program) in all(ByteOrder::NATIVE) {
        // Before Linux 5.2 a program had at most 4096 instructions.
        let most = if variant.protocols { 450 } else { 350 };
        assert!(program.len() <= most, "{variant:?}: {}", program.len());
    }
    let older = all(ByteOrder::NATIVE).swap_remove(4);
    // No header is read of what goes out.
    assert_eq!((older.0.direction, older.1.len()), (Direction::Egress, 32));
}

#[test]
fn no_function_is_called_but_two_that_any_licence_may() {
    for (variant, program) in all(ByteOrder::Little) {
        let calls = program.iter().filter(|instruction| instruction[0] == 0x85);
        let mut functions: Vec<u8> = calls.map(|instruction| instruction[4]).collect();
        functions.sort_unstable();
        functions.dedup();
        let expected: &[u8] = match variant.direction {
            Direction::Egress if !variant.protocols && !variant.gso_size => &[1],
            _ => &[1, 68],
        };
        assert_eq!(functions, expected, "{variant:?}");
    }
}

#[test]
fn older_kernels_are_not_asked_for_gso_size() {
    for (variant, program) in all(ByteOrder::Little) {
        // Loads of a word from R6, the context, of which gso_size begins at byte 176.
        let asked = program.iter().any(|[operation, registers, low, ..]| {
            (*operation, registers >> 4, *low) == (0x61, 6, 176)
        });
        assert_eq!(asked, variant.gso_size, "{variant:?}");
    }
}

#[test]
fn nothing_is_written_but_the_stack_and_the_counters() {
    for (variant, program) in all(ByteOrder::Little) {
        let stores = program
            .iter()
            .filter(|[operation, ..]| operation & 7 == 2 || operation & 7 == 3);
        for [operation, registers, ..] in stores {
            let base = registers & 0x0f;
            assert!(
                base == 10 || base == 7,
                "{variant:?}: {operation:x} R{base}"
            );
        }
    }
}

#[test]
fn both_byte_orders_have_the_same_instructions() {
    for ((_, little), (variant, big)) in all(ByteOrder::Little).iter().zip(all(ByteOrder::Big)) {
        let swapped: Vec<[u8; 8]> = little
            .iter()
            .map(|[operation, registers, a, b, c, d, e, f]| {
                [*operation, registers.rotate_left(4), *b, *a, *f, *e, *d, *c]
            })
            .collect();
        assert_eq!(swapped, big, "{variant:?}");
    }
}
