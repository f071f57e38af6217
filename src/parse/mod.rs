//! Parsers of kernel files: bytes in, typed values or a [`ParseError`] out. One file per format, named after the file it
//! parses.
//!
//! What all of them keep to: any bytes give a value or an error, never a panic; nothing is allocated per row; a parser
//! knows line and field but no path (its caller adds that). Additions are tolerated (unknown keys, more columns),
//! contradictions are not. A file the kernel writes ends with a line feed: one that does not was cut short, and the
//! number at the cut would be wrong, so that is an error.

pub mod arp;
pub mod bonding;
pub mod class_net;
pub mod clocksource;
pub mod dev;
pub mod dhcpd_conf;
pub mod dnsmasq_conf;
pub mod file_nr;
#[cfg(test)]
mod hostile;
pub mod hosts;
pub mod ip_local_port_range;
pub mod ip_local_reserved_ports;
pub mod ip_vs;
pub mod ipv6_route;
mod isc_words;
mod json;
pub mod json_pointer;
pub mod kea_conf;
pub mod key_values;
pub mod leases;
pub mod leases_dnsmasq;
pub mod leases_isc;
pub mod leases_json;
pub mod leases_kea;
pub mod leases_networkd;
pub mod leases_odhcpd;
pub mod leases_udhcpd;
pub mod loadavg;
pub mod measure;
pub mod meminfo;
pub mod mountinfo;
pub mod net_stat;
pub mod net_tcp;
pub mod netstat;
pub mod nf_conntrack;
pub mod ns_net;
pub mod pools;
pub mod random;
pub mod resolv_conf;
pub mod route;
pub mod snmp6;
pub mod sockstat;
pub mod softnet_stat;
pub mod stat;
pub mod table;
pub mod textfile;
pub mod tz_rule;
pub mod tzfile;
pub mod uci;
pub mod udhcpd_conf;
pub mod uptime;
pub mod uts;
pub mod x509;
pub mod xfrm_stat;

use std::borrow::Cow;
use std::fmt;

/// Which way round the words are that a machine writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first (MIPS routers of the ath79 family, s390x).
    Big,
}

impl ByteOrder {
    /// This machine's.
    pub const NATIVE: Self = if cfg!(target_endian = "big") {
        Self::Big
    } else {
        Self::Little
    };
}

/// What was wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// The field's name in the format's own words.
    pub field: Cow<'static, str>,
    /// What the rule asks for.
    pub expected: &'static str,
    /// What stood there, printable and cut to a bearable length.
    pub found: String,
}

impl ParseError {
    /// An error about `found` as it stands in the file.
    pub fn new(
        line: usize,
        field: impl Into<Cow<'static, str>>,
        expected: &'static str,
        found: &[u8],
    ) -> Self {
        const SHOWN: usize = 40;
        let mut text = printable(found.get(..SHOWN).unwrap_or(found)).into_owned();
        if found.len() > SHOWN {
            text.push('…');
        }
        Self {
            line,
            field: field.into(),
            expected,
            found: text,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: expected {}, found {:?}",
            self.line, self.field, self.expected, self.found
        )
    }
}

impl std::error::Error for ParseError {}

/// The lines of a file the kernel wrote, each with its number.
///
/// A last line without a line feed is an error: the file was cut short.
pub struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

/// Splits a kernel file into lines.
#[must_use]
pub fn lines(bytes: &[u8]) -> Lines<'_> {
    Lines {
        rest: bytes,
        number: 0,
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let number = self.number;
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let Some((text, rest)) =
            end.and_then(|end| Some((self.rest.get(..end)?, self.rest.get(end + 1..)?)))
        else {
            let error = ParseError::new(number, "line", "a line feed at its end", self.rest);
            self.rest = &[];
            return Some(Err(error));
        };
        self.rest = rest;
        Some(Ok(Line {
            number,
            text,
            rest: text,
        }))
    }
}

impl<'a> Lines<'a> {
    /// The next line, which the format promises.
    ///
    /// # Errors
    /// When the file ends here or was cut short.
    pub fn expect(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Line<'a>, ParseError> {
        let number = self.number + 1;
        self.next()
            .unwrap_or_else(|| Err(ParseError::new(number, field, expected, b"")))
    }
}

/// One line, read field by field from the left.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    number: usize,
    text: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// A line of its own, for callers that split a stream themselves. `text` holds no line feed.
    #[must_use]
    pub fn new(number: usize, text: &'a [u8]) -> Self {
        Self {
            number,
            text,
            rest: text,
        }
    }

    /// The line's number, counted from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The whole line.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next word between white space, if there is one.
    pub fn word(&mut self) -> Option<&'a [u8]> {
        let start = self
            .rest
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())?;
        let trimmed = self.rest.get(start..)?;
        let end = trimmed
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(trimmed.len());
        let (word, rest) = trimmed.split_at_checked(end)?;
        self.rest = rest;
        Some(word)
    }

    /// The next word, which the format promises.
    ///
    /// # Errors
    /// When the line ends here.
    pub fn expect_word(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<&'a [u8], ParseError> {
        self.word().ok_or_else(|| self.error(field, expected, b""))
    }

    /// The next word as an unsigned decimal number.
    ///
    /// # Errors
    /// When the line ends here, or the word is not a number below 2^64.
    pub fn expect_decimal(&mut self, field: &'static str) -> Result<u64, ParseError> {
        let word = self.expect_word(field, DECIMAL)?;
        decimal(word).ok_or_else(|| self.error(field, DECIMAL, word))
    }

    /// The next word as a hexadecimal number without prefix.
    ///
    /// # Errors
    /// When the line ends here, or the word is not a number below 2^64.
    pub fn expect_hex(&mut self, field: &'static str) -> Result<u64, ParseError> {
        let word = self.expect_word(field, HEX)?;
        hex(word).ok_or_else(|| self.error(field, HEX, word))
    }

    /// What stands before `separator`; reading goes on behind it.
    ///
    /// # Errors
    /// When the separator is not in the rest of the line.
    pub fn expect_before(
        &mut self,
        separator: u8,
        field: &'static str,
        expected: &'static str,
    ) -> Result<&'a [u8], ParseError> {
        let split = self.rest.iter().position(|byte| *byte == separator);
        let Some((before, rest)) =
            split.and_then(|at| Some((self.rest.get(..at)?, self.rest.get(at + 1..)?)))
        else {
            return Err(self.error(field, expected, self.rest));
        };
        self.rest = rest;
        Ok(before)
    }

    /// An error on this line.
    #[must_use]
    pub fn error(
        &self,
        field: impl Into<Cow<'static, str>>,
        expected: &'static str,
        found: &[u8],
    ) -> ParseError {
        ParseError::new(self.number, field, expected, found)
    }
}

/// How errors name a decimal number.
pub const DECIMAL: &str = "an unsigned decimal number";
/// How errors name a hexadecimal number.
pub const HEX: &str = "a hexadecimal number";

/// An unsigned decimal number, digits only: kernel files have no plus signs and no blanks in numbers.
#[must_use]
pub fn decimal(word: &[u8]) -> Option<u64> {
    digits(word, 10)
}

/// A signed decimal number (`iflink` and `speed` in sysfs can be negative).
#[must_use]
pub fn signed(word: &[u8]) -> Option<i64> {
    match word.strip_prefix(b"-") {
        Some(magnitude) => 0i64.checked_sub_unsigned(decimal(magnitude)?),
        None => i64::try_from(decimal(word)?).ok(),
    }
}

/// A hexadecimal number without prefix.
#[must_use]
pub fn hex(word: &[u8]) -> Option<u64> {
    digits(word, 16)
}

fn digits(word: &[u8], radix: u32) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u64, |value, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        value
            .checked_mul(u64::from(radix))?
            .checked_add(u64::from(digit))
    })
}

/// Counters are 64 bits wide in the kernel and doubles in the text format, as in every exporter: above 2^53 the last
/// bits are lost.
#[expect(
    clippy::cast_precision_loss,
    reason = "the text format has doubles only"
)]
#[must_use]
pub fn float(value: u64) -> f64 {
    value as f64
}

/// A name as text: valid UTF-8 as it is, any other byte as `\xNN`. Device names may hold any byte but `/`, `:` and white
/// space (`dev_valid_name` in the kernel's net/core/dev.c); they are exported escaped, never dropped. Where a name is
/// escaped, or could be taken for one that was, its backslashes are escaped too, so that two names never become one.
#[must_use]
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    let text = std::str::from_utf8(bytes).ok();
    if let Some(text) = text.filter(|text| !text.contains("\\x")) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\x5c"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
