//! What can be wrong with a file.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::parse::ParseError;

/// A file that could not be used, and why.
#[derive(Debug)]
pub struct FileError {
    /// The file's path as it was opened.
    pub path: String,
    /// What was wrong.
    pub cause: Cause,
}

/// What can be wrong with a file.
#[derive(Debug)]
pub enum Cause {
    /// The system said no.
    Io(rustix::io::Errno),
    /// Its content breaks a rule of its format.
    Parse(ParseError),
    /// It is larger than the bound, in bytes.
    TooLarge(usize),
    /// It is a FIFO, a device or a directory.
    NotRegular,
    /// Nobody has written into a FIFO for that long.
    NotWritten(Duration),
    /// What is written into a FIFO has not ended after that long.
    NotEnded(Duration),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Io(errno) => write!(f, "{}: {}", self.path, io::Error::from(*errno)),
            Cause::Parse(error) => write!(f, "{}:{error}", self.path),
            Cause::NotRegular => write!(f, "{}: expected a regular file", self.path),
            Cause::TooLarge(limit) => write!(
                f,
                "{}: expected at most {limit} bytes, found more",
                self.path
            ),
            Cause::NotWritten(patience) => write!(
                f,
                "{}: expected somebody to write within {} ms, found nobody",
                self.path,
                patience.as_millis()
            ),
            Cause::NotEnded(patience) => write!(
                f,
                "{}: expected an end within {} ms, found none",
                self.path,
                patience.as_millis()
            ),
        }
    }
}

impl std::error::Error for FileError {}
