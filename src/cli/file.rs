//! The configuration file (`--config.file`): its top-level keys are flags' names without dashes, and the sections of
//! [`SECTIONS`]. Each value goes through the table of flags, so that what is wrong with it is told in a flag's words, with
//! the place in the file before them.

use std::path::Path;

use crate::collectors::ALL;
use crate::collectors::is_node_exporters;
use crate::collectors::textfile;
use crate::config::Config;
use crate::config::node::Entry;
use crate::config::node::Node;
use crate::config::node::Value;
use crate::config::node::Wrong;
use crate::config::node::keep;
use crate::config::sections::SECTIONS;
use crate::config::suggestion;
use crate::config::yaml;
use crate::files::regular;

use super::NO_COLLECTOR;
use super::UsageError;
use super::flag::Flag;
use super::flag::Set;
use super::flags::CHECK_CONFIG;
use super::flags::CONFIG_FILE;
use super::flags::HELP;
use super::flags::VERSION;
use super::flags::flags;
use super::given::Given;
use super::given::Said;
use super::given::Switched;
use super::set;

/// Flags that a file cannot give, and why.
const NOT_IN_A_FILE: [(&str, &str); 5] = [
    (CONFIG_FILE, "one file does not name another"),
    (CHECK_CONFIG, "it says what to do, not how"),
    ("--once", "it says what to do, not how"),
    (VERSION, "it says what to do, not how"),
    (HELP, "it says what to do, not how"),
];

/// The most errors that are told one by one.
const TOLD: usize = 20;

/// What the file gives that the command line names, if it names one.
///
/// # Errors
/// With all that is wrong with it, one line each.
pub(super) fn given_by(line: &Given) -> Result<Given, UsageError> {
    let path = line.value(CONFIG_FILE).filter(|path| !path.is_empty());
    path.map_or_else(|| Ok(Given::default()), |path| read(Path::new(path)))
}

fn read(path: &Path) -> Result<Given, UsageError> {
    let bytes = regular::read(path, yaml::LIMIT);
    let (bytes, _) = bytes.map_err(|error| UsageError::one(format!("--config.file: {error}")))?;
    given(&bytes).map_err(|mut wrong| {
        wrong.sort_by_key(|error| error.place);
        let more = wrong.len().saturating_sub(TOLD);
        wrong.truncate(TOLD);
        let lines = wrong
            .iter()
            .map(|error| format!("{}:{error}", path.display()));
        let more = (more > 0).then(|| format!("{}: and {more} more", path.display()));
        UsageError(lines.chain(more).collect())
    })
}

/// What the text of a file gives, each part of it tried on a configuration of its own, so that all errors are found, and
/// found in what the command line overrides too.
fn given(bytes: &[u8]) -> Result<Given, Vec<Wrong>> {
    let document = yaml::read(bytes).map_err(|error| vec![error])?;
    let mut wrong = Vec::new();
    let mut given = Given::default();
    let mut scratch = Config::default();
    match &document.value {
        Value::Mapping(entries) => {
            for entry in entries {
                if let Err(error) = take(entry, &mut scratch, &mut given, &mut wrong) {
                    wrong.push(error);
                }
            }
        }
        // A file of nothing but `---`, or of `null`.
        Value::Text {
            text,
            quoted: false,
        } if matches!(text.as_str(), "" | "~" | "null") => {}
        _ => wrong.push(document.refused("flags' names without dashes, each with its value")),
    }
    if wrong.is_empty() {
        Ok(given)
    } else {
        Err(wrong)
    }
}

fn take(
    entry: &Entry,
    scratch: &mut Config,
    given: &mut Given,
    wrong: &mut Vec<Wrong>,
) -> Result<(), Wrong> {
    let name = &*entry.name;
    if let Some(section) = SECTIONS.iter().find(|section| section.key == name) {
        let before = wrong.len();
        (section.read)(&entry.node, scratch, wrong);
        refuse_our_names(scratch, wrong);
        if wrong.len() == before {
            given.sections.push((section, entry.node.clone()));
        }
        return Ok(());
    }
    let is_named = |flag: &&Flag| flag.name.strip_prefix("--") == Some(name);
    if let Some(flag) = flags().find(is_named) {
        if let Some((_, why)) = NOT_IN_A_FILE.iter().find(|(not, _)| *not == flag.name) {
            let text = format!("expected on the command line only: {why}");
            return Err(wrong_key(entry, text));
        }
        let values = values(flag, &entry.node, scratch, wrong)?;
        given.said.extend(values.map(|values| Said {
            flag,
            values,
            place: Some(entry.node.place),
        }));
        return Ok(());
    }
    let collector = name.strip_prefix("collector.");
    if let Some(position) = ALL.iter().position(|spec| Some(spec.name) == collector) {
        let on = entry.node.switch()?;
        given.switched.push(Switched { position, on });
        return Ok(());
    }
    Err(wrong_key(entry, unknown(name, &entry.node)))
}

/// A source never redefines a family of weir's own, which are known here but not where the section is read.
fn refuse_our_names(scratch: &mut Config, wrong: &mut Vec<Wrong>) {
    for source in std::mem::take(&mut scratch.sources) {
        if textfile::is_ours(&source.metric) || is_node_exporters(&source.metric) {
            let found = format!("expected no family of weir's own, found {}", source.metric);
            let mut error = Wrong::at(source.place, found);
            error.key = "metric".to_string();
            wrong.push(error);
        }
    }
}

fn wrong_key(entry: &Entry, text: String) -> Wrong {
    Wrong {
        place: entry.place,
        key: entry.name.to_string(),
        text,
    }
}

/// What a flag is given: `None` for a switch that stays as it is, which is off.
fn values(
    flag: &Flag,
    node: &Node,
    scratch: &mut Config,
    wrong: &mut Vec<Wrong>,
) -> Result<Option<Vec<String>>, Wrong> {
    let one = |node: &Node| node.text(flag.value).map(str::to_string);
    let mut tried = |node: &Node, values: &[String]| {
        set(&flag.set, scratch, values).map_err(|error| node.wrong(error))
    };
    let values = match (&flag.set, &node.value) {
        (Set::Switch(_) | Set::Asked, _) => return Ok(node.switch()?.then(Vec::new)),
        (Set::Many(_) | Set::Commas(_), Value::List(items)) => {
            let before = wrong.len();
            let mut values = Vec::new();
            for item in items {
                // Each alone first, so that it can be told which of them is wrong.
                let fine = one(item).and_then(|value| {
                    tried(item, std::slice::from_ref(&value))?;
                    Ok(value)
                });
                values.extend(keep(fine, wrong));
            }
            if wrong.len() > before {
                return Ok(None);
            }
            values
        }
        _ => vec![one(node)?],
    };
    let values = match &flag.set {
        Set::Many(_) if values.is_empty() => {
            let expected = format!("{} or a list of them", flag.value);
            return Err(node.wrong(format!("expected {expected}, found an empty list")));
        }
        Set::Commas(_) => vec![values.join(",")],
        _ => values,
    };
    tried(node, &values)?;
    Ok(Some(values))
}

/// What to write instead of a key that is not known.
fn unknown(name: &str, node: &Node) -> String {
    let is_key = |name: &str| keys().any(|key| key == name);
    if let Some(bare) = name.strip_prefix("--").filter(|bare| is_key(bare)) {
        return format!("expected {bare}, without dashes, found {name}");
    }
    let off = format!("--{name}");
    let off = off.strip_prefix(NO_COLLECTOR);
    if let Some(off) = off.filter(|off| ALL.iter().any(|spec| spec.name == *off)) {
        return format!("expected collector.{off}: false, found {name}");
    }
    let prefix = format!("{name}.");
    if let Some(first) = keys().find(|key| key.starts_with(&prefix)) {
        let inner = match &node.value {
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| format!("{prefix}{}", entry.name)),
            _ => return format!("expected a whole name, such as {first}, found its beginning"),
        };
        let meant = inner.filter(|key| is_key(key)).take(1).last();
        return format!(
            "expected flags' names written out, such as {}, found a mapping",
            meant.unwrap_or(first)
        );
    }
    let known: Vec<String> = keys().collect();
    format!(
        "expected a flag's name without dashes, found an unknown key{}",
        suggestion(name, known.iter().map(String::as_str))
    )
}

/// Every key that a file may have, in the order of help.
pub(super) fn keys() -> impl Iterator<Item = String> {
    let in_a_file = |flag: &&Flag| !NOT_IN_A_FILE.iter().any(|(not, _)| *not == flag.name);
    let names = flags().filter(in_a_file).map(|flag| flag.name);
    let names = names.filter_map(|name| name.strip_prefix("--").map(str::to_string));
    let collectors = ALL.iter().map(|spec| format!("collector.{}", spec.name));
    let sections = SECTIONS.iter().map(|section| section.key.to_string());
    names.chain(collectors).chain(sections)
}
