//! Leases in the rows of a query of an SQLite database, whose columns have these names: `address`, which may end in the length
//! of a prefix (`2001:db8::/56`), and `mac`, `duid`, `hostname` and `expires`, in seconds since 1970 and NULL or 0 for never.
//! Addresses may also be stored as 4 or 16 bytes, or as the number that an IPv4 address is; `mac` and `duid` as bytes.

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use crate::database;
use crate::database::ValueRef;
use crate::parse::ParseError;
use crate::parse::decimal;
use crate::parse::leases::Binding;
use crate::parse::leases::Expiry;
use crate::parse::leases::Hardware;
use crate::parse::leases::Lease;
use crate::parse::leases::address;
use crate::parse::leases::whole;

/// The most rows, as many as a lease file can hold.
const ROWS: usize = 500_000;

const COLUMNS: [&str; 5] = ["address", "mac", "duid", "hostname", "expires"];

/// Hands over the lease in each row, and what is wrong with one, with the row's number for a line.
///
/// # Errors
/// When there is no database, the query is none, or its columns are others.
pub(super) fn leases(
    path: &Path,
    query: &str,
    each: &mut dyn FnMut(Result<Lease<'_>, ParseError>),
) -> Result<(), String> {
    let end = Instant::now() + database::LONGEST;
    database::ask(path, query, ROWS, end, |names| {
        let places = places(names)?;
        Ok(move |row: usize, values: &[ValueRef<'_>]| {
            let value = |at: usize| {
                let place = places.get(at).copied().flatten();
                place.and_then(|place| values.get(place)).copied()
            };
            let [address, mac, duid, hostname, expires] =
                [0, 1, 2, 3, 4].map(|at| value(at).unwrap_or(ValueRef::Null));
            let mac = hex(mac);
            let duid = hex(duid);
            each(lease(row, address, [&mac, &duid], hostname, expires));
            Ok(())
        })
    })
}

/// Where each of the columns is.
fn places(names: &[String]) -> Result<[Option<usize>; 5], String> {
    let places = COLUMNS.map(|column| names.iter().position(|name| name == column));
    let known = places.iter().flatten().count();
    if places[0].is_none() || known < names.len() {
        return Err(format!(
            "query: expected address, and of mac, duid, hostname and expires what there is, each once (SELECT … AS address), found {}",
            names.join(", ")
        ));
    }
    Ok(places)
}

fn lease<'v>(
    row: usize,
    address: ValueRef<'v>,
    [mac, duid]: [&'v Cow<'v, [u8]>; 2],
    hostname: ValueRef<'v>,
    expires: ValueRef<'_>,
) -> Result<Lease<'v>, ParseError> {
    const ADDRESS: &str = "an IPv4 or IPv6 address";
    const HEX: &str = "pairs of hexadecimal digits and colons";
    const SECONDS: &str = "seconds since 1970, 0 or NULL";
    let wrong = |field, expected, value| ParseError::new(row, field, expected, &shown(value));
    let (address, prefix) = place(address).ok_or_else(|| wrong("address", ADDRESS, address))?;
    let hardware = match mac.is_empty() {
        true => Hardware::from_duid(duid),
        false => Hardware::from_hex(mac).ok_or_else(|| ParseError::new(row, "mac", HEX, mac))?,
    };
    let ends = match expires {
        ValueRef::Null => Some(0),
        ValueRef::Integer(seconds) => Some(seconds),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "`as` gives the nearest number, and parts of a second do not count"
        )]
        ValueRef::Real(seconds) if seconds.is_finite() => Some(seconds as i64),
        ValueRef::Text(text) => decimal(text).and_then(|seconds| i64::try_from(seconds).ok()),
        _ => None,
    };
    let ends = ends.filter(|seconds| *seconds >= 0);
    Ok(Lease {
        address,
        prefix,
        client: if mac.is_empty() { duid } else { mac },
        hardware,
        hostname: match hostname {
            ValueRef::Text(text) => Cow::Borrowed(text),
            _ => Cow::Borrowed(b""),
        },
        expires: match ends.ok_or_else(|| wrong("expires", SECONDS, expires))? {
            0 => Expiry::Never,
            seconds => Expiry::At(seconds),
        },
        binding: Binding::Bound,
        reserved: false,
    })
}

fn place(value: ValueRef<'_>) -> Option<(IpAddr, u8)> {
    let found = match value {
        ValueRef::Integer(number) => Ipv4Addr::from(u32::try_from(number).ok()?).into(),
        ValueRef::Blob(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
            _ => <[u8; 16]>::try_from(bytes).ok()?.into(),
        },
        ValueRef::Text(text) => {
            let mut parts = text.splitn(2, |byte| *byte == b'/');
            let found = address(parts.next()?)?;
            let Some(length) = parts.next() else {
                return Some((found, whole(found)));
            };
            let length = u8::try_from(decimal(length)?).ok()?;
            return Some((found, length)).filter(|_| length <= whole(found));
        }
        _ => return None,
    };
    Some((found, whole(found)))
}

/// Text as it is, bytes as hexadecimal digits; nothing for anything else.
fn hex(value: ValueRef<'_>) -> Cow<'_, [u8]> {
    match value {
        ValueRef::Text(text) => Cow::Borrowed(text),
        ValueRef::Blob(bytes) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            Cow::Owned(digits.collect::<String>().into_bytes())
        }
        _ => Cow::Borrowed(b""),
    }
}

/// A value for people.
fn shown(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => b"NULL".to_vec(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::leases::tests::shown as words;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;

    fn told(query: &str) -> Vec<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-{}-leases-rows-{count}.db", std::process::id());
        let path = std::env::temp_dir().join(name);
        rusqlite::Connection::open(&path)
            .and_then(|writer| writer.execute_batch("CREATE TABLE IF NOT EXISTS t (a)"))
            .expect("a database");
        let mut told = Vec::new();
        let whole = leases(&path, query, &mut |entry| {
            told.push(match entry {
                Ok(lease) => words(&lease),
                Err(error) => format!("error: {error}"),
            });
        });
        std::fs::remove_file(&path).expect("removed");
        let error = whole.err();
        told.extend(error.map(|text| text.replace(&format!("{}: ", path.display()), "")));
        told
    }

    #[test]
    fn rows_are_leases() {
        let query = "SELECT '192.0.2.1' AS address, '02:00:00:00:01:01' AS mac, 'a' AS hostname, 1795312749 AS expires \
            UNION ALL SELECT 3221225986, x'020000000102', NULL, 0 \
            UNION ALL SELECT x'c0000203', NULL, 'c', NULL \
            UNION ALL SELECT '2001:db8::/56', '', 'd', '7' \
            UNION ALL SELECT '192.0.2.4', NULL, 'e', 7.9";
        assert_eq!(
            told(query),
            [
                "192.0.2.1/32 02:00:00:00:01:01 \"a\" 1795312749 Bound",
                "192.0.2.2/32 02:00:00:00:01:02 \"\" never Bound",
                "192.0.2.3/32  \"c\" never Bound",
                "2001:db8::/56  \"d\" 7 Bound",
                "192.0.2.4/32  \"e\" 7 Bound",
            ]
        );
        assert_eq!(
            told(
                "SELECT x'20010db8000000000000000000000001' AS address, x'00030001020000000105' AS duid"
            ),
            ["2001:db8::1/128 02:00:00:00:01:05 \"\" never Bound"]
        );
        assert!(told("SELECT a AS address FROM t").is_empty());
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            told(
                "SELECT 'x' AS address, '' AS mac, 0 AS expires UNION ALL SELECT NULL, '', 0 UNION ALL SELECT -1, '', 0 \
                UNION ALL SELECT '192.0.2.1/33', '', 0 UNION ALL SELECT '::1', 'zz', 0 UNION ALL SELECT '::1', '', 'soon'"
            ),
            [
                "error: 1: address: expected an IPv4 or IPv6 address, found \"x\"",
                "error: 2: address: expected an IPv4 or IPv6 address, found \"NULL\"",
                "error: 3: address: expected an IPv4 or IPv6 address, found \"-1\"",
                "error: 4: address: expected an IPv4 or IPv6 address, found \"192.0.2.1/33\"",
                "error: 5: mac: expected pairs of hexadecimal digits and colons, found \"zz\"",
                "error: 6: expires: expected seconds since 1970, 0 or NULL, found \"soon\"",
            ]
        );
        for query in [
            "SELECT 1",
            "SELECT 1 AS address, 2 AS address",
            "SELECT '' AS mac",
        ] {
            let found = told(query);
            assert!(
                found[0].starts_with("query: expected address, and of mac"),
                "{found:?}"
            );
        }
        assert_eq!(
            told("SELECT a AS address FROM none"),
            ["sqlite: no such table: none"]
        );
        assert_eq!(
            told("DELETE FROM t"),
            ["query: expected a SELECT, found what writes"]
        );
    }
}
