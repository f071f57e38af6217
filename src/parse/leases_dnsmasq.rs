//! dnsmasq's lease file, `/var/lib/misc/dnsmasq.leases` or `/tmp/dhcp.leases`.
//!
//! Documented in dnsmasq(8) under `--dhcp-leasefile` and in dnsmasq's FAQ; written by `lease_update_file` in its lease.c.
//! A sample of dnsmasq 2.90:
//!
//! ```text
//! 1795312749 02:00:00:00:01:01 192.0.2.162 laptop 01:02:00:00:00:01:01
//! 0 02:00:00:00:01:03 192.0.2.50 printer *
//! duid 00:01:00:01:32:94:60:2c:12:f7:d5:68:9c:c5
//! 1795277055 261 2001:db8:1::1fcb * 00:03:00:01:02:00:00:00:01:05
//! ```
//!
//! Expiry in seconds since 1970 with 0 for never, hardware address, address, name or `*`, client identifier or `*`. A hardware
//! address that is not Ethernet's has its type and a dash before it. After the server's own `duid` come the IPv6 leases, which
//! have their IAID (with a `T` before it for temporary addresses) in place of the hardware address.
//!
//! Traps: the file is truncated and written anew in place at each change, so that a reader may see a part of it; a dnsmasq
//! built for machines without a clock (HAVE_BROKEN_RTC) writes the length of the lease in place of its end, which cannot be
//! told from an end long ago.

use std::borrow::Cow;

use super::Line;
use super::ParseError;
use super::decimal;
use super::leases::Binding;
use super::leases::Each;
use super::leases::Expiry;
use super::leases::Hardware;
use super::leases::Lease;
use super::leases::address;
use super::leases::whole;
use super::leases::whole_lines;

/// Hands over every lease.
///
/// # Errors
/// Never as a whole.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    for mut line in whole_lines(bytes) {
        let first = line.word();
        match first {
            None | Some(b"duid") => {}
            Some(expiry) => each(lease(line, expiry)),
        }
    }
    Ok(())
}

fn lease<'a>(mut line: Line<'a>, expiry: &'a [u8]) -> Result<Lease<'a>, ParseError> {
    const SECONDS: &str = "seconds since 1970, or 0";
    const ADDRESS: &str = "an IPv4 or IPv6 address";
    let seconds = decimal(expiry).and_then(|seconds| i64::try_from(seconds).ok());
    let seconds = seconds.ok_or_else(|| line.error("expiry", SECONDS, expiry))?;
    let link = line.expect_word("hardware address", "a hardware address or an IAID")?;
    let text = line.expect_word("address", ADDRESS)?;
    let address = address(text).ok_or_else(|| line.error("address", ADDRESS, text))?;
    let hostname = line.expect_word("hostname", "a name or *")?;
    let client = line.expect_word("client id", "a client id or *")?;
    let hardware = if address.is_ipv4() {
        // `06-` before the bytes is the type of the link.
        let typed = link.split(|byte| *byte == b'-').next_back().unwrap_or(link);
        Hardware::from_hex(typed)
            .ok_or_else(|| line.error("hardware address", "pairs of hexadecimal digits", link))?
    } else {
        Hardware::from_duid(client)
    };
    Ok(Lease {
        address,
        prefix: whole(address),
        client: if address.is_ipv4() { link } else { client },
        hardware,
        hostname: Cow::Borrowed(if hostname == b"*" { b"" } else { hostname }),
        expires: if seconds == 0 {
            Expiry::Never
        } else {
            Expiry::At(seconds)
        },
        binding: Binding::Bound,
        reserved: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::leases::tests::survive;
    use super::super::leases::tests::told;
    use super::*;

    /// Written by dnsmasq 2.90.
    const SAMPLE: &[u8] = b"1795312750 02:00:00:00:01:02 192.0.2.163 * 01:02:00:00:00:01:02\n\
        0 02:00:00:00:01:03 192.0.2.50 printer 01:02:00:00:00:01:03\n\
        duid 00:01:00:01:32:94:60:2c:12:f7:d5:68:9c:c5\n\
        1795277055 261 2001:db8:1::1fcb * 00:03:00:01:02:00:00:00:01:05\n";

    #[test]
    fn parses() {
        assert_eq!(
            told(leases, SAMPLE),
            [
                "192.0.2.163/32 02:00:00:00:01:02 \"\" 1795312750 Bound",
                "192.0.2.50/32 02:00:00:00:01:03 \"printer\" never Bound",
                "2001:db8:1::1fcb/128 02:00:00:00:01:05 \"\" 1795277055 Bound",
            ]
        );
        assert_eq!(
            told(leases, b"5 06-02:03 10.0.0.1 caf\xe9 *\n7 T9 ::1 a *\n"),
            [
                "10.0.0.1/32 02:03 \"caf\\\\xe9\" 5 Bound",
                "::1/128  \"a\" 7 Bound"
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(leases, b"1795312750 02:00 192.0.2.1\nx 02 192.0.2.1 a *\n1 02 here a *\n1 2 192.0.2.1 a *\n1 02 192.0.2.9 a *\n"),
            [
                "error: 1: hostname: expected a name or *, found \"\"",
                "error: 2: expiry: expected seconds since 1970, or 0, found \"x\"",
                "error: 3: address: expected an IPv4 or IPv6 address, found \"here\"",
                "error: 4: hardware address: expected pairs of hexadecimal digits, found \"2\"",
                "192.0.2.9/32 02 \"a\" 1 Bound",
            ]
        );
    }

    #[test]
    fn empty() {
        assert!(told(leases, b"").is_empty());
        assert!(told(leases, b"\n\n").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(leases, SAMPLE);
        assert_eq!(told(leases, &SAMPLE[..SAMPLE.len() - 1]).len(), 2);
    }
}
