//! An assembler for BPF: typed instructions in, with labels for jumps that lead forward; what the kernel reads out.
//!
//! The encoding is documented in RFC 9669 and include/uapi/linux/bpf.h (`struct bpf_insn`): 8 bytes an instruction, words
//! in the machine's byte order. The two registers share a byte, the destination in the lower half on little-endian
//! machines and in the upper half on big-endian ones, because the kernel declares them as bit fields.
//!
//! ```text
//! 0 operation  1 registers  2 offset (16 bits)  4 immediate value (32 bits)
//! ```
//!
//! `a.add(R1, 8)` and `a.add(R1, R2)` work on 64 bits; so do moves, masks and shifts. Multiplication and division are of
//! 32 bits here, because the compilers of 32-bit kernels know no 64-bit division. Jumps compare 64 bits, immediate values
//! sign-extended.

use std::fmt;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

use crate::parse::ByteOrder;

/// A register. `R0` is what a function answers, `R1` to `R5` are its arguments and lost by the call, `R6` to `R9` are
/// kept, and `R10` is the end of the stack of 512 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the numbers are the names")]
pub enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// How much of memory a load or a store moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
    /// 8 bytes.
    Double,
}

/// What is true of a register when a jump is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Equal.
    Is,
    /// Not equal.
    IsNot,
    /// Greater, as numbers without sign.
    Above,
}

/// A function of the kernel that a program may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `bpf_map_lookup_elem(map, key)`: the value's address, or 0.
    MapLookup = 1,
    /// `bpf_skb_load_bytes_relative(skb, offset, to, length, from)`: 0, or an error. Since Linux 4.18.
    LoadBytesRelative = 68,
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register's value.
    Register(Register),
    /// A value in the instruction itself.
    Immediate(i32),
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<i32> for Operand {
    fn from(value: i32) -> Self {
        Self::Immediate(value)
    }
}

/// One instruction before it is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Instruction {
    operation: u8,
    destination: u8,
    source: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    fn encode(self, order: ByteOrder) -> [u8; 8] {
        let (registers, offset, immediate) = match order {
            ByteOrder::Little => (
                self.source << 4 | self.destination,
                self.offset.to_le_bytes(),
                self.immediate.to_le_bytes(),
            ),
            ByteOrder::Big => (
                self.destination << 4 | self.source,
                self.offset.to_be_bytes(),
                self.immediate.to_be_bytes(),
            ),
        };
        let ([o0, o1], [i0, i1, i2, i3]) = (offset, immediate);
        [self.operation, registers, o0, o1, i0, i1, i2, i3]
    }
}

/// A place that jumps lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// A program that cannot be encoded: a mistake of whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssemblyError {
    /// The instruction with this number jumps to a label that stands nowhere.
    Unplaced(usize),
    /// The instruction with this number jumps backwards, or farther than 32,767 instructions.
    Distance(usize),
}

impl fmt::Display for AssemblyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplaced(at) => write!(
                f,
                "instruction {at}: expected a label with a place, found one without"
            ),
            Self::Distance(at) => write!(
                f,
                "instruction {at}: expected a jump forward of at most 32767, found another"
            ),
        }
    }
}

impl std::error::Error for AssemblyError {}

/// A program that is being written.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    instructions: Vec<Instruction>,
    /// Before which instruction each label stands.
    places: Vec<Option<usize>>,
    /// Which instructions jump, and where to.
    jumps: Vec<(usize, Label)>,
}

/// Classes, sources and operations of `struct bpf_insn`.
const LD_IMM_DOUBLE: u8 = 0x18;
const LDX_MEM: u8 = 0x61;
const ST_MEM: u8 = 0x62;
const STX_MEM: u8 = 0x63;
const ALU: u8 = 0x04;
const JMP: u8 = 0x05;
const ALU64: u8 = 0x07;
const FROM_REGISTER: u8 = 0x08;
const ADD: u8 = 0x00;
const SUB: u8 = 0x10;
const MUL: u8 = 0x20;
const DIV: u8 = 0x30;
const AND: u8 = 0x50;
const LSH: u8 = 0x60;
const RSH: u8 = 0x70;
const MOV: u8 = 0xb0;
const END: u8 = 0xd0;
const JA: u8 = 0x00;
const JEQ: u8 = 0x10;
const JGT: u8 = 0x20;
const JNE: u8 = 0x50;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
/// As the source register of a 64-bit immediate value: it is a map's descriptor.
const PSEUDO_MAP_FD: u8 = 1;

impl Size {
    /// Bits 3 and 4 of the operation, as a difference to Word's, which are 0.
    fn bits(self) -> u8 {
        match self {
            Self::Word => 0x00,
            Self::Half => 0x08,
            Self::Byte => 0x10,
            Self::Double => 0x18,
        }
    }
}

impl Assembler {
    fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }

    /// An operation on a register and an operand, which bit 3 tells from an immediate value.
    fn operate(&mut self, operation: u8, destination: Register, operand: Operand) {
        let instruction = Instruction {
            operation,
            destination: destination as u8,
            ..Instruction::default()
        };
        self.push(match operand {
            Operand::Register(source) => Instruction {
                operation: operation | FROM_REGISTER,
                source: source as u8,
                ..instruction
            },
            Operand::Immediate(immediate) => Instruction {
                immediate,
                ..instruction
            },
        });
    }

    /// `destination = operand`
    pub fn set(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU64 | MOV, destination, operand.into());
    }

    /// `destination += operand`
    pub fn add(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU64 | ADD, destination, operand.into());
    }

    /// `destination -= operand`
    pub fn subtract(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU64 | SUB, destination, operand.into());
    }

    /// `destination &= operand`
    pub fn mask(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU64 | AND, destination, operand.into());
    }

    /// `destination <<= operand`
    pub fn shift_left(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU64 | LSH, destination, operand.into());
    }

    /// `destination >>= operand`, zeros coming in
    pub fn shift_right(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU64 | RSH, destination, operand.into());
    }

    /// `destination *= operand`, the lower 32 bits of it
    pub fn multiply_words(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU | MUL, destination, operand.into());
    }

    /// `destination /= operand`, both of 32 bits without sign; 0 for a division by 0
    pub fn divide_words(&mut self, destination: Register, operand: impl Into<Operand>) {
        self.operate(ALU | DIV, destination, operand.into());
    }

    /// Takes the lower 16 bits of what was loaded from a packet as the number they are there.
    pub fn from_network_half(&mut self, destination: Register) {
        // To big-endian: swaps bytes on little-endian machines, and cuts to 16 bits on all.
        self.push(Instruction {
            operation: ALU | END | FROM_REGISTER,
            destination: destination as u8,
            immediate: 16,
            ..Instruction::default()
        });
    }

    /// `destination = *(base + offset)`, zeros above
    pub fn load(&mut self, size: Size, destination: Register, base: Register, offset: i16) {
        self.push(Instruction {
            operation: LDX_MEM | size.bits(),
            destination: destination as u8,
            source: base as u8,
            offset,
            immediate: 0,
        });
    }

    /// `*(base + offset) = operand`
    pub fn store(&mut self, size: Size, base: Register, offset: i16, operand: impl Into<Operand>) {
        let (operation, source, immediate) = match operand.into() {
            Operand::Register(source) => (STX_MEM, source as u8, 0),
            Operand::Immediate(immediate) => (ST_MEM, 0, immediate),
        };
        self.push(Instruction {
            operation: operation | size.bits(),
            destination: base as u8,
            source,
            offset,
            immediate,
        });
    }

    /// `destination` = the map, as functions take it; two instructions long
    pub fn load_map(&mut self, destination: Register, map: BorrowedFd<'_>) {
        self.push(Instruction {
            operation: LD_IMM_DOUBLE,
            destination: destination as u8,
            source: PSEUDO_MAP_FD,
            offset: 0,
            immediate: map.as_raw_fd(),
        });
        self.push(Instruction::default());
    }

    /// `R0 = function(R1, …)`
    pub fn call(&mut self, function: Function) {
        self.push(Instruction {
            operation: JMP | CALL,
            immediate: function as i32,
            ..Instruction::default()
        });
    }

    /// Ends the program; `R0` is its answer.
    pub fn exit(&mut self) {
        self.push(Instruction {
            operation: JMP | EXIT,
            ..Instruction::default()
        });
    }

    /// A label that has no place yet.
    pub fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// Jumps to `label` come here.
    pub fn place(&mut self, label: Label) {
        let here = self.instructions.len();
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(here);
        }
    }

    /// Goes on at `label`.
    pub fn jump(&mut self, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(Instruction {
            operation: JMP | JA,
            ..Instruction::default()
        });
    }

    /// Goes on at `label` if the condition is true of the register.
    pub fn jump_if(
        &mut self,
        register: Register,
        condition: Condition,
        operand: impl Into<Operand>,
        label: Label,
    ) {
        let operation = match condition {
            Condition::Is => JEQ,
            Condition::IsNot => JNE,
            Condition::Above => JGT,
        };
        self.jumps.push((self.instructions.len(), label));
        self.operate(JMP | operation, register, operand.into());
    }

    /// The program as a kernel of this byte order reads it.
    ///
    /// # Errors
    /// When a jump leads nowhere, backwards or too far.
    pub fn finish(mut self, order: ByteOrder) -> Result<Vec<[u8; 8]>, AssemblyError> {
        for (at, label) in &self.jumps {
            let place = self.places.get(label.0).copied().flatten();
            let place = place.ok_or(AssemblyError::Unplaced(*at))?;
            // Counted from the instruction after the jump.
            let distance = place
                .checked_sub(at + 1)
                .and_then(|distance| i16::try_from(distance).ok())
                .ok_or(AssemblyError::Distance(*at))?;
            if let Some(jump) = self.instructions.get_mut(*at) {
                jump.offset = distance;
            }
        }
        let encoded = self.instructions.iter();
        Ok(encoded.map(|one| one.encode(order)).collect())
    }
}

#[cfg(test)]
mod tests;
