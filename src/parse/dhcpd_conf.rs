//! The subnets of ISC dhcpd's configuration, `/etc/dhcp/dhcpd.conf` and `dhcpd6.conf`.
//!
//! Documented in dhcpd.conf(5). Pools are named after the subnet that they are in:
//!
//! ```text
//! subnet 192.0.2.0 netmask 255.255.255.0 { pool { range 192.0.2.100 192.0.2.199; } }
//! subnet6 2001:db8:1::/64 { range6 2001:db8:1::1000 2001:db8:1::1fff; }
//! host printer { hardware ethernet 02:00:00:00:03:03; fixed-address 192.0.2.50; }
//! ```
//!
//! A range may be a single address, and a `range6` a network. Prefixes (`prefix6`) and included files are passed over.

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::ParseError;
use super::isc_words::Word;
use super::isc_words::Words;
use super::leases::address;
use super::pools::Each;
use super::pools::Setting;
use super::pools::ends;
use super::pools::network;

/// Hands over every range and every fixed address.
pub fn settings<'a>(bytes: &'a [u8], each: Each<'_, 'a>) {
    const RANGE: &str = "one or two addresses, or for range6 a network";
    let mut words = Words::new(bytes);
    let mut subnet: Cow<'a, [u8]> = Cow::Borrowed(b"");
    while let Some(word) = words.next() {
        let line = words.line();
        match word {
            Word::Plain(b"subnet") => subnet = Cow::Owned(named(&mut words)),
            Word::Plain(b"subnet6") => {
                if let Some(Word::Plain(name)) = words.next() {
                    subnet = Cow::Borrowed(name);
                }
            }
            Word::Plain(b"range" | b"range6") => {
                let text = statement(&mut words);
                each(match range(&text) {
                    Some((first, last)) => Ok(Setting::Range {
                        name: subnet.clone(),
                        first,
                        last,
                    }),
                    None => Err(ParseError::new(line, "range", RANGE, &text.join(&b' '))),
                });
            }
            Word::Plain(b"fixed-address" | b"fixed-address6") => {
                let text = statement(&mut words);
                let names = text
                    .iter()
                    .flat_map(|word| word.split(|byte| *byte == b','));
                // Names of hosts may stand there too.
                names
                    .filter_map(address)
                    .for_each(|address| each(Ok(Setting::Host(address))));
            }
            _ => {}
        }
    }
}

/// `192.0.2.0 netmask 255.255.255.0` as `192.0.2.0/24`.
fn named(words: &mut Words<'_>) -> Vec<u8> {
    let Some(Word::Plain(network)) = words.next() else {
        return Vec::new();
    };
    let mask = match words.next() {
        Some(Word::Plain(b"netmask")) => words.next(),
        _ => None,
    };
    let Some(Word::Plain(mask)) = mask else {
        return network.to_vec();
    };
    let mask = std::str::from_utf8(mask)
        .ok()
        .and_then(|text| text.parse::<Ipv4Addr>().ok());
    match mask {
        Some(mask) => {
            let length = u32::from(mask).leading_ones().to_string();
            [network, b"/", length.as_bytes()].concat()
        }
        None => network.to_vec(),
    }
}

/// The words up to the semicolon.
fn statement<'a>(words: &mut Words<'a>) -> Vec<&'a [u8]> {
    const MOST: usize = 64;
    let mut found = Vec::new();
    while let Some(Word::Plain(word)) = words.next() {
        if word != b"dynamic-bootp" && found.len() < MOST {
            found.push(word);
        }
    }
    found
}

fn range(words: &[&[u8]]) -> Option<(IpAddr, IpAddr)> {
    match words {
        [one] if one.contains(&b'/') => network(one),
        [one] => address(one).map(|one| (one, one)),
        // `temporary` after a network.
        [one, b"temporary"] => network(one),
        [first, last] => ends(address(first)?, address(last)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pools::tests::survive;
    use super::super::pools::tests::told;
    use super::*;

    const SAMPLE: &[u8] = b"default-lease-time 43200; # range 1 2;\noption domain-name \"range; {\";\n\
        subnet 192.0.2.0 netmask 255.255.255.0 { pool { allow unknown-clients; range 192.0.2.100 192.0.2.199; } range dynamic-bootp 192.0.2.20; }\n\
        subnet6 2001:db8:1::/64 { range6 2001:db8:1::1000 2001:db8:1::1fff; range6 2001:db8:1:0:1::/112 temporary; prefix6 2001:db8:100:: 2001:db8:1ff:: /56; }\n\
        group { host printer { hardware ethernet 02:00:00:00:03:03; fixed-address 192.0.2.50, printer.example, 192.0.2.51; } }\n";

    #[test]
    fn parses() {
        assert_eq!(
            told(settings, SAMPLE),
            [
                "192.0.2.0/24 192.0.2.100-192.0.2.199",
                "192.0.2.0/24 192.0.2.20-192.0.2.20",
                "2001:db8:1::/64 2001:db8:1::1000-2001:db8:1::1fff",
                "2001:db8:1::/64 2001:db8:1:0:1::-2001:db8:1:0:1::ffff",
                "host 192.0.2.50",
                "host 192.0.2.51",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(
                settings,
                b"subnet 10.0.0.0 {\nrange 10.0.0.9 10.0.0.1;\nrange;\n}"
            ),
            [
                "error: 2: range: expected one or two addresses, or for range6 a network, found \"10.0.0.9 10.0.0.1\"",
                "error: 3: range: expected one or two addresses, or for range6 a network, found \"\"",
            ]
        );
    }

    #[test]
    fn empty() {
        assert!(told(settings, b"").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        survive(settings, SAMPLE);
    }
}
