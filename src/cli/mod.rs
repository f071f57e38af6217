//! The command line and the file of `--config.file`: one table of flags, from which the parser of both, `--help` and
//! README's table come. The table is flags.rs.

use std::ffi::OsString;
use std::fmt;
use std::fmt::Write as _;

use crate::collectors::ALL;
use crate::config::Config;

mod collector_flags;
mod dns_flags;
mod file;
mod flag;
mod flags;
mod given;
mod line;
mod reload;
mod values;

use flag::Set;
use flags::CHECK_CONFIG;
use flags::flags;
use given::merge;
use line::CommandLine;

pub use reload::Changes;
pub use reload::Reread;
pub use reload::reread;

/// What switches a collector off begins with this.
const NO_COLLECTOR: &str = "--no-collector.";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Measure and serve, or print once.
    Run(Box<Config>),
    /// Say whether this configuration, which is sound as far as it can be seen without starting, could run.
    Check(Box<Config>),
    /// Print this text and exit.
    Print(String),
}

/// A command line or a file that cannot be used: lines that each name the flag, or the place and key, and what was
/// expected.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(Vec<String>);

impl UsageError {
    fn one(line: String) -> Self {
        Self(vec![line])
    }

    /// What is wrong, a line each; one at least.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for UsageError {
    /// In one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, more) = (self.0.first(), self.0.len().saturating_sub(1));
        f.write_str(first.map_or("", String::as_str))?;
        match more {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for UsageError {}

/// Reads the command line, without the program's name, and the file that it names.
///
/// # Errors
/// With a line for each thing that is wrong; of the command line for the first only.
pub fn parse(arguments: &[OsString]) -> Result<Command, UsageError> {
    let line = CommandLine::read(arguments)?;
    if line.help {
        return Ok(Command::Print(help_text()));
    }
    if line.version {
        return Ok(Command::Print(version_text()));
    }
    let file = file::given_by(&line.given)?;
    let config = Box::new(merge(&line.given, &file, None)?.config);
    Ok(match line.given.of(CHECK_CONFIG) {
        Some(_) => Command::Check(config),
        None => Command::Run(config),
    })
}

/// The flags that stay as they are while the program runs.
pub fn needs_restart() -> impl Iterator<Item = &'static str> {
    flags::RESTART.iter().copied()
}

fn set(set: &Set, config: &mut Config, values: &[String]) -> Result<(), String> {
    match (set, values) {
        (Set::Asked, _) => Ok(()),
        (Set::Switch(set), _) => {
            set(config);
            Ok(())
        }
        (_, []) => Ok(()),
        (Set::One(set) | Set::Commas(set), [value]) => set(config, value),
        (Set::One(_) | Set::Commas(_), [first, second, ..]) => {
            Err(format!("expected once, found {first:?} and {second:?}"))
        }
        (Set::Many(set), values) => set(config, values),
    }
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
    text.push_str(
        "\nExit status: 0 ok, 1 a run-time error, 2 a wrong command line or configuration.\n",
    );
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

/// A flag as documents tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// With its dashes.
    pub name: &'static str,
    /// What stands for the value; empty for a switch.
    pub value: &'static str,
    /// The value when the flag is not given; empty for none.
    pub default: &'static str,
    /// What it does, in sentences.
    pub help: &'static str,
    /// Whether it may be given more than once.
    pub repeatable: bool,
}

/// The flags in the order of `--help`, for the manual page and the completions of shells. `--collector.NAME` and
/// `--no-collector.NAME` come beside it, for each of [`ALL`].
pub fn rows() -> impl Iterator<Item = Row> {
    flags().map(|flag| Row {
        name: flag.name,
        value: flag.value,
        default: flag.default,
        help: flag.help,
        repeatable: matches!(flag.set, Set::Many(_)),
    })
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

#[cfg(test)]
mod tests;
