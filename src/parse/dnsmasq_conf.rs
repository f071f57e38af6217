//! What dnsmasq's configuration, `/etc/dnsmasq.conf` and the files beside it, says of its leases: `dhcp-range` and `dhcp-host`,
//! and where more of it stands: `conf-file`, `conf-dir`, `dhcp-hostsfile` and `dhcp-hostsdir`.
//!
//! Documented in dnsmasq(8). OpenWrt writes the same form below `/var/etc` from its own.
//!
//! ```text
//! dhcp-range=set:lan,192.0.2.100,192.0.2.199,255.255.255.0,12h
//! dhcp-range=2001:db8:1::1000,2001:db8:1::1fff,64,12h
//! dhcp-host=02:00:00:00:01:03,192.0.2.50,printer,infinite
//! conf-dir=/etc/dnsmasq.d,.bak
//! ```
//!
//! A range that has no end (`192.0.2.0,static`, `::,constructor:br-lan,ra-names`) gives no addresses out of a pool of known
//! size, and is passed over; so is every other line.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Line;
use super::ParseError;
use super::leases::address;
use super::pools::Each;
use super::pools::Included;
use super::pools::Setting;
use super::pools::ends;

/// Hands over every setting, also of a last line without end: people write these files.
pub fn settings<'a>(bytes: &'a [u8], each: Each<'_, 'a>) {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (number, text) in lines {
        let text = text.split(|byte| *byte == b'#').next().unwrap_or_default();
        let mut parts = text.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let value = parts.next().unwrap_or_default().trim_ascii();
        let line = Line::new(number + 1, value);
        match name {
            b"dhcp-range" => {
                if let Some(range) = range(&line).transpose() {
                    each(range);
                }
            }
            b"dhcp-host" => words(value)
                .filter_map(host)
                .for_each(|address| each(Ok(Setting::Host(address)))),
            b"conf-file" => include(value, Included::Settings, each),
            b"conf-dir" => {
                let end = value.iter().position(|byte| *byte == b',');
                let (path, rest) = value.split_at(end.unwrap_or(value.len()));
                let endings = rest.strip_prefix(b",").unwrap_or_default();
                include(path.trim_ascii(), Included::Directory(endings), each);
            }
            b"dhcp-hostsfile" | b"dhcp-hostsdir" => include(value, Included::Hosts, each),
            _ => {}
        }
    }
}

fn include<'a>(path: &'a [u8], what: Included<'a>, each: Each<'_, 'a>) {
    if !path.is_empty() {
        each(Ok(Setting::Include { path, what }));
    }
}

/// Hands over the addresses of a `dhcp-hostsfile`, whose lines are what `dhcp-host` says.
pub fn hosts<'a>(bytes: &'a [u8], each: Each<'_, 'a>) {
    for text in bytes.split(|byte| *byte == b'\n') {
        let text = text.split(|byte| *byte == b'#').next().unwrap_or_default();
        for address in words(text).filter_map(host) {
            each(Ok(Setting::Host(address)));
        }
    }
}

/// Whether dnsmasq reads a file of a `conf-dir` that has this name: hidden files and copies that editors keep are passed over,
/// so are names with one of these endings; where there are endings with a `*` before them, all others are.
#[must_use]
pub fn is_read(name: &[u8], endings: &[u8]) -> bool {
    let kept = name.starts_with(b"#") && name.ends_with(b"#");
    let mut only = None;
    for ending in words(endings).filter(|ending| !ending.is_empty()) {
        match ending.strip_prefix(b"*") {
            Some(wanted) => only = Some(only == Some(true) || name.ends_with(wanted)),
            None if name.ends_with(ending) => return false,
            None => {}
        }
    }
    !kept && !name.starts_with(b".") && !name.ends_with(b"~") && only.unwrap_or(true)
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn range<'a>(line: &Line<'a>) -> Result<Option<Setting<'a>>, ParseError> {
    const START: &str = "an address after tags and interface";
    let mut words = words(line.text());
    let (mut tag, mut interface): (&[u8], &[u8]) = (b"", b"");
    let mut first = None;
    for word in &mut words {
        if let Some(set) = word.strip_prefix(b"set:") {
            tag = set;
        } else if let Some(found) = address(word) {
            first = Some(found);
            break;
        } else if !word.starts_with(b"tag:") && !word.starts_with(b"net:") {
            if !interface.is_empty() || word.is_empty() {
                return Err(line.error("dhcp-range", START, line.text()));
            }
            interface = word.strip_prefix(b"interface:").unwrap_or(word);
        }
    }
    let first = first.ok_or_else(|| line.error("dhcp-range", START, line.text()))?;
    let Some(last) = words.next().and_then(address) else {
        return Ok(None);
    };
    let Some((first, last)) = ends(first, last) else {
        const LAST: &str = "a last address that is not below the first";
        return Err(line.error("dhcp-range", LAST, line.text()));
    };
    let name = if tag.is_empty() { interface } else { tag };
    let name = Cow::Borrowed(name);
    Ok(Some(Setting::Range { name, first, last }))
}

fn host(word: &[u8]) -> Option<IpAddr> {
    let inner = word
        .strip_prefix(b"[")
        .and_then(|word| word.strip_suffix(b"]"));
    address(inner.unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::super::pools::tests::survive;
    use super::super::pools::tests::told;
    use super::*;

    const SAMPLE: &[u8] = b"# a comment\ninterface=s0\ndhcp-range=set:lan,192.0.2.100,192.0.2.199,255.255.255.0,12h\n\
        dhcp-range = 2001:db8:1::1000, 2001:db8:1::1fff, 64, 12h # v6\n\
        dhcp-range=tag:x,eth1,10.0.0.2,10.0.0.9\n\
        dhcp-range=192.0.2.0,static\ndhcp-range=::,constructor:br-lan,ra-names\n\
        dhcp-host=02:00:00:00:01:03,192.0.2.50,[2001:db8:1::50],printer,infinite\n\
        conf-dir=/d,.x\ndhcp-leasefile=/tmp/dhcp.leases";

    #[test]
    fn parses() {
        assert_eq!(
            told(settings, SAMPLE),
            [
                "lan 192.0.2.100-192.0.2.199",
                " 2001:db8:1::1000-2001:db8:1::1fff",
                "eth1 10.0.0.2-10.0.0.9",
                "host 192.0.2.50",
                "host 2001:db8:1::50",
                "directory but \".x\" /d",
            ]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(settings, b"dhcp-range=\ndhcp-range=a,b,10.0.0.1\ndhcp-range=10.0.0.9,10.0.0.1\ndhcp-range=10.0.0.1,::1\ndhcp-range=10.0.0.1\n"),
            [
                "error: 1: dhcp-range: expected an address after tags and interface, found \"\"",
                "error: 2: dhcp-range: expected an address after tags and interface, found \"a,b,10.0.0.1\"",
                "error: 3: dhcp-range: expected a last address that is not below the first, found \"10.0.0.9,10.0.0.1\"",
                "error: 4: dhcp-range: expected a last address that is not below the first, found \"10.0.0.1,::1\"",
            ]
        );
    }

    #[test]
    fn what_belongs_to_it_too() {
        assert_eq!(
            told(
                settings,
                b"conf-file=/etc/a.conf # more\nconf-dir = /etc/d , .bak,*.conf\nconf-dir=/e\ndhcp-hostsfile=/h\n\
                dhcp-hostsdir=/i\nconf-file=\nconf-dir\n"
            ),
            [
                "settings /etc/a.conf",
                "directory but \" .bak,*.conf\" /etc/d",
                "directory but \"\" /e",
                "hosts /h",
                "hosts /i",
            ]
        );
        assert_eq!(
            told(
                hosts,
                b"02:00:00:00:01:03,192.0.2.50,a\n# no\nb,[2001:db8::1]"
            ),
            ["host 192.0.2.50", "host 2001:db8::1"]
        );
    }

    #[test]
    fn names_in_a_directory_that_are_not_read() {
        for (name, endings, expected) in [
            ("a.conf", "", true),
            ("a", ".bak", true),
            ("a.bak", ".old, .bak", false),
            (".a", "", false),
            ("a~", "", false),
            ("#a#", "", false),
            ("#a", "", true),
            ("a.conf", "*.conf", true),
            ("a", "*.conf", false),
            ("a", "*.conf,*a", true),
            ("a.conf", "*.conf,a.conf", false),
        ] {
            let found = is_read(name.as_bytes(), endings.as_bytes());
            assert_eq!(found, expected, "{name} {endings}");
        }
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
