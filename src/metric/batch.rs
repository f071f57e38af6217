//! The samples of a scrape, in flat vectors that keep their memory.

use std::sync::Arc;

use super::Desc;
use super::Family;

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
    /// Which of them a description may be.
    told: Told,
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
            Some(_) => self.find_name(&desc.name),
        };
        let family = found.unwrap_or_else(|| self.open(Family::Shared(Arc::clone(desc))));
        self.add(family, Part::Plain, labels, value);
    }

    /// Adds a sample of a family described either way.
    pub fn push_family(&mut self, family: &Family, labels: Labels, value: f64) {
        match family {
            Family::Static(desc) => self.push(desc, labels, value),
            Family::Shared(desc) => self.push_shared(desc, labels, value),
        }
    }

    /// Adds a line of a family that a text file brings, whose samples may each have labels of their own.
    pub fn push_foreign(&mut self, desc: &Arc<Desc>, part: Part, labels: Labels, value: f64) {
        let family = self
            .find(desc)
            .unwrap_or_else(|| self.open(Family::Shared(Arc::clone(desc))));
        self.put(family, part, labels, value);
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
        self.told = Told::default();
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

    /// The samples in the order of their families, those of one family as they were added: sorted by counting them.
    #[must_use]
    pub fn by_family(&self) -> Vec<&Sample> {
        let Some(some) = self.samples.first() else {
            return Vec::new();
        };
        // How many there are of each family, and from that where the next one of it goes.
        let mut places = vec![0; self.families.len()];
        for sample in &self.samples {
            if let Some(count) = places.get_mut(sample.family as usize) {
                *count += 1;
            }
        }
        let mut end = 0;
        for place in &mut places {
            end += std::mem::replace(place, end);
        }
        let mut sorted = vec![some; end];
        for sample in &self.samples {
            if let Some(place) = places.get_mut(sample.family as usize) {
                if let Some(slot) = sorted.get_mut(*place) {
                    *slot = sample;
                }
                *place += 1;
            }
        }
        sorted
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
        self.put(family, part, labels, value);
    }

    fn put(&mut self, family: usize, part: Part, labels: Labels, value: f64) {
        self.last = family;
        self.samples.push(Sample {
            family: offset(family),
            part,
            labels,
            value,
        });
    }

    fn open(&mut self, family: Family) -> usize {
        self.told.add(&family);
        self.families.push(family);
        self.families.len() - 1
    }

    /// Finds a family by identity. Collectors write row by row, each row with the same families in the same order, so
    /// the successor of the last hit is nearly always the one; a new row starts a short way back.
    fn find(&self, desc: &Desc) -> Option<usize> {
        let same = |family: &Family| std::ptr::eq(&raw const **family, desc);
        self.near(same).or_else(|| {
            let told = self.told.may_be(desc);
            told.then(|| self.families.iter().rposition(same)).flatten()
        })
    }

    fn find_name(&self, name: &str) -> Option<usize> {
        let same = |family: &Family| family.name == name;
        self.near(same)
            .or_else(|| self.families.iter().rposition(same))
    }

    fn near(&self, same: impl Fn(&Family) -> bool) -> Option<usize> {
        let at = |index: &usize| self.families.get(*index).is_some_and(&same);
        [self.last, self.last + 1].into_iter().find(at)
    }
}

/// What is surely new needs no search: one bit for each place that an address of a description may hash to. A scrape has hundreds
/// of families, and each is new once.
#[derive(Debug)]
struct Told([u64; 64]);

impl Default for Told {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Told {
    fn add(&mut self, desc: &Desc) {
        let (word, bit) = Self::place(desc);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether the description may have been added; some that were not have the same place as one that was.
    fn may_be(&self, desc: &Desc) -> bool {
        let (word, bit) = Self::place(desc);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    fn place(desc: &Desc) -> (usize, u64) {
        // Fibonacci hashing: the topmost bits depend on all.
        let hash = (&raw const *desc).addr().wrapping_mul(0x9e37_79b1) & 0xffff_ffff;
        (hash >> 26, 1 << (hash >> 20 & 63))
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
