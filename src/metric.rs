//! What collectors write into: families, samples, and the batch of one scrape.
//!
//! A [`Desc`] describes a family once, as a `static`. A [`Batch`] holds the samples of a scrape in flat vectors: label
//! sets are rendered into one text buffer when they are made, so that the sixteen families of a device share one label
//! set and the encoder only copies. It is not a registry: nothing lives from one scrape to the next but the memory.
//!
//! A batch can be given a [scope](Batch::begin_scope), a label that everything written until its end carries on top of
//! its own: so the same collector measures one network namespace after the other and knows of none of them.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

/// The type of a family, as the `# TYPE` line says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, or starts again at zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// Quantiles, sum and count: only what a text file brings.
    Summary,
    /// Of unknown type: what node_exporter exports as untyped.
    Untyped,
}

impl Kind {
    /// The word in the `# TYPE` line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
            Kind::Untyped => "untyped",
        }
    }
}

/// One metric family: name, type, label names and the sentence that explains it.
#[derive(Debug)]
pub struct Desc {
    /// The family's name.
    pub name: Cow<'static, str>,
    /// The family's type.
    pub kind: Kind,
    /// The label names, in the order in which they are exported; the label of a scope comes after them.
    pub labels: &'static [&'static str],
    /// A sentence with the unit and the source.
    pub help: Cow<'static, str>,
}

impl Desc {
    /// A counter.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(name, Kind::Counter, labels, help)
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(name, Kind::Gauge, labels, help)
    }

    /// A histogram without labels but `le`.
    #[must_use]
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Histogram, &[], help)
    }

    /// A histogram with labels, which stand before `le`.
    #[must_use]
    pub const fn histogram_by(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(name, Kind::Histogram, labels, help)
    }

    const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind,
            labels,
            help: Cow::Borrowed(help),
        }
    }

    /// A family whose name is only known at run time (`node_netstat_*`). Made once and kept by its collector, not once a
    /// scrape.
    #[must_use]
    pub fn at_run_time(
        name: String,
        kind: Kind,
        labels: &'static [&'static str],
        help: String,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: Cow::Owned(name),
            kind,
            labels,
            help: Cow::Owned(help),
        })
    }
}

/// A family in a batch: described by a `static`, or at run time.
#[derive(Clone, Debug)]
pub enum Family {
    /// Described by a `static`.
    Static(&'static Desc),
    /// Described at run time.
    Shared(Arc<Desc>),
}

impl Deref for Family {
    type Target = Desc;

    fn deref(&self) -> &Desc {
        match self {
            Family::Static(desc) => desc,
            Family::Shared(desc) => desc,
        }
    }
}

/// A rendered label set in a [`Batch`]; made by [`Batch::labels`], valid for that batch and until the scope in which it
/// was made ends.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    start: u32,
    end: u32,
    count: u32,
}

/// No labels at all.
pub const NO_LABELS: Labels = Labels {
    start: 0,
    end: 0,
    count: 0,
};

/// Which line of a family a sample is: histograms have three kinds of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The family's name as it is.
    Plain,
    /// `_bucket`, with the label `le`.
    Bucket,
    /// `_sum`.
    Sum,
    /// `_count`.
    Count,
}

/// One sample: its family's index in the batch, its label set and its value.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Index into [`Batch::families`].
    pub family: u32,
    /// Which line of the family.
    pub part: Part,
    /// The label set.
    pub labels: Labels,
    /// The value, in the unit that the family's name says.
    pub value: f64,
}

/// Where a batch stood; [`Batch::cut`] goes back to it.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    families: usize,
    samples: usize,
    text: usize,
}

/// The samples of one scrape.
#[derive(Debug, Default)]
pub struct Batch {
    families: Vec<Family>,
    samples: Vec<Sample>,
    text: String,
    /// The family that the last push went to: the next one is likely its successor.
    last: usize,
    scope: Option<Scope>,
}

/// A label that every sample carries until it ends.
#[derive(Debug)]
struct Scope {
    /// `name="value"`, escaped.
    pair: String,
    /// The label set of this label alone, for samples without labels of their own, once there was one.
    alone: Option<Labels>,
}

impl Batch {
    /// From now on every label set that is rendered, and every sample without labels, has this label too, as its last.
    /// Scopes do not nest: the one before ends.
    pub fn begin_scope(&mut self, name: &str, value: &str) {
        let mut pair = format!("{name}=\"");
        escape_into(&mut pair, value);
        pair.push('"');
        self.scope = Some(Scope { pair, alone: None });
    }

    /// Ends the scope, if there is one.
    pub fn end_scope(&mut self) {
        self.scope = None;
    }

    /// Renders a label set once, for as many samples as share it. An empty slice gives [`NO_LABELS`].
    pub fn labels(&mut self, pairs: &[(&str, &str)]) -> Labels {
        if pairs.is_empty() {
            return NO_LABELS;
        }
        let start = offset(self.text.len());
        for (position, (name, value)) in pairs.iter().enumerate() {
            self.text.push(if position == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape_into(&mut self.text, value);
            self.text.push('"');
        }
        if let Some(scope) = &self.scope {
            self.text.push(',');
            self.text.push_str(&scope.pair);
        }
        self.text.push('}');
        Labels {
            start,
            end: offset(self.text.len()),
            count: offset(pairs.len() + usize::from(self.scope.is_some())),
        }
    }

    /// What a sample without labels of its own has: the scope's label, rendered once.
    fn without_labels(&mut self) -> Labels {
        let Some(scope) = &mut self.scope else {
            return NO_LABELS;
        };
        if let Some(labels) = scope.alone {
            return labels;
        }
        let start = offset(self.text.len());
        self.text.extend(["{", &scope.pair, "}"]);
        let labels = Labels {
            start,
            end: offset(self.text.len()),
            count: 1,
        };
        scope.alone = Some(labels);
        labels
    }

    /// Adds a sample of a statically described family.
    pub fn push(&mut self, desc: &'static Desc, labels: Labels, value: f64) {
        self.push_part(desc, Part::Plain, labels, value);
    }

    /// Adds a line of a statically described histogram.
    pub fn push_part(&mut self, desc: &'static Desc, part: Part, labels: Labels, value: f64) {
        let family = self
            .find(desc)
            .unwrap_or_else(|| self.open(Family::Static(desc)));
        self.add(family, part, labels, value);
    }

    /// Adds a sample of a family described at run time. In a scope each namespace's collector has descriptions of its
    /// own, so that there the name decides which family it is.
    pub fn push_shared(&mut self, desc: &Arc<Desc>, labels: Labels, value: f64) {
        let found = match &self.scope {
            None => self.find(desc),
            Some(_) => self.find_by(|family| family.name == desc.name),
        };
        let family = found.unwrap_or_else(|| self.open(Family::Shared(Arc::clone(desc))));
        self.add(family, Part::Plain, labels, value);
    }

    /// Adds a sample of a family described either way.
    pub fn push_family(&mut self, family: &Family, labels: Labels, value: f64) {
        let family = self
            .find(family)
            .unwrap_or_else(|| self.open(family.clone()));
        self.add(family, Part::Plain, labels, value);
    }

    /// Adds a line of a family that a text file brings, whose samples may each have labels of their own.
    pub fn push_foreign(&mut self, desc: &Arc<Desc>, part: Part, labels: Labels, value: f64) {
        let family = self
            .find(desc)
            .unwrap_or_else(|| self.open(Family::Shared(Arc::clone(desc))));
        self.last = family;
        self.samples.push(Sample {
            family: offset(family),
            part,
            labels,
            value,
        });
    }

    /// Where the batch stands now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            families: self.families.len(),
            samples: self.samples.len(),
            text: self.text.len(),
        }
    }

    /// Forgets everything that was added since `mark`.
    pub fn cut(&mut self, mark: Mark) {
        self.families.truncate(mark.families);
        self.samples.truncate(mark.samples);
        self.text.truncate(mark.text);
        self.last = 0;
        if let Some(scope) = &mut self.scope {
            scope.alone = scope
                .alone
                .filter(|labels| labels.end as usize <= mark.text);
        }
    }

    /// Forgets everything, keeping the memory for the next scrape.
    pub fn clear(&mut self) {
        self.end_scope();
        self.cut(Mark {
            families: 0,
            samples: 0,
            text: 0,
        });
    }

    /// Takes the samples of some families back out; a family without samples is on no page.
    pub fn leave_out(&mut self, unwanted: impl Fn(&Family) -> bool) {
        let unwanted: Vec<bool> = self.families.iter().map(unwanted).collect();
        self.samples
            .retain(|sample| unwanted.get(sample.family as usize) != Some(&true));
    }

    /// The families, in the order in which they first appeared.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The samples, in the order in which they were added.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// A label set as it stands in the text format, braces included; empty for [`NO_LABELS`].
    #[must_use]
    pub fn label_text(&self, labels: Labels) -> &str {
        self.text
            .get(labels.start as usize..labels.end as usize)
            .unwrap_or_default()
    }

    fn add(&mut self, family: usize, part: Part, labels: Labels, value: f64) {
        let labels = match labels.count {
            0 => self.without_labels(),
            _ => labels,
        };
        let of_scope = usize::from(self.scope.is_some());
        let of_part = usize::from(part == Part::Bucket);
        debug_assert!(
            self.families.get(family).is_some_and(|desc| {
                labels.count as usize == desc.labels.len() + of_part + of_scope
            }),
            "{}: pushed with {} labels",
            self.families.get(family).map_or("", |desc| &desc.name),
            labels.count
        );
        self.last = family;
        self.samples.push(Sample {
            family: offset(family),
            part,
            labels,
            value,
        });
    }

    fn open(&mut self, family: Family) -> usize {
        self.families.push(family);
        self.families.len() - 1
    }

    /// Finds a family by identity. Collectors write row by row, each row with the same families in the same order, so
    /// the successor of the last hit is nearly always the one; a new row starts a short way back.
    fn find(&self, desc: &Desc) -> Option<usize> {
        self.find_by(|family| std::ptr::eq(&raw const **family, desc))
    }

    fn find_by(&self, same: impl Fn(&Family) -> bool) -> Option<usize> {
        let same = |index: &usize| self.families.get(*index).is_some_and(&same);
        let next = self.last + 1;
        [self.last, next]
            .into_iter()
            .find(same)
            .or_else(|| (0..self.families.len()).rev().find(same))
    }
}

/// Label values may hold anything; the text format wants these three escaped.
fn escape_into(text: &mut String, value: &str) {
    if !value
        .bytes()
        .any(|byte| matches!(byte, b'\\' | b'"' | b'\n'))
    {
        text.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// Offsets into a batch are 32 bits wide: a page of 4 GiB is past every limit that collectors keep.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
