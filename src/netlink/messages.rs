//! The messages of a datagram, one after the other.

use super::Cause;
use super::HEADER;
use super::half;
use super::word;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u16,
    /// NLM_F_.
    pub flags: u16,
    /// The number of the request that it answers; what nobody asked for has any.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// What is left of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

/// The messages in a datagram; an error ends them.
#[must_use]
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages { rest: datagram }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Cause>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let Some(header) = rest.first_chunk::<HEADER>() else {
            let expected = "a header of 16 bytes";
            return Some(Err(Cause::Malformed(expected, rest.len())));
        };
        let length = word(header, 0) as usize;
        let Some(payload) = rest.get(HEADER..length) else {
            let expected = "a length from 16 to the datagram's";
            return Some(Err(Cause::Malformed(expected, length)));
        };
        // Messages begin at multiples of four; the last one need not be padded.
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Message {
            kind: half(header, 4),
            flags: half(header, 6),
            sequence: word(header, 8),
            payload,
        }))
    }
}
