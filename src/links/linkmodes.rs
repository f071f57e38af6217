//! Speed and duplex of all network devices: ETHTOOL_MSG_LINKMODES_GET over generic netlink.
//!
//! Documentation/networking/ethtool-netlink.rst, include/uapi/linux/ethtool_netlink.h (`linkmodes_fill_reply` in
//! net/ethtool/linkmodes.c), since Linux 5.6, where the kernel has CONFIG_ETHTOOL_NETLINK.
//!
//! ```text
//! struct genlmsghdr  0 command 4  1 version  4 attributes: header (nested: index, name), …, speed u32, duplex u8
//! ```
//!
//! Traps:
//! - A device that does not know the question (EOPNOTSUPP) is left out, and has nothing in sysfs either. Any other errno
//!   of a driver (a device that sleeps: ENODEV) ends the dump in the middle, as a refusal inside its end.
//! - A device that is down answers too, where sysfs has EINVAL.
//! - The speed is unsigned here; 4294967295 is SPEED_UNKNOWN, -1 in sysfs.
//! - Without ETHTOOL_FLAG_COMPACT_BITSETS each answer names all its link modes as text.

use rustix::net::netlink::GENERIC;

use crate::links::Modes;
use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::push;
use crate::netlink::attributes::push_nested;
use crate::netlink::generic;

const ETHTOOL_MSG_LINKMODES_GET: u8 = 4;
const ETHTOOL_MSG_LINKMODES_GET_REPLY: u8 = 4;
const VERSION: u8 = 1;
const ETHTOOL_A_LINKMODES_HEADER: u16 = 1;
const ETHTOOL_A_LINKMODES_SPEED: u16 = 5;
const ETHTOOL_A_LINKMODES_DUPLEX: u16 = 6;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_HEADER_FLAGS: u16 = 3;
const ETHTOOL_FLAG_COMPACT_BITSETS: u32 = 1;

/// Asks all devices of this thread's network namespace and gives the index and what each said to `each`; `family` is the
/// number of `ethtool`. Says whether the dump was interrupted and had better be repeated.
///
/// # Errors
/// When a call fails, the kernel refuses or gives up, or what it sends breaks the format.
pub fn dump(family: u16, mut each: impl FnMut((u32, Modes))) -> Result<bool, NetlinkError> {
    let request = Request {
        name: "ETHTOOL_MSG_LINKMODES_GET",
        protocol: Some(GENERIC),
        kind: family,
        answer: family,
        dump: true,
        body: &body(),
    };
    request.ask(|payload| {
        if let Some(device) = modes(payload)? {
            each(device);
        }
        Ok(())
    })
}

fn body() -> Vec<u8> {
    let mut header = Vec::new();
    push(
        &mut header,
        ETHTOOL_A_HEADER_FLAGS,
        &ETHTOOL_FLAG_COMPACT_BITSETS.to_ne_bytes(),
    );
    let mut body = generic::body(ETHTOOL_MSG_LINKMODES_GET, VERSION);
    push_nested(&mut body, ETHTOOL_A_LINKMODES_HEADER, &header);
    body
}

/// One device's index and modes; `None` for a message that says neither.
///
/// # Errors
/// When the message is too short, or an attribute goes past its end or is shorter than its kind of value.
pub fn modes(payload: &[u8]) -> Result<Option<(u32, Modes)>, Cause> {
    let (command, attributes) = generic::message(payload)?;
    if command != ETHTOOL_MSG_LINKMODES_GET_REPLY {
        return Ok(None);
    }
    let (mut ifindex, mut speed, mut duplex) = (None, None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            ETHTOOL_A_LINKMODES_HEADER => {
                for inner in attribute.nested() {
                    let inner = inner?;
                    if inner.kind == ETHTOOL_A_HEADER_DEV_INDEX {
                        ifindex = Some(inner.u32("a device's index of 4 bytes")?);
                    }
                }
            }
            ETHTOOL_A_LINKMODES_SPEED => speed = Some(attribute.i32("a speed of 4 bytes")?),
            ETHTOOL_A_LINKMODES_DUPLEX => duplex = Some(attribute.u8("a duplex of 1 byte")?),
            _ => {}
        }
    }
    let told = speed.zip(duplex);
    let told = told.map(|(speed, duplex)| Modes::Told(speed, duplex));
    Ok(ifindex.zip(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.18 answers for eth0, index 4, a virtio device: no autonegotiation, an empty bitset of 121 modes,
    /// speed and duplex unknown, an attribute 10 of 16 bytes.
    const ETH0: [u8; 112] = [
        4, 1, 0, 0, 0x18, 0, 1, 0x80, 8, 0, 1, 0, 4, 0, 0, 0, 9, 0, 2, 0, b'e', b't', b'h', b'0',
        0, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0x34, 0, 3, 0x80, 8, 0, 2, 0, 0x79, 0, 0, 0, 0x14, 0,
        4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, 5, 0, 6, 0, 0xff, 0, 0, 0,
        5, 0, 10, 0, 0, 0, 0, 0,
    ];

    #[test]
    #[cfg(target_endian = "little")]
    fn parses() {
        assert_eq!(modes(&ETH0), Ok(Some((4, Modes::Told(-1, 255)))));
        let mut fast = ETH0;
        fast[92..96].copy_from_slice(&10_000u32.to_ne_bytes());
        fast[100] = 1;
        assert_eq!(modes(&fast), Ok(Some((4, Modes::Told(10_000, 1)))));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn short() {
        assert!(modes(&ETH0[..3]).is_err());
        // A kernel that says nothing of speeds.
        assert_eq!(modes(&ETH0[..28]), Ok(None));
        let mut speed = ETH0[..96].to_vec();
        speed[88] = 7;
        assert_eq!(
            modes(&speed),
            Err(Cause::Malformed("a speed of 4 bytes", 3))
        );
    }

    #[test]
    fn empty() {
        assert!(modes(&[]).is_err());
        assert_eq!(modes(&[4, 1, 0, 0]), Ok(None));
    }

    #[test]
    fn other_commands_are_passed_over() {
        let mut other = ETH0;
        other[0] = 5;
        assert_eq!(modes(&other), Ok(None));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ends_abruptly() {
        for end in 0..ETH0.len() {
            let cut = modes(&ETH0[..end]);
            // Whatever is cut, no other numbers come out than those that stand there.
            assert!(
                cut.is_err() || cut == Ok(None) || cut == modes(&ETH0),
                "cut at {end}: {cut:?}"
            );
        }
    }

    #[test]
    fn garbling_never_panics() {
        for at in 0..ETH0.len() {
            for byte in 0..=255 {
                let mut bytes = ETH0;
                bytes[at] = byte;
                let _ = modes(&bytes);
            }
        }
    }

    #[test]
    fn the_request_is_what_the_kernel_reads() {
        let mut expected = vec![4, 1, 0, 0];
        let mut header = Vec::new();
        push(&mut header, 3, &1u32.to_ne_bytes());
        push(&mut expected, 0x8001, &header);
        assert_eq!(body(), expected);
    }
}
