//! /etc/resolv.conf, documented in resolv.conf(5): which name servers this machine asks. People, DHCP clients and
//! systemd-resolved write it.
//!
//! ```text
//! # from DHCP
//! search lan
//! nameserver 192.168.1.1
//! nameserver fe80::1%eth0
//! options edns0 trust-ad timeout:1
//! ```
//!
//! Traps: the first three servers count, as for the C library; a file without any means a server on this machine; a
//! keyword begins in the first column, and a comment too. `search`, `domain`, `sortlist` and `options` change how a C
//! library looks names up, and nothing of what a question and its answer mean: they are passed over.

use std::net::IpAddr;

use super::Line;
use super::ParseError;

/// How many servers the C library asks (MAXNS).
const SERVERS: usize = 3;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The servers in their order, each with the device of a link-local address (`%eth0`) or an empty word.
    pub servers: Vec<(IpAddr, String)>,
    /// The first line that names a server by something that is no address.
    pub refused: Option<ParseError>,
}

/// Reads the file. A last line without a line feed counts: people write it.
#[must_use]
pub fn read(bytes: &[u8]) -> ResolvConf {
    let mut found = ResolvConf::default();
    for (number, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let mut line = Line::new(number + 1, text);
        if text.first().is_none_or(u8::is_ascii_whitespace) || line.word() != Some(b"nameserver") {
            continue;
        }
        let word = line.word().unwrap_or_default();
        match server(word) {
            Some(server) if found.servers.len() < SERVERS => found.servers.push(server),
            Some(_) => {}
            None => {
                let error = line.error("nameserver", "an IP address", word);
                found.refused.get_or_insert(error);
            }
        }
    }
    found
}

fn server(word: &[u8]) -> Option<(IpAddr, String)> {
    let text = std::str::from_utf8(word).ok()?;
    let (address, scope) = text.split_once('%').unwrap_or((text, ""));
    let address: IpAddr = address.parse().ok()?;
    // Devices have names of at most 15 bytes (IFNAMSIZ).
    let scoped = address.is_ipv6() || scope.is_empty();
    (scoped && scope.len() <= 15 && !text.ends_with('%')).then(|| (address, scope.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        let found = read(text.as_bytes()).servers.into_iter();
        found
            .map(|(address, scope)| format!("{address}%{scope}"))
            .collect()
    }

    #[test]
    fn servers_in_their_order() {
        let text = "# comment\n; nameserver 192.0.2.9\nsearch lan\nnameserver 192.168.1.1\n\
            nameserver\tfe80::1%eth0 # the router\noptions edns0 timeout:1\nnameserver ::1";
        assert_eq!(servers(text), ["192.168.1.1%", "fe80::1%eth0", "::1%"]);
        assert_eq!(read(text.as_bytes()).refused, None);
    }

    #[test]
    fn the_first_three_count() {
        let text =
            "nameserver 192.0.2.1\n".repeat(2) + "nameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        assert_eq!(servers(&text), ["192.0.2.1%", "192.0.2.1%", "192.0.2.2%"]);
    }

    #[test]
    fn empty_and_without_servers() {
        for text in [
            "",
            "\n",
            "search lan\n",
            " nameserver 192.0.2.1\n",
            "nameservers 192.0.2.1\n",
        ] {
            assert_eq!(read(text.as_bytes()), ResolvConf::default(), "{text:?}");
        }
    }

    #[test]
    fn a_server_that_is_no_address_is_told() {
        let found = read(b"nameserver dns.example\nnameserver 192.0.2.1%eth0\nnameserver 192.0.2.2\nnameserver\n");
        assert_eq!(found.servers.len(), 1);
        assert_eq!(
            found.refused.map(|error| error.to_string()),
            Some("1: nameserver: expected an IP address, found \"dns.example\"".to_string())
        );
    }

    #[test]
    fn hostile_bytes_give_a_value() {
        let sample = b"nameserver 192.168.1.1\nnameserver fe80::1%eth0\noptions edns0\n";
        for cut in 0..sample.len() {
            let _ = read(&sample[..cut]);
            for byte in [0, b' ', b'%', b'\n', 0xff] {
                let mut garbled = sample.to_vec();
                garbled[cut] = byte;
                assert!(read(&garbled).servers.len() <= SERVERS);
            }
        }
    }
}
