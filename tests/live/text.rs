//! A strict reader of the text format 0.0.4, for comparisons. It accepts what Prometheus accepts and refuses what makes
//! Prometheus complain: a family told twice, a sample before its TYPE, the same series twice, a last line without end.

use std::collections::BTreeMap;

pub(crate) type LabelSet = BTreeMap<String, String>;

/// A page of metrics by family name.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) families: BTreeMap<String, Family>,
}

/// A family: what its comments say, and its samples by name and labels.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) samples: BTreeMap<(String, LabelSet), f64>,
}

impl Page {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_string());
        }
        let mut page = Self::default();
        let mut current = String::new();
        for (position, line) in text.lines().enumerate() {
            page.line(line, &mut current)
                .map_err(|error| format!("line {}: {error}: {line}", position + 1))?;
        }
        Ok(page)
    }

    /// The value of one series of a family whose samples have the family's name.
    pub(crate) fn value(&self, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_string(), (*value).to_string()))
            .collect();
        let samples = &self.families.get(family)?.samples;
        samples.get(&(family.to_string(), labels)).copied()
    }

    fn line(&mut self, line: &str, current: &mut String) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or("HELP without text")?;
            if self.families.contains_key(name) {
                return Err("a family told twice".to_string());
            }
            let family = self.families.entry(name.to_string()).or_default();
            family.help = help.to_string();
            *current = name.to_string();
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("TYPE without a type")?;
            let family = self.families.entry(name.to_string()).or_default();
            if !family.kind.is_empty() {
                return Err("two TYPE lines".to_string());
            }
            if !["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind) {
                return Err("an unknown type".to_string());
            }
            family.kind = kind.to_string();
            *current = name.to_string();
            return Ok(());
        }
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        self.sample(line, current)
    }

    fn sample(&mut self, line: &str, current: &str) -> Result<(), String> {
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let legal = |position: usize, byte: u8| {
            byte.is_ascii_alphabetic()
                || b"_:".contains(&byte)
                || position > 0 && byte.is_ascii_digit()
        };
        if !name
            .bytes()
            .enumerate()
            .all(|(position, byte)| legal(position, byte))
        {
            return Err("an illegal name".to_string());
        }
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => read_labels(rest)?,
            None => (LabelSet::new(), rest),
        };
        let value = value.strip_prefix(' ').ok_or("no space before the value")?;
        let value = match value {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            other => other.parse().map_err(|_| "not a number (or a timestamp)")?,
        };
        let suffix = name
            .strip_prefix(current)
            .ok_or("a sample outside its family")?;
        if !["", "_bucket", "_sum", "_count"].contains(&suffix) {
            return Err("a sample outside its family".to_string());
        }
        let family = self
            .families
            .get_mut(current)
            .ok_or("a sample before its family")?;
        if family.kind.is_empty() {
            return Err("a sample before its TYPE".to_string());
        }
        match family.samples.insert((name.to_string(), labels), value) {
            None => Ok(()),
            Some(_) => Err("the same series twice".to_string()),
        }
    }
}

/// Reads `a="b",c="d"}` and gives what follows it.
fn read_labels(mut rest: &str) -> Result<(LabelSet, &str), String> {
    let mut labels = LabelSet::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, tail) = rest.split_once("=\"").ok_or("a label without a value")?;
        let mut value = String::new();
        let mut characters = tail.char_indices();
        let end = loop {
            match characters.next().ok_or("a label value without end")? {
                (end, '"') => break end,
                (_, '\\') => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other @ ('\\' | '"'))) => value.push(other),
                    _ => return Err("an unknown escape".to_string()),
                },
                (_, other) => value.push(other),
            }
        };
        if labels.insert(name.to_string(), value).is_some() {
            return Err("the same label twice".to_string());
        }
        let tail = tail.get(end + 1..).unwrap_or_default();
        rest = tail.strip_prefix(',').unwrap_or(tail);
    }
}

#[test]
fn the_reader_refuses_what_prometheus_refuses() {
    let good = "# HELP a A.\n# TYPE a counter\na{x=\"1\\\"\\\\\\n\"} 1\na{x=\"2\"} +Inf\n";
    assert_eq!(Page::parse(good).unwrap().families["a"].samples.len(), 2);
    for bad in [
        "# HELP a A.\n# TYPE a counter\na 1",
        "a 1\n",
        "# TYPE a counter\na 1\na 2\n",
        "# TYPE a counter\na 1 1700000000000\n",
        "# TYPE a counter\na{x=\"1} 1\n",
        "# TYPE a counter\nab 1\n",
        "# HELP a A.\n# TYPE a counter\na 1\n# HELP a B.\n",
        "# TYPE a count\na 1\n",
    ] {
        assert!(Page::parse(bad).is_err(), "{bad}");
    }
}
