//! The words of ISC dhcpd's configuration and lease files: words, quoted strings, braces and semicolons; `#` begins a comment.
//!
//! Documented in dhcpd.conf(5) and dhcpd.leases(5); read by common/conflex.c in ISC DHCP.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// What stands between white space, braces, semicolons and quotes.
    Plain(&'a [u8]),
    /// What stands between quotes, its escapes as they are.
    Quoted(&'a [u8]),
    /// `{`.
    Open,
    /// `}`.
    Close,
    /// `;`.
    End,
}

/// A file, read word by word.
pub(super) struct Words<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            line: 1,
        }
    }

    /// The line that is being read, counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next word; `None` at the end, and where a string or a word is not ended by what may follow it: the file goes on
    /// there, but has not been written yet.
    pub(super) fn next(&mut self) -> Option<Word<'a>> {
        loop {
            let (first, tail) = self.rest.split_first()?;
            match first {
                b'\n' => {
                    self.line += 1;
                    self.rest = tail;
                }
                b'#' => {
                    let end = self.rest.iter().position(|byte| *byte == b'\n');
                    self.rest = self.rest.get(end?..)?;
                }
                byte if byte.is_ascii_whitespace() => self.rest = tail,
                b'{' | b'}' | b';' => {
                    self.rest = tail;
                    return Some(match first {
                        b'{' => Word::Open,
                        b'}' => Word::Close,
                        _ => Word::End,
                    });
                }
                b'"' => return self.quoted(tail),
                _ => {
                    let ends = |byte: &u8| {
                        byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}' | b';' | b'"')
                    };
                    let end = self.rest.iter().position(ends)?;
                    let (word, rest) = self.rest.split_at_checked(end)?;
                    self.rest = rest;
                    return Some(Word::Plain(word));
                }
            }
        }
    }

    fn quoted(&mut self, text: &'a [u8]) -> Option<Word<'a>> {
        let mut escaped = false;
        let end = text.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let inside = text.get(..end?)?;
        self.line += inside.iter().filter(|byte| **byte == b'\n').count();
        self.rest = text.get(end? + 1..)?;
        Some(Word::Quoted(inside))
    }

    /// Reads up to the semicolon that ends the statement, or to the end of the block that it has. A closing brace before
    /// either is that of the block around it, and stays.
    pub(super) fn skip_statement(&mut self) {
        let mut depth = 0usize;
        loop {
            let before = (self.rest, self.line);
            match self.next() {
                None => return,
                Some(Word::End) if depth == 0 => return,
                Some(Word::Open) => depth += 1,
                Some(Word::Close) if depth == 0 => {
                    (self.rest, self.line) = before;
                    return;
                }
                Some(Word::Close) => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                Some(_) => {}
            }
        }
    }
}
