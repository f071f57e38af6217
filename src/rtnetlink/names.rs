//! The devices' names by their numbers: one RTM_GETLINK dump, without the statistics that would make most of it.
//!
//! ```text
//! struct ifinfomsg  0 family  2 type u16  4 index i32  8 flags  12 change  16 attributes
//! ```
//!
//! `rtnl_fill_ifinfo` in the kernel's net/core/rtnetlink.c; the filter is known since 4.4, and passed over before.

use std::collections::BTreeMap;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::attributes;
use crate::netlink::attributes::push;
use crate::netlink::settled;
use crate::netlink::word;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const IFLA_IFNAME: u16 = 3;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const IFINFOMSG: usize = 16;

/// Names by number.
pub type Names = BTreeMap<u32, Vec<u8>>;

/// The names of the devices of this network namespace.
///
/// # Errors
/// When the kernel refuses or sends what breaks the format.
pub fn names() -> Result<Names, NetlinkError> {
    let mut body = vec![0; IFINFOMSG];
    push(
        &mut body,
        IFLA_EXT_MASK,
        &RTEXT_FILTER_SKIP_STATS.to_ne_bytes(),
    );
    let request = Request {
        name: "RTM_GETLINK",
        protocol: None,
        kind: RTM_GETLINK,
        answer: RTM_NEWLINK,
        dump: true,
        body: &body,
    };
    let mut names = Names::new();
    settled(|| {
        names.clear();
        request.ask(|payload| {
            let (index, name) = link(payload)?;
            names.insert(index, name.to_vec());
            Ok(())
        })
    })?;
    Ok(names)
}

/// Number and name in one message.
///
/// # Errors
/// When it is shorter than its header, an attribute ends behind it, or it has no name.
pub fn link(payload: &[u8]) -> Result<(u32, &[u8]), Cause> {
    let Some((header, rest)) = payload.split_first_chunk::<IFINFOMSG>() else {
        let expected = "an ifinfomsg of 16 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    for attribute in attributes(rest) {
        let attribute = attribute?;
        if attribute.kind == IFLA_IFNAME {
            return Ok((word(header, 4), attribute.text()));
        }
    }
    Err(Cause::Malformed("an IFLA_IFNAME", 0))
}
