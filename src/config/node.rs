//! A configuration file as a tree of nodes that know their places, and the typed readings of it: each gives a value or
//! one [`Wrong`], which says where, what was expected and what stood there.
//!
//! A section of the file is read in a few lines:
//!
//! ```
//! use weir::config::node::Node;
//! use weir::config::node::Wrong;
//! use weir::config::node::keep;
//!
//! fn interval(section: &Node, wrong: &mut Vec<Wrong>) -> Option<std::time::Duration> {
//!     let fields = keep(section.fields(&["interval", "servers"]), wrong)?;
//!     fields.unknown(wrong);
//!     let interval = fields.get("interval")?;
//!     keep(interval.duration(), wrong)
//! }
//!
//! let section = weir::config::yaml::read(b"intervall: 5s").expect("YAML");
//! let mut wrong = Vec::new();
//! assert_eq!(interval(&section, &mut wrong), None);
//! assert_eq!(
//!     wrong[0].to_string(),
//!     "1:1: intervall: expected interval or servers, found an unknown key; did you mean interval?"
//! );
//! ```

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::spelling;

/// A line and a column, both counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where it begins.
    pub place: Place,
    /// The key that it stands under; empty where there is none.
    pub key: String,
    /// What was expected, and what was found.
    pub text: String,
}

impl Wrong {
    /// An error that belongs to no key.
    #[must_use]
    pub fn at(place: Place, text: String) -> Self {
        Self {
            place,
            key: String::new(),
            text,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.place.line, self.place.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", cut(&self.key).escape_debug())?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for Wrong {}

/// Files what is wrong, and gives what is right.
pub fn keep<T>(result: Result<T, Wrong>, wrong: &mut Vec<Wrong>) -> Option<T> {
    result.map_err(|error| wrong.push(error)).ok()
}

/// A text of a bearable length.
fn cut(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins; of a value that is left out, where its key begins.
    pub place: Place,
    /// The key that it stands under; what stands in a list has the list's. Empty for the whole document.
    pub key: Rc<str>,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text, a number, a truth value or nothing: YAML tells them apart by their spelling only.
    Text {
        /// The text, without its quotes.
        text: String,
        /// Whether it was quoted or a block, and is a text whatever it says.
        quoted: bool,
    },
    /// Values in order.
    List(Vec<Node>),
    /// Values under keys, in the order of the file. No key is there twice.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key begins.
    pub place: Place,
    /// The key.
    pub name: Rc<str>,
    /// The value.
    pub node: Node,
}

/// What YAML 1.2 takes for nothing, and what one reader or another takes for a truth value.
const NOTHING: [&str; 5] = ["", "~", "null", "Null", "NULL"];
const TRUTHS: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];

impl Node {
    /// An error about this value.
    #[must_use]
    pub fn wrong(&self, text: String) -> Wrong {
        Wrong {
            place: self.place,
            key: self.key.to_string(),
            text,
        }
    }

    /// An error that says what was expected, and what this is.
    #[must_use]
    pub fn refused(&self, expected: &str) -> Wrong {
        let found = match &self.value {
            Value::Text {
                text,
                quoted: false,
            } if text.is_empty() => "nothing".to_string(),
            Value::Text { text, .. } => format!("{:?}", cut(text)),
            Value::List(_) => "a list".to_string(),
            Value::Mapping(_) => "a mapping".to_string(),
        };
        self.wrong(format!("expected {expected}, found {found}"))
    }

    /// A text of one line. What could be meant as nothing or as a truth value must be in quotes to be one.
    ///
    /// # Errors
    /// For anything else.
    pub fn text(&self, expected: &str) -> Result<&str, Wrong> {
        let Value::Text { text, quoted } = &self.value else {
            return Err(self.refused(expected));
        };
        let named = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if !quoted && (named(&NOTHING) || named(&TRUTHS)) {
            return Err(if text.is_empty() {
                self.refused(expected)
            } else {
                self.wrong(format!("expected {expected}, found {text} without quotes"))
            });
        }
        if text.contains(char::is_control) {
            return Err(self.wrong(format!(
                "expected {expected}, found a line end or control character in {:?}",
                cut(text)
            )));
        }
        Ok(text)
    }

    /// `true` or `false`, without quotes.
    ///
    /// # Errors
    /// For anything else.
    pub fn switch(&self) -> Result<bool, Wrong> {
        match &self.value {
            Value::Text {
                text,
                quoted: false,
            } if text == "true" => Ok(true),
            Value::Text {
                text,
                quoted: false,
            } if text == "false" => Ok(false),
            Value::Text { text, quoted: true } => Err(self.wrong(format!(
                "expected true or false, found {:?} in quotes",
                cut(text)
            ))),
            _ => Err(self.refused("true or false")),
        }
    }

    /// What `parse` makes of a text; its error says what was expected.
    ///
    /// # Errors
    /// When this is no text, or `parse` refuses it.
    pub fn parsed<T>(
        &self,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<T, Wrong> {
        parse(self.text(expected)?).map_err(|expected| self.refused(expected))
    }

    /// A duration, as flags take it.
    ///
    /// # Errors
    /// For anything else.
    pub fn duration(&self) -> Result<Duration, Wrong> {
        self.parsed("a duration such as 500ms, 15s or 1m30s", super::duration)
    }

    /// A whole number from `least` to `most`, in digits only.
    ///
    /// # Errors
    /// For anything else.
    pub fn number(&self, least: u64, most: u64) -> Result<u64, Wrong> {
        let expected = format!("a number from {least} to {most}");
        let text = self.text(&expected)?;
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|text| text.parse().ok());
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.refused(&expected))
    }

    /// The value that one of some words stands for.
    ///
    /// # Errors
    /// For anything else, with the words.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Wrong> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let expected = spelling::list(&names);
        let text = self.text(&expected)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| self.refused(&expected))
    }

    /// The values of a list.
    ///
    /// # Errors
    /// For anything else.
    pub fn items(&self, expected: &str) -> Result<&[Self], Wrong> {
        match &self.value {
            Value::List(items) => Ok(items),
            _ => Err(self.refused(expected)),
        }
    }

    /// The values of a list, or this one value alone.
    #[must_use]
    pub fn one_or_more(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The keys and values of a mapping with any keys, such as names.
    ///
    /// # Errors
    /// For anything else.
    pub fn entries(&self, expected: &str) -> Result<&[Entry], Wrong> {
        match &self.value {
            Value::Mapping(entries) => Ok(entries),
            _ => Err(self.refused(expected)),
        }
    }

    /// A mapping, and the keys that it may have.
    ///
    /// # Errors
    /// For anything else.
    pub fn fields<'a>(&'a self, known: &'a [&'a str]) -> Result<Fields<'a>, Wrong> {
        match &self.value {
            Value::Mapping(entries) => Ok(Fields {
                of: self,
                entries,
                known,
            }),
            _ => {
                let keys = spelling::list(known);
                Err(self.refused(&format!("a mapping with {keys}")))
            }
        }
    }

    /// The value in one spelling, without its places: two files that say the same give the same.
    #[must_use]
    pub fn canonical(&self) -> String {
        match &self.value {
            Value::Text { text, quoted } => {
                let mark = if *quoted { "'" } else { "" };
                format!("{mark}{text:?}")
            }
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(Self::canonical).collect();
                format!("[{}]", items.join(","))
            }
            Value::Mapping(entries) => {
                let entry = |entry: &Entry| format!("{:?}:{}", entry.name, entry.node.canonical());
                let entries: Vec<_> = entries.iter().map(entry).collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }
}

/// A mapping, and the keys that it may have.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    of: &'a Node,
    entries: &'a [Entry],
    known: &'a [&'a str],
}

impl<'a> Fields<'a> {
    /// The value under a key, if it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|entry| &*entry.name == name);
        entry.map(|entry| &entry.node)
    }

    /// The value under a key that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn needed(&self, name: &str) -> Result<&'a Node, Wrong> {
        self.get(name).ok_or_else(|| {
            self.of
                .wrong(format!("expected the key {name}, found none"))
        })
    }

    /// Files the keys that are not known.
    pub fn unknown(&self, wrong: &mut Vec<Wrong>) {
        let unknown = |entry: &&Entry| !self.known.contains(&&*entry.name);
        for entry in self.entries.iter().filter(unknown) {
            let mut text = format!(
                "expected {}, found an unknown key",
                spelling::list(self.known)
            );
            text.push_str(&spelling::suggestion(
                &entry.name,
                self.known.iter().copied(),
            ));
            wrong.push(Wrong {
                place: entry.place,
                key: entry.name.to_string(),
                text,
            });
        }
    }
}

#[cfg(test)]
mod tests;
