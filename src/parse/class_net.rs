//! `/sys/class/net/DEVICE/ATTRIBUTE`: what a network device says of itself, one value to a file.
//!
//! `uevent` has a line for each of several: `DEVTYPE=bridge`, `INTERFACE=br0`, `IFINDEX=4`; the first only for devices
//! whose driver gives its kind a name (`SET_NETDEV_DEVTYPE`).
//!
//! Documented in the kernel's Documentation/ABI/testing/sysfs-class-net; written by net/core/net-sysfs.c, since 2.6.
//!
//! ```text
//! flags   0x1003      (hexadecimal: IFF_* of linux/if.h)
//! mtu     1500        (bytes)
//! speed   -1          (Mbit/s; -1: unknown)
//! ```
//!
//! Traps: which base a number is in is told by its `0x` alone; `speed`, `duplex`, `carrier` and `dormant` answer EINVAL while the
//! device is down, `name_assign_type` where nobody knows. The caller has taken away the white space at the end, so that a
//! cut cannot be seen here; sysfs gives a value in one piece.

use super::ParseError;
use super::hex;
use super::signed;

/// A number, decimal or with `0x`; `field` is the attribute's name.
///
/// # Errors
/// When it is none. An empty attribute is an error too: the kernel answers EINVAL when it has no number.
pub fn number(bytes: &[u8], field: &'static str) -> Result<i64, ParseError> {
    const NUMBER: &str = "a number, decimal or after 0x";
    let value = match bytes.strip_prefix(b"0x") {
        Some(digits) => hex(digits).and_then(|value| i64::try_from(value).ok()),
        None => signed(bytes),
    };
    value.ok_or_else(|| ParseError::new(1, field, NUMBER, bytes))
}

/// What `uevent` says that the device is: `vlan`, `wlan`, `bridge`; `None` for Ethernet, veth and tun.
#[must_use]
pub fn devtype(bytes: &[u8]) -> Option<&[u8]> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(b"DEVTYPE="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_in_uevent() {
        for (text, expected) in [
            (
                &b"DEVTYPE=bridge\nINTERFACE=br0\nIFINDEX=4"[..],
                Some(&b"bridge"[..]),
            ),
            (b"INTERFACE=DEVTYPE=x\nIFINDEX=4", None),
            (b"DEVTYPE=", Some(b"")),
            (b"DEVTYPE", None),
            (b"", None),
        ] {
            assert_eq!(devtype(text), expected, "{text:?}");
        }
    }

    #[test]
    fn parses() {
        let read = |text: &[u8]| number(text, "flags").ok();
        assert_eq!(
            [&b"0x1003"[..], b"1500", b"-1", b"0x0"].map(read),
            [Some(0x1003), Some(1500), Some(-1), Some(0)]
        );
    }

    #[test]
    fn short() {
        let error = number(b"0x", "flags").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: flags: expected a number, decimal or after 0x, found \"0x\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = number(b"", "mtu").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: mtu: expected a number, decimal or after 0x, found \"\"".to_string())
        );
    }

    #[test]
    fn no_numbers() {
        for bad in [
            &b"up"[..],
            b"+1",
            b"1 2",
            b"1\n2",
            b"-0x1",
            b"0x-1",
            b"0xffffffffffffffff",
            b"\xff",
        ] {
            assert!(number(bad, "type").is_err(), "{bad:?}");
        }
    }
}
