//! What stands for the guard in a program built without it (without `--features tls`): nothing, and `--web.config.file` is
//! refused. With nothing to call, the compiler leaves out what would ask it.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use rustix::io::Errno;

use super::Answer;
use super::GuardStats;
use super::Request;
use super::connection::Heard;

/// Why there is none.
#[derive(Debug)]
pub struct GuardError([String; 1]);

impl GuardError {
    fn new() -> Self {
        Self(["--web.config.file: this weir was built without TLS and passwords: take weir-VERSION-ARCH-tls.tar.gz, or build it with --features tls".to_string()])
    }

    /// What is wrong, a line each.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0[0])
    }
}

impl std::error::Error for GuardError {}

/// What is to be done with a request.
#[expect(dead_code, reason = "there is nobody to say it")]
pub(super) enum Verdict {
    /// It is answered.
    Pass,
    /// It gets this instead of an answer.
    Refuse(Answer),
    /// Its password is being checked.
    Wait(Tag),
}

/// A check of a password.
pub(super) type Tag = [u8; 0];

/// There is none.
pub enum Guard {}

/// There is none.
pub(super) enum Session {}

impl Guard {
    /// Refuses the file, whatever stands in it: never an open door where a lock was asked for.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: &Path) -> Result<Self, GuardError> {
        Err(GuardError::new())
    }

    /// Refuses the file.
    ///
    /// # Errors
    /// Always.
    pub fn check(_: &Path) -> Result<(), GuardError> {
        Err(GuardError::new())
    }

    /// The files that are read again while the program runs.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        match *self {}
    }

    pub(super) fn start(&mut self) -> Result<(), GuardError> {
        match *self {}
    }

    /// What it counted.
    #[must_use]
    pub fn stats(&self) -> GuardStats {
        match *self {}
    }

    pub(super) fn wake(&self) -> Option<&OwnedFd> {
        match *self {}
    }

    pub(super) fn headers(&self) -> Rc<Vec<(String, String)>> {
        match *self {}
    }

    pub(super) fn session(&self) -> Option<Box<Session>> {
        match *self {}
    }

    pub(super) fn look(&mut self, _: Instant) {
        match *self {}
    }

    pub(super) fn judge(&mut self, _: &Request, _: Instant) -> Verdict {
        match *self {}
    }

    pub(super) fn checked(&mut self) -> Option<(Tag, bool)> {
        match *self {}
    }

    pub(super) fn wrong_password(&mut self) -> Answer {
        match *self {}
    }
}

impl Session {
    pub(super) fn read(&mut self, _: &OwnedFd, _: &mut [u8], _: &mut Vec<u8>) -> Heard {
        match *self {}
    }

    pub(super) fn kept(&self) -> usize {
        match *self {}
    }

    pub(super) fn write(
        &mut self,
        _: &OwnedFd,
        _: &mut [u8],
        _: &[u8],
        _: &[u8],
    ) -> Result<usize, Errno> {
        match *self {}
    }

    pub(super) fn flush(&mut self, _: &OwnedFd) -> Result<(), Errno> {
        match *self {}
    }

    pub(super) fn forget(&mut self) {
        match *self {}
    }

    pub(super) fn has_output(&self) -> bool {
        match *self {}
    }

    pub(super) fn is_closed(&self) -> bool {
        match *self {}
    }

    pub(super) fn close(&mut self) {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_refused() {
        for path in ["/dev/null", "/nonexistent"] {
            let error = Guard::open(Path::new(path))
                .err()
                .map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(
                error.starts_with("--web.config.file: this weir was built without"),
                "{error}"
            );
            assert!(Guard::check(Path::new(path)).is_err());
        }
    }
}
