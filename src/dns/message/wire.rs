//! Reading a DNS message (RFC 1035, section 4): numbers, names and the heads of records, in the order in which they stand.
//!
//! Whatever the bytes are, a reader gives a value or `None`. Compression pointers (section 4.1.4) must lead backward, and
//! names end after 255 bytes, so no name can turn in a circle. No room is made for what a header promises.

/// The longest name, each label behind its length and a zero at the end, in bytes.
pub(super) const LONGEST_NAME: usize = 255;

/// The two highest bits of a length, which make it a pointer.
const POINTER: u8 = 0xc0;

/// Where reading has come to.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The message from its begin, since pointers count from there, to the end of what may be read.
    bytes: &'a [u8],
    at: usize,
}

/// One record. Its owner's name and what its data holds are read when they are wanted.
pub(super) struct Record<'a> {
    /// The name that it belongs to, as [`Reader::name`] spells it.
    pub(super) owner: Vec<u8>,
    /// What it is, as a number on the wire.
    pub(super) kind: u16,
    /// The internet's is 1; in EDNS' pseudo-record it is a size.
    pub(super) class: u16,
    /// How long it may be kept, in seconds; in EDNS' pseudo-record it is flags.
    pub(super) ttl: u32,
    /// Its data; a name in it may point to what stands before.
    pub(super) data: Reader<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let found = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(found)
    }

    pub(super) fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.slice(LENGTH)?.first_chunk().copied()
    }

    pub(super) fn number16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn number32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A string behind its length, of which one byte tells (section 3.3).
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let [length] = self.array()?;
        self.slice(usize::from(length))
    }

    /// A name in lower case without the final dot, the root as a dot. What is no printable ASCII, and a dot or a backslash
    /// inside a label, becomes `\DDD` as in zone files (section 5.1), so that two names never read alike.
    pub(super) fn name(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        // The zero at the end is one byte.
        let mut length = 1;
        // Where the name has led to; the message goes on behind the first pointer.
        let mut place = *self;
        let mut behind = None;
        loop {
            let begin = place.at;
            let [first] = place.array()?;
            if first == 0 {
                break;
            }
            if first & POINTER == POINTER {
                let [second] = place.array()?;
                behind = behind.or(Some(place.at));
                place.at = usize::from(u16::from_be_bytes([first & !POINTER, second]));
                if place.at >= begin {
                    return None;
                }
                continue;
            }
            length += 1 + usize::from(first);
            if first & POINTER != 0 || length > LONGEST_NAME {
                return None;
            }
            write_label(&mut text, place.slice(usize::from(first))?);
        }
        self.at = behind.unwrap_or(place.at);
        if text.is_empty() {
            text.push(b'.');
        }
        Some(text)
    }

    pub(super) fn record(&mut self) -> Option<Record<'a>> {
        let owner = self.name()?;
        let kind = self.number16()?;
        let class = self.number16()?;
        let ttl = self.number32()?;
        let length = usize::from(self.number16()?);
        let at = self.at;
        self.slice(length)?;
        let bytes = self.bytes.get(..self.at)?;
        let data = Self { bytes, at };
        Some(Record {
            owner,
            kind,
            class,
            ttl,
            data,
        })
    }
}

fn write_label(text: &mut Vec<u8>, label: &[u8]) {
    if !text.is_empty() {
        text.push(b'.');
    }
    for byte in label {
        if byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\') {
            text.push(byte.to_ascii_lowercase());
        } else {
            text.push(b'\\');
            text.extend([byte / 100, byte / 10 % 10, byte % 10].map(|digit| b'0' + digit));
        }
    }
}
