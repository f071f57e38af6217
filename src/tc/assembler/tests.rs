//! Instructions against known encodings: what the kernel's own macros (include/linux/filter.h) and RFC 9669 give.

use std::os::fd::AsRawFd;

use super::Condition::*;
use super::Register::*;
use super::Size::*;
use super::*;

/// Encodes what is written for both byte orders, each instruction as the 64-bit number its bytes spell.
fn encoded(write: impl Fn(&mut Assembler)) -> [Vec<u64>; 2] {
    [ByteOrder::Little, ByteOrder::Big].map(|order| {
        let mut assembler = Assembler::default();
        write(&mut assembler);
        let bytes = assembler.finish(order).unwrap();
        bytes.into_iter().map(u64::from_be_bytes).collect()
    })
}

type Row = (fn(&mut Assembler), u64, u64);

/// The instruction, its bytes on a little-endian machine, and on a big-endian one.
const TABLE: &[Row] = &[
    (
        |a| a.set(R0, -1),
        0xb700_0000_ffff_ffff,
        0xb700_0000_ffff_ffff,
    ),
    (
        |a| a.set(R6, R1),
        0xbf16_0000_0000_0000,
        0xbf61_0000_0000_0000,
    ),
    (
        |a| a.set(R9, 0x86dd),
        0xb709_0000_dd86_0000,
        0xb790_0000_0000_86dd,
    ),
    (
        |a| a.add(R2, -8),
        0x0702_0000_f8ff_ffff,
        0x0720_0000_ffff_fff8,
    ),
    (
        |a| a.add(R8, R1),
        0x0f18_0000_0000_0000,
        0x0f81_0000_0000_0000,
    ),
    (
        |a| a.subtract(R3, 1),
        0x1703_0000_0100_0000,
        0x1730_0000_0000_0001,
    ),
    (
        |a| a.subtract(R1, R8),
        0x1f81_0000_0000_0000,
        0x1f18_0000_0000_0000,
    ),
    (
        |a| a.mask(R1, 0x0f),
        0x5701_0000_0f00_0000,
        0x5710_0000_0000_000f,
    ),
    (
        |a| a.shift_left(R1, 2),
        0x6701_0000_0200_0000,
        0x6710_0000_0000_0002,
    ),
    (
        |a| a.shift_right(R1, 4),
        0x7701_0000_0400_0000,
        0x7710_0000_0000_0004,
    ),
    (
        |a| a.multiply_words(R3, R8),
        0x2c83_0000_0000_0000,
        0x2c38_0000_0000_0000,
    ),
    (
        |a| a.divide_words(R1, R3),
        0x3c31_0000_0000_0000,
        0x3c13_0000_0000_0000,
    ),
    (
        |a| a.from_network_half(R9),
        0xdc09_0000_1000_0000,
        0xdc90_0000_0000_0010,
    ),
    (
        |a| a.load(Byte, R1, R10, -32),
        0x71a1_e0ff_0000_0000,
        0x711a_ffe0_0000_0000,
    ),
    (
        |a| a.load(Half, R9, R10, -30),
        0x69a9_e2ff_0000_0000,
        0x699a_ffe2_0000_0000,
    ),
    (
        |a| a.load(Word, R1, R6, 40),
        0x6161_2800_0000_0000,
        0x6116_0028_0000_0000,
    ),
    (
        |a| a.load(Double, R1, R7, 8),
        0x7971_0800_0000_0000,
        0x7917_0008_0000_0000,
    ),
    (
        |a| a.store(Byte, R10, -1, R1),
        0x731a_ffff_0000_0000,
        0x73a1_ffff_0000_0000,
    ),
    (
        |a| a.store(Half, R10, -2, 258),
        0x6a0a_feff_0201_0000,
        0x6aa0_fffe_0000_0102,
    ),
    (
        |a| a.store(Word, R10, -8, R1),
        0x631a_f8ff_0000_0000,
        0x63a1_fff8_0000_0000,
    ),
    (
        |a| a.store(Word, R10, -4, 1),
        0x620a_fcff_0100_0000,
        0x62a0_fffc_0000_0001,
    ),
    (
        |a| a.store(Double, R7, 16, R2),
        0x7b27_1000_0000_0000,
        0x7b72_0010_0000_0000,
    ),
    (
        |a| a.store(Double, R10, -16, 1),
        0x7a0a_f0ff_0100_0000,
        0x7aa0_fff0_0000_0001,
    ),
    (
        |a| a.call(Function::MapLookup),
        0x8500_0000_0100_0000,
        0x8500_0000_0000_0001,
    ),
    (
        |a| a.call(Function::LoadBytesRelative),
        0x8500_0000_4400_0000,
        0x8500_0000_0000_0044,
    ),
    (
        Assembler::exit,
        0x9500_0000_0000_0000,
        0x9500_0000_0000_0000,
    ),
];

#[test]
fn instructions_are_encoded_as_the_kernel_reads_them() {
    for (row, (write, little, big)) in TABLE.iter().enumerate() {
        let expected = [vec![*little], vec![*big]];
        let found = encoded(write);
        assert_eq!(found, expected, "row {row}: {found:x?}, not {expected:x?}");
    }
}

#[test]
fn a_map_takes_two_instructions() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let number = u64::from(file.as_raw_fd().cast_unsigned());
    let [little, big] = encoded(|a| a.load_map(R1, std::os::fd::AsFd::as_fd(&file)));
    let swapped = u64::from(file.as_raw_fd().cast_unsigned().swap_bytes());
    assert_eq!(little, [0x1811_0000_0000_0000 | swapped, 0]);
    assert_eq!(big, [0x1811_0000_0000_0000 | number, 0]);
}

#[test]
fn jumps_count_from_the_instruction_that_follows() {
    let [little, big] = encoded(|a| {
        let (near, end) = (a.label(), a.label());
        a.jump_if(R0, Is, 0, end);
        a.jump_if(R2, Above, 1, near);
        a.jump_if(R1, Above, R8, near);
        a.place(near);
        a.jump_if(R9, IsNot, 6, end);
        a.jump(end);
        a.exit();
        a.place(end);
        a.exit();
    });
    let exit = 0x9500_0000_0000_0000;
    let jumps = [
        0x1500_0500_0000_0000,
        0x2502_0100_0100_0000,
        0x2d81_0000_0000_0000,
        0x5509_0200_0600_0000,
        0x0500_0100_0000_0000,
    ];
    assert_eq!(little[..5], jumps, "{little:x?}");
    assert_eq!(little[5..], [exit, exit]);
    let jumps = [
        0x1500_0005_0000_0000,
        0x2520_0001_0000_0001,
        0x2d18_0000_0000_0000,
        0x5590_0002_0000_0006,
        0x0500_0001_0000_0000,
    ];
    assert_eq!(big[..5], jumps, "{big:x?}");
}

#[test]
fn a_jump_without_a_place_is_an_error() {
    let mut a = Assembler::default();
    let label = a.label();
    a.exit();
    a.jump(label);
    let error = a.finish(ByteOrder::NATIVE).unwrap_err();
    assert_eq!(error, AssemblyError::Unplaced(1));
    assert_eq!(
        error.to_string(),
        "instruction 1: expected a label with a place, found one without"
    );
}

#[test]
fn a_jump_backwards_or_too_far_is_an_error() {
    let mut a = Assembler::default();
    let label = a.label();
    a.place(label);
    a.jump(label);
    let error = a.finish(ByteOrder::NATIVE).unwrap_err();
    assert_eq!(error, AssemblyError::Distance(0));
    for (between, fits) in [(32_767, true), (32_768, false)] {
        let mut a = Assembler::default();
        let label = a.label();
        a.jump(label);
        for _ in 0..between {
            a.exit();
        }
        a.place(label);
        a.exit();
        assert_eq!(a.finish(ByteOrder::NATIVE).is_ok(), fits, "{between}");
    }
}
