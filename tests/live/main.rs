//! Tests.

mod sockets;
mod support;
