//! YAML as far as a configuration needs it: one document of mappings, lists and texts, each with its place in the file.
//! The only module that knows saphyr_parser.
//!
//! What a file may cost is bounded before anything is made of it: its size ([`LIMIT`]; the reader of the file keeps to
//! it), nesting, the number of values, the length of keys. Anchors and aliases, with which ten lines can stand for a
//! billion values, tags, several documents, keys that are no plain text and keys given twice are refused: YAML has them,
//! a configuration that a person shall understand does not need them.
//!
//! The parser takes a NUL for the end of its input, so that control characters are looked for first.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::Event;
use saphyr_parser::Marker;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::ScanError;

use super::node::Entry;
use super::node::Node;
use super::node::Place;
use super::node::Value;
use super::node::Wrong;

/// The largest file, in bytes.
pub const LIMIT: usize = 1 << 20;
/// The deepest nesting of mappings and lists.
const DEPTH: usize = 16;
/// The most values of all kinds.
const NODES: usize = 50_000;
/// The longest key, in bytes.
const KEY: usize = 256;

/// Reads one document. An empty one is an empty mapping.
///
/// # Errors
/// With the place of the first thing that is not allowed.
pub fn read(bytes: &[u8]) -> Result<Node, Wrong> {
    let text = text(bytes)?;
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| broken(text, &error))?;
        builder.take(event, place(span.start))?;
    }
    Ok(builder.root.unwrap_or_else(|| Node {
        place: Place { line: 1, column: 1 },
        key: Rc::from(""),
        value: Value::Mapping(Vec::new()),
    }))
}

/// The text without a byte order mark, if it is UTF-8 and has no control characters but tabs and line ends.
fn text(bytes: &[u8]) -> Result<&str, Wrong> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let found = bad.first().copied().unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        Wrong::at(
            end(&good),
            format!("expected UTF-8, found the byte 0x{found:02x}"),
        )
    })?;
    let strange = |character: char| {
        character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{85}')
    };
    match text.find(strange).map(|at| text.split_at(at)) {
        None => Ok(text),
        Some((before, after)) => {
            let found = after.chars().next().map_or(0, u32::from);
            let error = format!("expected text, found the control character U+{found:04X}");
            Err(Wrong::at(end(before), error))
        }
    }
}

/// The place behind a text.
fn end(text: &str) -> Place {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place {
        line: text.matches('\n').count() + 1,
        column: last.chars().count() + 1,
    }
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

/// What the parser says, unless a tab among the spaces before a line's text explains it better. Inside a value the parser
/// tells where that began, not where the tab is.
fn broken(text: &str, error: &ScanError) -> Wrong {
    let at = place(*error.marker());
    let tabbed = |line: &str| {
        let text = line.find(|character| !matches!(character, ' ' | '\t'))?;
        line.get(..text)?.find('\t')
    };
    let of_a_tab = error.info().contains("tab");
    let lines = text.lines().zip(1..).skip(at.line.saturating_sub(1));
    let lines = lines.take(if of_a_tab { usize::MAX } else { 1 });
    let tab = lines.filter_map(|(line, number)| Some((number, tabbed(line)?)));
    match tab.take(1).last() {
        Some((line, tab)) => Wrong::at(
            Place {
                line,
                column: tab + 1,
            },
            "expected spaces before the text of a line, found a tab".to_string(),
        ),
        None => Wrong::at(at, format!("expected YAML: {}", error.info())),
    }
}

/// The document so far.
#[derive(Default)]
struct Builder {
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    /// The mappings and lists that are not closed, outermost first.
    open: Vec<Open>,
}

/// A mapping or a list that is not closed.
struct Open {
    node: Node,
    /// The key whose value comes next, in a mapping.
    key: Option<(Place, Rc<str>)>,
    /// The lines of the keys so far.
    keys: BTreeMap<Rc<str>, usize>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Wrong> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.wrong(at, "expected one document, found another"));
                }
            }
            Event::Alias(_) => return Err(self.wrong(at, "expected a value, found an alias (*)")),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(at, anchor, tag.is_some())?;
                self.scalar(&text, style, at)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(at, anchor, tag.is_some())?;
                self.begin(at, Value::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(at, anchor, tag.is_some())?;
                self.begin(at, Value::Mapping(Vec::new()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(closed) = self.open.pop() {
                    self.add(closed.node);
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// An error about what would come next.
    fn wrong(&self, at: Place, text: &str) -> Wrong {
        Wrong {
            place: at,
            key: self.key().to_string(),
            text: text.to_string(),
        }
    }

    /// The key that what comes next stands under.
    fn key(&self) -> Rc<str> {
        let inner = self.open.last();
        let key = inner.map(|open| open.key.as_ref().map_or(&open.node.key, |(_, key)| key));
        key.map_or_else(|| Rc::from(""), Rc::clone)
    }

    fn refuse(&mut self, at: Place, anchor: usize, tagged: bool) -> Result<(), Wrong> {
        self.nodes += 1;
        if anchor != 0 {
            Err(self.wrong(at, "expected a value, found an anchor (&)"))
        } else if tagged {
            Err(self.wrong(at, "expected a value, found a tag (!)"))
        } else if self.nodes > NODES {
            Err(self.wrong(at, &format!("expected at most {NODES} values, found more")))
        } else {
            Ok(())
        }
    }

    fn begin(&mut self, at: Place, value: Value) -> Result<(), Wrong> {
        if self.is_key_next() {
            return Err(self.wrong(at, "expected a key, found a list or a mapping in its place"));
        }
        if self.open.len() >= DEPTH {
            let error = format!("expected at most {DEPTH} levels, found more");
            return Err(self.wrong(at, &error));
        }
        self.open.push(Open {
            node: Node {
                place: at,
                key: self.key(),
                value,
            },
            key: None,
            keys: BTreeMap::new(),
        });
        Ok(())
    }

    /// Whether the innermost is a mapping that has a value for each key.
    fn is_key_next(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| open.key.is_none() && matches!(open.node.value, Value::Mapping(_)))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Place) -> Result<(), Wrong> {
        if self.is_key_next() {
            return self.begin_entry(text, at);
        }
        let quoted = style != ScalarStyle::Plain;
        let key = self.open.last().and_then(|open| open.key.as_ref());
        let place = match key {
            // A value that is not there stands where the next thing does.
            Some((key, _)) if text.is_empty() && !quoted => *key,
            _ => at,
        };
        let node = Node {
            place,
            key: self.key(),
            value: Value::Text {
                text: text.to_string(),
                quoted,
            },
        };
        self.add(node);
        Ok(())
    }

    fn begin_entry(&mut self, text: &str, at: Place) -> Result<(), Wrong> {
        if text.len() > KEY {
            let error = format!("expected a key of at most {KEY} bytes, found more");
            return Err(self.wrong(at, &error));
        }
        let key: Rc<str> = Rc::from(text);
        if let Some(open) = self.open.last_mut() {
            if let Some(line) = open.keys.insert(Rc::clone(&key), at.line) {
                return Err(Wrong {
                    place: at,
                    key: text.to_string(),
                    text: format!("expected once, found again after line {line}"),
                });
            }
            open.key = Some((at, key));
        }
        Ok(())
    }

    /// Puts a whole node where it belongs.
    fn add(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.node.value {
            Value::List(items) => items.push(node),
            Value::Mapping(entries) => {
                if let Some((place, name)) = open.key.take() {
                    entries.push(Entry { place, name, node });
                }
            }
            Value::Text { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
