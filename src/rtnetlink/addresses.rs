//! The IPv4 and IPv6 addresses of all devices: one RTM_GETADDR dump.
//!
//! ```text
//! struct ifaddrmsg  0 family  1 length of the prefix  2 flags  3 scope  4 index u32  8 attributes
//! ```
//!
//! `inet_fill_ifaddr` in the kernel's net/ipv4/devinet.c, `inet6_fill_ifaddr` in net/ipv6/addrconf.c; rtnetlink(7).
//!
//! The dump is asked for all families at once: a kernel without IPv6 answers a question for that family with all others'
//! addresses. Those of MCTP and of phones (Phonet) are passed over.
//!
//! Traps: IFA_ADDRESS of a link between two is the other end's, and IFA_LOCAL the device's own; IPv6 has IFA_LOCAL only
//! where there is another end. A device may have one address several times, each with another peer. The prefix is the
//! network's, which on a link between two is the other end's too.

use std::net::IpAddr;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::attributes;
use crate::netlink::word;

use super::AF_INET;
use super::AF_INET6;
use super::ip_address;

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFADDRMSG: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// An address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The device's number.
    pub index: u32,
    /// The device's own address.
    pub address: IpAddr,
    /// How many of its first bits are the network's.
    pub length: u8,
}

/// Gives each address of this network namespace to `each`, and says whether the dump was interrupted and had better be
/// repeated.
///
/// # Errors
/// When the kernel refuses or sends what breaks the format.
pub fn addresses(mut each: impl FnMut(Address)) -> Result<bool, NetlinkError> {
    let request = Request {
        name: "RTM_GETADDR",
        protocol: None,
        kind: RTM_GETADDR,
        answer: RTM_NEWADDR,
        dump: true,
        body: &[0; IFADDRMSG],
    };
    request.ask(|payload| {
        if let Some(address) = address(payload)? {
            each(address);
        }
        Ok(())
    })
}

/// The address in one message; `None` for one of another family, or a message without any.
///
/// # Errors
/// When something is shorter than its structure, ends behind the message, or is longer than an address.
pub fn address(payload: &[u8]) -> Result<Option<Address>, Cause> {
    let Some((header, rest)) = payload.split_first_chunk::<IFADDRMSG>() else {
        let expected = "an ifaddrmsg of 8 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    let [family, length, ..] = *header;
    let bits = match family {
        AF_INET => 32,
        AF_INET6 => 128,
        _ => return Ok(None),
    };
    if length > bits {
        let expected = "a length of the prefix within the address";
        return Err(Cause::Malformed(expected, usize::from(length)));
    }
    let (mut own, mut other) = (None, None);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            IFA_LOCAL => own = Some(ip_address(family, &attribute)?),
            IFA_ADDRESS => other = Some(ip_address(family, &attribute)?),
            _ => {}
        }
    }
    let index = word(header, 4);
    Ok(own.or(other).map(|address| Address {
        index,
        address,
        length,
    }))
}

#[cfg(test)]
mod tests;
