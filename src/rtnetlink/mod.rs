//! What rtnetlink tells of routes and of queueing disciplines, and the filters that it takes; the devices, which all of
//! them give as numbers, are in links/.
//!
//! rtnetlink(7) and include/uapi/linux/rtnetlink.h, since Linux 2.2. No privilege is needed but to change filters. Routes
//! and disciplines are given one by one as they come: neither list is held.

pub mod filters;
pub mod qdiscs;
pub mod routes;

use crate::netlink::Cause;
pub use crate::netlink::NetlinkError;
pub use crate::netlink::settled;

pub use self::qdiscs::qdiscs;
pub use self::routes::routes;

/// Whether the error says that there is no rtnetlink, or not all of it: emulators refuse the socket or the request.
#[must_use]
pub fn is_absent(error: &NetlinkError) -> bool {
    let refused = matches!(error.cause, Cause::Call("socket", _) | Cause::Refused(_));
    refused && !error.is_passing()
}

#[cfg(test)]
mod tests;
