//! JSON (RFC 8259), read once from left to right without a tree in memory: what a caller does not ask for is skipped.
//!
//! Kea's configuration files are JSON with comments (`#`, `//` and `/* */`), which count as white space here. Nothing is
//! followed deeper than [`DEPTH`].

use std::borrow::Cow;

use super::ParseError;
use super::decimal;
use super::hex;

/// How deep objects and arrays may lie in each other.
const DEPTH: usize = 64;

/// A text that is being read.
pub(super) struct Json<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
    depth: usize,
}

type Read<T> = Result<T, ParseError>;

impl<'a> Json<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            rest: bytes,
            depth: 0,
        }
    }

    /// The first byte of the next value, which tells its type.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.blanks();
        self.rest.first().copied()
    }

    /// The place that is read, for an error later.
    pub(super) fn place(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// An error at the place that is read.
    pub(super) fn error(&self, field: &'static str, expected: &'static str) -> ParseError {
        self.error_at(self.place(), field, expected)
    }

    /// An error at a place that was read.
    pub(super) fn error_at(
        &self,
        place: usize,
        field: &'static str,
        expected: &'static str,
    ) -> ParseError {
        let (before, found) = self.bytes.split_at_checked(place).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let found = found.split(|byte| *byte == b'\n').next();
        ParseError::new(line, field, expected, found.unwrap_or_default())
    }

    /// Reads an object; `each` must read the value of the key that it is given, or skip it.
    pub(super) fn object(
        &mut self,
        each: &mut dyn FnMut(&mut Self, &[u8]) -> Read<()>,
    ) -> Read<()> {
        self.block(b'{', b'}', "an object", &mut |json| {
            let key = json.text()?;
            json.byte(b':', "a colon after a key")?;
            each(json, &key)
        })
    }

    /// Reads an array; `each` must read one value, or skip it.
    pub(super) fn array(&mut self, each: &mut dyn FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.block(b'[', b']', "an array", each)
    }

    fn block(
        &mut self,
        open: u8,
        close: u8,
        kind: &'static str,
        each: &mut dyn FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.byte(open, kind)?;
        if self.depth == DEPTH {
            return Err(self.error("json", "values that lie at most 64 deep"));
        }
        self.depth += 1;
        loop {
            // A comma before the closing bracket is a habit in configuration files.
            if self.peek() == Some(close) {
                break;
            }
            each(self)?;
            if self.peek() != Some(b',') {
                break;
            }
            self.advance(1);
        }
        self.depth -= 1;
        self.byte(close, "a comma or a closing bracket")
    }

    /// Reads a string, and gives it without escapes.
    pub(super) fn text(&mut self) -> Read<Cow<'a, [u8]>> {
        self.byte(b'"', "a string")?;
        let mut escaped = false;
        let end = self.rest.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let inside = end.and_then(|end| self.rest.get(..end));
        let inside = inside.ok_or_else(|| self.error("json", "a closing quote"))?;
        self.advance(inside.len() + 1);
        Ok(unescape(inside))
    }

    /// Reads an unsigned whole number.
    pub(super) fn number(&mut self) -> Read<u64> {
        self.blanks();
        let ends = |byte: &u8| !byte.is_ascii_digit();
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let number = self.rest.get(..end).and_then(decimal);
        let number = number.ok_or_else(|| self.error("json", super::DECIMAL))?;
        self.advance(end);
        Ok(number)
    }

    /// Passes over one value, and gives it as it stands.
    pub(super) fn skip(&mut self) -> Read<&'a [u8]> {
        let first = self.peek();
        let begin = self.rest;
        match first {
            Some(b'{') => self.object(&mut |json, _| json.skip().map(|_| ()))?,
            Some(b'[') => self.array(&mut |json| json.skip().map(|_| ()))?,
            Some(b'"') => self.text().map(|_| ())?,
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let end = self.rest.iter().position(|byte| !part(byte));
                self.advance(end.unwrap_or(self.rest.len()));
            }
            _ => return Err(self.error("json", "a value")),
        }
        let length = begin.len() - self.rest.len();
        Ok(begin.get(..length).unwrap_or_default())
    }

    fn byte(&mut self, byte: u8, expected: &'static str) -> Read<()> {
        if self.peek() == Some(byte) {
            self.advance(1);
            Ok(())
        } else {
            Err(self.error("json", expected))
        }
    }

    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn blanks(&mut self) {
        loop {
            let blank = |byte: &u8| !byte.is_ascii_whitespace();
            let count = self.rest.iter().position(blank);
            self.advance(count.unwrap_or(self.rest.len()));
            let comment = match self.rest {
                [b'#', ..] | [b'/', b'/', ..] => self.rest.iter().position(|byte| *byte == b'\n'),
                [b'/', b'*', inside @ ..] => {
                    let end = inside.windows(2).position(|pair| pair == b"*/");
                    end.map(|end| end + 4)
                }
                _ => return,
            };
            self.advance(comment.unwrap_or(self.rest.len()));
        }
    }
}

fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let Some((next, after)) = tail.split_first().filter(|_| *first == b'\\') else {
            plain.push(*first);
            continue;
        };
        rest = after;
        match next {
            b'u' => {
                let (character, after) = unicode(after);
                plain.extend(character.encode_utf8(&mut [0; 4]).bytes());
                rest = after;
            }
            b'n' => plain.push(b'\n'),
            b't' => plain.push(b'\t'),
            b'r' => plain.push(b'\r'),
            b'b' => plain.push(8),
            b'f' => plain.push(12),
            other => plain.push(*other),
        }
    }
    Cow::Owned(plain)
}

/// The character of four hexadecimal digits, or of two such escapes that make a surrogate pair; U+FFFD for anything else.
fn unicode(text: &[u8]) -> (char, &[u8]) {
    let unit = |text: &[u8]| u32::try_from(hex(text.get(..4)?)?).ok();
    let Some(first) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    let after = text.get(4..).unwrap_or_default();
    let second = after.strip_prefix(b"\\u").and_then(unit);
    match (first, second) {
        (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
            let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            (character, after.get(6..).unwrap_or_default())
        }
        _ => {
            let character = char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
            (character, after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let mut json = Json::new(text.as_bytes());
        let value = json.skip().map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn values_are_passed_over_whole() {
        for text in [
            "{}",
            "[]",
            "[1, -2.5e+3, true, null, \"a\\\"]\", {\"a\": [{}]}]",
            "{ \"a\": 1, // a comment }\n # another\n /* a third } */ \"b\": 2, }",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        for (text, expected) in [
            ("", "1: json: expected a value, found \"\""),
            (
                "{\n\"a\" 1}",
                "2: json: expected a colon after a key, found \"1}\"",
            ),
            (
                "[1 2]",
                "1: json: expected a comma or a closing bracket, found \"2]\"",
            ),
            ("[\"a", "1: json: expected a closing quote, found \"a\""),
        ] {
            assert_eq!(read(text), Err(expected.to_string()), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err_and(|error| error.contains("64 deep")));
    }

    #[test]
    fn strings_lose_their_escapes() {
        let text = |text: &str| {
            let mut json = Json::new(text.as_bytes());
            json.text()
                .map(|found| String::from_utf8_lossy(&found).into_owned())
        };
        assert_eq!(
            text(r#""a\u00e9\ud83d\ude00\n\/\ud800x""#).as_deref(),
            Ok("aé😀\n/\u{fffd}x")
        );
        assert_eq!(text("\"a\\u12\"").as_deref(), Ok("a\u{fffd}12"));
    }
}
