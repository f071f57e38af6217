//! The lease file of BusyBox' udhcpd, `/var/lib/misc/udhcpd.leases`, which is binary.
//!
//! Documented by dumpleases; written by `write_leases` in BusyBox' networking/udhcp/dhcpd.c. All numbers are big-endian: the
//! time at which the file was written in 64 bits (32 in some firmwares), then for each lease 36 bytes: what remained of
//! it at that time in seconds (32 bits), the IPv4 address, six bytes of hardware address, twenty bytes of name ended by a zero,
//! two bytes of nothing.
//!
//! Traps: nothing says how wide the time is, but until 2106 a time of 64 bits begins with four zero bytes and one of 32 does not;
//! the file is written every `auto_time` (two hours) and after each new lease, so that renewals are seen late; what
//! remains is 0 for a lease that had run out. Errors count leases where others count lines.

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::ParseError;
use super::leases::Binding;
use super::leases::Each;
use super::leases::Expiry;
use super::leases::Hardware;
use super::leases::Lease;

const RECORD: usize = 36;

/// Hands over every lease.
///
/// # Errors
/// When there is no whole time at its beginning. A file of no bytes has no leases: udhcpd wants one made before it starts.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let cut = || ParseError::new(1, "written at", "a time of 32 or 64 bits", bytes);
    let (first, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
    let (written, records) = match u32::from_be_bytes(*first) {
        0 => {
            let (second, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            (u32::from_be_bytes(*second), rest)
        }
        written => (written, rest),
    };
    for (number, record) in records.chunks_exact(RECORD).enumerate() {
        each(lease(record, i64::from(written)).ok_or_else(|| {
            ParseError::new(number + 1, "address", "an IPv4 address", &[0, 0, 0, 0])
        }));
    }
    Ok(())
}

fn lease(record: &[u8], written: i64) -> Option<Lease<'_>> {
    let (remaining, rest) = record.split_first_chunk::<4>()?;
    let (address, rest) = rest.split_first_chunk::<4>()?;
    let (hardware, rest) = rest.split_first_chunk::<6>()?;
    let (name, _) = rest.split_first_chunk::<20>()?;
    let address = Ipv4Addr::from(*address);
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    (!address.is_unspecified()).then(|| Lease {
        address: IpAddr::V4(address),
        prefix: 32,
        client: hardware,
        hardware: Hardware::from_bytes(*hardware),
        hostname: Cow::Borrowed(name),
        expires: Expiry::At(written + i64::from(u32::from_be_bytes(*remaining))),
        binding: Binding::Bound,
        reserved: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::leases::tests::told;
    use super::*;

    /// Written by udhcpd of BusyBox 1.35.
    const SAMPLE: &[u8] = b"\0\0\0\0\x6b\x01\xa3\xbc\
        \0\0\xa8\xbe\xc0\0\x02\xa0\x02\0\0\0\x02\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\xa8\xbb\xc0\0\x02\x9f\x02\0\0\0\x02\x01laptop\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    const PARSED: [&str; 2] = [
        "192.0.2.160/32 02:00:00:00:02:02 \"\" 1795312762 Bound",
        "192.0.2.159/32 02:00:00:00:02:01 \"laptop\" 1795312759 Bound",
    ];

    #[test]
    fn parses() {
        assert_eq!(told(leases, SAMPLE), PARSED);
        assert_eq!(told(leases, &SAMPLE[4..]), PARSED, "32 bits");
    }

    #[test]
    fn short() {
        assert_eq!(
            told(leases, b"\0\0\0"),
            ["whole: 1: written at: expected a time of 32 or 64 bits, found \"\\0\\0\\0\""]
        );
        let mut nowhere = SAMPLE.to_vec();
        nowhere[12..16].fill(0);
        assert_eq!(
            told(leases, &nowhere)[0],
            "error: 1: address: expected an IPv4 address, found \"\\0\\0\\0\\0\""
        );
    }

    #[test]
    fn empty() {
        assert!(told(leases, b"").is_empty());
        assert!(told(leases, &SAMPLE[..8]).is_empty());
    }

    #[test]
    fn ends_abruptly() {
        assert_eq!(told(leases, &SAMPLE[..SAMPLE.len() - 1]), PARSED[..1]);
        for cut in 0..SAMPLE.len() {
            let _ = told(leases, &SAMPLE[..cut]);
            let _ = told(leases, &SAMPLE[cut..]);
        }
    }
}
