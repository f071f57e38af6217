//! `/proc/net/arp`: the IPv4 neighbours, one to a line.
//!
//! Documented in proc(5); written by `arp_seq_show` in the kernel's net/ipv4/arp.c, since 2.0. From a virtual machine on
//! 6.18:
//!
//! ```text
//! IP address       HW type     Flags       HW address            Mask     Device
//! 192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
//! ```
//!
//! Units: none; flags are those of linux/if_arp.h: 0x2 complete, 0x4 permanent, 0x8 published.
//!
//! Traps: the hardware address is blank on links that have none (tunnels), so the device is the word after the mask and not
//! the sixth. Entries of proxy ARP stand at the end with 0x8, and `*` for a device where they hold for all of them.

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// The flag of an entry that is answered for others (proxy ARP) and is no neighbour.
const PUBLISHED: u64 = 0x8;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The device's name.
    pub device: &'a [u8],
    /// Whether the machine answers for this address itself.
    pub proxy: bool,
}

/// The entries of one file, in the kernel's order.
pub struct Entries<'a> {
    lines: Lines<'a>,
}

/// Reads the header; the entries follow one by one.
///
/// # Errors
/// When the header is missing: a machine without neighbours still has it.
pub fn entries(bytes: &[u8]) -> Result<Entries<'_>, ParseError> {
    const HEADER: &str = "IP address … Device";
    let mut lines = lines(bytes);
    let header = lines.expect("header", HEADER)?;
    let text = header.text().trim_ascii();
    if !text.starts_with(b"IP address") || !text.ends_with(b"Device") {
        return Err(header.error("header", HEADER, text));
    }
    Ok(Entries { lines })
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(entry))
    }
}

fn entry(mut line: Line<'_>) -> Result<Entry<'_>, ParseError> {
    const DEVICE: &str = "the mask * and a device at the end of the line";
    line.expect_word("IP address", "an address")?;
    prefixed(&mut line, "HW type")?;
    let flags = prefixed(&mut line, "Flags")?;
    let first = line.word();
    let device = match (first, line.word(), line.word(), line.word()) {
        (Some(b"*"), Some(device), None, None) => device,
        (Some(_), Some(b"*"), Some(device), None) => device,
        _ => return Err(line.error("Device", DEVICE, line.text())),
    };
    Ok(Entry {
        device,
        proxy: flags & PUBLISHED != 0,
    })
}

fn prefixed(line: &mut Line<'_>, field: &'static str) -> Result<u64, ParseError> {
    const PREFIXED: &str = "a hexadecimal number after 0x";
    let word = line.expect_word(field, PREFIXED)?;
    word.strip_prefix(b"0x")
        .and_then(super::hex)
        .ok_or_else(|| line.error(field, PREFIXED, word))
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11; the tunnel and the proxy entries as net/ipv4/arp.c writes them.
    const SAMPLE: &[u8] = b"\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0
198.51.100.7     0x300       0x6                               *        tun.1
203.0.113.5      0x1         0xc         00:00:00:00:00:00     *        *
";

    fn read(bytes: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, ParseError> {
        entries(bytes)?
            .map(|entry| entry.map(|entry| (entry.device.to_vec(), entry.proxy)))
            .collect()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        assert_eq!(
            found,
            [
                (b"eth0".to_vec(), false),
                (b"eth0".to_vec(), false),
                (b"tun.1".to_vec(), false),
                (b"*".to_vec(), true),
            ]
        );
        hostile::survive(SAMPLE, read);
    }

    #[test]
    fn short() {
        let header = SAMPLE
            .split_inclusive(|byte| *byte == b'\n')
            .next()
            .expect("a header");
        assert_eq!(read(header), Ok(Vec::new()));
        let error = read(&[header, b"192.0.2.1 0x1 0x2 *\n"].concat());
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err("2: Device: expected the mask * and a device at the end of the line, found \"192.0.2.1 0x1 0x2 *\"".to_string())
        );
    }

    #[test]
    fn empty() {
        let error = read(b"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("1: header: expected IP address … Device, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        let error = read(&SAMPLE[..SAMPLE.len() - 1]).map_err(|error| (error.line, error.expected));
        assert_eq!(error, Err((5, "a line feed at its end")));
    }

    #[test]
    fn an_error_names_the_column() {
        let bytes = String::from_utf8_lossy(SAMPLE).replace("0x6", "6");
        let error = read(bytes.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("4: Flags: expected a hexadecimal number after 0x, found \"6\"".to_string())
        );
    }
}
