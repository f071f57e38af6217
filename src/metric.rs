//! What collectors write into: families, samples, and the batch of one scrape.
//!
//! A [`Desc`] describes a family once, as a `static`. A [`Batch`] holds the samples of a scrape in flat vectors: label
//! sets are rendered into one text buffer when they are made, so that the sixteen families of a device share one label
//! set and the encoder only copies. It is not a registry: nothing lives from one scrape to the next but the memory.
//!
//! A batch can be given a [scope](Batch::begin_scope), a label that everything written until its end carries on top of
//! its own: so the same collector measures one network namespace after the other and knows of none of them.

mod batch;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

pub use self::batch::Batch;
pub use self::batch::Labels;
pub use self::batch::Mark;
pub use self::batch::NO_LABELS;
pub use self::batch::Part;
pub use self::batch::Sample;

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

#[cfg(test)]
mod tests;
