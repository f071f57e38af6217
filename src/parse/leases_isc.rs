//! ISC dhcpd's lease files, `/var/lib/dhcp/dhcpd.leases` and `dhcpd6.leases`.
//!
//! Documented in dhcpd.leases(5); written by `write_lease` and `write_ia` in ISC DHCP's server/db.c. A sample of 4.4.3:
//!
//! ```text
//! lease 192.0.2.100 {
//!   starts 6 2026/11/21 14:00:50;
//!   ends 0 2026/11/22 02:00:50;
//!   binding state active;
//!   next binding state free;
//!   hardware ethernet 02:00:00:00:03:01;
//!   client-hostname "laptop";
//! }
//! ia-na "\005\003\000\000\000\003\000\001\002\000\000\000\003\005" {
//!   iaaddr 2001:db8:1::10c6 {
//!     binding state active;
//!     ends 0 2026/11/22 02:01:00;
//!   }
//! }
//! ```
//!
//! Times are in UTC, or `epoch` and seconds since 1970 (db-time-format local), or `never`. In strings a byte that cannot be
//! printed stands as three octal digits behind a backslash.
//!
//! Traps: the file grows at its end, and the last declaration of an address is what counts; in a failover pair every address
//! of the pool has a declaration, most of them `free` or `backup` without a client, which are no leases.

use std::borrow::Cow;
use std::net::IpAddr;

use super::ParseError;
use super::decimal;
use super::isc_words::Word;
use super::isc_words::Words;
use super::leases::Binding;
use super::leases::Each;
use super::leases::Expiry;
use super::leases::Hardware;
use super::leases::Lease;
use super::leases::address;
use super::leases::epoch;
use super::leases::whole;

/// Hands over every declaration, in the order in which they count.
///
/// # Errors
/// Never as a whole.
pub fn leases<'a>(bytes: &'a [u8], each: Each<'_, 'a>) -> Result<(), ParseError> {
    let mut words = Words::new(bytes);
    while let Some(word) = words.next() {
        match word {
            Word::Plain(b"lease") => declaration(&mut words, None, each),
            Word::Plain(b"ia-na" | b"ia-ta" | b"ia-pd") => ia(&mut words, each),
            Word::Plain([first, ..]) if first.is_ascii_alphabetic() => words.skip_statement(),
            Word::Plain(text) | Word::Quoted(text) => {
                const STATEMENT: &str = "a statement of dhcpd.leases(5)";
                each(Err(ParseError::new(
                    words.line(),
                    "statement",
                    STATEMENT,
                    text,
                )));
                words.skip_statement();
            }
            Word::Open | Word::Close | Word::End => {}
        }
    }
    Ok(())
}

/// `"IAID and DUID" { … iaaddr ADDRESS { … } iaprefix PREFIX { … } }`.
fn ia<'a>(words: &mut Words<'a>, each: Each<'_, 'a>) {
    let client = match words.next() {
        Some(Word::Quoted(text) | Word::Plain(text)) => text,
        _ => return,
    };
    if !matches!(words.next(), Some(Word::Open)) {
        return;
    }
    while let Some(word) = words.next() {
        match word {
            Word::Plain(b"iaaddr" | b"iaprefix") => declaration(words, Some(client), each),
            Word::Plain(_) | Word::Quoted(_) => words.skip_statement(),
            Word::Close => return,
            Word::Open | Word::End => {}
        }
    }
}

/// What stands in a declaration, as far as it is of interest.
#[derive(Default)]
struct Body<'a> {
    ends: Option<Expiry>,
    state: &'a [u8],
    hardware: Option<&'a [u8]>,
    uid: Option<&'a [u8]>,
    hostname: &'a [u8],
    reserved: bool,
}

/// `ADDRESS { … }`. One that the file ends in the middle of is not handed over.
fn declaration<'a>(words: &mut Words<'a>, ia: Option<&'a [u8]>, each: Each<'_, 'a>) {
    const ADDRESS: &str = "an address, with a slash and a length for prefixes";
    let line = words.line();
    let Some(Word::Plain(name)) = words.next() else {
        return words.skip_statement();
    };
    if !matches!(words.next(), Some(Word::Open)) {
        return;
    }
    let begun = words.line();
    let mut body = Body::default();
    let Some(read) = statements(words, &mut body) else {
        return;
    };
    let found = prefix(name).ok_or_else(|| ParseError::new(line, "lease", ADDRESS, name));
    let found = read.and(found);
    let found = found.and_then(|(address, prefix)| lease(address, prefix, &body, ia, begun));
    if let Some(found) = found.transpose() {
        each(found);
    }
}

/// Reads up to the closing brace; `None` when the file ends before it.
fn statements<'a>(words: &mut Words<'a>, body: &mut Body<'a>) -> Option<Result<(), ParseError>> {
    let mut read = Ok(());
    loop {
        match words.next()? {
            Word::Close => return Some(read),
            Word::Plain(b"ends") => match expiry(words) {
                Ok(ends) => body.ends = Some(ends),
                Err(error) => read = read.and(Err(error)),
            },
            Word::Plain(b"binding") => {
                words.next()?;
                if let Word::Plain(state) = words.next()? {
                    body.state = state;
                }
                words.skip_statement();
            }
            Word::Plain(b"hardware") => {
                words.next()?;
                if let Word::Plain(bytes) = words.next()? {
                    body.hardware = Some(bytes);
                }
                words.skip_statement();
            }
            Word::Plain(b"uid") => {
                if let Word::Quoted(text) | Word::Plain(text) = words.next()? {
                    body.uid = Some(text);
                }
                words.skip_statement();
            }
            Word::Plain(b"client-hostname") => {
                if let Word::Quoted(text) | Word::Plain(text) = words.next()? {
                    body.hostname = text;
                }
                words.skip_statement();
            }
            Word::Plain(b"reserved") => {
                body.reserved = true;
                words.skip_statement();
            }
            Word::Plain(_) | Word::Quoted(_) => words.skip_statement(),
            Word::Open | Word::End => {}
        }
    }
}

/// `0 2026/11/22 02:00:50;`, `epoch 1795312850;` or `never;`.
fn expiry(words: &mut Words<'_>) -> Result<Expiry, ParseError> {
    const DATE: &str = "a weekday, a date and a time, or epoch and seconds, or never";
    let line = words.line();
    let mut found: [&[u8]; 3] = [b""; 3];
    for place in &mut found {
        match words.next() {
            Some(Word::Plain(word)) => *place = word,
            Some(Word::End) | None => break,
            Some(_) => {}
        }
    }
    let [first, second, third] = found;
    let parsed = match first {
        b"never" => Some(Expiry::Never),
        b"epoch" => decimal(second)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map(Expiry::At),
        _ => {
            let date = parts(second, b'/');
            date.zip(parts(third, b':'))
                .and_then(|(date, time)| epoch(date, time))
                .map(Expiry::At)
        }
    };
    if !third.is_empty() {
        words.skip_statement();
    }
    parsed.ok_or_else(|| ParseError::new(line, "ends", DATE, &[first, second, third].join(&b' ')))
}

fn parts(text: &[u8], separator: u8) -> Option<[u64; 3]> {
    let mut parts = text.split(|byte| *byte == separator).map(decimal);
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

fn prefix(name: &[u8]) -> Option<(IpAddr, u8)> {
    let mut parts = name.splitn(2, |byte| *byte == b'/');
    let address = address(parts.next()?)?;
    let length = match parts.next() {
        Some(length) => u8::try_from(decimal(length)?).ok()?,
        None => whole(address),
    };
    (length <= whole(address)).then_some((address, length))
}

/// `None` for an address that no client has had.
fn lease<'a>(
    address: IpAddr,
    prefix: u8,
    body: &Body<'a>,
    ia: Option<&'a [u8]>,
    line: usize,
) -> Result<Option<Lease<'a>>, ParseError> {
    const STATE: &str = "active, free, backup, expired, released, reset, abandoned or bootp";
    let binding = match body.state {
        // Written by versions before failover.
        b"" | b"active" | b"bootp" => Binding::Bound,
        b"abandoned" => Binding::Declined,
        b"free" | b"backup" | b"expired" | b"released" | b"reset" => Binding::Free,
        other => return Err(ParseError::new(line, "binding state", STATE, other)),
    };
    let client = ia.or(body.hardware).or(body.uid);
    if client.is_none() && binding == Binding::Free {
        return Ok(None);
    }
    let hardware = match (body.hardware, ia) {
        (Some(text), _) => Hardware::from_hex(text).ok_or_else(|| {
            ParseError::new(line, "hardware", "hexadecimal digits and colons", text)
        })?,
        (None, Some(ia)) => of_ia(ia),
        (None, None) => Hardware::default(),
    };
    Ok(Some(Lease {
        address,
        prefix,
        client: client.unwrap_or_default(),
        hardware,
        hostname: unescape(body.hostname),
        // A lease that the server has only offered, or of BOOTP, has no end.
        expires: body.ends.unwrap_or(Expiry::Never),
        binding,
        reserved: body.reserved,
    }))
}

/// The hardware address in what follows the four bytes of the IAID; as a hexadecimal list only with lease-id-format hex.
fn of_ia(text: &[u8]) -> Hardware {
    let octal = unescape(text);
    let plain: Cow<'_, [u8]> = match text.contains(&b':').then(|| Hardware::from_hex(text)) {
        Some(Some(_)) => return Hardware::from_duid(text.get(12..).unwrap_or_default()),
        _ => octal,
    };
    match plain.get(4..) {
        Some([0, 1, _, _, _, _, _, _, address @ ..]) | Some([0, 3, _, _, address @ ..]) => {
            Hardware::from_bytes(address.iter().copied())
        }
        _ => Hardware::default(),
    }
}

/// A string without its escapes: `\"`, `\\` and three octal digits.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            plain.push(*first);
            continue;
        }
        if let Some(([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'], after)) =
            tail.split_first_chunk::<3>()
        {
            plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = after;
        } else if let Some((next, after)) = tail.split_first() {
            plain.push(*next);
            rest = after;
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests;
