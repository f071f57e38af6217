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
            self.blanks();
            let (first, tail) = self.rest.split_first()?;
            match first {
                b'#' => {
                    let end = self.rest.iter().position(|byte| *byte == b'\n');
                    self.rest = self.rest.get(end?..)?;
                }
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
                    // Nearly every byte is told from those that end a word by its place in ASCII.
                    let ends = |byte: &u8| {
                        !matches!(byte, b'#'..=b':' | b'<'..=b'z')
                            && (byte.is_ascii_whitespace()
                                || matches!(byte, b'{' | b'}' | b';' | b'"'))
                    };
                    let end = self.rest.iter().position(ends)?;
                    let (word, rest) = self.rest.split_at_checked(end)?;
                    self.rest = rest;
                    return Some(Word::Plain(word));
                }
            }
        }
    }

    fn blanks(&mut self) {
        let (mut count, mut lines) = (0, 0);
        for byte in self.rest {
            match byte {
                b'\n' => lines += 1,
                byte if byte.is_ascii_whitespace() => {}
                _ => break,
            }
            count += 1;
        }
        self.line += lines;
        self.rest = self.rest.get(count..).unwrap_or_default();
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
        // Most statements are words up to their semicolon, which need not be told apart.
        let marks = |byte: &u8| matches!(byte, b';' | b'{' | b'}' | b'"' | b'#');
        let end = self.rest.iter().position(marks);
        let plain = end.and_then(|end| self.rest.split_at_checked(end));
        if let Some((inside, [b';', after @ ..])) = plain {
            self.line += inside.iter().filter(|byte| **byte == b'\n').count();
            self.rest = after;
            return;
        }
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
