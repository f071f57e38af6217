//! What rtnetlink tells of addresses, routes and queueing disciplines, and the filters that it takes; the devices, which
//! all of them give as numbers, are in links/.
//!
//! rtnetlink(7) and include/uapi/linux/rtnetlink.h, since Linux 2.2. No privilege is needed but to change filters. Each is
//! given as it comes: no list is held.

pub mod addresses;
pub mod filters;
pub mod qdiscs;
pub mod routes;

use std::net::IpAddr;

use crate::netlink::Cause;
pub use crate::netlink::NetlinkError;
use crate::netlink::attributes::Attribute;
pub use crate::netlink::settled;

pub use self::addresses::addresses;
pub use self::qdiscs::qdiscs;
pub use self::routes::routes;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Whether the error says that there is no rtnetlink, or not all of it: emulators refuse the socket or the request.
#[must_use]
pub fn is_absent(error: &NetlinkError) -> bool {
    let refused = matches!(error.cause, Cause::Call("socket", _) | Cause::Refused(_));
    refused && !error.is_passing()
}

/// The address in an attribute of a message of one of the two families.
fn ip_address(family: u8, attribute: &Attribute<'_>) -> Result<IpAddr, Cause> {
    let length = attribute.value.len();
    if length != if family == AF_INET { 4 } else { 16 } {
        let expected = "an address as long as those of its family";
        return Err(Cause::Malformed(expected, length));
    }
    if family == AF_INET {
        Ok(IpAddr::from(attribute.array::<4>("an IPv4 address")?))
    } else {
        Ok(IpAddr::from(attribute.array::<16>("an IPv6 address")?))
    }
}

#[cfg(test)]
mod tests;
