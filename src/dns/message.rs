//! Messages of the DNS (RFC 1035, section 4): a question is written, an answer is read and checked.
//!
//! Of an answer all records are walked, but the data is read only of those types that can be asked for. This file's tests
//! cut and garble answers at every byte.
//!
//! Written here in November 2026, for the size: of the crates that read messages, simple-dns was 39 kB of the static binary;
//! in a small program hickory-proto added 296 kB, domain 32 kB with eleven crates, and dns-parser 20 kB.

mod wire;

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use self::wire::LONGEST_NAME;
use self::wire::Reader;
use self::wire::Record;
use super::Reason;
use crate::config::dns::RecordType;

/// The largest answer that is asked for over UDP: what passes every network in one piece (the DNS flag day of 2020).
pub const UDP_SIZE: u16 = 1232;

/// The largest answer that is taken over TCP, in bytes. One of 64 KiB could lead through tens of millions of pointers.
pub const LARGEST: usize = 16 << 10;

/// How many names may lead from one to the next in one answer; resolvers themselves follow 8 to 16.
const CHAIN: usize = 16;

const HEADER: usize = 12;

/// The class of the internet, which is the only one in use.
const IN: u16 = 1;

/// The type of the pseudo-record of EDNS (RFC 6891).
const OPT: u16 = 41;

/// The header's second word: this is a response.
const RESPONSE: u16 = 0x8000;
/// What kind of question it was; 0 is an ordinary one.
const OPCODE: u16 = 0x7800;
/// The message was cut.
const TRUNCATION: u16 = 0x0200;
/// To be zero in all messages.
const RESERVED: u16 = 0x0040;
/// How the question went; EDNS has eight more bits.
const RCODE: u16 = 0x000f;

/// What came out of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The values of the records that were asked for, at least one, each spelt as expectations are; or why there are none.
    pub values: Result<Vec<Vec<u8>>, Reason>,
    /// The least time, in seconds, that one of the records may be kept, those that led from name to name included.
    pub ttl: Option<u32>,
}

/// What a message is to whoever waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Not an answer to this question.
    Foreign,
    /// The answer to this question, which breaks the format.
    Malformed,
    /// The answer did not fit: it is to be asked for over TCP.
    Truncated,
    /// The answer.
    Answer(Answer),
}

/// A question for a name (lower case, no final dot). `None` where the name cannot be written, which the configuration
/// has seen to.
#[must_use]
pub fn question(id: u16, name: &str, kind: RecordType, edns: bool) -> Option<Vec<u8>> {
    /// Recursion is desired.
    const FLAGS: u16 = 0x0100;
    let mut bytes = Vec::with_capacity(HEADER + name.len() + 2 + 4 + 11);
    for word in [id, FLAGS, 1, 0, 0, u16::from(edns)] {
        bytes.extend(word.to_be_bytes());
    }
    for label in name.split('.').filter(|_| name != ".") {
        let length = u8::try_from(label.len()).ok();
        bytes.push(length.filter(|length| (1..=63).contains(length))?);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    if bytes.len() > HEADER + LONGEST_NAME {
        return None;
    }
    bytes.extend(wire(kind).to_be_bytes());
    bytes.extend(IN.to_be_bytes());
    if edns {
        // The root's pseudo-record, whose class is the size of answers; version 0, no flags, no options.
        bytes.push(0);
        for word in [OPT, UDP_SIZE, 0, 0, 0] {
            bytes.extend(word.to_be_bytes());
        }
    }
    Some(bytes)
}

/// Reads what came in on the socket on which a question went out.
#[must_use]
pub fn read(bytes: &[u8], id: u16, name: &str, kind: RecordType) -> Read {
    let mut reader = Reader::new(bytes);
    let Some(header) = Header::read(&mut reader) else {
        return Read::Foreign;
    };
    let response = header.flags & (RESPONSE | OPCODE | RESERVED) == RESPONSE;
    if header.id != id || !response {
        return Read::Foreign;
    }
    let ours = match header.questions {
        1 => is_question(&mut reader, name, kind).unwrap_or(false),
        // A server that understands nothing of a question cannot repeat it.
        0 => header.flags & RCODE == 1,
        _ => false,
    };
    if !ours {
        return Read::Foreign;
    }
    if header.flags & TRUNCATION != 0 {
        return Read::Truncated;
    }
    if bytes.len() > LARGEST {
        return Read::Malformed;
    }
    answer(reader, &header, name, kind).map_or(Read::Malformed, Read::Answer)
}

struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additional: u16,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            id: reader.number16()?,
            flags: reader.number16()?,
            questions: reader.number16()?,
            answers: reader.number16()?,
            authorities: reader.number16()?,
            additional: reader.number16()?,
        })
    }
}

/// Whether the next question is this one; `None` where the message is too short for one.
fn is_question(reader: &mut Reader<'_>, name: &str, kind: RecordType) -> Option<bool> {
    let found = (reader.name()?, reader.number16()?, reader.number16()?);
    Some(found.0 == name.as_bytes() && (found.1, found.2) == (wire(kind), IN))
}

/// What one record of the answer says of the question.
struct Found {
    owner: Vec<u8>,
    ttl: u32,
    value: Option<Vec<u8>>,
    alias: Option<Vec<u8>>,
}

/// Reads the records; `None` where they break the format.
fn answer(mut reader: Reader<'_>, header: &Header, name: &str, kind: RecordType) -> Option<Answer> {
    let mut records = Vec::new();
    for _ in 0..header.answers {
        records.extend(found(reader.record()?, kind)?);
    }
    for _ in 0..header.authorities {
        reader.record()?;
    }
    let mut extended = None;
    for _ in 0..header.additional {
        let record = reader.record()?;
        if record.kind == OPT {
            extended = extended.or(Some(record.ttl >> 24));
        }
    }
    let refused = match header.flags & RCODE {
        _ if extended.is_some_and(|code| code != 0) => Some(Reason::Rcode),
        0 => None,
        1 => Some(Reason::Formerr),
        2 => Some(Reason::Servfail),
        3 => Some(Reason::Nxdomain),
        5 => Some(Reason::Refused),
        _ => Some(Reason::Rcode),
    };
    Some(match refused {
        Some(reason) => nothing(reason),
        None => follow(&records, name),
    })
}

fn nothing(reason: Reason) -> Answer {
    Answer {
        values: Err(reason),
        ttl: None,
    }
}

/// What a record says of the question, if anything. `None` outside: its data breaks the format.
fn found(mut record: Record<'_>, kind: RecordType) -> Option<Option<Found>> {
    // A record of mDNS has the highest bit of its class for itself (RFC 6762).
    let internet = record.class & 0x7fff == IN;
    if !internet || record.data.is_at_end() {
        return Some(None);
    }
    let known = |asked: RecordType| record.kind == wire(asked);
    let (mut value, mut alias) = (None, None);
    if known(kind) {
        value = Some(self::value(kind, &mut record.data)?);
    } else if known(RecordType::Cname) {
        alias = Some(record.data.name()?);
    }
    if (value.is_some() || alias.is_some()) && !record.data.is_at_end() {
        return None;
    }
    Some((value.is_some() || alias.is_some()).then_some(Found {
        owner: record.owner,
        // With its highest bit set it counts as 0 (RFC 2181, section 8).
        ttl: i32::try_from(record.ttl).map_or(0, i32::unsigned_abs),
        value,
        alias,
    }))
}

/// Goes from the name that was asked for to the one that has values.
fn follow(records: &[Found], name: &str) -> Answer {
    let mut owner = name.as_bytes();
    let mut ttl = u32::MAX;
    for _ in 0..CHAIN {
        let mut values = Vec::new();
        let mut next = None;
        for record in records.iter().filter(|record| record.owner == owner) {
            ttl = ttl.min(record.ttl);
            next = next.or(record.alias.as_deref());
            values.extend(record.value.clone());
        }
        match next {
            _ if !values.is_empty() => {
                return Answer {
                    values: Ok(values),
                    ttl: Some(ttl),
                };
            }
            Some(target) => owner = target,
            None => return nothing(Reason::Nodata),
        }
    }
    // A chain that turns in a circle leads to no record.
    nothing(Reason::Nodata)
}

/// A record's value in the spelling of expectations; `None` where its data is too short for its type. What stands behind it is
/// left to be read.
fn value(kind: RecordType, data: &mut Reader<'_>) -> Option<Vec<u8>> {
    Some(match kind {
        RecordType::A => Ipv4Addr::from(data.array::<4>()?).to_string().into_bytes(),
        RecordType::Aaaa => Ipv6Addr::from(data.array::<16>()?).to_string().into_bytes(),
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => data.name()?,
        RecordType::Mx => numbers_and_name::<1>(data)?,
        RecordType::Srv => numbers_and_name::<3>(data)?,
        RecordType::Soa => {
            // Of five numbers behind two names the first counts.
            data.name()?;
            data.name()?;
            let serial = data.number32()?;
            data.slice(16)?;
            serial.to_string().into_bytes()
        }
        RecordType::Txt => {
            // The strings of one record are one text (RFC 7208 has it so for SPF); whether that is UTF-8 does not matter.
            let mut whole = Vec::new();
            while !data.is_at_end() {
                whole.extend(data.string()?);
            }
            whole
        }
    })
}

fn numbers_and_name<const NUMBERS: usize>(data: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut whole = String::new();
    for _ in 0..NUMBERS {
        whole.push_str(&data.number16()?.to_string());
        whole.push(' ');
    }
    let mut whole = whole.into_bytes();
    whole.extend(data.name()?);
    Some(whole)
}

/// A type's number on the wire.
fn wire(kind: RecordType) -> u16 {
    match kind {
        RecordType::A => 1,
        RecordType::Ns => 2,
        RecordType::Cname => 5,
        RecordType::Soa => 6,
        RecordType::Ptr => 12,
        RecordType::Mx => 15,
        RecordType::Txt => 16,
        RecordType::Aaaa => 28,
        RecordType::Srv => 33,
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
