//! Messages of the DNS (RFC 1035, section 4): a question is written, an answer is read and checked. The sole user of
//! simple_dns.
//!
//! simple_dns makes room for as many records as a header promises, so the promise is held against the message's length
//! first. Compression pointers lead backward only and names end after 255 bytes, there and by this file's tests, which
//! cut and garble answers at every byte.
//!
//! Chosen in November 2026 by what a stripped binary grows: simple-dns 73 kB, of which 28 kB write messages, for which
//! twenty lines here do; its one dependency is rustix's too. hickory-proto takes 296 kB, domain 32 kB and eleven crates,
//! dns-parser 20 kB, but nobody has looked after it since 2018.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use simple_dns::CLASS;
use simple_dns::Name;
use simple_dns::OPCODE;
use simple_dns::Packet;
use simple_dns::PacketFlag;
use simple_dns::QCLASS;
use simple_dns::QTYPE;
use simple_dns::RCODE;
use simple_dns::TYPE;
use simple_dns::rdata::RData;

use super::Reason;
use crate::config::dns::RecordType;

/// The largest answer that is asked for over UDP: what passes every network in one piece (the DNS flag day of 2020).
pub const UDP_SIZE: u16 = 1232;

/// The largest answer that is taken over TCP, in bytes. One of 64 KiB could lead through tens of millions of pointers.
pub const LARGEST: usize = 16 << 10;

/// How many names may lead from one to the next in one answer; resolvers themselves follow 8 to 16.
const CHAIN: usize = 16;

const HEADER: usize = 12;

/// The longest name, each label behind its length and a zero at the end, in bytes.
const LONGEST_NAME: usize = 255;

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
    bytes.extend(u16::from(wire(kind)).to_be_bytes());
    bytes.extend((CLASS::IN as u16).to_be_bytes());
    if edns {
        // The root's pseudo-record, whose class is the size of answers; version 0, no flags, no options.
        bytes.push(0);
        for word in [u16::from(TYPE::OPT), UDP_SIZE, 0, 0, 0] {
            bytes.extend(word.to_be_bytes());
        }
    }
    Some(bytes)
}

/// Reads what came in on the socket on which a question went out.
#[must_use]
pub fn read(bytes: &[u8], id: u16, name: &str, kind: RecordType) -> Read {
    let Some(counts) = counts(bytes) else {
        return Read::Foreign;
    };
    // The question alone first: where it is another, nothing else of the message matters.
    let mut alone = bytes.to_vec();
    let asked = counts[0] == 1;
    for (at, byte) in alone.iter_mut().enumerate().take(HEADER).skip(4) {
        *byte = u8::from(asked && at == 5);
    }
    let Ok(head) = Packet::parse(&alone) else {
        return Read::Foreign;
    };
    let response = head.has_flags(PacketFlag::RESPONSE) && head.opcode() == OPCODE::StandardQuery;
    if head.id() != id || !response {
        return Read::Foreign;
    }
    // A server that understands nothing of a question cannot repeat it.
    let helpless = counts[0] == 0 && head.rcode() == RCODE::FormatError;
    let ours = head.questions.first().is_some_and(|question| {
        question.qtype == QTYPE::TYPE(wire(kind))
            && question.qclass == QCLASS::CLASS(CLASS::IN)
            && !question.unicast_response
            && text(&question.qname) == name.as_bytes()
    });
    if !ours && !helpless {
        return Read::Foreign;
    }
    if head.has_flags(PacketFlag::TRUNCATION) {
        return Read::Truncated;
    }
    if !holds(bytes, counts) || bytes.len() > LARGEST {
        return Read::Malformed;
    }
    Packet::parse(bytes).map_or(Read::Malformed, |packet| {
        Read::Answer(answer(&packet, name, kind))
    })
}

/// How many questions, answers, authorities and additional records a header promises.
fn counts(bytes: &[u8]) -> Option<[u16; 4]> {
    let header = bytes.get(..HEADER)?;
    let mut counts = [0; 4];
    let pairs = header
        .iter()
        .skip(4)
        .step_by(2)
        .zip(header.iter().skip(5).step_by(2));
    for (count, (high, low)) in counts.iter_mut().zip(pairs) {
        *count = u16::from_be_bytes([*high, *low]);
    }
    Some(counts)
}

/// Whether a message is long enough for what its header promises: a question takes 5 bytes at least, a record 11.
fn holds(bytes: &[u8], [questions, answers, authorities, additional]: [u16; 4]) -> bool {
    let records = usize::from(answers) + usize::from(authorities) + usize::from(additional);
    HEADER + usize::from(questions) * 5 + records * 11 <= bytes.len()
}

fn answer(packet: &Packet<'_>, name: &str, kind: RecordType) -> Answer {
    let nothing = |reason| Answer {
        values: Err(reason),
        ttl: None,
    };
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::FormatError => return nothing(Reason::Formerr),
        RCODE::ServerFailure => return nothing(Reason::Servfail),
        RCODE::NameError => return nothing(Reason::Nxdomain),
        RCODE::Refused => return nothing(Reason::Refused),
        _ => return nothing(Reason::Rcode),
    }
    let mut owner = name.as_bytes().to_vec();
    let mut ttl = u32::MAX;
    for _ in 0..CHAIN {
        let of_owner = packet
            .answers
            .iter()
            .filter(|record| record.class == CLASS::IN && text(&record.name) == owner);
        let mut values = Vec::new();
        let mut next = None;
        for record in of_owner {
            let found = value(kind, &record.rdata);
            let alias = match &record.rdata {
                RData::CNAME(target) => Some(text(&target.0)),
                _ => None,
            };
            if found.is_some() || alias.is_some() {
                // With its highest bit set it counts as 0 (RFC 2181, section 8).
                ttl = ttl.min(i32::try_from(record.ttl).map_or(0, i32::unsigned_abs));
            }
            next = next.or(alias);
            values.extend(found);
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

/// A record's value in the spelling of expectations; `None` where it is of another type.
fn value(kind: RecordType, data: &RData<'_>) -> Option<Vec<u8>> {
    let with = |numbers: &[u16], name: &Name<'_>| {
        let mut whole = String::new();
        for number in numbers {
            whole.push_str(&format!("{number} "));
        }
        let mut whole = whole.into_bytes();
        whole.extend(text(name));
        whole
    };
    Some(match (kind, data) {
        (RecordType::A, RData::A(data)) => Ipv4Addr::from(data.address).to_string().into_bytes(),
        (RecordType::Aaaa, RData::AAAA(data)) => {
            Ipv6Addr::from(data.address).to_string().into_bytes()
        }
        (RecordType::Cname, RData::CNAME(data)) => text(&data.0),
        (RecordType::Ns, RData::NS(data)) => text(&data.0),
        (RecordType::Ptr, RData::PTR(data)) => text(&data.0),
        (RecordType::Mx, RData::MX(data)) => with(&[data.preference], &data.exchange),
        (RecordType::Srv, RData::SRV(data)) => {
            with(&[data.priority, data.weight, data.port], &data.target)
        }
        (RecordType::Soa, RData::SOA(data)) => data.serial.to_string().into_bytes(),
        // The strings of one record are one text (RFC 7208 has it so for SPF); whether that is UTF-8 does not matter.
        (RecordType::Txt, RData::TXT(data)) => String::try_from(data.clone())
            .map_or_else(|error| error.into_bytes(), String::into_bytes),
        _ => return None,
    })
}

/// A name in lower case without the final dot, the root as a dot. What is no printable ASCII, and a dot or a backslash
/// inside a label, becomes `\DDD` as in zone files (RFC 1035, section 5.1), so that two names never read alike.
fn text(name: &Name<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for label in name.get_labels() {
        if !text.is_empty() {
            text.push(b'.');
        }
        for byte in AsRef::<[u8]>::as_ref(label) {
            if byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\') {
                text.push(byte.to_ascii_lowercase());
            } else {
                text.extend(format!("\\{byte:03}").bytes());
            }
        }
    }
    if text.is_empty() {
        text.push(b'.');
    }
    text
}

fn wire(kind: RecordType) -> TYPE {
    match kind {
        RecordType::A => TYPE::A,
        RecordType::Aaaa => TYPE::AAAA,
        RecordType::Cname => TYPE::CNAME,
        RecordType::Mx => TYPE::MX,
        RecordType::Ns => TYPE::NS,
        RecordType::Ptr => TYPE::PTR,
        RecordType::Soa => TYPE::SOA,
        RecordType::Srv => TYPE::SRV,
        RecordType::Txt => TYPE::TXT,
    }
}

#[cfg(test)]
mod tests;
