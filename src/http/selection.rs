//! Which collectors a scrape asks for: `?collect[]=a&collect[]=b`, `?exclude[]=a`, as node_exporter has them.

/// The collectors that a query names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, when there are any.
    pub collect: Vec<String>,
    /// All but these.
    pub exclude: Vec<String>,
}

impl Selection {
    /// Reads a query string. Other keys are not ours and are passed over.
    ///
    /// # Errors
    /// With what to tell the client: both kinds at once, or bytes that are no percent-encoded UTF-8.
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let mut selection = Self::default();
        for (key, value) in pairs(query) {
            let key = decoded(key);
            let list = match key.as_deref() {
                Some("collect[]") => &mut selection.collect,
                Some("exclude[]") => &mut selection.exclude,
                _ => continue,
            };
            list.push(decoded(value).ok_or("The query is not percent-encoded UTF-8.")?);
        }
        if selection.collect.is_empty() || selection.exclude.is_empty() {
            Ok(selection)
        } else {
            Err("Combined collect and exclude queries are not allowed.")
        }
    }
}

/// The pairs of a query, still encoded.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A key or value in plain text: `+` is a blank, `%XX` a byte.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_order_and_decoded() {
        let read = Selection::parse("collect[]=b&x=1&collect%5B%5D=a%20c&collect[]=d+e&&collect[]");
        let names = ["b", "a c", "d e", ""].map(str::to_string).to_vec();
        assert_eq!(read.map(|selection| selection.collect), Ok(names));
        let read = Selection::parse("exclude[]=a");
        assert_eq!(read.map(|selection| selection.exclude.len()), Ok(1));
        assert_eq!(Selection::parse(""), Ok(Selection::default()));
    }

    #[test]
    fn both_kinds_and_broken_encodings_are_errors() {
        assert_eq!(
            Selection::parse("collect[]=a&exclude[]=b"),
            Err("Combined collect and exclude queries are not allowed.")
        );
        for broken in [
            "collect[]=%",
            "collect[]=%4",
            "collect[]=%zz",
            "collect[]=%ff",
            "collect[]=%+1",
        ] {
            assert!(Selection::parse(broken).is_err(), "{broken}");
        }
        assert_eq!(Selection::parse("%zz=1"), Ok(Selection::default()));
    }
}
