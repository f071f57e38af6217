//! OpenWrt's own configuration (UCI), of which `/etc/config/dhcp` and `/etc/config/network` are looked at.
//!
//! Documented in OpenWrt's user guide under "The UCI system"; read by libuci's file.c. A sample:
//!
//! ```text
//! config dhcp 'lan'
//!         option interface 'lan'
//!         option start '100'
//!         list dhcp_option '6,192.168.1.1'
//! ```
//!
//! A section has a type and, mostly, a name; words may be quoted with `'` and `"`, in which `\` takes the next byte as it is
//! outside of `'`. What is in no section, and a line that is none of these, is passed over, as it is by those who only ask for
//! a few options.

use std::borrow::Cow;

/// One option of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The number of the section in its file, counted from 1: not all have names.
    pub section: usize,
    /// The section's type.
    pub kind: Cow<'a, [u8]>,
    /// The section's name; empty for none.
    pub name: Cow<'a, [u8]>,
    /// The option's name; empty for the section's beginning.
    pub option: Cow<'a, [u8]>,
    /// The option's value; of a list, one of its values.
    pub value: Cow<'a, [u8]>,
}

/// Hands over the beginning of each section, and each of its options.
pub fn settings<'a>(bytes: &'a [u8], each: &mut dyn FnMut(&Setting<'a>)) {
    let nothing = || Cow::Borrowed(b"".as_slice());
    let mut current = Setting {
        section: 0,
        kind: nothing(),
        name: nothing(),
        option: nothing(),
        value: nothing(),
    };
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut rest = line;
        match word(&mut rest).as_deref() {
            Some(b"config") => {
                current.section += 1;
                current.kind = word(&mut rest).unwrap_or_default();
                current.name = word(&mut rest).unwrap_or_default();
                (current.option, current.value) = (nothing(), nothing());
            }
            Some(b"option" | b"list") if current.section > 0 => {
                let (Some(option), Some(value)) = (word(&mut rest), word(&mut rest)) else {
                    continue;
                };
                (current.option, current.value) = (option, value);
            }
            _ => continue,
        }
        each(&current);
    }
}

/// The next word of a line; `None` at its end, or where a comment begins.
fn word<'a>(rest: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    *rest = rest.trim_ascii_start();
    if rest.is_empty() || rest.starts_with(b"#") {
        return None;
    }
    let text = *rest;
    let (mut quote, mut escaped, mut plain) = (None, false, true);
    let mut unquoted = Vec::new();
    let mut end = text.len();
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (None | Some(b'"'), b'\\') => {
                (escaped, plain) = (true, false);
                continue;
            }
            (None, b'\'' | b'"') => {
                (quote, plain) = (Some(*byte), false);
                continue;
            }
            (Some(open), _) if open == *byte => {
                quote = None;
                continue;
            }
            (None, _) if byte.is_ascii_whitespace() => {
                end = at;
                break;
            }
            _ => {}
        }
        unquoted.push(*byte);
    }
    let (whole, after) = text.split_at(end);
    *rest = after;
    Some(if plain {
        Cow::Borrowed(whole)
    } else {
        Cow::Owned(unquoted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = b"# of OpenWrt 23.05\nconfig dhcp 'lan'\n\toption interface 'lan'\n\toption start\t\"100\"\n\
        \tlist dhcp_option '6,192.168.1.1' # a comment\n\nconfig host\n\toption name 'the \"one\"'\n\toption ip 192.168.1.9\n";

    fn told(bytes: &[u8]) -> Vec<String> {
        let mut told = Vec::new();
        settings(bytes, &mut |found| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let words = [&found.kind, &found.name, &found.option, &found.value];
            let words = words.map(|word| text(word)).join("|");
            told.push(format!("{}|{words}", found.section));
        });
        told
    }

    #[test]
    fn parses() {
        assert_eq!(
            told(SAMPLE),
            [
                "1|dhcp|lan||",
                "1|dhcp|lan|interface|lan",
                "1|dhcp|lan|start|100",
                "1|dhcp|lan|dhcp_option|6,192.168.1.1",
                "2|host|||",
                "2|host||name|the \"one\"",
                "2|host||ip|192.168.1.9",
            ]
        );
        assert_eq!(
            told(b"config a\noption b 'it'\\''s'\noption c \"\\\"\"\n"),
            ["1|a|||", "1|a||b|it's", "1|a||c|\""]
        );
    }

    #[test]
    fn short() {
        assert_eq!(
            told(b"option a b\nconfig\noption a\nconfig x 'y"),
            ["1||||", "2|x|y||"]
        );
    }

    #[test]
    fn empty() {
        assert!(told(b"").is_empty());
        assert!(told(b"\n# config a\n").is_empty());
    }

    #[test]
    fn ends_abruptly() {
        for cut in 0..SAMPLE.len() {
            let (head, tail) = SAMPLE.split_at(cut);
            let _ = told(head);
            let _ = told(&[head, &tail[1..]].concat());
            for junk in [b"'".as_slice(), b"\"", b"\\", b"\n", b"\xff", b"config"] {
                let _ = told(&[head, junk, &tail[1..]].concat());
            }
        }
    }
}
