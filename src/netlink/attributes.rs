//! Attributes, of which most netlink messages consist: a length, a type, a value, padded to four bytes.
//!
//! `struct rtattr` of include/uapi/linux/rtnetlink.h and `struct nlattr` of netlink.h are the same thing
//! (`__nla_parse` in lib/nlattr.c; Documentation/userspace-api/netlink/intro.rst).
//!
//! ```text
//! 0 length, these four bytes included, padding not  2 type  4 value
//! ```
//!
//! The type's two highest bits are flags: the value consists of attributes, or is in network byte order. Kernels set the
//! first one on some nests and not on others, so neither is looked at. A value may be longer than what is read of it:
//! structures grow at their end. The last attribute need not be padded.

use super::Cause;

/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const FLAGS: u16 = 0xc000;
const NLA_F_NESTED: u16 = 0x8000;
const HEADER: usize = 4;

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type without the flags.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

/// What is left of a sequence of attributes.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

/// The attributes in `bytes`, one after the other; an error ends them.
#[must_use]
pub fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Cause>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let Some(header) = rest.first_chunk::<HEADER>() else {
            let expected = "an attribute of at least 4 bytes";
            return Some(Err(Cause::Malformed(expected, rest.len())));
        };
        let length = usize::from(super::half(header, 0));
        let Some(value) = rest.get(HEADER..length) else {
            let expected = "an attribute that ends inside its message";
            return Some(Err(Cause::Malformed(expected, length)));
        };
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        let kind = super::half(header, 2) & !FLAGS;
        Some(Ok(Attribute { kind, value }))
    }
}

impl<'a> Attribute<'a> {
    /// The value's first bytes; `expected` is the rule in words (`an IFLA_MTU of 4 bytes`).
    ///
    /// # Errors
    /// When there are fewer.
    pub fn array<const SIZE: usize>(&self, expected: &'static str) -> Result<[u8; SIZE], Cause> {
        let found = self.value.first_chunk().copied();
        found.ok_or(Cause::Malformed(expected, self.value.len()))
    }

    /// A number of one byte.
    ///
    /// # Errors
    /// When there is none.
    pub fn u8(&self, expected: &'static str) -> Result<u8, Cause> {
        self.array(expected).map(u8::from_ne_bytes)
    }

    /// A number of two bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u16(&self, expected: &'static str) -> Result<u16, Cause> {
        self.array(expected).map(u16::from_ne_bytes)
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn u32(&self, expected: &'static str) -> Result<u32, Cause> {
        self.array(expected).map(u32::from_ne_bytes)
    }

    /// A number of four bytes that may be below zero.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn i32(&self, expected: &'static str) -> Result<i32, Cause> {
        self.array(expected).map(i32::from_ne_bytes)
    }

    /// The value up to its first zero byte, which the kernel puts behind most texts.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.value
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
    }

    /// The attributes that the value consists of.
    #[must_use]
    pub fn nested(&self) -> Attributes<'a> {
        attributes(self.value)
    }
}

/// Appends an attribute to a request. The value is far below the 65,531 bytes that one can hold.
pub fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(HEADER + value.len()).unwrap_or_default();
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Appends an attribute that consists of attributes.
pub fn push_nested(bytes: &mut Vec<u8>, kind: u16, attributes: &[u8]) {
    push(bytes, kind | NLA_F_NESTED, attributes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Vec<u8> {
        let mut inner = Vec::new();
        push(&mut inner, 1, b"veth\0");
        let mut bytes = Vec::new();
        push(&mut bytes, 4, &1500u32.to_ne_bytes());
        push(&mut bytes, 33, &[1]);
        push_nested(&mut bytes, 18, &inner);
        bytes
    }

    #[test]
    fn parses() {
        let bytes = whole();
        let found: Vec<_> = attributes(&bytes).map(Result::unwrap).collect();
        let kinds: Vec<_> = found.iter().map(|attribute| attribute.kind).collect();
        assert_eq!(kinds, [4, 33, 18]);
        assert_eq!(found[0].u32("four"), Ok(1500));
        assert_eq!(found[0].i32("four"), Ok(1500));
        assert_eq!(found[1].u8("one"), Ok(1));
        let inner: Vec<_> = found[2].nested().map(Result::unwrap).collect();
        assert_eq!(inner[0].text(), b"veth");
        assert_eq!(found[1].text(), [1]);
    }

    #[test]
    fn short() {
        let short = Attribute {
            kind: 4,
            value: &[1, 2, 3],
        };
        let expected = Err(Cause::Malformed("an IFLA_MTU of 4 bytes", 3));
        assert_eq!(short.u32("an IFLA_MTU of 4 bytes"), expected);
        assert_eq!(short.u16("two"), Ok(u16::from_ne_bytes([1, 2])));
    }

    #[test]
    fn empty() {
        assert!(attributes(&[]).next().is_none());
        let none = Attribute {
            kind: 3,
            value: &[],
        };
        assert_eq!(none.text(), b"");
        assert_eq!(none.u8("one"), Err(Cause::Malformed("one", 0)));
        assert!(none.nested().next().is_none());
    }

    #[test]
    fn an_attribute_past_the_end_is_an_error_and_the_last_thing_said() {
        let bytes = whole();
        for length in [0u16, 1, 3, 100, u16::MAX] {
            let mut bytes = bytes.clone();
            bytes[8..10].copy_from_slice(&length.to_ne_bytes());
            let found: Vec<_> = attributes(&bytes).collect();
            assert!(found[0].is_ok(), "length {length}");
            let expected = "an attribute that ends inside its message";
            let error = Err(Cause::Malformed(expected, usize::from(length)));
            assert_eq!(found[1..], [error], "length {length}");
        }
    }

    #[test]
    fn ends_abruptly() {
        let bytes = whole();
        for end in 0..bytes.len() {
            let cut: Result<Vec<_>, _> = attributes(&bytes[..end]).collect();
            let whole = [0, 8, 13, 14, 15, 16].contains(&end);
            assert_eq!(cut.is_ok(), whole, "cut at {end}");
        }
    }
}
