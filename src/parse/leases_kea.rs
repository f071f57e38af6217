//! Kea's memfile lease databases, `/var/lib/kea/kea-leases4.csv` and `kea-leases6.csv`.
//!
//! Documented in Kea's reference manual under `lease-database`; written by `CSVLeaseFile4` and `CSVLeaseFile6` in its
//! src/lib/dhcpsrv. A sample of Kea 2.2:
//!
//! ```text
//! address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
//! 192.0.2.100,02:00:00:00:04:01,01:02:00:00:00:04:01,43200,1795312781,7,0,0,laptop,0,
//! ```
//!
//! The first line names the columns; versions add some at the end. `expire` is in seconds since 1970 and a `valid_lifetime` of
//! 4294967295 is for ever; `state` is 0 assigned, 1 declined, 2 expired and reclaimed, 3 released, 4 registered. Of IPv6
//! `lease_type` 2 is a prefix of `prefix_len`.
//!
//! Traps: the file grows at its end, and the last row of an address is what counts, a lifetime of 0 in it being a lease that was
//! deleted; `FILE.completed` or `FILE.2`, and `FILE.1`, hold what came before while the file is being cleaned up
//! (lfc-interval); in names a comma is `&#x2c`.

use std::borrow::Cow;

use super::Line;
use super::ParseError;
use super::decimal;
use super::hex;
use super::leases::Binding;
use super::leases::Each;
use super::leases::Expiry;
use super::leases::Hardware;
use super::leases::Lease;
use super::leases::address;
use super::leases::whole;
use super::leases::whole_lines;

const NEVER: u64 = 0xffff_ffff;
const DECIMAL: &str = super::DECIMAL;

/// Where the columns are that are read.
#[derive(Clone, Copy, Default)]
struct Columns {
    address: Option<usize>,
    hwaddr: Option<usize>,
    duid: Option<usize>,
    valid_lifetime: Option<usize>,
    expire: Option<usize>,
    lease_type: Option<usize>,
    prefix_len: Option<usize>,
    hostname: Option<usize>,
    state: Option<usize>,
}

/// Hands over every row, in the order in which they count.
///
/// # Errors
/// When the first line does not name the columns that every version has.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    let mut lines = whole_lines(bytes);
    let Some(head) = lines.next() else {
        return Ok(());
    };
    let columns = columns(&head)?;
    // A row has some twenty fields; what stands behind is not read.
    let mut fields: [&[u8]; 32] = [b""; 32];
    for line in lines.filter(|line| !line.text().is_empty()) {
        let mut count = 0;
        for (place, field) in fields
            .iter_mut()
            .zip(line.text().split(|byte| *byte == b','))
        {
            *place = field;
            count += 1;
        }
        let found = fields.get(..count).unwrap_or(&[]);
        each(row(&line, found, columns));
    }
    Ok(())
}

fn columns(head: &Line<'_>) -> Result<Columns, ParseError> {
    let mut columns = Columns::default();
    for (place, name) in head.text().split(|byte| *byte == b',').enumerate() {
        let column = match name.trim_ascii() {
            b"address" => &mut columns.address,
            b"hwaddr" => &mut columns.hwaddr,
            b"duid" => &mut columns.duid,
            b"valid_lifetime" => &mut columns.valid_lifetime,
            b"expire" => &mut columns.expire,
            b"lease_type" => &mut columns.lease_type,
            b"prefix_len" => &mut columns.prefix_len,
            b"hostname" => &mut columns.hostname,
            b"state" => &mut columns.state,
            _ => continue,
        };
        *column = Some(place);
    }
    let needed = [columns.address, columns.valid_lifetime, columns.expire];
    if needed.iter().all(Option::is_some) && columns.hwaddr.or(columns.duid).is_some() {
        Ok(columns)
    } else {
        const COLUMNS: &str = "address, hwaddr or duid, valid_lifetime and expire";
        Err(head.error("columns", COLUMNS, head.text()))
    }
}

fn row<'a>(
    line: &Line<'a>,
    fields: &[&'a [u8]],
    columns: Columns,
) -> Result<Lease<'a>, ParseError> {
    const ADDRESS: &str = "an IPv4 or IPv6 address";
    const STATE: &str = "a number from 0 to 4";
    let field = |column: Option<usize>| column.and_then(|at| fields.get(at).copied());
    let number = |name: &'static str, column| {
        let text = field(column).unwrap_or_default();
        decimal(text).ok_or_else(|| line.error(name, DECIMAL, text))
    };
    let text = field(columns.address).unwrap_or_default();
    let address = address(text).ok_or_else(|| line.error("address", ADDRESS, text))?;
    let lifetime = number("valid_lifetime", columns.valid_lifetime)?;
    let expire = i64::try_from(number("expire", columns.expire)?).unwrap_or(i64::MAX);
    let state = field(columns.state).unwrap_or(b"0");
    let binding = match state {
        _ if lifetime == 0 => Binding::Forgotten,
        b"0" | b"4" => Binding::Bound,
        b"1" => Binding::Declined,
        b"2" | b"3" => Binding::Free,
        _ => return Err(line.error("state", STATE, state)),
    };
    let prefix = match field(columns.lease_type) {
        Some(b"2") => {
            let length = number("prefix_len", columns.prefix_len)?;
            u8::try_from(length).unwrap_or(u8::MAX).min(whole(address))
        }
        _ => whole(address),
    };
    let hardware = field(columns.hwaddr).unwrap_or_default();
    let duid = field(columns.duid);
    Ok(Lease {
        address,
        prefix,
        client: duid.unwrap_or(hardware),
        hardware: match duid {
            Some(duid) if hardware.is_empty() => Hardware::from_duid(duid),
            _ => Hardware::from_hex(hardware).ok_or_else(|| {
                line.error("hwaddr", "pairs of hexadecimal digits and colons", hardware)
            })?,
        },
        hostname: unescape(field(columns.hostname).unwrap_or_default()),
        expires: if lifetime == NEVER {
            Expiry::Never
        } else {
            Expiry::At(expire)
        },
        binding,
        reserved: false,
    })
}

/// `&#x2c` is a comma.
fn unescape(name: &[u8]) -> Cow<'_, [u8]> {
    const MARK: &[u8] = b"&#x";
    if !name.windows(MARK.len()).any(|part| part == MARK) {
        return Cow::Borrowed(name);
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        let digits = rest
            .strip_prefix(MARK)
            .and_then(|tail| tail.split_at_checked(2));
        let byte =
            digits.and_then(|(digits, after)| Some((u8::try_from(hex(digits)?).ok()?, after)));
        let (byte, after) = byte.unwrap_or((*first, tail));
        plain.push(byte);
        rest = after;
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::super::leases::tests::survive;
    use super::super::leases::tests::told;
    use super::*;

    /// Written by Kea 2.2; the third and the last row are made up.
    const V4: &[u8] = b"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n\
        192.0.2.100,02:00:00:00:04:01,01:02:00:00:00:04:01,43200,1795312781,7,0,0,laptop,0,\n\
        192.0.2.50,02:00:00:00:04:03,01:02:00:00:00:04:03,43200,1795312782,7,0,0,printer,0,\n\
        192.0.2.7,02:00:00:00:04:05,,4294967295,1795312782,7,0,0,a&#x2cb&#,0,{ \"a\": 1 }\n\
        192.0.2.8,,,86400,1795312782,7,0,0,,1,\n\
        192.0.2.100,02:00:00:00:04:01,01:02:00:00:00:04:01,0,1795312785,7,0,0,laptop,0,\n";

    const V6: &[u8] = b"address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source\n\
        2001:db8:1::1000,00:03:00:01:02:00:00:00:04:05,43200,1795312781,8,40000,0,1029,128,0,0,,02:00:00:00:04:05,0,,1,2\n\
        2001:db8:100::,00:03:00:01:02:00:00:00:04:06,43200,1795312781,8,40000,2,1030,56,0,0,,,2,,,\n";

    #[test]
    fn parses() {
        assert_eq!(
            told(leases, V4),
            [
                "192.0.2.100/32 02:00:00:00:04:01 \"laptop\" 1795312781 Bound",
                "192.0.2.50/32 02:00:00:00:04:03 \"printer\" 1795312782 Bound",
                "192.0.2.7/32 02:00:00:00:04:05 \"a,b&#\" never Bound",
                "192.0.2.8/32  \"\" 1795312782 Declined",
                "192.0.2.100/32 02:00:00:00:04:01 \"laptop\" 1795312785 Forgotten",
            ]
        );
        assert_eq!(
            told(leases, V6),
            [
                "2001:db8:1::1000/128 02:00:00:00:04:05 \"\" 1795312781 Bound",
                "2001:db8:100::/56 02:00:00:00:04:06 \"\" 1795312781 Free",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(leases, b"address,hwaddr\n192.0.2.1,02\n"),
            [
                "whole: 1: columns: expected address, hwaddr or duid, valid_lifetime and expire, found \"address,hwaddr\""
            ]
        );
        assert_eq!(
            told(leases, b"address,hwaddr,valid_lifetime,expire,state\n\n192.0.2.1,02,5\nx,02,5,6\n192.0.2.1,2,5,6,0\n192.0.2.1,02,5,6,9\n192.0.2.1,02,5,6\n"),
            [
                "error: 3: expire: expected an unsigned decimal number, found \"\"",
                "error: 4: address: expected an IPv4 or IPv6 address, found \"x\"",
                "error: 5: hwaddr: expected pairs of hexadecimal digits and colons, found \"2\"",
                "error: 6: state: expected a number from 0 to 4, found \"9\"",
                "192.0.2.1/32 02 \"\" 6 Bound",
            ]
        );
    }

    #[test]
    fn empty() {
        assert!(told(leases, b"").is_empty());
        assert!(told(leases, b"address,hwaddr,valid_lifetime,expire\n").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(leases, V4);
        survive(leases, V6);
    }
}
