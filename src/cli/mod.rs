//! The command line: one table of flags, from which the parser, `--help` and README's table come.
//!
//! pico-args does the reading; it refuses `--flag=` and strips quotes, so arguments are split at their first `=` before
//! it sees them. The table is flags.rs; this is the only file that knows pico_args.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pico_args::Arguments;

use crate::collectors::ALL;
use crate::config::Config;
use crate::config::SocketsSource;

mod collector_flags;
mod dns_flags;
mod flags;
#[cfg(test)]
mod tests;

use collector_flags::ONLY_NAMED;
use flags::Set;
use flags::VERSION;
use flags::flags;

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Measure and serve, or print once.
    Run(Box<Config>),
    /// Print this text and exit.
    Print(String),
}

/// A command line that cannot be used: one line that names the flag and what was expected.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Reads the command line, without the program's name.
///
/// # Errors
/// One line that names the flag and what was expected.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, UsageError> {
    let mut arguments = Arguments::from_vec(split(arguments)?);
    let mut config = Config::default();
    // Values first: one may look like a switch.
    for flag in flags().filter(|flag| !flag.value.is_empty()) {
        let failed = |error: String| UsageError(format!("{}: {error}", flag.name));
        let values =
            arguments
                .values_from_os_str(flag.name, utf8)
                .map_err(|error| match error {
                    pico_args::Error::OptionWithoutAValue(_) => {
                        failed(format!("expected {}, found nothing", flag.value))
                    }
                    pico_args::Error::ArgumentParsingFailed { cause } => failed(cause),
                    other => failed(other.to_string()),
                })?;
        set(&flag.set, &mut config, &values).map_err(failed)?;
    }
    for flag in flags().filter(|flag| flag.value.is_empty()) {
        if let Set::Switch(set) = &flag.set {
            // Given twice it says the same.
            while arguments.contains(flag.name) {
                set(&mut config);
            }
        }
    }
    let only_named = arguments.contains(ONLY_NAMED);
    let (help, version) = (
        arguments.contains(["-h", "--help"]),
        arguments.contains(VERSION),
    );
    config.collectors = collectors(only_named, &arguments.finish())?;
    contradictions(&config)?;
    Ok(match (help, version) {
        (true, _) => Command::Print(help_text()),
        (_, true) => Command::Print(version_text()),
        _ => Command::Run(Box::new(config)),
    })
}

/// What each flag allows, but not together.
fn contradictions(config: &Config) -> Result<(), UsageError> {
    let live = config.procfs == Path::new("/proc");
    if config.sockets_source == SocketsSource::Netlink && !live {
        let procfs = config.procfs.display();
        return Err(UsageError(format!(
            "--sockets.source: expected auto or proc with --path.procfs={procfs}, which is read as files only, found \"netlink\""
        )));
    }
    if config.listen.is_empty() && config.textfile_output.is_none() && !config.once {
        return Err(UsageError(
            "--web.listen-address: expected an address where neither --textfile.output nor --once is given, found \"\""
                .to_string(),
        ));
    }
    if config.collectors.contains(&"tc") && !live {
        let procfs = config.procfs.display();
        return Err(UsageError(format!(
            "--collector.tc: expected --path.procfs=/proc, found {procfs}, which is read as files only: nothing can be attached to it"
        )));
    }
    Ok(())
}

/// Splits `--flag=value` at the first `=`. What follows a flag that takes a value is left as it is.
fn split(arguments: Vec<OsString>) -> Result<Vec<OsString>, UsageError> {
    let mut words = Vec::with_capacity(arguments.len() * 2);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=');
        let (name, value) =
            match equals.and_then(|at| Some((bytes.get(..at)?, bytes.get(at + 1..)?))) {
                Some((name, value)) => (name, Some(value)),
                None => (bytes, None),
            };
        let name = std::str::from_utf8(name).unwrap_or_default();
        let takes_value = flags()
            .find(|flag| flag.name == name)
            .map(|flag| !flag.value.is_empty());
        match (takes_value, value) {
            (Some(false), Some(_)) => return Err(UsageError(format!("{name}: takes no value"))),
            (Some(true), Some(value)) => {
                words.extend([
                    OsString::from(name),
                    OsStr::from_bytes(value).to_os_string(),
                ]);
            }
            (Some(true), None) => {
                words.push(argument);
                words.extend(arguments.next());
            }
            _ => words.push(argument),
        }
    }
    Ok(words)
}

fn set(set: &Set, config: &mut Config, values: &[String]) -> Result<(), String> {
    match (set, values) {
        (_, []) | (Set::Switch(_) | Set::Asked, _) => Ok(()),
        (Set::One(set), [value]) => set(config, value),
        (Set::One(_), [first, second, ..]) => {
            Err(format!("expected once, found {first:?} and {second:?}"))
        }
        (Set::Many(set), values) => set(config, values),
    }
}

/// The enabled collectors, from what the table of flags left over.
fn collectors(only_named: bool, rest: &[OsString]) -> Result<Vec<&'static str>, UsageError> {
    let mut switched: Vec<Option<bool>> = vec![None; ALL.len()];
    for argument in rest {
        let text = argument.to_str().unwrap_or_default();
        let (name, on) = match text.strip_prefix("--no-collector.") {
            Some(name) => (name, false),
            None => (text.strip_prefix("--collector.").unwrap_or_default(), true),
        };
        let position = ALL.iter().position(|spec| spec.name == name);
        match position.and_then(|position| switched.get_mut(position)) {
            Some(state) if state.is_some_and(|before| before != on) => {
                return Err(UsageError(format!(
                    "--collector.{name}: expected on or off, found both"
                )));
            }
            Some(state) => *state = Some(on),
            None => {
                return Err(UsageError(format!(
                    "{}: unknown; weir --help lists the flags",
                    argument.display()
                )));
            }
        }
    }
    let enabled =
        |on_by_default: bool, state: Option<bool>| state.unwrap_or(on_by_default && !only_named);
    Ok(ALL
        .iter()
        .zip(switched)
        .filter(|(spec, state)| enabled(spec.on_by_default, *state))
        .map(|(spec, _)| spec.name)
        .collect())
}

fn utf8(value: &OsStr) -> Result<String, &'static str> {
    value.to_str().map(str::to_string).ok_or("expected UTF-8")
}

/// Name, version, commit and target in one line.
#[must_use]
pub fn version_text() -> String {
    format!(
        "weir {} (commit {}, target {})\n",
        VERSION_NUMBER,
        COMMIT,
        target()
    )
}

/// The version in Cargo.toml.
pub const VERSION_NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit this was built from; the Makefile tells it.
pub const COMMIT: &str = match option_env!("WEIR_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What this was built for, such as `x86_64-linux-musl`.
#[must_use]
pub fn target() -> String {
    let little_mips = cfg!(all(target_arch = "mips", target_endian = "little"));
    let arch = if little_mips {
        "mipsel"
    } else {
        std::env::consts::ARCH
    };
    let env = if cfg!(target_env = "musl") {
        "musl"
    } else if cfg!(target_env = "gnu") {
        "gnu"
    } else {
        "other"
    };
    format!("{arch}-linux-{env}")
}

/// What `--help` prints.
fn help_text() -> String {
    let mut text = String::from(
        "weir measures this machine's network and serves it to Prometheus and to a browser.\n\n\
         Usage: weir [FLAGS]        serve on :2112: /metrics, /health and a page at /\n       \
         weir --once [FLAGS]   print the metrics and exit\n\nFlags (--flag value and --flag=value both work):\n",
    );
    for flag in flags() {
        let left = format!("{} {}", flag.name, flag.value);
        let default = if flag.default.is_empty() {
            String::new()
        } else {
            format!(" (default {})", flag.default)
        };
        entry(
            &mut text,
            left.trim_end(),
            &format!("{}{default}", flag.help),
        );
    }
    text.push_str("\nCollectors (--collector.NAME switches one on, --no-collector.NAME off):\n");
    for spec in ALL {
        entry(
            &mut text,
            spec.name,
            &format!(
                "{}{}",
                spec.help,
                if spec.on_by_default {
                    ""
                } else {
                    " (off by default)"
                }
            ),
        );
    }
    text.push_str("\nExit status: 0 ok, 1 a run-time error, 2 a wrong command line.\n");
    text
}

fn entry(text: &mut String, left: &str, right: &str) {
    const COLUMN: usize = 24;
    // Writing into a String cannot fail.
    let _ = if left.len() < COLUMN {
        writeln!(text, "  {left:COLUMN$}{right}")
    } else {
        writeln!(text, "  {left}\n  {:COLUMN$}{right}", "")
    };
}

/// README's table of flags.
#[must_use]
pub fn flags_markdown() -> String {
    let mut text = String::from("| flag | default | meaning |\n| --- | --- | --- |\n");
    for flag in flags() {
        let name = format!("{} {}", flag.name, flag.value);
        let default = if flag.default.is_empty() {
            String::new()
        } else {
            // A bar would end the cell, even in code.
            format!("`{}`", flag.default.replace('|', "\\|"))
        };
        let _ = writeln!(
            text,
            "| `{}` | {default} | {} |",
            name.trim_end(),
            flag.help
        );
    }
    let _ = writeln!(
        text,
        "| `--collector.NAME`, `--no-collector.NAME` | | Switch a collector on or off. |"
    );
    text
}
