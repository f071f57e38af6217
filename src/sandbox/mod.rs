//! Least privilege (`--sandbox`, `--user`): once its sockets are open, and before it starts any thread, weir gives up what it
//! does not need.
//!
//! In this order: the directories are opened that may be read or written; the bounding and ambient sets of capabilities
//! are emptied; the user changes; all capabilities go but those of enabled features (capabilities.rs); no_new_privs;
//! landlock, with the directories (places.rs); and a seccomp filter. Threads inherit all of it. What this kernel does not have
//! is told in one line of the log and left out, or with `--sandbox=require` ends the program before it serves.
//!
//! Nothing that was given up comes back. A configuration that is read again and needs more is refused ([`Sandbox::allows`]).
//!
//! Crates: `landlock` and `caps` would be larger than what is used of them, and `seccompiler` knows three of the six
//! architectures; the calls are in [`crate::sys`] and rustix.

mod capabilities;
mod places;
mod user;

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use crate::config::Config;
use crate::config::Netns;
use crate::config::SandboxMode;
use crate::files::Files;
use crate::sys::landlock::Access;
use crate::sys::landlock::Ruleset;
use crate::sys::seccomp;

use self::places::Places;
use self::user::User;

pub use self::user::UserError;

/// Why the program does not start.
#[derive(Debug)]
pub enum SandboxError {
    /// `--user` names nobody.
    User(UserError),
    /// The kernel does not let this process become that user.
    Become(String, Errno),
    /// With `--sandbox=require`: a part cannot be had.
    Missing(&'static str, String),
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(error) => write!(f, "--user: {error}"),
            Self::Become(name, errno) => {
                let cause = io::Error::from(*errno);
                write!(
                    f,
                    "--user: expected to be started as root to become {name}: {cause}"
                )
            }
            Self::Missing(part, error) => {
                write!(
                    f,
                    "--sandbox=require: {part} is not to be had here: {error}"
                )
            }
        }
    }
}

impl std::error::Error for SandboxError {}

/// How a part of the sandbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Off,
    On,
    /// This kernel does not have it.
    Unavailable,
    /// A feature that is enabled cannot work with it.
    LeftOut,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Unavailable => "unavailable",
            Self::LeftOut => "left_out",
        }
    }
}

/// What weir may not do any more.
#[derive(Debug)]
pub struct Sandbox {
    capabilities: CapabilitySet,
    given_up: CapabilitySet,
    no_new_privs: Part,
    seccomp: Part,
    landlock: Part,
    /// What landlock allows, while it is on.
    places: Places,
    setns: bool,
    /// What the server reads again.
    reread: Vec<PathBuf>,
}

impl Sandbox {
    /// Gives up what the configuration does not need, and the files that the HTTP server reads again. To be called once, while
    /// the process has one thread.
    ///
    /// # Errors
    /// When `--user` cannot be had, or with `--sandbox=require` any part.
    pub fn enter(
        config: &Config,
        files: &Files,
        reread: Vec<PathBuf>,
    ) -> Result<Self, SandboxError> {
        let user = find_user(config)?;
        let mut sandbox = Self {
            capabilities: capabilities::now(),
            given_up: CapabilitySet::empty(),
            no_new_privs: Part::Off,
            seccomp: Part::Off,
            landlock: Part::Off,
            places: Places::default(),
            setns: config.netns != Netns::Own,
            reread,
        };
        let mut on = config.sandbox != SandboxMode::Off;
        if on && !seccomp::may_ask() {
            let ended = "a seccomp filter that is there already ends whoever asks for it";
            part(config, "sandbox", Err::<(), _>(ended))?;
            on = false;
        }
        if !on && user.is_none() {
            return Ok(sandbox);
        }
        // Directories are opened with the rights of whoever started this.
        let rules = if on {
            sandbox.rules(config, files)?
        } else {
            None
        };
        sandbox.give_up_capabilities(config, user.as_ref())?;
        if !on {
            return Ok(sandbox);
        }
        let told = rustix::thread::set_no_new_privs(true);
        sandbox.no_new_privs = part(config, "no_new_privs", told)?;
        if let Some(rules) = rules {
            sandbox.landlock = part(config, "landlock", rules.restrict())?;
        }
        let features = seccomp::Features {
            bpf: config.collectors.contains(&"tc"),
            setns: sandbox.setns,
        };
        sandbox.seccomp = part(config, "seccomp", seccomp::install(features))?;
        Ok(sandbox)
    }

    /// The rules for landlock, unless they are not wanted, or a feature cannot work under it.
    fn rules(&mut self, config: &Config, files: &Files) -> Result<Option<Ruleset>, SandboxError> {
        // Whoever is under landlock may not read the links to other processes' namespaces.
        if self.setns {
            self.landlock = Part::LeftOut;
            return Ok(None);
        }
        let mounts = files.mounts().unwrap_or_default();
        self.places = Places::of(config, &mounts).with(&self.reread, &mounts);
        let made = Ruleset::new().and_then(|rules| {
            for place in self.places.all() {
                match rules.allow(&place.directory, place.access) {
                    // What is not there, or not for this user, need not be allowed.
                    Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Ok(rules)
        });
        match made {
            Ok(rules) => Ok(Some(rules)),
            Err(errno) => {
                self.landlock = part(config, "landlock", Err::<(), _>(errno))?;
                Ok(None)
            }
        }
    }

    fn give_up_capabilities(
        &mut self,
        config: &Config,
        user: Option<&User>,
    ) -> Result<(), SandboxError> {
        let permitted = capabilities::now();
        if config.collectors.contains(&"tc") {
            // Before Linux 5.11 programs are locked memory, and to raise that limit takes a right that is about to go.
            crate::tc::raise_memlock();
        }
        let mut keep = capabilities::wanted(config, permitted);
        if user.is_some() {
            // Whoever asks for another user wants that one's rights to files.
            keep.remove(capabilities::FILES);
        }
        capabilities::empty_sets();
        if let Some(user) = user {
            user.enter()
                .map_err(|errno| SandboxError::Become(user.name.clone(), errno))?;
        }
        if user.is_some() || keep != permitted {
            part(config, "capabilities", capabilities::keep(keep))?;
        }
        self.capabilities = capabilities::now();
        self.given_up = permitted.difference(self.capabilities);
        Ok(())
    }

    /// Whether another configuration needs no more than what is left.
    ///
    /// # Errors
    /// With what it needs.
    pub fn allows(&self, config: &Config, files: &Files) -> Result<(), Refused> {
        let setns = config.netns != Netns::Own;
        if setns && !self.setns && (self.landlock == Part::On || self.seccomp == Part::On) {
            return Err(Refused::Netns);
        }
        if self.landlock == Part::On {
            let mounts = files.mounts().unwrap_or_default();
            let wanted = Places::of(config, &mounts).with(&self.reread, &mounts);
            if let Some(place) = self.places.lacks(&wanted) {
                let verb = if place.access == Access::READ {
                    "read"
                } else {
                    "write"
                };
                return Err(Refused::Path(place.path.clone(), verb));
            }
        }
        let before = self.capabilities.union(self.given_up);
        let lost = capabilities::wanted(config, before).intersection(self.given_up);
        // That of another user's files was given up for --user, and nobody expects it.
        let lost = if config.user.is_some() {
            lost.difference(capabilities::FILES)
        } else {
            lost
        };
        if lost.is_empty() {
            Ok(())
        } else {
            Err(Refused::Capabilities(capabilities::names(lost)))
        }
    }

    /// How things stand, as the labels of `weir_sandbox_info`.
    #[must_use]
    pub fn labels(&self) -> [(&'static str, String); 4] {
        [
            ("capabilities", capabilities::names(self.capabilities)),
            ("no_new_privs", self.no_new_privs.word().to_string()),
            ("landlock", self.landlock.word().to_string()),
            ("seccomp", self.seccomp.word().to_string()),
        ]
    }
}

/// What a configuration needs that was given up.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// To enter network namespaces.
    Netns,
    /// To read or write below a directory.
    Path(PathBuf, &'static str),
    /// Capabilities.
    Capabilities(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns => f.write_str("netns: needs what weir gave up when it started"),
            Self::Path(path, access) => write!(
                f,
                "{}: outside what weir may {access} since it started",
                path.display()
            ),
            Self::Capabilities(names) => {
                write!(
                    f,
                    "needs capabilities that weir gave up when it started: {names}"
                )
            }
        }?;
        f.write_str("; restart weir, or start it with --sandbox=off")
    }
}

/// Whom `--user` names.
///
/// # Errors
/// When there is no such user.
pub fn check_user(config: &Config) -> Result<(), SandboxError> {
    find_user(config).map(|_| ())
}

fn find_user(config: &Config) -> Result<Option<User>, SandboxError> {
    let user = config.user.as_deref().map(User::find).transpose();
    user.map_err(SandboxError::User)
}

/// What became of a part: told once where it cannot be had, or an error where it must.
fn part<E: fmt::Display>(
    config: &Config,
    name: &'static str,
    done: Result<(), E>,
) -> Result<Part, SandboxError> {
    let error = match done {
        Ok(()) => return Ok(Part::On),
        Err(error) => error.to_string(),
    };
    if config.sandbox == SandboxMode::Require {
        return Err(SandboxError::Missing(name, error));
    }
    log::info!(part = name, err = error.as_str(); "sandbox: going without a part that is not to be had here");
    Ok(Part::Unavailable)
}
