//! X.509 certificates (RFC 5280) in DER, as far as their alternative names go: what a client calls itself.
//!
//! ```text
//! Certificate       SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
//! tbsCertificate    SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, key, [1], [2], [3] extensions }
//! extensions        SEQUENCE OF SEQUENCE { oid, critical BOOLEAN, OCTET STRING { the extension's own DER } }
//! subjectAltName    SEQUENCE OF { [1] e-mail | [2] DNS name | [6] URI | [7] IP address | others }
//! ```
//!
//! Whether a certificate is genuine, and everything else about it, is for the library that verifies it. Names that are no
//! text are passed over, as are kinds of names that are not listed here.

use std::net::IpAddr;

use super::ParseError;

const SEQUENCE: u8 = 0x30;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The alternative names of a certificate: e-mail addresses, DNS names, URIs, and IP addresses as they are written.
///
/// # Errors
/// When the bytes are no certificate.
pub fn names(der: &[u8]) -> Result<Vec<String>, ParseError> {
    let wrong = || ParseError::new(1, "certificate", "X.509 in DER", der);
    extension(der)
        .ok_or_else(wrong)
        .and_then(|found| match found {
            Some(names) => listed(names).ok_or_else(wrong),
            None => Ok(Vec::new()),
        })
}

/// The extension with the names, if the certificate has one.
fn extension(der: &[u8]) -> Option<Option<&[u8]>> {
    let (certificate, rest) = of(SEQUENCE, der)?;
    if !rest.is_empty() {
        return None;
    }
    let (mut inner, _) = of(SEQUENCE, certificate)?;
    // The key is the last part that must be there; what can follow it has tags of its own.
    while !inner.is_empty() {
        let (tag, content, rest) = element(inner)?;
        inner = rest;
        if tag == EXTENSIONS {
            let (list, _) = of(SEQUENCE, content)?;
            return wanted(list);
        }
    }
    Some(None)
}

fn wanted(mut list: &[u8]) -> Option<Option<&[u8]>> {
    while !list.is_empty() {
        let (extension, rest) = of(SEQUENCE, list)?;
        list = rest;
        let (oid, value) = of(OID, extension)?;
        let value = of(BOOLEAN, value).map_or(value, |(_, rest)| rest);
        let (value, _) = of(OCTETS, value)?;
        if oid == SUBJECT_ALT_NAME {
            return Some(Some(value));
        }
    }
    Some(None)
}

fn listed(extension: &[u8]) -> Option<Vec<String>> {
    let (mut list, _) = of(SEQUENCE, extension)?;
    let mut names = Vec::new();
    while !list.is_empty() {
        let (tag, content, rest) = element(list)?;
        list = rest;
        match tag {
            EMAIL | DNS | URI => {
                names.extend(std::str::from_utf8(content).ok().map(str::to_string));
            }
            IP => names.extend(address(content).map(|address| address.to_string())),
            _ => {}
        }
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(address.to_canonical())
}

/// The content of an element with this tag, and what follows it.
fn of(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// One element's tag and content, and what follows it. Lengths of more than three bytes are nobody's.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0, |all, byte| all << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len())
            .expect("a short test")
            .to_be_bytes();
        let head = if content.len() < 128 {
            vec![tag, length[1]]
        } else {
            vec![tag, 0x82, length[0], length[1]]
        };
        [head, content.to_vec()].concat()
    }

    fn certificate(names: &[u8]) -> Vec<u8> {
        let other = tlv(
            SEQUENCE,
            &[tlv(OID, &[0x55, 0x1d, 0x0f]), tlv(OCTETS, &[3, 1, 0])].concat(),
        );
        let san = [
            tlv(OID, SUBJECT_ALT_NAME),
            tlv(BOOLEAN, &[0xff]),
            tlv(OCTETS, &tlv(SEQUENCE, names)),
        ];
        let extensions = tlv(SEQUENCE, &[other, tlv(SEQUENCE, &san.concat())].concat());
        let inner = [
            tlv(0xa0, &[2, 1, 2]),
            tlv(2, &[7]),
            tlv(SEQUENCE, &[0; 200]),
            tlv(EXTENSIONS, &extensions),
        ];
        tlv(
            SEQUENCE,
            &[tlv(SEQUENCE, &inner.concat()), tlv(3, &[0])].concat(),
        )
    }

    fn all() -> Vec<u8> {
        let names = [
            tlv(DNS, b"one.example"),
            tlv(0xa0, b"other"),
            tlv(EMAIL, b"a@example.org"),
            tlv(URI, b"spiffe://example/weir"),
            tlv(IP, &[192, 0, 2, 1]),
            tlv(
                IP,
                &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            ),
            tlv(IP, &[1, 2, 3]),
            tlv(DNS, b"\xff"),
        ];
        certificate(&names.concat())
    }

    #[test]
    fn names_of_all_kinds() {
        assert_eq!(
            names(&all()).expect("a certificate"),
            [
                "one.example",
                "a@example.org",
                "spiffe://example/weir",
                "192.0.2.1",
                "2001:db8::1"
            ]
        );
        assert_eq!(names(&certificate(b"")).expect("no names"), [""; 0]);
        let bare = tlv(SEQUENCE, &tlv(SEQUENCE, &tlv(2, &[7])));
        assert_eq!(names(&bare).expect("no extensions"), [""; 0]);
    }

    #[test]
    fn no_prefix_and_no_garbled_byte_panics_or_gives_a_name_that_is_not_there() {
        let all = all();
        for end in 0..all.len() {
            assert!(names(&all[..end]).is_err(), "{end}");
        }
        for at in 0..all.len() {
            for bits in [0xff, 0x80, 1] {
                let mut garbled = all.clone();
                garbled[at] ^= bits;
                let _ = names(&garbled);
            }
        }
        let error = names(b"no").expect_err("no certificate").to_string();
        assert_eq!(error, "1: certificate: expected X.509 in DER, found \"no\"");
    }
}
