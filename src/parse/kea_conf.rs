//! The subnets of Kea's configuration, `/etc/kea/kea-dhcp4.conf` and `kea-dhcp6.conf`: JSON with comments.
//!
//! Documented in Kea's reference manual. Pools are named after the subnet that they are in:
//!
//! ```text
//! { "Dhcp4": { "subnet4": [ { "id": 7, "subnet": "192.0.2.0/24", "pools": [ { "pool": "192.0.2.100 - 192.0.2.199" } ],
//!   "reservations": [ { "hw-address": "02:00:00:00:04:03", "ip-address": "192.0.2.50" } ] } ] } }
//! ```
//!
//! A pool may also be a network (`192.0.2.128/25`). Subnets of shared networks are found too; pools of prefixes (`pd-pools`) are
//! passed over. What `<?include "/etc/kea/more.json"?>` names takes its place before this is read ([`include()`]).

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use super::ParseError;
use super::json::Json;
use super::leases::address;
use super::pools::Each;
use super::pools::Setting;
use super::pools::ends;
use super::pools::network;

/// Hands over every pool and every reserved address.
pub fn settings<'a>(bytes: &'a [u8], each: Each<'_, 'a>) {
    let mut json = Json::new(bytes);
    if json.peek().is_some()
        && let Err(error) = search(&mut json, each)
    {
        each(Err(error));
    }
}

fn search<'a>(json: &mut Json<'a>, each: Each<'_, 'a>) -> Result<(), ParseError> {
    match json.peek() {
        Some(b'[') => json.array(&mut |json| search(json, &mut *each)),
        Some(b'{') => json.object(&mut |json, key| match (key, json.peek()) {
            (b"subnet4" | b"subnet6", Some(b'[')) => {
                json.array(&mut |json| subnet(json, &mut *each))
            }
            (b"reservations", Some(b'[')) => json.array(&mut |json| reservation(json, &mut *each)),
            _ => search(json, &mut *each),
        }),
        _ => json.skip().map(|_| ()),
    }
}

/// Where the first `<?include "…"?>` of a text stands, and what it names: a file that takes its place, whatever part of the
/// whole that is. Nothing in strings and comments is one.
#[must_use]
pub fn include(bytes: &[u8]) -> Option<(Range<usize>, &[u8])> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = if let Some(inside) = rest.strip_prefix(b"<?include") {
            let end = find(inside, b"?>")?;
            let path = inside.get(..end)?.trim_ascii();
            let path = path
                .strip_prefix(b"\"")
                .and_then(|path| path.strip_suffix(b"\""));
            let length = b"<?include".len() + end + b"?>".len();
            if let Some(path) = path {
                return Some((at..at + length, path));
            }
            length
        } else if rest.starts_with(b"\"") {
            string(rest)
        } else if rest.starts_with(b"#") || rest.starts_with(b"//") {
            find(rest, b"\n")?
        } else if let Some(comment) = rest.strip_prefix(b"/*") {
            find(comment, b"*/")? + 4
        } else {
            1
        };
        at += length;
    }
    None
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// The length of a string with its quotes.
fn string(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn subnet<'a>(json: &mut Json<'a>, each: Each<'_, 'a>) -> Result<(), ParseError> {
    const POOL: &str = "FIRST - LAST or NETWORK/LENGTH";
    let mut name = Cow::Borrowed(b"".as_slice());
    let mut ranges: Vec<(IpAddr, IpAddr)> = Vec::new();
    json.object(&mut |json, key| match (key, json.peek()) {
        (b"subnet", Some(b'"')) => {
            name = json.text()?;
            Ok(())
        }
        (b"pools", Some(b'[')) => json.array(&mut |json| {
            json.object(&mut |json, key| {
                if key != b"pool" || json.peek() != Some(b'"') {
                    return json.skip().map(|_| ());
                }
                let place = json.place();
                match range(&json.text()?) {
                    Some(range) => ranges.push(range),
                    None => each(Err(json.error_at(place, "pool", POOL))),
                }
                Ok(())
            })
        }),
        (b"reservations", Some(b'[')) => json.array(&mut |json| reservation(json, &mut *each)),
        _ => json.skip().map(|_| ()),
    })?;
    for (first, last) in ranges {
        let name = name.clone();
        each(Ok(Setting::Range { name, first, last }));
    }
    Ok(())
}

fn range(text: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let Some(dash) = text.iter().position(|byte| *byte == b'-') else {
        return network(text);
    };
    let first = address(text.get(..dash)?.trim_ascii())?;
    ends(first, address(text.get(dash + 1..)?.trim_ascii())?)
}

fn reservation<'a>(json: &mut Json<'a>, each: Each<'_, 'a>) -> Result<(), ParseError> {
    let mut take = |json: &mut Json<'a>| -> Result<(), ParseError> {
        if json.peek() != Some(b'"') {
            return json.skip().map(|_| ());
        }
        if let Some(address) = address(&json.text()?) {
            each(Ok(Setting::Host(address)));
        }
        Ok(())
    };
    json.object(&mut |json, key| match (key, json.peek()) {
        (b"ip-address", _) => take(json),
        (b"ip-addresses", Some(b'[')) => json.array(&mut |json| take(json)),
        _ => json.skip().map(|_| ()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::pools::tests::survive;
    use super::super::pools::tests::told;
    use super::*;

    const SAMPLE: &[u8] = br#"{ "Dhcp4": { # comment
 "lease-database": { "type": "memfile" }, // another
 "subnet4": [ { "id": 7, "pools": [ { "pool": "192.0.2.100 - 192.0.2.199" }, { "pool": "192.0.2.16/28", "option-data": [] } ],
   "subnet": "192.0.2.0/24", "reservations": [ { "hw-address": "02:00:00:00:04:03", "ip-address": "192.0.2.50" } ] } ],
 "shared-networks": [ { "name": "x", "subnet4": [ { "subnet": "10.0.0.0/8", "pools": [ { "pool": "10.0.0.1-10.0.0.9" } ] } ] } ],
 "reservations": [ { "ip-addresses": [ "2001:db8::1", "2001:db8::2" ] } ] } }"#;

    #[test]
    fn parses() {
        assert_eq!(
            told(settings, SAMPLE),
            [
                "host 192.0.2.50",
                "192.0.2.0/24 192.0.2.100-192.0.2.199",
                "192.0.2.0/24 192.0.2.16-192.0.2.31",
                "10.0.0.0/8 10.0.0.1-10.0.0.9",
                "host 2001:db8::1",
                "host 2001:db8::2",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(settings, b"{ \"subnet4\": [ { \"pools\": [\n { \"pool\": \"10.0.0.9-10.0.0.1\" } ] } ], \"a\": <?include \"x\"?> }"),
            [
                "error: 2: pool: expected FIRST - LAST or NETWORK/LENGTH, found \"\\\"10.0.0.9-10.0.0.1\\\" } ] } ], \\\"a\\\": <?incl…\"",
                "error: 2: json: expected a value, found \"<?include \\\"x\\\"?> }\"",
            ]
        );
    }

    #[test]
    fn what_takes_the_place_of_an_include() {
        let shown = |text: &str| {
            let (place, path) = include(text.as_bytes())?;
            Some(format!(
                "{} {}",
                &text[place],
                String::from_utf8_lossy(path)
            ))
        };
        for (text, expected) in [
            (
                "{ \"a\": <?include \"/b.json\"?> }",
                Some("<?include \"/b.json\"?> /b.json"),
            ),
            (
                "[<?include  \"/b\" ?>,<?include \"/c\"?>]",
                Some("<?include  \"/b\" ?> /b"),
            ),
            ("# <?include \"/b\"?>\n", None),
            (
                "// \" <?include \"/b\"?>\n<?include \"/c\"?>",
                Some("<?include \"/c\"?> /c"),
            ),
            ("/* <?include \"/b\"?> */", None),
            ("\"a \\\" <?include '/b'?>\"", None),
            ("\"\\\\\" <?include \"/b\"?>", Some("<?include \"/b\"?> /b")),
            ("<?include /b?> <?include \"/b\"", None),
            ("/*", None),
            ("", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn empty() {
        assert!(told(settings, b"").is_empty());
        assert!(told(settings, b"// nothing\n").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(settings, SAMPLE);
    }
}
