//! The section `sources`: a list of mappings, each of which is one [`Source`].
//!
//! ```yaml
//! sources:
//!   - metric: ups_battery_charge_ratio
//!     help: Charge of the battery, from 0 to 1.
//!     file: /run/ups/status.json
//!     format: json
//!     pointer: /battery/charge
//!     scale: 0.01
//! ```
//!
//! Which keys belong to which format, [`KEYS`] says.

use std::path::PathBuf;

use crate::config::Config;
use crate::config::node::Fields;
use crate::config::node::Node;
use crate::config::node::Wrong;
use crate::config::node::keep;
use crate::config::sources;
use crate::config::sources::Column;
use crate::config::sources::Format;
use crate::config::sources::Kind;
use crate::config::sources::Pattern;
use crate::config::sources::Source;

/// The keys of every source.
const COMMON: [&str; 9] = [
    "name",
    "metric",
    "help",
    "type",
    "file",
    "file-label",
    "format",
    "labels",
    "scale",
];

/// The formats, and the keys that each has besides.
const KEYS: [(&str, &[&str]); 7] = [
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

/// The labels that one source may have.
const LABELS: usize = 30;

pub(super) fn read(section: &Node, config: &mut Config, wrong: &mut Vec<Wrong>) {
    let items = keep(section.items("a list of sources"), wrong).unwrap_or_default();
    if let Some(first) = items.get(sources::MOST) {
        let most = sources::MOST;
        wrong.push(first.wrong(format!("expected at most {most} sources, found more")));
    }
    let mut read: Vec<Source> = Vec::new();
    for item in items.iter().take(sources::MOST) {
        let Some((mut source, has_help)) = source(item, wrong) else {
            continue;
        };
        if read.iter().any(|other| other.name == source.name) {
            let name = &source.name;
            let text = format!("expected a name for each source, found {name:?} again");
            wrong.push(item.wrong(text));
            continue;
        }
        let earlier = read.iter().find(|other| other.metric == source.metric);
        if let Some(earlier) = earlier {
            if let Some(what) = differs(&source, has_help, earlier) {
                let (metric, line) = (&source.metric, earlier.place.line);
                let text = format!("expected the {what} that {metric} has in line {line}");
                wrong.push(item.wrong(text));
            }
            source.help.clone_from(&earlier.help);
        }
        read.push(source);
    }
    config.sources = read;
}

/// What cannot differ between two sources of one family.
fn differs(source: &Source, has_help: bool, earlier: &Source) -> Option<&'static str> {
    if source.kind != earlier.kind {
        Some("type")
    } else if has_help && source.help != earlier.help {
        Some("help")
    } else {
        None
    }
}

/// A source, and whether it has a help of its own.
fn source(node: &Node, wrong: &mut Vec<Wrong>) -> Option<(Source, bool)> {
    let before = wrong.len();
    keep(
        node.entries("a mapping with metric, file, format and more"),
        wrong,
    )?;
    let format = keep(node.fields(&COMMON), wrong)?;
    let format = keep(format.needed("format"), wrong)?;
    let formats = KEYS.map(|entry| (entry.0, entry));
    // Which keys are known, the format says.
    let (format, keys) = keep(format.one_of(&formats), wrong)?;
    let known: Vec<&str> = COMMON.iter().chain(keys).copied().collect();
    let fields = keep(node.fields(&known), wrong)?;
    fields.unknown(wrong);
    let read = format_of(format, &fields, wrong);
    let file = file(&fields, wrong);
    let metric = keep(fields.needed("metric"), wrong);
    let place = metric.map_or(node.place, |metric| metric.place);
    let metric = metric.and_then(|node| keep(name_of_metric(node), wrong));
    let name = fields.get("name").map(|node| named(node, "a name"));
    let name = name.and_then(|name| keep(name, wrong));
    let help = fields.get("help").and_then(|node| {
        let help = named(node, "a sentence");
        keep(help, wrong)
    });
    let kinds = [
        ("gauge", Kind::Gauge),
        ("counter", Kind::Counter),
        ("untyped", Kind::Untyped),
    ];
    let kind = fields
        .get("type")
        .and_then(|node| keep(node.one_of(&kinds), wrong));
    let labels = labels(&fields, wrong);
    let scale = fields
        .get("scale")
        .and_then(|node| keep(scale(node), wrong));
    let (format, file, metric) = (read?, file?, metric?);
    let has_help = help.is_some();
    let source = Source {
        name: name.unwrap_or_else(|| metric.clone()),
        help: help.unwrap_or_else(|| format!("Read from {}.", file.path().display())),
        file,
        format,
        metric,
        place,
        kind: kind.unwrap_or(Kind::Gauge),
        labels,
        scale: scale.unwrap_or(1.0),
    };
    one_label_each(node, &source, wrong);
    (wrong.len() == before).then_some((source, has_help))
}

/// A text that is not empty.
fn named(node: &Node, expected: &str) -> Result<String, Wrong> {
    match node.text(expected)? {
        "" => Err(node.refused(expected)),
        text => Ok(text.to_string()),
    }
}

fn name_of_metric(node: &Node) -> Result<String, Wrong> {
    const EXPECTED: &str = "a metric name of letters, digits, _ and :";
    let name = node.text(EXPECTED)?;
    if sources::is_prometheus_own(name) {
        return Err(node.refused("a name that Prometheus does not give itself"));
    }
    if !sources::is_metric_name(name) {
        return Err(node.refused(EXPECTED));
    }
    Ok(name.to_string())
}

const LABEL: &str = "a label name of letters, digits and _, without __ at its beginning";

fn label_name(node: &Node) -> Result<String, Wrong> {
    let name = node.text(LABEL)?;
    if sources::is_label_name(name) {
        Ok(name.to_string())
    } else {
        Err(node.refused(LABEL))
    }
}

/// An entry's name as that of a label.
fn label_key(entry: &crate::config::node::Entry) -> Result<String, Wrong> {
    if sources::is_label_name(&entry.name) {
        return Ok(entry.name.to_string());
    }
    Err(Wrong {
        place: entry.place,
        key: entry.name.to_string(),
        text: format!("expected {LABEL}"),
    })
}

fn file(fields: &Fields<'_>, wrong: &mut Vec<Wrong>) -> Option<Pattern> {
    let node = keep(fields.needed("file"), wrong)?;
    let label = fields.get("file-label");
    let path = keep(node.text("an absolute path"), wrong)?;
    if !path.starts_with('/') {
        wrong.push(node.refused("an absolute path"));
        return None;
    }
    let stars = path.matches('*').count();
    if stars > 1 || path.contains('?') {
        wrong.push(node.refused("a path with at most one * and no ?"));
        return None;
    }
    let path = PathBuf::from(path);
    match (stars, label) {
        (0, None) => Some(Pattern::One(path)),
        (0, Some(label)) => {
            wrong.push(label.wrong("expected a * in file, for what the label has".to_string()));
            None
        }
        (_, None) => {
            let text = "expected file-label besides, a label for what stands at the *";
            wrong.push(node.wrong(text.to_string()));
            None
        }
        (_, Some(label)) => {
            let label = keep(label_name(label), wrong)?;
            Some(Pattern::Each { path, label })
        }
    }
}

fn format_of(format: &str, fields: &Fields<'_>, wrong: &mut Vec<Wrong>) -> Option<Format> {
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
pub(super) fn query_of(node: &Node) -> Result<String, Wrong> {
    const EXPECTED: &str = "a SELECT";
    match &node.value {
        crate::config::node::Value::Text { text, .. } if !text.trim().is_empty() => {
            Ok(text.trim().to_string())
        }
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
                value: crate::config::node::Value::Text {
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

/// A value to compare with, whatever YAML takes it for: a file has no quotes to tell.
fn word(node: &Node) -> Result<String, Wrong> {
    match &node.value {
        crate::config::node::Value::Text { text, .. } => Ok(text.clone()),
        _ => Err(node.refused("a value")),
    }
}

fn labels(fields: &Fields<'_>, wrong: &mut Vec<Wrong>) -> Vec<(String, String)> {
    let Some(node) = fields.get("labels") else {
        return Vec::new();
    };
    let entries = keep(node.entries("a mapping of labels to values"), wrong);
    let mut labels = Vec::new();
    for entry in entries.unwrap_or_default() {
        let pair = label_key(entry).and_then(|label| Ok((label, word(&entry.node)?)));
        labels.extend(keep(pair, wrong));
    }
    labels
}

fn scale(node: &Node) -> Result<f64, Wrong> {
    const EXPECTED: &str = "a number that is not 0, such as 0.001";
    let text = node.text(EXPECTED)?;
    let plain = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let number = Some(text).filter(|text| text.as_bytes().iter().all(plain));
    let number: Option<f64> = number.and_then(|text| text.parse().ok());
    number
        .filter(|number| number.is_finite() && *number != 0.0)
        .ok_or_else(|| node.refused(EXPECTED))
}

/// No label may be given twice. Those that a query names are looked at when it has run.
fn one_label_each(node: &Node, source: &Source, wrong: &mut Vec<Wrong>) {
    let mut names: Vec<&str> = source
        .labels
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    if let Pattern::Each { label, .. } = &source.file {
        names.push(label);
    }
    match &source.format {
        Format::Json {
            key_label: Some(label),
            ..
        } => names.push(label),
        Format::Table { labels, .. } => names.extend(labels.iter().map(|(name, _)| name.as_str())),
        _ => {}
    }
    if names.len() > LABELS {
        wrong.push(node.wrong(format!("expected at most {LABELS} labels, found more")));
    }
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair.first() == pair.last());
    if let Some([label, ..]) = twice {
        wrong.push(node.wrong(format!("expected each label once, found {label} again")));
    }
}
