//! What stands for TLS in a program built without it (`--features tls`): nothing. A file that asks for it is refused.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::config::web::Tls;

use super::connection::Heard;

/// There is none.
pub(super) enum Setup {}

/// There is none.
pub(super) enum Session {}

impl Setup {
    pub(super) fn new(_: &Tls) -> Result<Self, String> {
        Err("tls_server_config: this weir was built without TLS: take weir-VERSION-ARCH-tls.tar.gz, or build it with --features tls".to_string())
    }
}

impl Session {
    pub(super) fn new(setup: &Setup) -> Box<Self> {
        match *setup {}
    }

    pub(super) fn read(&mut self, _: &OwnedFd, _: &mut [u8], _: &mut Vec<u8>) -> Heard {
        match *self {}
    }

    pub(super) fn put(&mut self, _: &[u8], _: &[u8]) -> usize {
        match *self {}
    }

    pub(super) fn flush(&mut self, _: &OwnedFd) -> Result<usize, Errno> {
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
