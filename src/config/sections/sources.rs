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
//! Which keys belong to which format, [`formats::KEYS`] says.

pub(super) mod formats;

use std::path::PathBuf;

use crate::config::Config;
use crate::config::node::Fields;
use crate::config::node::Node;
use crate::config::node::Wrong;
use crate::config::node::keep;
use crate::config::sources;
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
    let formats = formats::KEYS.map(|entry| (entry.0, entry));
    // Which keys are known, the format says.
    let (format, keys) = keep(format.one_of(&formats), wrong)?;
    let known: Vec<&str> = COMMON.iter().chain(keys).copied().collect();
    let fields = keep(node.fields(&known), wrong)?;
    fields.unknown(wrong);
    let read = formats::read(format, &fields, wrong);
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
        help: help.unwrap_or_else(|| format!("Read from {}.", file.path.display())),
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
    if path.contains('?') {
        wrong.push(node.refused("a path without ?"));
        return None;
    }
    let stars = path.matches('*').count();
    let nodes = label.map(Node::one_or_more).unwrap_or_default();
    match (nodes.len() == stars, label) {
        (true, _) => {}
        (false, None) => {
            let text = "expected file-label besides, a label for what stands at the *, or a list of one for each";
            wrong.push(node.wrong(text.to_string()));
            return None;
        }
        (false, Some(label)) => {
            let found = nodes.len();
            let text = format!("expected as many labels as file has *, {stars}, found {found}");
            wrong.push(label.wrong(text));
            return None;
        }
    }
    let labels = nodes.iter().map(|node| keep(label_name(node), wrong));
    Some(Pattern {
        path: PathBuf::from(path),
        labels: labels.collect::<Option<_>>()?,
    })
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
    names.extend(source.file.labels.iter().map(String::as_str));
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
