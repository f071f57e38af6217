//! odhcpd's state file, `/tmp/hosts/odhcpd` or `/tmp/odhcpd.leases`: DHCPv6, and DHCPv4 where odhcpd does that too.
//!
//! Documented in odhcpd's README under `leasefile`; written by `statefiles_write_state` in its src/statefiles.c, before 2025 by
//! `dhcpv6_ia_write_statefile` in src/dhcpv6-ia.c. Debian has no package of it, so this sample is made after the source:
//!
//! ```text
//! # br-lan 00030001020000000105 9a8b7c6d laptop 1795312749 5cb 128 2001:db8:1::5cb/128 fd00:1::5cb/128
//! 2001:db8:1::5cb laptop.lan laptop
//! # br-lan 020000000101 ipv4 phone 1795312749 c0000265 32 192.0.2.101/32
//! ```
//!
//! Only lines that begin with `# ` are leases, the others are for the resolver: interface, DUID (hardware address for `ipv4`),
//! IAID in hexadecimal or `ipv4`, name or `-`, expiry in seconds since 1970 (-1 never, 0 over), what was assigned, length, and
//! every address or prefix that this makes with the interface's prefixes. Each of them is a lease here, as each is elsewhere.
//!
//! Traps: a name that odhcpd does not take for one has `broken\x20`, in these ten characters, before it; a DHCPv6 lease that is
//! over has no addresses, one of DHCPv4 has its address still. The file that odhcpd writes for resolvers alone (`hostsfile`)
//! has the lines with names only.

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
use super::signed;

/// Hands over every lease.
///
/// # Errors
/// Never as a whole.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    for mut line in whole_lines(bytes) {
        if line.text().starts_with(b"# ") {
            if let Err(error) = binding(&mut line, each) {
                each(Err(error));
            }
        } else if let Some(word) = line.word()
            && address(word).is_none()
            && !word.starts_with(b"#")
        {
            each(Err(line.error(
                "line",
                "# or an address at its beginning",
                word,
            )));
        }
    }
    Ok(())
}

fn binding<'a>(line: &mut Line<'a>, each: Each<'_, 'a>) -> Result<(), ParseError> {
    const EXPIRY: &str = "seconds since 1970, -1 or 0";
    line.word();
    line.expect_word("interface", "a name")?;
    let client = line.expect_word("duid", "hexadecimal digits")?;
    let ipv4 = line.expect_word("iaid", "ipv4 or a hexadecimal number")? == b"ipv4";
    let name = line.expect_word("hostname", "a name or -")?;
    let name = name.strip_prefix(b"broken\\x20").unwrap_or(name);
    let expiry = line.expect_word("expiry", EXPIRY)?;
    let expires = match signed(expiry) {
        Some(-1) => Expiry::Never,
        Some(time) if time >= 0 => Expiry::At(time),
        _ => return Err(line.error("expiry", EXPIRY, expiry)),
    };
    line.expect_word("assigned", "a hexadecimal number")?;
    line.expect_decimal("length")?;
    let hardware = if ipv4 {
        Hardware::from_hex(client)
            .ok_or_else(|| line.error("duid", "hexadecimal digits", client))?
    } else {
        Hardware::from_duid(client)
    };
    while let Some(word) = line.word() {
        let found = prefix(word);
        each(match found {
            Some((address, prefix)) => Ok(Lease {
                address,
                prefix,
                client,
                hardware,
                hostname: Cow::Borrowed(if name == b"-" { b"" } else { name }),
                expires,
                binding: Binding::Bound,
                reserved: false,
            }),
            None => Err(line.error("address", "an address, a slash and a length", word)),
        });
    }
    Ok(())
}

/// `192.0.2.1/32`.
fn prefix(word: &[u8]) -> Option<(std::net::IpAddr, u8)> {
    let slash = word.iter().position(|byte| *byte == b'/')?;
    let address = address(word.get(..slash)?)?;
    let length = u8::try_from(decimal(word.get(slash + 1..)?)?).ok()?;
    (length <= whole(address)).then_some((address, length))
}

#[cfg(test)]
mod tests {
    use super::super::leases::tests::survive;
    use super::super::leases::tests::told;
    use super::*;

    /// After odhcpd's source.
    const SAMPLE: &[u8] = b"# br-lan 00030001020000000105 9a8b7c6d laptop 1795312749 5cb 128 2001:db8:1::5cb/128 fd00:1::5cb/128 \n\
        2001:db8:1::5cb\tlaptop.lan\tlaptop\n\
        # br-lan 00030001020000000106 1 - -1 10 60 2001:db8:100::/60\n\
        # br-lan 00030001020000000107 1 old 0 10 128\n\
        # br-lan 020000000101 ipv4 broken\\x20_phone 1795312749 c0000265 32 192.0.2.101/32\n\
        # br-lan 020000000102 ipv4 tablet 0 c0000266 32 192.0.2.102/32\n";

    #[test]
    fn parses() {
        assert_eq!(
            told(leases, SAMPLE),
            [
                "2001:db8:1::5cb/128 02:00:00:00:01:05 \"laptop\" 1795312749 Bound",
                "fd00:1::5cb/128 02:00:00:00:01:05 \"laptop\" 1795312749 Bound",
                "2001:db8:100::/60 02:00:00:00:01:06 \"\" never Bound",
                "192.0.2.101/32 02:00:00:00:01:01 \"_phone\" 1795312749 Bound",
                "192.0.2.102/32 02:00:00:00:01:02 \"tablet\" 0 Bound",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(leases, b"# br-lan\n# br-lan 0003 1 a -2 0 128\n# br-lan zz ipv4 a 5 0 32 192.0.2.1/32\n# b 0003 1 a 5 0 128 ::1/129 ::2/128\n"),
            [
                "error: 1: duid: expected hexadecimal digits, found \"\"",
                "error: 2: expiry: expected seconds since 1970, -1 or 0, found \"-2\"",
                "error: 3: duid: expected hexadecimal digits, found \"zz\"",
                "error: 4: address: expected an address, a slash and a length, found \"::1/129\"",
                "::2/128  \"a\" 5 Bound",
            ]
        );
    }

    #[test]
    fn empty() {
        assert!(told(leases, b"").is_empty());
        assert!(told(leases, b"#\n127.0.0.1 localhost\n").is_empty());
        assert_eq!(
            told(leases, b"1795312750 02:00:00:00:01:02 192.0.2.163 a *\n"),
            ["error: 1: line: expected # or an address at its beginning, found \"1795312750\""]
        );
    }

    #[test]
    fn ends_abruptly() {
        survive(leases, SAMPLE);
    }
}
