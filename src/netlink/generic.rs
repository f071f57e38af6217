//! Generic netlink: one protocol for many families, whose numbers are given out when they register.
//!
//! include/uapi/linux/genetlink.h (`ctrl_fill_info` in net/netlink/genetlink.c), since Linux 2.6.15. The controller is the
//! one family with a number of its own; it tells the others' by their names, and answers ENOENT for one that this kernel
//! does not have. A number stays the same until the family's module is unloaded.
//!
//! ```text
//! struct genlmsghdr  0 command  1 version  2 reserved  4 attributes
//! ```

use rustix::net::netlink::GENERIC;

use super::Cause;
use super::NetlinkError;
use super::Request;
use super::attributes::Attributes;
use super::attributes::attributes;
use super::attributes::push;

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const HEADER: usize = 4;

/// A body with the header of `command`, to which attributes may be appended.
#[must_use]
pub fn body(command: u8, version: u8) -> Vec<u8> {
    vec![command, version, 0, 0]
}

/// A message's command and its attributes.
///
/// # Errors
/// When it is shorter than its header.
pub fn message(payload: &[u8]) -> Result<(u8, Attributes<'_>), Cause> {
    let Some((header, rest)) = payload.split_first_chunk::<HEADER>() else {
        let expected = "a genlmsghdr of 4 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    let [command, ..] = *header;
    Ok((command, attributes(rest)))
}

/// The number of the family `name` in this kernel.
///
/// # Errors
/// When the kernel has no such family (a refusal with ENOENT) or cannot be asked.
pub fn family(name: &str) -> Result<u16, NetlinkError> {
    let mut body = body(CTRL_CMD_GETFAMILY, 1);
    push(
        &mut body,
        CTRL_ATTR_FAMILY_NAME,
        &[name.as_bytes(), &[0]].concat(),
    );
    let request = Request {
        name: "CTRL_CMD_GETFAMILY",
        protocol: Some(GENERIC),
        kind: GENL_ID_CTRL,
        answer: GENL_ID_CTRL,
        dump: false,
        body: &body,
    };
    let mut number = None;
    request.ask(|payload| {
        number = family_number(payload)?.or(number);
        Ok(())
    })?;
    number.ok_or(NetlinkError {
        request: request.name,
        cause: Cause::Malformed("a CTRL_ATTR_FAMILY_ID", 0),
    })
}

/// The family's number in one message of the controller.
fn family_number(payload: &[u8]) -> Result<Option<u16>, Cause> {
    for attribute in message(payload)?.1 {
        let attribute = attribute?;
        if attribute.kind == CTRL_ATTR_FAMILY_ID {
            let expected = "a CTRL_ATTR_FAMILY_ID of 2 bytes";
            return attribute.u16(expected).map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    /// What Linux 6.18 answers for "ethtool", cut behind the first four attributes: command 1, version 2, then the
    /// name, the number 21, the family's version and its header's size.
    const ETHTOOL: [u8; 40] = [
        1, 2, 0, 0, 12, 0, 2, 0, b'e', b't', b'h', b't', b'o', b'o', b'l', 0, 6, 0, 1, 0, 21, 0, 0,
        0, 8, 0, 3, 0, 1, 0, 0, 0, 8, 0, 4, 0, 0, 0, 0, 0,
    ];

    #[test]
    #[cfg(target_endian = "little")]
    fn parses() {
        assert_eq!(family_number(&ETHTOOL), Ok(Some(21)));
        assert_eq!(message(&ETHTOOL).unwrap().0, 1);
    }

    #[test]
    fn short() {
        let error = Err(Cause::Malformed("a genlmsghdr of 4 bytes", 3));
        assert_eq!(family_number(&ETHTOOL[..3]), error);
    }

    #[test]
    fn empty() {
        assert!(family_number(&[]).is_err());
        assert_eq!(family_number(&ETHTOOL[..4]), Ok(None));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ends_abruptly() {
        for end in 5..22 {
            let cut = family_number(&ETHTOOL[..end]);
            assert_eq!(cut.is_ok(), end == 16, "cut at {end}");
        }
    }

    #[test]
    fn garbling_never_panics() {
        for at in 0..ETHTOOL.len() {
            for byte in 0..=255 {
                let mut bytes = ETHTOOL;
                bytes[at] = byte;
                let _ = family_number(&bytes);
            }
        }
    }

    #[test]
    fn a_family_that_no_kernel_has() {
        // An emulator refuses the socket instead.
        let cause = family("no such thing").unwrap_err().cause;
        assert!(
            matches!(cause, Cause::Refused(Errno::NOENT) | Cause::Call(..)),
            "{cause}"
        );
    }
}
