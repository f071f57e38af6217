//! Reading the file again while the program runs, and what differs then.

use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::collectors::ALL;
use crate::config::Config;

use super::UsageError;
use super::file;
use super::given::Merged;
use super::given::merge;
use super::line::CommandLine;

/// A configuration that was read again.
pub struct Reread {
    /// What is in force from now on.
    pub config: Config,
    /// The flags that were changed but need a restart: the configuration has them as before.
    pub restart: Vec<&'static str>,
    /// What differs.
    pub changes: Changes,
}

/// Reads the file that the command line names again.
///
/// # Errors
/// With all that is wrong, one line each; the configuration before then stays as it is.
pub fn reread(arguments: &[OsString], before: &Config) -> Result<Reread, UsageError> {
    let line = CommandLine::read(arguments)?;
    let given = file::given_by(&line.given)?;
    let Merged { config, kept } = merge(&line.given, &given, Some(before))?;
    Ok(Reread {
        changes: Changes::between(before, &config),
        restart: kept,
        config,
    })
}

/// What differs between two configurations: the names of flags with their dashes, the keys of sections, and the
/// collectors that run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Flags and sections.
    names: BTreeSet<&'static str>,
    collectors: bool,
}

impl Changes {
    /// Compares what was said.
    #[must_use]
    pub fn between(before: &Config, after: &Config) -> Self {
        let names = before.said.keys().chain(after.said.keys());
        let differs = |name: &&&'static str| before.said.get(**name) != after.said.get(**name);
        Self {
            names: names.filter(differs).copied().collect(),
            collectors: before.collectors != after.collectors,
        }
    }

    /// Whether the two are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.collectors
    }

    /// What changed, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let names = self.names.iter().map(|name| name.trim_start_matches('-'));
        let collectors = self.collectors.then_some("collectors");
        names.chain(collectors).collect::<Vec<_>>().join(" ")
    }

    /// Whether this is among it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether a collector's own part changed, or something that may be every collector's: it is then made anew. Its own
    /// are the flags that begin with `--collector.NAME.` and the section of that name; nobody's are those of the server,
    /// of logging, of the text file, and how often something is done.
    #[must_use]
    pub fn touch(&self, collector: &str) -> bool {
        self.names.iter().any(|name| match owner(name) {
            Owner::Nobody => false,
            Owner::Collector(owner) => owner == collector,
            Owner::Everybody => true,
        })
    }
}

/// Which collectors a flag or section is for.
enum Owner {
    Nobody,
    Collector(&'static str),
    Everybody,
}

fn owner(name: &str) -> Owner {
    const NOBODYS: [&str; 6] = [
        "--web.",
        "--log.",
        "--textfile.",
        "--collect.",
        "--config.",
        "--collector.disable-defaults",
    ];
    if NOBODYS.iter().any(|prefix| name.starts_with(prefix)) {
        return Owner::Nobody;
    }
    let part = name.strip_prefix("--collector.").unwrap_or(name);
    let part = part.split('.').next().unwrap_or_default();
    match ALL.iter().find(|spec| spec.name == part) {
        Some(spec) => Owner::Collector(spec.name),
        None => Owner::Everybody,
    }
}
