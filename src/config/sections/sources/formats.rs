//! Where numbers stand in a file: the keys of a source that belong to its format.

use super::label_key;
use super::label_name;
use super::named;
use super::word;
use crate::config::node::Fields;
use crate::config::node::Node;
use crate::config::node::Value;
use crate::config::node::Wrong;
use crate::config::node::keep;
use crate::config::sources;
use crate::config::sources::Column;
use crate::config::sources::Format;

/// The formats, and the keys that each has besides.
pub(super) const KEYS: [(&str, &[&str]); 7] = [
    ("json", &["pointer", "key-label", "text-numbers"]),
    (
        "csv",
        &["column", "header", "where", "label-columns", "delimiter"],
    ),
    ("columns", &["column", "header", "where", "label-columns"]),
    ("key-value", &["key"]),
    ("key=value", &["key"]),
    ("number", &[]),
    ("sqlite", &["query"]),
];

/// The part of a source that says where its numbers stand.
pub(super) fn read(format: &str, fields: &Fields<'_>, wrong: &mut Vec<Wrong>) -> Option<Format> {
    match format {
        "json" => json(fields, wrong),
        "csv" | "columns" => table(format, fields, wrong),
        "key-value" | "key=value" => {
            let key = keep(fields.needed("key"), wrong)?;
            Some(Format::Pair {
                key: keep(named(key, "a key"), wrong)?,
                separator: (format == "key=value").then_some(b'='),
            })
        }
        "number" => Some(Format::Number),
        _ => {
            let query = keep(fields.needed("query"), wrong)?;
            let query = keep(query_of(query), wrong)?;
            if cfg!(feature = "sqlite") {
                return Some(Format::Sqlite { query });
            }
            let format = fields.get("format")?;
            let text = "expected another format: this weir was built without SQLite (the cargo feature sqlite)";
            wrong.push(format.wrong(text.to_string()));
            None
        }
    }
}

/// A query may stand on several lines.
pub(in crate::config::sections) fn query_of(node: &Node) -> Result<String, Wrong> {
    const EXPECTED: &str = "a SELECT";
    match &node.value {
        Value::Text { text, .. } if !text.trim().is_empty() => Ok(text.trim().to_string()),
        _ => Err(node.refused(EXPECTED)),
    }
}

fn json(fields: &Fields<'_>, wrong: &mut Vec<Wrong>) -> Option<Format> {
    let node = keep(fields.needed("pointer"), wrong)?;
    // Empty, it means the whole document.
    let pointer = keep(node.parsed("a JSON pointer", sources::pointer), wrong)?;
    let key_label = match fields.get("key-label") {
        Some(node) => Some(keep(label_name(node), wrong)?),
        None => None,
    };
    let stars = pointer.iter().filter(|part| *part == "*").count();
    if key_label.is_some() && stars != 1 {
        wrong.push(node.refused("one * in the place of a key, for what key-label has"));
        return None;
    }
    let text_numbers = fields.get("text-numbers");
    let text_numbers = text_numbers.and_then(|node| keep(node.switch(), wrong));
    Some(Format::Json {
        pointer,
        key_label,
        text_numbers: text_numbers.unwrap_or_default(),
    })
}

fn table(format: &str, fields: &Fields<'_>, wrong: &mut Vec<Wrong>) -> Option<Format> {
    let header = fields
        .get("header")
        .and_then(|node| keep(node.switch(), wrong));
    // Comma-separated values have one (RFC 4180 leaves it open; programs write it), columns have none.
    let header = header.unwrap_or(format == "csv");
    let delimiter = match fields.get("delimiter") {
        Some(node) => Some(keep(delimiter(node), wrong)?),
        None => (format == "csv").then_some(b','),
    };
    let node = keep(fields.needed("column"), wrong)?;
    let column_of = |node: &Node| column(node, header);
    let column = keep(column_of(node), wrong)?;
    let mut only = Vec::new();
    if let Some(node) = fields.get("where") {
        let entries = keep(node.entries("a mapping of columns to values"), wrong)?;
        for entry in entries {
            let key = Node {
                place: entry.place,
                key: entry.name.clone(),
                value: Value::Text {
                    text: entry.name.to_string(),
                    quoted: true,
                },
            };
            let column = keep(column_of(&key), wrong)?;
            let value = keep(word(&entry.node), wrong)?;
            only.push((column, value));
        }
    }
    let mut labels = Vec::new();
    if let Some(node) = fields.get("label-columns") {
        let entries = keep(node.entries("a mapping of labels to columns"), wrong)?;
        for entry in entries {
            let label = keep(label_key(entry), wrong)?;
            labels.push((label, keep(column_of(&entry.node), wrong)?));
        }
    }
    Some(Format::Table {
        delimiter,
        header,
        column,
        only,
        labels,
    })
}

fn delimiter(node: &Node) -> Result<u8, Wrong> {
    const EXPECTED: &str = "one character in quotes, such as \";\" or \"|\", or tab";
    match node.text(EXPECTED)?.as_bytes() {
        b"tab" => Ok(b'\t'),
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' => Ok(*byte),
        _ => Err(node.refused(EXPECTED)),
    }
}

/// A column by its number, or by the name that the first line gives it.
fn column(node: &Node, header: bool) -> Result<Column, Wrong> {
    let expected = if header {
        "a column's number from 1, or its name in the first line"
    } else {
        "a column's number from 1 (columns have names with header: true)"
    };
    let text = node.text(expected)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=10_000).contains(number));
        return number
            .map(Column::Number)
            .ok_or_else(|| node.refused(expected));
    }
    if text.is_empty() || !header {
        return Err(node.refused(expected));
    }
    Ok(Column::Name(text.to_string()))
}
