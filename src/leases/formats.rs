//! Which parser reads a file.

use crate::config::dhcp::Format;
use crate::parse::ParseError;
use crate::parse::dhcpd_conf;
use crate::parse::dnsmasq_conf;
use crate::parse::kea_conf;
use crate::parse::leases::Each;
use crate::parse::leases_dnsmasq;
use crate::parse::leases_isc;
use crate::parse::leases_json;
use crate::parse::leases_kea;
use crate::parse::leases_networkd;
use crate::parse::leases_odhcpd;
use crate::parse::leases_udhcpd;
use crate::parse::pools;
use crate::parse::udhcpd_conf;

/// Hands over what a file holds.
pub(super) fn leases<'a>(
    format: Option<Format>,
    bytes: &'a [u8],
    each: Each<'_, 'a>,
) -> Result<(), ParseError> {
    let parse = match format.unwrap_or_else(|| guess(bytes)) {
        Format::Dnsmasq => leases_dnsmasq::leases,
        Format::Odhcpd => leases_odhcpd::leases,
        Format::Kea => leases_kea::leases,
        Format::Isc => leases_isc::leases,
        Format::Udhcpd => leases_udhcpd::leases,
        Format::Networkd => leases_networkd::leases,
        Format::Json => leases_json::leases,
        // Refused when the configuration is read, or read as a database.
        Format::Sqlite => return Err(ParseError::new(1, "format", "a weir with SQLite", b"")),
    };
    parse(bytes, each)
}

/// Hands over what a file of the configuration says of pools. What has no configuration of its own is taken for dnsmasq's.
pub(super) fn settings<'a>(format: Option<Format>, bytes: &'a [u8], each: pools::Each<'_, 'a>) {
    match format {
        Some(Format::Kea) => kea_conf::settings(bytes, each),
        Some(Format::Isc) => dhcpd_conf::settings(bytes, each),
        Some(Format::Udhcpd) => udhcpd_conf::settings(bytes, each),
        _ => dnsmasq_conf::settings(bytes, each),
    }
}

/// The format as a file's beginning looks. What is of none of the others is dnsmasq's, which has no mark of its own; an
/// empty file has no leases in any format.
fn guess(bytes: &[u8]) -> Format {
    let words = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|part| part == word);
    let head = bytes.get(..4096).unwrap_or(bytes);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match head.trim_ascii_start().first() {
        Some(0) => Format::Udhcpd,
        Some(b'{') if words(head, b"\"BootID\"") => Format::Networkd,
        Some(b'{' | b'[') => Format::Json,
        Some(b'a') if line.starts_with(b"address,") => Format::Kea,
        _ if [
            b"dhcpd.leases(5)".as_slice(),
            b"\nlease ",
            b"\nia-",
            b"authoring-byte-order",
        ]
        .into_iter()
        .any(|word| words(head, word))
            || line.starts_with(b"lease ") =>
        {
            Format::Isc
        }
        _ if head.starts_with(b"# ") || words(head, b"\n# ") => Format::Odhcpd,
        _ => Format::Dnsmasq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_seen_from_what_a_file_holds() {
        for (bytes, expected) in [
            (b"".as_slice(), Format::Dnsmasq),
            (b"1795312750 02:00 192.0.2.1 a *\n", Format::Dnsmasq),
            (b"duid 00:01\n", Format::Dnsmasq),
            (b"# br-lan 0003 1 a 5 0 128 ::1/128\n", Format::Odhcpd),
            (
                b"::1\ta\n# br-lan 0003 1 a 5 0 128 ::1/128\n",
                Format::Odhcpd,
            ),
            (b"address,hwaddr,client_id\n", Format::Kea),
            (
                b"# The format of this file is documented in the dhcpd.leases(5) manual page.\n",
                Format::Isc,
            ),
            (b"lease 10.0.0.1 {\n", Format::Isc),
            (b"\0\0\0\0k\x01", Format::Udhcpd),
            (b"{\"BootID\":\"2a\"}", Format::Networkd),
            (b"[\n { \"ip-address\"", Format::Json),
        ] {
            assert_eq!(
                guess(bytes),
                expected,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
}
