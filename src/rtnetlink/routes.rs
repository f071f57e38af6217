//! The unicast routes of IPv4 and IPv6 in all tables: one RTM_GETROUTE dump.
//!
//! ```text
//! struct rtmsg      0 family  1 length of the destination  2 of the source  3 tos  4 table  5 protocol  6 scope  7 type
//!                   8 flags  12 attributes
//! struct rtnexthop  0 length u16  2 flags  3 weight - 1  4 index i32  8 attributes
//! ```
//!
//! `fib_dump_info` in the kernel's net/ipv4/fib_semantics.c, `rt6_fill_node` in net/ipv6/route.c. A route over several
//! gateways has them in RTA_MULTIPATH, and each counts as a route.
//!
//! The dump is asked for all families at once: a kernel without IPv6 answers a question for that family with all others'
//! routes. Those of MPLS and of multicast routing are passed over. Exceptions (another MTU for one host) are in the dump.
//!
//! Traps: a gateway of the other family (RTA_VIA) is not shown, as in node_exporter.

use std::net::IpAddr;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::Attributes;
use crate::netlink::attributes::attributes;
use crate::netlink::half;
use crate::netlink::word;
use crate::parse::route::Route;

use super::AF_INET;
use super::AF_INET6;
use super::ip_address;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTMSG: usize = 12;
const RTNEXTHOP: usize = 8;
const RTN_UNICAST: u8 = 1;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;

/// Gives each unicast route of this network namespace to `each` with its device's number, 0 for none, and says whether the
/// dump was interrupted and had better be repeated.
///
/// # Errors
/// When the kernel refuses or sends what breaks the format.
pub fn routes(mut each: impl FnMut(u32, Route)) -> Result<bool, NetlinkError> {
    let request = Request {
        name: "RTM_GETROUTE",
        protocol: None,
        kind: RTM_GETROUTE,
        answer: RTM_NEWROUTE,
        dump: true,
        body: &[0; RTMSG],
    };
    request.ask(|payload| message(payload, &mut each))
}

/// Gives the routes in one message to `each`.
///
/// # Errors
/// When something is shorter than its structure, ends behind the message, or is longer than an address.
pub fn message(payload: &[u8], each: &mut impl FnMut(u32, Route)) -> Result<(), Cause> {
    let Some((header, rest)) = payload.split_first_chunk::<RTMSG>() else {
        let expected = "an rtmsg of 12 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    let [family, length, _, _, _, protocol, _, kind, ..] = *header;
    let (any, bits) = match family {
        AF_INET => (IpAddr::from([0; 4]), 32),
        AF_INET6 => (IpAddr::from([0u8; 16]), 128),
        _ => return Ok(()),
    };
    if kind != RTN_UNICAST {
        return Ok(());
    }
    if length > bits {
        let expected = "a length of the destination within the address";
        return Err(Cause::Malformed(expected, usize::from(length)));
    }
    let mut route = Route {
        length,
        destination: any,
        priority: 0,
        gateway: None,
        source: None,
        protocol: Some(protocol),
        weight: None,
    };
    let (mut index, mut hops) = (0, None);
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            RTA_DST => route.destination = ip_address(family, &attribute)?,
            RTA_GATEWAY => route.gateway = Some(ip_address(family, &attribute)?),
            RTA_PREFSRC => route.source = Some(ip_address(family, &attribute)?),
            RTA_OIF => index = attribute.u32("an RTA_OIF of 4 bytes")?,
            RTA_PRIORITY => route.priority = attribute.u32("an RTA_PRIORITY of 4 bytes")?,
            RTA_MULTIPATH => hops = Some(attribute.value),
            _ => {}
        }
    }
    let Some(mut hops) = hops.filter(|hops| !hops.is_empty()) else {
        each(index, route);
        return Ok(());
    };
    while !hops.is_empty() {
        hops = hop(hops, family, route, each)?;
    }
    Ok(())
}

/// Gives one of several ways to `each`; what is behind it.
fn hop<'a>(
    hops: &'a [u8],
    family: u8,
    mut route: Route,
    each: &mut impl FnMut(u32, Route),
) -> Result<&'a [u8], Cause> {
    let Some(header) = hops.first_chunk::<RTNEXTHOP>() else {
        let expected = "an rtnexthop of 8 bytes";
        return Err(Cause::Malformed(expected, hops.len()));
    };
    let length = usize::from(half(header, 0));
    let Some(rest) = hops.get(RTNEXTHOP..length) else {
        let expected = "an rtnexthop that ends inside its message";
        return Err(Cause::Malformed(expected, length));
    };
    let [_, _, _, weight, ..] = *header;
    route.weight = Some(u32::from(weight) + 1);
    route.gateway = gateway(family, attributes(rest))?;
    each(word(header, 4), route);
    Ok(hops.get(length.next_multiple_of(4)..).unwrap_or_default())
}

fn gateway(family: u8, attributes: Attributes<'_>) -> Result<Option<IpAddr>, Cause> {
    let mut gateway = None;
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind == RTA_GATEWAY {
            gateway = Some(ip_address(family, &attribute)?);
        }
    }
    Ok(gateway)
}
