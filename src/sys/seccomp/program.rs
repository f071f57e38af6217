//! The filter as a program of the classic BPF machine (bpf(4), `struct sock_filter`): the architecture is compared first, then
//! the call's number is looked for by halving the sorted list, then arguments are looked at where a rule says so.
//!
//! The program reads `struct seccomp_data`: the number, the architecture, an address, and six arguments of 64 bits, of which
//! the lower 32 decide here.

/// `AUDIT_ARCH_…`, as seccomp_data has it.
pub(super) type Architecture = u32;

/// What is done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It passes.
    Pass,
    /// It is refused (EPERM).
    Refuse,
    /// It fails as if the kernel did not have it (ENOSYS).
    Unknown,
    /// It passes where an argument is one of these.
    OneOf(u32, &'static [u32]),
    /// It passes where an argument has all bits of a mask of one bit.
    With(u32, u32),
    /// It passes where an argument has none of these bits.
    Without(u32, u32),
}

/// `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    /// How many instructions are jumped over where the comparison holds.
    pub(super) then: u8,
    /// And where it does not.
    pub(super) otherwise: u8,
    pub(super) value: u32,
}

/// BPF_LD | BPF_W | BPF_ABS
pub(super) const LOAD: u16 = 0x20;
/// BPF_JMP | BPF_JA
pub(super) const JUMP: u16 = 0x05;
/// BPF_JMP | BPF_JEQ | BPF_K
pub(super) const EQUAL: u16 = 0x15;
/// BPF_JMP | BPF_JGE | BPF_K
pub(super) const AT_LEAST: u16 = 0x35;
/// BPF_JMP | BPF_JSET | BPF_K
pub(super) const ANY_BIT: u16 = 0x45;
/// BPF_RET | BPF_K
pub(super) const RETURN: u16 = 0x06;

/// SECCOMP_RET_ALLOW
pub(super) const PASS: u32 = 0x7fff_0000;
/// SECCOMP_RET_ERRNO
const ERRNO: u32 = 0x0005_0000;
pub(super) const REFUSE: u32 = ERRNO | libc::EPERM.cast_unsigned();
pub(super) const UNKNOWN: u32 = ERRNO | libc::ENOSYS.cast_unsigned();

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The filter for calls with these rules, which are sorted by number, each once. A call between them is refused, one beyond
/// the last is unknown.
pub(super) fn assemble(architecture: Architecture, calls: &[(u32, Rule)]) -> Vec<Instruction> {
    let mut program = vec![
        step(LOAD, ARCHITECTURE),
        jump(EQUAL, architecture, 1, 0),
        step(RETURN, REFUSE),
        step(LOAD, NUMBER),
    ];
    search(&ranges(calls), &mut program);
    program
}

/// From which number on which rule is in force, the first from 0.
fn ranges(calls: &[(u32, Rule)]) -> Vec<(u32, Rule)> {
    let mut ranges = vec![(0, Rule::Refuse)];
    let mut begin = |number, rule| {
        if ranges.last().is_some_and(|(at, _)| *at == number) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|(_, before)| *before != rule) {
            ranges.push((number, rule));
        }
    };
    for (number, rule) in calls {
        begin(*number, *rule);
        begin(number + 1, Rule::Refuse);
    }
    if let Some((last, _)) = calls.last() {
        begin(last + 1, Rule::Unknown);
    }
    ranges
}

/// Finds the range in which the number is.
fn search(ranges: &[(u32, Rule)], program: &mut Vec<Instruction>) {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let Some((middle, rule)) = high.first() else {
        return;
    };
    if low.is_empty() {
        return verdict(*rule, program);
    }
    // In two steps, since a comparison alone cannot jump far.
    program.push(jump(AT_LEAST, *middle, 0, 1));
    let at = program.len();
    program.push(step(JUMP, 0));
    search(low, program);
    let over = u32::try_from(program.len() - at - 1).unwrap_or(u32::MAX);
    if let Some(jump) = program.get_mut(at) {
        jump.value = over;
    }
    search(high, program);
}

fn verdict(rule: Rule, program: &mut Vec<Instruction>) {
    let (argument, code, values, then, otherwise): (_, _, &[u32], u8, u8) = match &rule {
        Rule::Pass => return program.push(step(RETURN, PASS)),
        Rule::Refuse => return program.push(step(RETURN, REFUSE)),
        Rule::Unknown => return program.push(step(RETURN, UNKNOWN)),
        Rule::OneOf(argument, values) => (argument, EQUAL, values, 1, 0),
        Rule::With(argument, bit) => (argument, ANY_BIT, std::slice::from_ref(bit), 1, 0),
        Rule::Without(argument, bits) => (argument, ANY_BIT, std::slice::from_ref(bits), 0, 1),
    };
    let lower = if cfg!(target_endian = "big") { 4 } else { 0 };
    program.push(step(LOAD, ARGUMENTS + argument * 8 + lower));
    for (at, value) in values.iter().enumerate() {
        // Over the comparisons that are left.
        let left = u8::try_from(values.len() - 1 - at).unwrap_or(u8::MAX);
        program.push(jump(code, *value, left.saturating_add(then), otherwise));
    }
    program.extend([step(RETURN, REFUSE), step(RETURN, PASS)]);
}

fn step(code: u16, value: u32) -> Instruction {
    jump(code, value, 0, 0)
}

fn jump(code: u16, value: u32, then: u8, otherwise: u8) -> Instruction {
    Instruction {
        code,
        then,
        otherwise,
        value,
    }
}

#[cfg(test)]
mod tests;
