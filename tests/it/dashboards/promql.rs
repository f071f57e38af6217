//! The selectors of a PromQL expression: which metrics it names, and with which matchers. No parser of the language:
//! what is wrong in other ways Prometheus itself tells in tests/live, which uses this file too.

/// Words that may stand where a metric's name may.
const WORDS: [&str; 19] = [
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "inf",
    "nan",
    "sum",
    "min",
    "max",
    "avg",
    "count",
    "group",
    "topk",
    "bottomk",
    "quantile",
    "stddev",
    "stdvar",
    "count_values",
];

/// Words whose parenthesis holds labels.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// A metric with its matchers, as it stands in an expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    /// As written, without a range.
    pub(crate) text: String,
    /// The name; empty where a matcher of `__name__` gives it.
    pub(crate) name: String,
    /// Label, operator and value, quotes and backslashes taken off.
    pub(crate) matchers: Vec<[String; 3]>,
}

impl Selector {
    /// The value of the matcher with this label and operator.
    pub(crate) fn matcher(&self, label: &str, operator: &str) -> Option<&str> {
        let found = self
            .matchers
            .iter()
            .find(|[name, found, _]| name == label && found == operator);
        found.map(|[_, _, value]| value.as_str())
    }
}

/// Where the string that begins at `begin` ends, its closing quote taken along.
fn string_end(text: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < text.len() && text[at] != text[begin] {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    assert!(at < text.len(), "a string without end");
    at + 1
}

fn word_end(text: &[u8], begin: usize) -> usize {
    let rest = &text[begin..];
    let length = rest
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b':' | b'.'));
    begin + length.unwrap_or(rest.len())
}

fn skip_spaces(text: &[u8], begin: usize) -> usize {
    let spaces = text[begin..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace());
    begin + spaces.count()
}

/// Where the first of these bytes stands, and the one after it.
fn after(text: &str, begin: usize, byte: char) -> usize {
    let found = text[begin..].find(byte);
    begin + found.unwrap_or_else(|| panic!("{text}: no {byte} after byte {begin}")) + 1
}

/// The matchers from the byte after `{`, and the byte after `}`.
fn matchers(text: &str, begin: usize) -> (Vec<[String; 3]>, usize) {
    let bytes = text.as_bytes();
    let mut list = Vec::new();
    let mut at = skip_spaces(bytes, begin);
    while bytes[at] != b'}' {
        let end = word_end(bytes, at);
        assert!(end > at, "{text}: no label at byte {at}");
        let quote = end + text[end..].find('"').expect("a quoted value");
        let close = string_end(bytes, quote);
        let value = text[quote + 1..close - 1].replace("\\\\", "\\");
        list.push([
            text[at..end].to_string(),
            text[end..quote].trim().to_string(),
            value,
        ]);
        at = skip_spaces(bytes, close);
        if bytes[at] == b',' {
            at = skip_spaces(bytes, at + 1);
        }
    }
    (list, at + 1)
}

/// Every selector of an expression, in its order.
pub(crate) fn selectors(text: &str) -> Vec<Selector> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => at = string_end(bytes, at),
            b'[' => at = after(text, at, ']'),
            b'0'..=b'9' => at = word_end(bytes, at),
            b'$' => at = word_end(bytes, at + 1),
            b'{' => {
                let (matchers, end) = matchers(text, at + 1);
                found.push(Selector {
                    text: text[at..end].to_string(),
                    name: String::new(),
                    matchers,
                });
                at = end;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' => {
                let end = word_end(bytes, at);
                let name = &text[at..end];
                let next = skip_spaces(bytes, end);
                let follows = bytes.get(next);
                if GROUPING.contains(&name) {
                    // `group_left` may stand without labels.
                    at = if follows == Some(&b'(') {
                        after(text, next, ')')
                    } else {
                        end
                    };
                } else if WORDS.contains(&name) || follows == Some(&b'(') {
                    at = end;
                } else {
                    let (matchers, close) = if follows == Some(&b'{') {
                        matchers(text, next + 1)
                    } else {
                        (Vec::new(), end)
                    };
                    found.push(Selector {
                        text: text[at..close].to_string(),
                        name: name.to_string(),
                        matchers,
                    });
                    at = close;
                }
            }
            _ => at += 1,
        }
    }
    found
}

#[test]
fn selectors_are_found_and_nothing_else() {
    let text = "topk($edges, max by (a, b) (rate(x_total{a=~\"$a\", b!=\"{\\\"}\"}[5m] offset 1h))) \
        / on (a) group_left (c) (up > bool 0.5) or label_replace({__name__=~\"y|z\"}, \"id\", \"$1\", \"a\", \"(.*)\") or vector(0)";
    let found = selectors(text);
    let texts: Vec<_> = found
        .iter()
        .map(|selector| selector.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "x_total{a=~\"$a\", b!=\"{\\\"}\"}",
            "up",
            "{__name__=~\"y|z\"}"
        ]
    );
    assert_eq!(
        (found[0].name.as_str(), found[2].name.as_str()),
        ("x_total", "")
    );
    assert_eq!(found[0].matcher("a", "=~"), Some("$a"));
    assert_eq!(found[0].matcher("a", "!="), None);
    assert_eq!(found[2].matcher("__name__", "=~"), Some("y|z"));
}
