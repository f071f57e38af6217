//! Why the program could not start or go on.

use std::fmt;
use std::io;

use crate::files::FileError;
use crate::http;
use crate::http::GuardError;
use crate::sandbox::SandboxError;
use crate::textfile::WriteError;

/// Why the program could not start or go on.
#[derive(Debug)]
pub enum RunError {
    /// A root is not there, or its CAPTURE file is wrong.
    Files(FileError),
    /// `--user` or `--sandbox=require` cannot be had.
    Sandbox(SandboxError),
    /// The file that says who may connect cannot be used.
    Web(GuardError),
    /// No place to listen.
    Listen(http::BindError),
    /// Standard output refused the metrics of `--once`.
    Output(io::Error),
    /// The text file of `--once` was not written.
    Textfile(WriteError),
    /// No handler for the signals that end the program.
    Signals(io::Error),
    /// Two instruments with one name.
    Instruments(prometheus::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(error) => error.fmt(f),
            Self::Sandbox(error) => error.fmt(f),
            Self::Web(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::Output(error) => write!(f, "standard output: {error}"),
            Self::Textfile(error) => error.fmt(f),
            Self::Signals(error) => write!(f, "signal handlers: {error}"),
            Self::Instruments(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}
