//! Files in the Prometheus text format, as node_exporter's textfile collector reads them.
//!
//! Documented at <https://prometheus.io/docs/instrumenting/exposition_formats/>; what is refused is what the Go parser
//! (expfmt) and node_exporter refuse, the whole file each time: a line that breaks the format, a last line without line
//! feed (written in place and caught half done), a timestamp, a TYPE after samples, a second HELP or TYPE, a series
//! twice. Beyond that, samples that do not fit their family's type are refused.
//!
//! ```text
//! # HELP backup_bytes Size of the last backup.
//! # TYPE backup_bytes gauge
//! backup_bytes{job="etc",} 1.2e+09
//! ```
//!
//! Traps: a family may be spread over the file; names are bound to a family by its type (`x_count` is of the summary x);
//! labels in another order are the same series, so they are sorted by name; values may be NaN, +Inf and -Inf; a TYPE or HELP
//! that ends before it says anything is a comment.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;

use super::ParseError;
use super::lines;

/// What a `# TYPE` line can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the format's own words")]
pub enum Type {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

/// Which line of a family a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the suffixes of the format")]
pub enum Part {
    Plain,
    Bucket,
    Sum,
    Count,
}

/// The labels of a sample, sorted by name, values unescaped.
pub type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// One line with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// Which line of the family.
    pub part: Part,
    /// Its labels.
    pub labels: Labels<'a>,
    /// Its value.
    pub value: f64,
}

/// A family, in the order in which the file first names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Family<'a> {
    /// Its name.
    pub name: &'a str,
    /// What TYPE says; untyped where it says nothing.
    pub kind: Option<Type>,
    /// What HELP says, unescaped.
    pub help: Option<Cow<'a, str>>,
    /// Its samples, in the order of the file.
    pub samples: Vec<Sample<'a>>,
}

/// What a file holds, family by family.
///
/// # Errors
/// On the first line that breaks a rule.
pub fn families(bytes: &[u8]) -> Result<Vec<Family<'_>>, ParseError> {
    let mut file = File::default();
    for line in lines(bytes) {
        let line = line?;
        let text = std::str::from_utf8(line.text())
            .map_err(|_| line.error("line", "UTF-8", line.text()))?;
        let number = line.number();
        let text = text.trim_start_matches([' ', '\t']);
        let result = match text.strip_prefix('#') {
            _ if text.is_empty() => Ok(()),
            Some(comment) => file.comment(comment),
            None => file.sample(text),
        };
        result.map_err(|(field, expected, found)| {
            ParseError::new(number, field, expected, found.as_bytes())
        })?;
    }
    Ok(file.families)
}

/// Field, what was expected, what was found.
type Wrong<'a> = (&'static str, &'static str, &'a str);

#[derive(Default)]
struct File<'a> {
    families: Vec<Family<'a>>,
    places: HashMap<&'a str, usize>,
    seen: HashSet<(&'a str, Labels<'a>)>,
}

impl<'a> File<'a> {
    fn comment(&mut self, text: &'a str) -> Result<(), Wrong<'a>> {
        let (keyword, rest) = word(text);
        if !matches!(keyword, "HELP" | "TYPE") {
            return Ok(());
        }
        let (name, rest) = word(rest);
        if name.is_empty() {
            return Ok(());
        }
        if name_end(name, true) != name.len() {
            return Err(("comment", "the name of a metric", name));
        }
        let family = self.family(name).ok_or(("comment", FEWER, name))?;
        let rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Ok(());
        }
        if keyword == "HELP" {
            if family.help.is_some() {
                return Err(("HELP", "one HELP line for each family", name));
            }
            family.help = Some(unescaped(rest, false).ok_or(("HELP", ESCAPES, rest))?);
            return Ok(());
        }
        if family.kind.is_some() {
            return Err(("TYPE", "one TYPE line for each family", name));
        }
        if !family.samples.is_empty() {
            return Err(("TYPE", "TYPE before the family's samples", name));
        }
        family.kind = Some(match rest.to_ascii_lowercase().as_str() {
            "counter" => Type::Counter,
            "gauge" => Type::Gauge,
            "histogram" => Type::Histogram,
            "summary" => Type::Summary,
            "untyped" => Type::Untyped,
            _ => {
                let expected = "counter, gauge, histogram, summary or untyped";
                return Err(("TYPE", expected, rest));
            }
        });
        Ok(())
    }

    fn sample(&mut self, text: &'a str) -> Result<(), Wrong<'a>> {
        let end = name_end(text, true);
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        if name.is_empty() {
            return Err(("name", "the name of a metric", text));
        }
        let rest = rest.trim_start_matches([' ', '\t']);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None if rest.len() == text.len() - end => {
                return Err(("value", "a blank before it", rest));
            }
            None => (Labels::new(), rest),
        };
        let (value, rest) = word(rest);
        let value = number(value).ok_or(("value", "a number, NaN, +Inf or -Inf", value))?;
        let (timestamp, _) = word(rest);
        if !timestamp.is_empty() {
            return Err(("timestamp", "no timestamp after the value", timestamp));
        }
        if !self.seen.insert((name, labels.clone())) {
            return Err(("series", "each series once", name));
        }
        let (family, part) = self.owner(name);
        let family = self.family(family).ok_or(("name", FEWER, name))?;
        let labelled = |wanted| labels.iter().any(|(label, _)| *label == wanted);
        let fits = match (family.kind, part) {
            (Some(Type::Histogram), Part::Plain) => false,
            (Some(Type::Histogram), Part::Bucket) => labelled("le"),
            (Some(Type::Summary), Part::Plain) => labelled("quantile"),
            _ => true,
        };
        if !fits {
            return Err(("name", "a sample that fits its family's type", name));
        }
        family.samples.push(Sample {
            part,
            labels,
            value,
        });
        Ok(())
    }

    /// The family that a sample's name belongs to: that of its whole name where there is one, else the histogram or
    /// summary whose suffix it ends in.
    fn owner(&self, name: &'a str) -> (&'a str, Part) {
        if self.places.contains_key(name) {
            return (name, Part::Plain);
        }
        for (suffix, part) in [
            ("_bucket", Part::Bucket),
            ("_sum", Part::Sum),
            ("_count", Part::Count),
        ] {
            let Some(base) = name.strip_suffix(suffix) else {
                continue;
            };
            let family = self.places.get(base).and_then(|at| self.families.get(*at));
            let kind = family.and_then(|family| family.kind);
            if kind == Some(Type::Histogram) || kind == Some(Type::Summary) && part != Part::Bucket
            {
                return (base, part);
            }
        }
        (name, Part::Plain)
    }

    fn family(&mut self, name: &'a str) -> Option<&mut Family<'a>> {
        let place = *self.places.entry(name).or_insert_with(|| {
            self.families.push(Family {
                name,
                kind: None,
                help: None,
                samples: Vec::new(),
            });
            self.families.len() - 1
        });
        self.families.get_mut(place)
    }
}

const ESCAPES: &str = "no other escapes than \\\\, \\\" and \\n";
const FEWER: &str = "fewer families";

/// The next word between blanks, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Where the name at the beginning ends; labels have no colons.
fn name_end(text: &str, colons: bool) -> usize {
    let legal = |at: usize, byte: u8| {
        byte.is_ascii_alphabetic()
            || byte == b'_'
            || byte == b':' && colons
            || byte.is_ascii_digit() && at > 0
    };
    let end = text
        .bytes()
        .enumerate()
        .position(|(at, byte)| !legal(at, byte));
    end.unwrap_or(text.len())
}

/// The labels up to `}`, and what follows it.
fn labels(mut rest: &str) -> Result<(Labels<'_>, &str), Wrong<'_>> {
    let blanks = [' ', '\t'];
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start_matches(blanks);
        if let Some(rest) = rest.strip_prefix('}') {
            labels.sort_unstable_by_key(|(name, _)| *name);
            return Ok((labels, rest));
        }
        let (name, tail) = rest
            .split_at_checked(name_end(rest, false))
            .unwrap_or((rest, ""));
        if name.is_empty() || name == "__name__" {
            return Err(("label", "the name of a label", rest));
        }
        if labels.iter().any(|(other, _)| *other == name) {
            return Err(("label", "each label once", name));
        }
        let tail = tail.trim_start_matches(blanks);
        let tail = tail
            .strip_prefix('=')
            .map(|tail| tail.trim_start_matches(blanks));
        let tail = tail.and_then(|tail| tail.strip_prefix('"'));
        let tail = tail.ok_or(("label", "= and a quoted value", rest))?;
        let end = closing_quote(tail).ok_or(("label", "a closing quote", tail))?;
        let (value, tail) = tail.split_at_checked(end).unwrap_or((tail, ""));
        let value = unescaped(value, true).ok_or(("label", ESCAPES, value))?;
        labels.push((name, value));
        let tail = tail
            .strip_prefix('"')
            .unwrap_or(tail)
            .trim_start_matches(blanks);
        rest = match tail.strip_prefix(',') {
            Some(rest) => rest,
            None if tail.starts_with('}') => tail,
            None => return Err(("label", "a comma or }", tail)),
        };
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// `None` on an escape that the format does not have. In HELP, which has no quotes, others stand for themselves.
fn unescaped(text: &str, strict: bool) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('\\') => plain.push('\\'),
            Some('n') => plain.push('\n'),
            Some('"') if strict => plain.push('"'),
            _ if strict => return None,
            other => {
                plain.push('\\');
                plain.extend(other);
            }
        }
    }
    Some(Cow::Owned(plain))
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok()
}

#[cfg(test)]
mod tests;
