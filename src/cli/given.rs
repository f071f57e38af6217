//! What the command line and the file give, and how one configuration is made of both: the command line wins, flag by
//! flag.

use std::path::Path;

use crate::collectors::ALL;
use crate::collectors::Spec;
use crate::config::Config;
use crate::config::SocketsSource;
use crate::config::node::Node;
use crate::config::node::Place;
use crate::config::sections::Section;

use super::UsageError;
use super::collector_flags::ONLY_NAMED;
use super::flag::Flag;
use super::flags::RESTART;
use super::flags::flags;
use super::set;

/// What one of the two gives.
#[derive(Default)]
pub(super) struct Given {
    /// Flags, each at most once.
    pub(super) said: Vec<Said>,
    /// Collectors switched on or off.
    pub(super) switched: Vec<Switched>,
    /// node_exporter's flags that change nothing here, as they were written.
    pub(super) needless: Vec<String>,
    /// Sections of the file.
    pub(super) sections: Vec<(&'static Section, Node)>,
}

/// A flag and its values; none for a switch, which is on.
pub(super) struct Said {
    pub(super) flag: &'static Flag,
    pub(super) values: Vec<String>,
    /// Where in the file.
    pub(super) place: Option<Place>,
}

/// A collector, by its position in the list of all, and whether it is to run.
pub(super) struct Switched {
    pub(super) position: usize,
    pub(super) on: bool,
}

impl Given {
    pub(super) fn of(&self, name: &str) -> Option<&Said> {
        self.said.iter().find(|said| said.flag.name == name)
    }

    /// The one value of a flag.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let values = self.of(name).map(|said| said.values.as_slice());
        values?.first().map(String::as_str)
    }
}

/// A configuration, and the flags of which it has the values of the configuration before.
pub(super) struct Merged {
    pub(super) config: Config,
    pub(super) kept: Vec<&'static str>,
}

/// Makes one configuration of the command line and the file. With a configuration before it, what cannot change while
/// the program runs stays as it was there.
pub(super) fn merge(
    line: &Given,
    file: &Given,
    before: Option<&Config>,
) -> Result<Merged, UsageError> {
    let mut config = Config::default();
    let mut kept = Vec::new();
    // A flag replaces what it is about of a section.
    for (section, node) in &file.sections {
        let mut wrong = Vec::new();
        (section.read)(node, &mut config, &mut wrong);
        if !wrong.is_empty() {
            return Err(UsageError(wrong.iter().map(ToString::to_string).collect()));
        }
        config.said.insert(section.key, vec![node.canonical()]);
    }
    for flag in flags() {
        let said = line.of(flag.name).or_else(|| file.of(flag.name));
        let mut values = said.and_then(|said| effective(flag, &said.values));
        if let Some(before) = before.filter(|_| RESTART.contains(&flag.name)) {
            let was = before.said.get(flag.name);
            if was != values.as_ref() {
                kept.push(flag.name);
            }
            values = was.cloned();
        }
        if let Some(values) = values {
            set(&flag.set, &mut config, &values)
                .map_err(|error| UsageError::one(format!("{}: {error}", flag.name)))?;
            config.said.insert(flag.name, values);
        }
    }
    config.needless.clone_from(&line.needless);
    config.collectors = collectors(config.said.contains_key(ONLY_NAMED), line, file);
    if let Some(before) = before {
        kept.extend(keep_switched(&mut config, before));
    }
    contradictions(&config).map_err(|(name, error)| {
        // The place of what is in force, if it came from the file.
        let place = line.of(name).or_else(|| file.of(name));
        let place = place.and_then(|said| said.place);
        UsageError::one(match (place, &config.file) {
            (Some(Place { line, column }), Some(path)) => {
                let key = name.trim_start_matches('-');
                format!("{}:{line}:{column}: {key}: {error}", path.display())
            }
            _ => format!("{name}: {error}"),
        })
    })?;
    Ok(Merged { config, kept })
}

/// Leaves collectors that only a restart switches as they were; says which differ.
fn keep_switched(config: &mut Config, before: &Config) -> Vec<&'static str> {
    let runs = |config: &Config, name| config.collectors.contains(&name);
    let mut kept = Vec::new();
    for flag in RESTART {
        let name = flag.strip_prefix("--collector.").unwrap_or_default();
        let Some(spec) = ALL.iter().find(|spec| spec.name == name) else {
            continue;
        };
        if runs(config, spec.name) != runs(before, spec.name) {
            kept.push(*flag);
        }
    }
    let stays = |spec: &Spec| {
        let switched = kept
            .iter()
            .any(|flag| flag.ends_with(&[".", spec.name].concat()));
        runs(if switched { before } else { config }, spec.name)
    };
    let collectors = ALL.iter().filter(|spec| stays(spec));
    config.collectors = collectors.map(|spec| spec.name).collect();
    kept
}

/// A flag's values, unless they are the default. What is given for the asking, such as help, configures nothing.
fn effective(flag: &Flag, values: &[String]) -> Option<Vec<String>> {
    let is_default = matches!(values, [only] if !flag.default.is_empty() && only == flag.default);
    (!is_default).then(|| values.to_vec())
}

/// The enabled collectors, in the order of the list of all.
fn collectors(only_named: bool, line: &Given, file: &Given) -> Vec<&'static str> {
    let switched = |position: usize| {
        let mut both = line.switched.iter().chain(&file.switched);
        both.find(|switched| switched.position == position)
            .map(|switched| switched.on)
    };
    let enabled = ALL.iter().enumerate().filter(|(position, spec)| {
        switched(*position).unwrap_or(spec.on_by_default && !only_named)
    });
    enabled.map(|(_, spec)| spec.name).collect()
}

/// What each flag allows, but not together: the flag's name and what is wrong.
fn contradictions(config: &Config) -> Result<(), (&'static str, String)> {
    let live = config.procfs == Path::new("/proc");
    if config.sockets_source == SocketsSource::Netlink && !live {
        let procfs = config.procfs.display();
        return Err((
            "--sockets.source",
            format!(
                "expected auto or proc with --path.procfs={procfs}, which is read as files only, found \"netlink\""
            ),
        ));
    }
    if config.listen.is_empty() && config.textfile_output.is_none() && !config.once {
        return Err((
            "--web.listen-address",
            "expected an address where neither --textfile.output nor --once is given, found \"\""
                .to_string(),
        ));
    }
    if config.collectors.contains(&"tc") && !live {
        let procfs = config.procfs.display();
        return Err((
            "--collector.tc",
            format!(
                "expected --path.procfs=/proc, found {procfs}, which is read as files only: nothing can be attached to it"
            ),
        ));
    }
    Ok(())
}
