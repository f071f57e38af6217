//! Tables: comma-separated values (RFC 4180) with any delimiter, and columns between white space.
//!
//! ```text
//! pool,state,used
//! "lan, upstairs",online,12
//! ```
//!
//! With a delimiter a field may be in quotes, hold the delimiter and line ends, and a quote as two. A first line may name the
//! columns. Empty lines do not count. A row that lacks the column of the number, or has nothing in it, has no number to tell;
//! anything else there is an error.

use std::borrow::Cow;

use super::ParseError;
use super::measure::NUMBER;
use super::measure::number;

/// A column: by its position, from 1, or by its name.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// From 1.
    Number(usize),
    /// As the first line has it.
    Name(&'a str),
}

/// What is asked of a table.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What stands between columns; `None`: white space.
    pub delimiter: Option<u8>,
    /// Whether the first line names the columns.
    pub header: bool,
    /// The column of the number.
    pub column: Column<'a>,
    /// Only rows with these values.
    pub only: Vec<(Column<'a>, &'a str)>,
    /// What else is wanted of each row.
    pub also: Vec<Column<'a>>,
}

/// Who is handed the values of the other columns, and the number.
pub type Each<'e> = &'e mut dyn FnMut(&[Cow<'_, [u8]>], f64);

/// Hands over the number of each row that is wanted, with the values of the other columns.
///
/// # Errors
/// When a column is not there or holds no number, or a quote is not closed.
pub fn rows(bytes: &[u8], wanted: &Wanted<'_>, each: Each<'_>) -> Result<(), ParseError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = Reader {
        rest: bytes,
        line: 1,
        delimiter: wanted.delimiter,
    };
    let mut fields = Vec::new();
    if wanted.header && reader.row(&mut fields)?.is_none() {
        return Err(ParseError::new(1, "header", "the names of columns", b""));
    }
    let header = if wanted.header {
        std::mem::take(&mut fields)
    } else {
        Vec::new()
    };
    let position = |column: &Column<'_>| position(&header, column);
    let column = position(&wanted.column)?;
    let only: Vec<_> = wanted
        .only
        .iter()
        .map(|(column, value)| Ok((position(column)?, value.as_bytes())))
        .collect::<Result<_, ParseError>>()?;
    let also: Vec<_> = wanted.also.iter().map(position).collect::<Result<_, _>>()?;
    let mut values = Vec::new();
    while let Some(line) = reader.row(&mut fields)? {
        let fits = only
            .iter()
            .all(|(position, value)| fields.get(*position).is_some_and(|field| field == value));
        let text = fields.get(column).map(|field| field.trim_ascii());
        let Some(text) = text.filter(|text| fits && !text.is_empty()) else {
            continue;
        };
        let name = || match wanted.column {
            Column::Name(name) => name.to_string(),
            Column::Number(number) => format!("column {number}"),
        };
        let value = number(text).ok_or_else(|| ParseError::new(line, name(), NUMBER, text))?;
        values.clear();
        for position in &also {
            values.push(fields.get(*position).cloned().unwrap_or_default());
        }
        each(&values, value);
    }
    Ok(())
}

fn position(header: &[Cow<'_, [u8]>], column: &Column<'_>) -> Result<usize, ParseError> {
    let name = match column {
        Column::Number(number) => return Ok(number.saturating_sub(1)),
        Column::Name(name) => *name,
    };
    let found = header
        .iter()
        .position(|field| field.trim_ascii() == name.as_bytes());
    found.ok_or_else(|| {
        let names: Vec<&[u8]> = header.iter().map(|name| &**name).collect();
        let expected = "a column of this name in the first line";
        ParseError::new(1, name.to_string(), expected, &names.join(&b","[..]))
    })
}

struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
    delimiter: Option<u8>,
}

impl<'a> Reader<'a> {
    /// Reads the next row that is not empty, and gives its line; `None` at the end.
    fn row(&mut self, fields: &mut Vec<Cow<'a, [u8]>>) -> Result<Option<usize>, ParseError> {
        fields.clear();
        while !self.rest.is_empty() {
            let line = self.line;
            match self.delimiter {
                None => self.words(fields),
                Some(delimiter) => self.fields(delimiter, fields)?,
            }
            self.line += 1;
            let blank = |field: &Cow<'_, [u8]>| field.trim_ascii().is_empty();
            if !(fields.is_empty() || fields.len() == 1 && fields.iter().all(blank)) {
                return Ok(Some(line));
            }
            fields.clear();
        }
        Ok(None)
    }

    fn words(&mut self, fields: &mut Vec<Cow<'a, [u8]>>) {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let line = self.take(end.unwrap_or(self.rest.len()));
        self.take(1);
        let words = line.split(u8::is_ascii_whitespace);
        fields.extend(words.filter(|word| !word.is_empty()).map(Cow::Borrowed));
    }

    fn fields(&mut self, delimiter: u8, fields: &mut Vec<Cow<'a, [u8]>>) -> Result<(), ParseError> {
        loop {
            let field = if self.rest.first() == Some(&b'"') {
                self.quoted()?
            } else {
                Cow::Borrowed(&b""[..])
            };
            let ends = |byte: &u8| *byte == delimiter || *byte == b'\n';
            let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
            let plain = self.take(end);
            let plain = match self.rest.first() {
                Some(byte) if *byte == delimiter => plain,
                _ => plain.strip_suffix(b"\r").unwrap_or(plain),
            };
            fields.push(match field {
                // Behind the closing quote nothing is expected; what stands there is kept.
                Cow::Owned(mut field) => {
                    field.extend(plain);
                    Cow::Owned(field)
                }
                Cow::Borrowed(_) => Cow::Borrowed(plain),
            });
            let stopped = self.take(1);
            if stopped != [delimiter] {
                return Ok(());
            }
        }
    }

    /// Reads what stands between quotes; two of them are one.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        let (begin, line) = (self.rest, self.line);
        self.take(1);
        let mut field = Vec::new();
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'"');
            let Some(end) = end else {
                let found = begin.split(|byte| *byte == b'\n').next();
                let found = found.unwrap_or_default();
                return Err(ParseError::new(line, "quotes", "a closing quote", found));
            };
            let part = self.take(end);
            self.line += part.iter().filter(|byte| **byte == b'\n').count();
            field.extend(part);
            self.take(1);
            if self.rest.first() != Some(&b'"') {
                return Ok(Cow::Owned(field));
            }
            field.extend(self.take(1));
        }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "pool,state,used\n\"lan, \"\"up\"\"\",online,12\r\n\nguests,off line,3.5\n\"two\nlines\",online,\n";

    fn wanted<'a>(column: Column<'a>, header: bool) -> Wanted<'a> {
        Wanted {
            delimiter: Some(b','),
            header,
            column,
            only: Vec::new(),
            also: Vec::new(),
        }
    }

    fn read(text: &[u8], wanted: &Wanted<'_>) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let result = rows(text, wanted, &mut |values, number| {
            let values: Vec<_> = values
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect();
            found.push(format!("{}={number}", values.join("|")));
        });
        result.map(|()| found).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_with_labels_and_a_filter() {
        let mut ask = wanted(Column::Name("used"), true);
        ask.also = vec![Column::Name("pool"), Column::Number(2)];
        assert_eq!(
            read(CSV.as_bytes(), &ask),
            Ok(vec![
                "lan, \"up\"|online=12".to_string(),
                "guests|off line=3.5".to_string()
            ])
        );
        ask.only = vec![(Column::Name("state"), "off line")];
        assert_eq!(
            read(CSV.as_bytes(), &ask),
            Ok(vec!["guests|off line=3.5".to_string()])
        );
        let mut columns = wanted(Column::Number(3), false);
        columns.delimiter = None;
        columns.also = vec![Column::Number(1)];
        let text = b"eth0:  1 \t2 3\n\n  wlan0: 4 5\nppp0\n";
        assert_eq!(
            read(text, &columns),
            Ok(vec!["eth0:=2".to_string(), "wlan0:=5".to_string()])
        );
        let mut tabs = wanted(Column::Name("n"), true);
        tabs.delimiter = Some(b'\t');
        assert_eq!(
            read(b"\xef\xbb\xbfn\tm\n1\t2", &tabs),
            Ok(vec!["=1".to_string()])
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, column, header, expected) in [
            (
                "",
                Column::Name("a"),
                true,
                "1: header: expected the names of columns, found \"\"",
            ),
            (
                "a,b\n1,2\n",
                Column::Name("c"),
                true,
                "1: c: expected a column of this name in the first line, found \"a,b\"",
            ),
            (
                "a\n1\n\nx\n",
                Column::Name("a"),
                true,
                "4: a: expected a number, found \"x\"",
            ),
            (
                "1,2\n1,-\n",
                Column::Number(2),
                false,
                "2: column 2: expected a number, found \"-\"",
            ),
            (
                "\"1\n2\",3\n\"4\n,5\n",
                Column::Number(2),
                false,
                "3: quotes: expected a closing quote, found \"\\\"4\"",
            ),
        ] {
            assert_eq!(
                read(text.as_bytes(), &wanted(column, header)),
                Err(expected.to_string())
            );
        }
        assert_eq!(read(b"", &wanted(Column::Number(1), false)), Ok(Vec::new()));
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut ask = wanted(Column::Name("used"), true);
        ask.also = vec![Column::Name("pool")];
        let mut words = wanted(Column::Number(3), false);
        words.delimiter = None;
        for ask in [ask, words] {
            for cut in 0..CSV.len() {
                let _ = read(&CSV.as_bytes()[..cut], &ask);
                for byte in 0..=u8::MAX {
                    let mut garbled = CSV.as_bytes().to_vec();
                    garbled[cut] = byte;
                    let _ = read(&garbled, &ask);
                }
            }
        }
    }
}
