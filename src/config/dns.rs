//! DNS records that are checked (`--collector.dns.record` and the section `dns:` of the configuration file): plain values,
//! with what each type of record may be expected to hold.
//!
//! Expectations are kept in one spelling, the one in which answers are compared: addresses as the standard library
//! writes them, names in lower case without the final dot, numbers without leading zeros.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddrV4;
use std::net::SocketAddrV6;
use std::time::Duration;

/// The most records that are checked: each has twelve series or so.
pub const RECORDS: usize = 1000;

/// The most values that one record may be expected to have.
pub const EXPECTED: usize = 64;

/// Where DNS is served.
const PORT: u16 = 53;

/// Which records are checked, where and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Whom to ask; `None`: whom /etc/resolv.conf names.
    pub resolver: Option<Server>,
    /// From one check of a record to its next; a tenth more or less, so that checks spread.
    pub interval: Duration,
    /// How long one question waits for its answer.
    pub timeout: Duration,
    /// What is checked; empty: nothing is, and nothing runs.
    pub records: Vec<Record>,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            resolver: None,
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(3),
            records: Vec::new(),
        }
    }
}

impl Dns {
    /// Adds a record.
    ///
    /// # Errors
    /// When there are too many, or one of that name and type is there already: its series would be two.
    pub fn add(&mut self, record: Record) -> Result<(), String> {
        let same = |other: &&Record| other.question == record.question && other.kind == record.kind;
        if self.records.iter().any(|other| same(&other)) {
            return Err(format!(
                "expected each name and type once, found {} {} twice",
                record.name, record.kind
            ));
        }
        if self.records.len() >= RECORDS {
            return Err(format!("expected at most {RECORDS} records, found more"));
        }
        self.records.push(record);
        Ok(())
    }
}

/// A server that answers questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub address: IpAddr,
    /// The device behind which a link-local address is, by name or number; empty for others.
    pub scope: String,
    /// The port, of UDP and TCP.
    pub port: u16,
}

impl Server {
    /// Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353` or `fe80::1%eth0`.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "an IP address with or without a port: 192.0.2.1, 192.0.2.1:5353, 2001:db8::1, [fe80::1%eth0]:5353";
        if let Ok(address) = text.parse::<SocketAddrV4>() {
            return Self::new(IpAddr::V4(*address.ip()), "", address.port()).ok_or(EXPECTED);
        }
        let (inner, port) = match text.strip_prefix('[') {
            None => (text, PORT),
            Some(rest) => {
                let (inner, port) = rest.split_once(']').ok_or(EXPECTED)?;
                // The standard library reads the port as it does everywhere else.
                let port = format!("[::]{port}").parse::<SocketAddrV6>();
                (inner, port.map_err(|_| EXPECTED)?.port())
            }
        };
        let (address, scope) = inner.split_once('%').unwrap_or((inner, ""));
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let bracketed = text.starts_with('[');
        if inner.ends_with('%') || address.is_ipv4() && (bracketed || !scope.is_empty()) {
            return Err(EXPECTED);
        }
        Self::new(address, scope, port).ok_or(EXPECTED)
    }

    fn new(address: IpAddr, scope: &str, port: u16) -> Option<Self> {
        (port != 0).then(|| Self {
            address,
            scope: scope.to_string(),
            port,
        })
    }
}

/// The types of records that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// An IPv4 address (RFC 1035).
    A,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// The name that this one stands for (RFC 1035).
    Cname,
    /// A mail server and its preference (RFC 1035).
    Mx,
    /// A name server of the zone (RFC 1035).
    Ns,
    /// The name of an address (RFC 1035).
    Ptr,
    /// The begin of a zone, of which the serial number counts (RFC 1035).
    Soa,
    /// A server of a service: priority, weight, port, name (RFC 2782).
    Srv,
    /// Text (RFC 1035).
    Txt,
}

impl RecordType {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Mx,
        Self::Ns,
        Self::Ptr,
        Self::Soa,
        Self::Srv,
        Self::Txt,
    ];

    /// The name, as the label `type` has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Txt => "TXT",
        }
    }

    /// Reads a type's name, in upper or lower case.
    ///
    /// # Errors
    /// With what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(text))
            .ok_or("one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT")
    }

    /// Brings an expected value into the spelling in which answers are compared.
    ///
    /// # Errors
    /// With what a value of this type looks like.
    pub fn expected(self, text: &str) -> Result<String, &'static str> {
        match self {
            Self::A => text
                .parse::<Ipv4Addr>()
                .map(|address| address.to_string())
                .map_err(|_| "an IPv4 address"),
            Self::Aaaa => text
                .parse::<Ipv6Addr>()
                .map(|address| address.to_string())
                .map_err(|_| "an IPv6 address"),
            Self::Cname | Self::Ns | Self::Ptr => escaped_name(text),
            Self::Mx => numbers_and_name::<1>(text)
                .ok_or("a preference and a name, such as \"10 mail.example\""),
            Self::Srv => numbers_and_name::<3>(text)
                .ok_or("priority, weight, port and a name, such as \"0 5 443 host.example\""),
            Self::Soa => digits(text)
                .and_then(|text| text.parse::<u32>().ok())
                .map(|serial| serial.to_string())
                .ok_or("a serial number from 0 to 4294967295"),
            Self::Txt => Ok(text.to_string()),
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One record that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name as it was given, which is the label `name`.
    pub name: String,
    /// The type.
    pub kind: RecordType,
    /// The name that is asked for: in lower case, without the final dot; of an address its reverse name.
    pub question: String,
    /// All the values that the record must have, in any order; empty: any value will do.
    pub expect: Vec<String>,
}

impl Record {
    /// Checks the parts of a record. A PTR record may be named by the address itself; no other record has an address for a
    /// name.
    ///
    /// # Errors
    /// With what was expected and what was found.
    pub fn new<'a>(
        name: &str,
        kind: RecordType,
        expect: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let refused = |expected: &str, found: &str| format!("expected {expected}, found {found:?}");
        let question = match name.parse::<IpAddr>() {
            Ok(address) if kind == RecordType::Ptr => Ok(reverse(address)),
            Ok(_) => Err("a domain name"),
            Err(_) => self::name(name),
        };
        let question = question.map_err(|expected| refused(expected, name))?;
        if kind == RecordType::Ptr && !has_pointers(&question) {
            return Err(refused(POINTERS, name));
        }
        let expect: Result<Vec<_>, _> = expect
            .into_iter()
            .map(|text| {
                kind.expected(text)
                    .map_err(|expected| refused(expected, text))
            })
            .collect();
        let expect = expect?;
        if expect.len() > EXPECTED {
            return Err(format!(
                "expected at most {EXPECTED} values of one record, found {}",
                expect.len()
            ));
        }
        Ok(Self {
            name: name.to_string(),
            kind,
            question,
            expect,
        })
    }

    /// Reads `NAME,TYPE[,EXPECT…]`. A comma inside a value is written `\,`.
    ///
    /// # Errors
    /// With what was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text);
        let mut parts = parts.iter().map(String::as_str);
        match (parts.next(), parts.next()) {
            (Some(name), Some(kind)) => {
                let kind = RecordType::parse(kind)
                    .map_err(|expected| format!("expected {expected}, found {kind:?}"))?;
                Self::new(name, kind, parts)
            }
            _ => Err(format!("expected NAME,TYPE[,EXPECT…], found {text:?}")),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = character == '\\' && characters.peek() == Some(&',');
        if character == ',' {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(if escaped { ',' } else { character });
            if escaped {
                characters.next();
            }
        }
    }
    parts
}

/// A domain name in lower case without the final dot; the root is a dot. What is not ASCII is to be given in its
/// registered form (`xn--…`): the wire knows no other.
fn name(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "a domain name of at most 253 bytes in labels of 1 to 63 letters, digits or signs, international ones as xn--…";
    if text == "." {
        return Ok(text.to_string());
    }
    let bare = text.strip_suffix('.').unwrap_or(text);
    // A backslash would begin an escape, which no name here needs.
    let fine = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b',');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fine);
    if bare.len() <= 253 && bare.split('.').all(label) {
        Ok(bare.to_ascii_lowercase())
    } else {
        Err(EXPECTED)
    }
}

/// A name in a value, in which other bytes may stand as `\DDD`, as answers spell them: an instance of a service is called
/// whatever people call it, `My\032Printer._ipp._tcp.example.org`.
fn escaped_name(text: &str) -> Result<String, &'static str> {
    let mut plain = text.to_string();
    while let Some(at) = plain.find('\\') {
        let code = plain.get(at + 1..at + 4).and_then(digits);
        let byte = code.and_then(|code| code.parse::<u8>().ok());
        // Whatever it is, it takes one byte.
        byte.ok_or("a domain name, in which \\DDD is the byte of that number")?;
        plain.replace_range(at..at + 4, "x");
    }
    name(&plain)?;
    let bare = text.strip_suffix('.').filter(|bare| !bare.is_empty());
    Ok(bare.unwrap_or(text).to_ascii_lowercase())
}

/// What a PTR record may be asked of.
const POINTERS: &str = "an address, a name below in-addr.arpa or ip6.arpa, or a service such as _http._tcp.example.org";

/// Whether PTR records are to be found there: below the two zones of addresses, and at services (RFC 6763: instances of
/// `_http._tcp`, and what stands below `_dns-sd._udp`). Anywhere else it is a slip: half an address, or a host's name.
fn has_pointers(name: &str) -> bool {
    let zone = |zone: &str| {
        let above = name.strip_suffix(zone);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    };
    zone("in-addr.arpa") || zone("ip6.arpa") || name.split('.').any(|label| label.starts_with('_'))
}

/// The name under which an address is registered: `1.2.0.192.in-addr.arpa` (RFC 1035), nibbles in `ip6.arpa` (RFC 3596).
#[must_use]
pub fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let octets = address.octets().into_iter().rev();
            let nibbles = octets.flat_map(|octet| [octet & 15, octet >> 4]);
            let mut name: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            name.push_str("ip6.arpa");
            name
        }
    }
}

fn digits(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn numbers_and_name<const N: usize>(text: &str) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    let mut whole = String::new();
    for _ in 0..N {
        let number: u16 = digits(words.next()?)?.parse().ok()?;
        whole.push_str(&format!("{number} "));
    }
    whole.push_str(&escaped_name(words.next()?).ok()?);
    words.next().is_none().then_some(whole)
}

#[cfg(test)]
mod tests;
