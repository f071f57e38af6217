//! System calls that rustix does not have, as safe functions: the only place where `unsafe` may stand.

#![expect(unsafe_code, reason = "system calls are what this is for")]

pub mod bpf;
pub mod landlock;
pub mod seccomp;
