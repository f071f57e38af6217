//! Why bpf(2) refused, and what to do about it.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::Command;

/// How much of the verifier's log an error shows, from its end, where the reason stands, in bytes.
const SHOWN: usize = 400;

/// A refusal of bpf(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpfError {
    /// The command.
    pub call: &'static str,
    /// What the kernel answered.
    pub errno: Errno,
    /// The end of what the verifier wrote of a program, in one line; empty where it did not.
    pub log: String,
}

impl BpfError {
    pub(super) fn of<C: Command>(errno: Errno) -> Self {
        Self {
            call: C::NAME,
            errno,
            log: String::new(),
        }
    }

    /// Keeps the last lines of the verifier's log, but for its statistics.
    pub(super) fn set_log(&mut self, log: &[u8]) {
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
        let text = String::from_utf8_lossy(log.get(..end).unwrap_or_default());
        let mut kept = String::new();
        for line in text.lines().rev().map(str::trim) {
            let statistics =
                line.starts_with("processed ") || line.starts_with("verification time ");
            if line.is_empty() || statistics {
                continue;
            }
            if kept.is_empty() {
                kept = line.chars().take(SHOWN).collect();
            } else if kept.len() + line.len() > SHOWN {
                break;
            } else {
                kept = format!("{line}; {kept}");
            }
        }
        self.log = kept;
    }

    /// What it takes, where the kernel's answer tells that much.
    fn needed(&self) -> Option<&'static str> {
        Some(match (self.call, self.errno) {
            (_, Errno::PERM) => {
                "needs CAP_BPF and CAP_NET_ADMIN, before Linux 5.8 CAP_SYS_ADMIN, and a seccomp filter that lets bpf(2) pass"
            }
            (_, Errno::NOSYS) => "needs a kernel with CONFIG_BPF_SYSCALL",
            ("BPF_LINK_CREATE", Errno::INVAL) => "TCX needs Linux 6.6 or later",
            ("BPF_LINK_CREATE", Errno::NODEV) => "the device is gone",
            ("BPF_MAP_UPDATE_ELEM", Errno::TOOBIG) => "the map is full",
            ("BPF_PROG_TEST_RUN", _) => return None,
            (_, Errno::INVAL | Errno::ACCESS) => "needs Linux 5.1 or later",
            _ => return None,
        })
    }
}

impl fmt::Display for BpfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bpf {}: {}", self.call, io::Error::from(self.errno))?;
        if let Some(needed) = self.needed() {
            write!(f, ": {needed}")?;
        }
        if !self.log.is_empty() {
            write!(f, ": the verifier says: {}", self.log)?;
        }
        Ok(())
    }
}

impl std::error::Error for BpfError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(call: &'static str, errno: Errno) -> BpfError {
        BpfError {
            call,
            errno,
            log: String::new(),
        }
    }

    #[test]
    fn an_error_says_what_it_takes() {
        for (call, errno, end) in [
            (
                "BPF_MAP_CREATE",
                Errno::PERM,
                ": needs CAP_BPF and CAP_NET_ADMIN, before Linux 5.8 CAP_SYS_ADMIN, and a seccomp filter that lets bpf(2) pass",
            ),
            (
                "BPF_MAP_CREATE",
                Errno::NOSYS,
                ": needs a kernel with CONFIG_BPF_SYSCALL",
            ),
            ("BPF_PROG_LOAD", Errno::INVAL, ": needs Linux 5.1 or later"),
            ("BPF_PROG_LOAD", Errno::ACCESS, ": needs Linux 5.1 or later"),
            (
                "BPF_LINK_CREATE",
                Errno::INVAL,
                ": TCX needs Linux 6.6 or later",
            ),
            ("BPF_LINK_CREATE", Errno::NODEV, ": the device is gone"),
            ("BPF_MAP_UPDATE_ELEM", Errno::TOOBIG, ": the map is full"),
        ] {
            let text = error(call, errno).to_string();
            let cause = io::Error::from(errno);
            assert_eq!(text, format!("bpf {call}: {cause}{end}"));
        }
        let text = error("BPF_MAP_CREATE", Errno::NOMEM).to_string();
        let cause = io::Error::from(Errno::NOMEM);
        assert_eq!(text, format!("bpf BPF_MAP_CREATE: {cause}"));
    }

    #[test]
    fn the_end_of_the_log_is_kept() {
        let mut refused = error("BPF_PROG_LOAD", Errno::ACCESS);
        let log = "0: (61) r1 = *(u32 *)(r6 +164)\ninvalid bpf_context access off=164 size=4\n\
            processed 5 insns (limit 1000000) max_states_per_insn 0\n\0\0rubbish";
        refused.set_log(log.as_bytes());
        let text = refused.to_string();
        assert!(
            text.ends_with(
                ": needs Linux 5.1 or later: the verifier says: 0: (61) r1 = *(u32 *)(r6 +164); \
                 invalid bpf_context access off=164 size=4"
            ),
            "{text}"
        );
        refused.set_log(&b"one line of the log\n".repeat(1000));
        assert!(
            (SHOWN - 20..SHOWN + 20).contains(&refused.log.len()),
            "{}",
            refused.log.len()
        );
        refused.set_log(&[b'x'; 5000]);
        assert_eq!(refused.log, "x".repeat(SHOWN));
        refused.set_log(b"");
        assert_eq!(refused.log, "");
    }
}
