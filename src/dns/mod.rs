//! What is asked of name servers: questions, their answers (RFC 1035, RFC 6891), and the threads that ask.
//!
//! [`message`] makes a question and reads an answer, `flight` is one exchange over UDP and, where the answer was cut, TCP;
//! [`asker`] has many of them on their way at once in one thread, without ever waiting for a single one; [`checks`] asks
//! for the records of the configuration again and again, [`reverse`] for names of addresses that somebody shows.
//!
//! Answers are believed when they come from the address and port that was asked, to the port that asked (each question has
//! a socket of its own, whose port the kernel draws), and repeat a random id and the question. Anything else is
//! counted, and waiting goes on (RFC 5452).

pub mod asker;
pub mod checks;
mod flight;
pub mod message;
pub mod reverse;
pub mod servers;

use std::fmt;

/// Why a record has no value, or not the one that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has values, and they are others than those that were expected.
    Mismatch,
    /// The name exists, and has no record of this type.
    Nodata,
    /// The name does not exist (RCODE 3).
    Nxdomain,
    /// The server could not find out (RCODE 2).
    Servfail,
    /// The server does not want to (RCODE 5).
    Refused,
    /// The server does not understand the question (RCODE 1).
    Formerr,
    /// The server answered with another code, such as 4: not implemented.
    Rcode,
    /// The server's answer breaks the format.
    Malformed,
    /// No answer in time.
    Timeout,
    /// No way to the server, or nothing listens there.
    Unreachable,
    /// Nobody to ask, or no socket to ask with; the log says why.
    Unasked,
}

impl Reason {
    /// All of them, in the order in which they are exported.
    pub const ALL: [Self; 11] = [
        Self::Mismatch,
        Self::Nodata,
        Self::Nxdomain,
        Self::Servfail,
        Self::Refused,
        Self::Formerr,
        Self::Rcode,
        Self::Malformed,
        Self::Timeout,
        Self::Unreachable,
        Self::Unasked,
    ];

    /// The word in the label `reason`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Nodata => "nodata",
            Self::Nxdomain => "nxdomain",
            Self::Servfail => "servfail",
            Self::Refused => "refused",
            Self::Formerr => "formerr",
            Self::Rcode => "rcode",
            Self::Malformed => "malformed",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Unasked => "unasked",
        }
    }

    /// Whether a server sent this, so that there was a time from question to answer.
    #[must_use]
    pub fn was_answered(self) -> bool {
        !matches!(self, Self::Timeout | Self::Unreachable | Self::Unasked)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A number that nobody can guess: ids of questions, and how far checks move from their interval.
///
/// # Errors
/// When the kernel has no getrandom(2), which came with Linux 3.17.
pub fn random() -> std::io::Result<u16> {
    let mut bytes = [0; 2];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u16::from_ne_bytes(bytes))
}
