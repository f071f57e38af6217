//! Numbers in a JSON document, where a pointer (RFC 6901) says.
//!
//! ```text
//! {"battery": {"charge": 99.5, "low": false}, "ports": {"eth0": {"up": true}, "eth1": {"up": false}}}
//! ```
//!
//! `/battery/charge` is 99.5, `/battery/low` is 0, and `/ports/*/up`, where a `*` stands for all, is 1 for eth0 and 0 for
//! eth1. The document is read to its end, so that one that was cut short is an error, wherever the number stands.

use std::borrow::Cow;

use super::ParseError;
use super::json::Json;
use super::measure::NUMBER;
use super::measure::number;

/// What is asked of a document.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The keys and positions that lead to the number.
    pub pointer: &'a [String],
    /// Whether `*` stands for all keys or positions.
    pub all: bool,
    /// Whether a string that holds a number is one.
    pub text_numbers: bool,
}

/// Hands over each number, with the key or position that a `*` stands for. With one, members that lack what is behind it, or
/// have null there, are passed over.
///
/// # Errors
/// When it is no JSON, or what the pointer leads to is not there or no number.
pub fn numbers(
    bytes: &[u8],
    wanted: &Wanted<'_>,
    each: &mut dyn FnMut(&[u8], f64),
) -> Result<(), ParseError> {
    let mut json = Json::new(bytes);
    let mut found = 0;
    find(&mut json, wanted, wanted.pointer, b"", &mut |key, value| {
        found += 1;
        each(key, value);
    })?;
    if json.peek().is_some() {
        return Err(json.error("json", "nothing behind the document"));
    }
    if found == 0 && !wanted.all {
        return Err(ParseError::new(
            1,
            name(wanted),
            "a number there",
            b"nothing",
        ));
    }
    if found > 1 && !wanted.all {
        return Err(ParseError::new(
            1,
            name(wanted),
            "each key once",
            b"a key again",
        ));
    }
    Ok(())
}

fn find(
    json: &mut Json<'_>,
    wanted: &Wanted<'_>,
    rest: &[String],
    key: &[u8],
    each: &mut dyn FnMut(&[u8], f64),
) -> Result<(), ParseError> {
    let Some((part, rest)) = rest.split_first() else {
        return leaf(json, wanted, key, each);
    };
    let star = wanted.all && part == "*";
    match json.peek() {
        Some(b'{') => json.object(&mut |json, name| {
            if star {
                find(json, wanted, rest, name, &mut *each)
            } else if name == part.as_bytes() {
                find(json, wanted, rest, key, &mut *each)
            } else {
                json.skip().map(|_| ())
            }
        }),
        Some(b'[') => {
            let mut position = 0;
            json.array(&mut |json| {
                let name = position.to_string();
                position += 1;
                if star {
                    find(json, wanted, rest, name.as_bytes(), &mut *each)
                } else if name == *part {
                    find(json, wanted, rest, key, &mut *each)
                } else {
                    json.skip().map(|_| ())
                }
            })
        }
        _ => json.skip().map(|_| ()),
    }
}

fn leaf(
    json: &mut Json<'_>,
    wanted: &Wanted<'_>,
    key: &[u8],
    each: &mut dyn FnMut(&[u8], f64),
) -> Result<(), ParseError> {
    let string = json.peek() == Some(b'"');
    let place = json.place();
    let text = if string {
        json.text()?
    } else {
        Cow::Borrowed(json.skip()?)
    };
    let value = match &*text {
        text if string => number(text).filter(|_| wanted.text_numbers),
        b"true" => Some(1.0),
        b"false" => Some(0.0),
        b"null" if wanted.all => return Ok(()),
        text => number(text),
    };
    let value = value.ok_or_else(|| {
        let line = json.error_at(place, "json", NUMBER).line;
        let quote: &[u8] = if string { b"\"" } else { b"" };
        let found = [quote, &text, quote].concat();
        ParseError::new(line, name(wanted), NUMBER, &found)
    })?;
    each(key, value);
    Ok(())
}

/// The pointer as it is written.
fn name(wanted: &Wanted<'_>) -> String {
    let part = |part: &String| format!("/{}", part.replace('~', "~0").replace('/', "~1"));
    match wanted.pointer {
        [] => "the whole document".to_string(),
        parts => parts.iter().map(part).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
 "battery": {"charge": 99.5, "low": false, "text": "-12", "none": null, "a/b": {"~": 7}},
 "ports": {"eth0": {"up": true}, "eth1": {"up": false, "x": [1, {"y": 2e3}]}, "lo": {}, "ppp": {"up": null}},
 "list": [10, 20, "30"]
}
"#;

    fn read(text: &str, pointer: &str, all: bool, text_numbers: bool) -> Result<String, String> {
        let part = |part: &str| part.replace("~1", "/").replace("~0", "~");
        let pointer: Vec<_> = pointer.split('/').skip(1).map(part).collect();
        let wanted = Wanted {
            pointer: &pointer,
            all,
            text_numbers,
        };
        let mut found = Vec::new();
        let result = numbers(text.as_bytes(), &wanted, &mut |key, value| {
            found.push(format!("{}={value}", String::from_utf8_lossy(key)));
        });
        result
            .map(|()| found.join(" "))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_where_the_pointer_says() {
        for (pointer, all, expected) in [
            ("/battery/charge", false, "=99.5"),
            ("/battery/low", false, "=0"),
            ("/battery/a~1b/~0", false, "=7"),
            ("/list/1", false, "=20"),
            ("/ports/eth1/x/1/y", false, "=2000"),
            ("/ports/*/up", true, "eth0=1 eth1=0"),
            ("/ports/*/none", true, ""),
            ("/battery/text", false, "=-12"),
            ("/list/*", true, "0=10 1=20 2=30"),
        ] {
            let found = read(DOCUMENT, pointer, all, true);
            assert_eq!(found.as_deref(), Ok(expected), "{pointer}");
        }
        assert_eq!(read(" 5 ", "", false, false).as_deref(), Ok("=5"));
        assert_eq!(read("{\"*\": 5}", "/*", false, false).as_deref(), Ok("=5"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, pointer, expected) in [
            (
                DOCUMENT,
                "/battery/text",
                "2: /battery/text: expected a number, found \"\\\"-12\\\"\"",
            ),
            (
                DOCUMENT,
                "/battery/full",
                "1: /battery/full: expected a number there, found \"nothing\"",
            ),
            (
                "{\"a\": null}",
                "/a",
                "1: /a: expected a number, found \"null\"",
            ),
            (
                "[1]",
                "",
                "1: the whole document: expected a number, found \"[1]\"",
            ),
            (
                "{\"a\": 1} x",
                "/a",
                "1: json: expected nothing behind the document, found \"x\"",
            ),
            (
                "{\"a\": 1, \"a\": 2}",
                "/a",
                "1: /a: expected each key once, found \"a key again\"",
            ),
            (
                "{\"a\": 1",
                "/a",
                "1: json: expected a comma or a closing bracket, found \"\"",
            ),
            ("", "/a", "1: json: expected a value, found \"\""),
        ] {
            let found = read(text, pointer, false, false);
            assert_eq!(found, Err(expected.to_string()), "{text}");
        }
    }

    #[test]
    fn any_bytes_are_survived_and_no_cut_gives_a_number() {
        let end = DOCUMENT.trim_end().len();
        for cut in 0..DOCUMENT.len() {
            let found = read(&DOCUMENT[..cut], "/ports/*/up", true, true);
            assert_eq!(found.is_ok(), cut >= end, "cut at byte {cut}");
            for byte in 0..=u8::MAX {
                let mut garbled = DOCUMENT.as_bytes().to_vec();
                garbled[cut] = byte;
                let pointer = ["ports".to_string(), "*".to_string(), "up".to_string()];
                let wanted = Wanted {
                    pointer: &pointer,
                    all: true,
                    text_numbers: true,
                };
                let _ = numbers(&garbled, &wanted, &mut |_, _| {});
            }
        }
        for open in ["[", "{\"a\":"] {
            assert!(read(&open.repeat(100_000), "/a/a", false, false).is_err());
        }
    }
}
