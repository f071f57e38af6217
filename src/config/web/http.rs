//! The parts of the file that need no TLS: headers, users, the limit on requests.

use std::time::Duration;

use crate::config::node::Node;
use crate::config::node::Wrong;
use crate::config::node::keep;

use super::Bcrypt;
use super::RateLimit;
use super::User;
use super::text;
use super::truth;

/// The headers that may be set, and their values where not all will do: exporter-toolkit's list.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];
/// From this cost on one check takes seconds on a fast machine, and minutes on a router.
const SLOW: u8 = 15;
/// The alphabet of bcrypt's base64.
const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Reads `http_server_config`; says whether HTTP/2 is wanted, which is so where nothing is said.
pub(super) fn server(
    node: &Node,
    headers: &mut Vec<(String, String)>,
    wrong: &mut Vec<Wrong>,
) -> bool {
    let Some(fields) = keep(node.fields(&["http2", "headers"]), wrong) else {
        return true;
    };
    fields.unknown(wrong);
    if let Some(node) = fields
        .get("headers")
        .filter(|node| !super::is_nothing(node))
    {
        for entry in keep(node.entries("a mapping of headers"), wrong).unwrap_or_default() {
            let value = header(&entry.name, &entry.node);
            headers.extend(keep(value, wrong).map(|value| (entry.name.to_string(), value)));
        }
    }
    let http2 = fields
        .get("http2")
        .and_then(|node| keep(truth(node), wrong));
    http2.unwrap_or(true)
}

fn header(name: &str, node: &Node) -> Result<String, Wrong> {
    let Some((_, values)) = HEADERS.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = HEADERS.iter().map(|(name, _)| *name).collect();
        let expected = crate::config::spelling::list(&names);
        return Err(node.wrong(format!("expected {expected}, found another header")));
    };
    let value = text(node, "a header's value")?;
    if !values.is_empty() && !values.contains(&value) {
        return Err(node.refused(&crate::config::spelling::list(values)));
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(node.refused("printable ASCII"));
    }
    Ok(value.to_string())
}

/// Reads `basic_auth_users`.
pub(super) fn users(node: &Node, warnings: &mut Vec<String>, wrong: &mut Vec<Wrong>) -> Vec<User> {
    let entries = keep(node.entries("a mapping of users to bcrypt hashes"), wrong);
    let mut users = Vec::new();
    for entry in entries.unwrap_or_default() {
        let hash = text(&entry.node, "a bcrypt hash").and_then(|text| {
            // What was found is not shown: it may be the password itself.
            let expected =
                "expected a bcrypt hash ($2y$10$ and 53 letters more), found something else";
            bcrypt(text).ok_or_else(|| entry.node.wrong(expected.to_string()))
        });
        if let Some(hash) = keep(hash, wrong) {
            if hash.cost >= SLOW {
                warnings.push(format!(
                    "basic_auth_users: {}: cost {} makes each check of a password slow",
                    entry.name, hash.cost
                ));
            }
            users.push(User {
                name: entry.name.to_string(),
                hash,
            });
        }
    }
    users
}

/// Reads `$2y$10$` and 53 letters: 16 bytes of salt in 22 of them, 23 bytes of digest in 31.
fn bcrypt(text: &str) -> Option<Bcrypt> {
    let rest = text.strip_prefix("$2")?;
    let rest = rest.strip_prefix(['a', 'b', 'x', 'y']).unwrap_or(rest);
    let (cost, rest) = rest.strip_prefix('$')?.split_once('$')?;
    let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
    let cost = Some(cost).filter(|_| digits)?.parse().ok()?;
    let (salt, digest) = rest.split_at_checked(22)?;
    Some(Bcrypt {
        cost: Some(cost).filter(|cost| (4..=31).contains(cost))?,
        salt: letters(salt)?,
        digest: letters(digest)?,
    })
}

/// Base64 in bcrypt's alphabet, without padding; bits that are left over count for nothing.
fn letters<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(6) {
        return None;
    }
    let mut bytes = [0; N];
    let mut out = bytes.iter_mut();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            *out.next()? = (bits >> count).to_le_bytes()[0];
        }
    }
    Some(bytes)
}

/// Reads `rate_limit`; an interval of nothing is no limit.
pub(super) fn rate_limit(node: &Node, wrong: &mut Vec<Wrong>) -> Option<RateLimit> {
    let fields = keep(node.fields(&["interval", "burst"]), wrong)?;
    fields.unknown(wrong);
    let interval = fields
        .get("interval")
        .map(|node| keep(interval(node), wrong));
    let burst = fields.get("burst");
    let burst = burst.map(|node| keep(node.number(0, 1 << 31), wrong));
    let interval = interval.flatten().filter(|interval| !interval.is_zero())?;
    let burst = burst.flatten().unwrap_or_default();
    Some(RateLimit {
        interval,
        burst: u32::try_from(burst).unwrap_or(u32::MAX),
    })
}

/// A duration as Go writes it (`1.5s`, `1m30s`, `100us`), or nanoseconds as a bare number.
fn interval(node: &Node) -> Result<Duration, Wrong> {
    let expected = "a duration such as 500ms, 1s or 1m30s";
    let text = text(node, expected)?;
    go_duration(text).ok_or_else(|| node.refused(expected))
}

fn go_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    if let Some(nanoseconds) = digits(text) {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let number = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(number);
        let unit = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.');
        let (unit, tail) = tail.split_at(unit.unwrap_or(tail.len()));
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { digits(whole)? };
        // Nine digits are all that make a difference.
        let mut weight = *unit;
        let mut small = 0_u64;
        for digit in part.bytes() {
            weight /= 10;
            small += u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * weight;
        }
        let part = whole.checked_mul(*unit)?.checked_add(small)?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(Duration::from_nanos(total)).filter(|_| !text.is_empty())
}

fn digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Some(text).filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, expected) in [
            ("1s", Some(1_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("100us", Some(100_000)),
            ("7", Some(7)),
            ("0", Some(0)),
            ("", None),
            ("1", Some(1)),
            ("1x", None),
            ("s", None),
            (".s", None),
            ("-1s", None),
            ("1d", None),
            ("9999999999h", None),
            ("1.2.3s", None),
        ] {
            let found = go_duration(text).map(|duration| duration.as_nanos());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn hashes_are_taken_apart() {
        let hash = "$2y$10$2UXri9cIDdgeKjBo4Rlpx.U3ZLDV8X1IxKmsfOvhcM5oXQt/mLmXq";
        let parts = bcrypt(hash).map(|hash| {
            (
                hash.cost,
                hash.salt[..2].to_vec(),
                hash.digest[..2].to_vec(),
            )
        });
        assert_eq!(
            parts,
            Some((10, vec![0xe1, 0x66], vec![0x5b, 0x96])),
            "of {hash}"
        );
        for prefix in ["$2$", "$2a$", "$2b$", "$2x$"] {
            assert!(bcrypt(&hash.replace("$2y$", prefix)).is_some(), "{prefix}");
        }
        for end in 0..hash.len() {
            assert!(bcrypt(&hash[..end]).is_none(), "{end}");
        }
        for (from, to) in [
            ("$10$", "$03$"),
            ("$10$", "$32$"),
            ("$10$", "$+9$"),
            ("2U", "2!"),
            ("$2y", "$3y"),
        ] {
            assert!(bcrypt(&hash.replace(from, to)).is_none(), "{to}");
        }
        assert!(bcrypt(&format!("{hash}a")).is_none());
    }
}
