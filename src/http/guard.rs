//! Who is let in, as the file of `--web.config.file` says: TLS, the limit on requests, passwords; and the headers that it
//! adds to every answer.
//!
//! The file and those that it names are looked at when somebody connects or asks, at most once a second, and read again
//! when one of them is another. One that is wrong changes nothing: what was read before stays, one line of the log says
//! why, and a metric says that. What would open a door is wrong, too: TLS that is gone from the file.
//!
//! A password costs a second on a router, so that the loop does not check any: [`passwords`] remembers what was checked
//! and has a thread for what was not. A request that waits for that thread is worth as little as an unfinished head.

mod limit;
mod passwords;
mod sources;

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::config::web::RateLimit;
use crate::config::web::Web;

use super::Answer;
use super::GuardStats;
use super::Request;
use super::head::Secret;
use super::tls;

use self::limit::Bucket;
use self::passwords::Known;
use self::passwords::Passwords;
use self::sources::Sources;

pub(super) use self::passwords::Tag;
pub(super) use super::tls::Session;

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// Why a file cannot be used: a line for each thing that is wrong.
#[derive(Debug)]
pub struct GuardError(Vec<String>);

impl GuardError {
    /// What is wrong, a line each.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for GuardError {}

/// What is to be done with a request.
pub(super) enum Verdict {
    /// It is answered.
    Pass,
    /// It gets this instead of an answer.
    Refuse(Answer),
    /// Its password is being checked.
    Wait(Tag),
}

/// What is in force, and where it came from.
pub struct Guard {
    path: PathBuf,
    limit: Option<RateLimit>,
    headers: Rc<Vec<(String, String)>>,
    tls: Option<tls::Setup>,
    sources: Sources,
    looked: Instant,
    bucket: Option<Bucket>,
    passwords: Passwords,
    stats: GuardStats,
}

impl Guard {
    /// Reads the file and what it names.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn open(path: &Path) -> Result<Self, GuardError> {
        let (web, tls, sources) = sources::read(path)?;
        let passwords = Passwords::new()
            .map_err(|error| GuardError(vec![format!("socket for passwords: {error}")]))?;
        let mut guard = Self {
            path: path.to_path_buf(),
            bucket: None,
            stats: GuardStats {
                successful: true,
                last_success: SystemTime::now(),
                unauthorized: 0,
                limited: 0,
                busy: 0,
                tls: tls.is_some(),
            },
            limit: None,
            headers: Rc::default(),
            tls,
            sources,
            looked: Instant::now(),
            passwords,
        };
        guard.adopt(web);
        Ok(guard)
    }

    /// Starts the thread that checks passwords, once the process has given up what it does not need.
    ///
    /// # Errors
    /// When the kernel has no room for it.
    pub(super) fn start(&mut self) -> Result<(), GuardError> {
        let started = self.passwords.start();
        started.map_err(|error| GuardError(vec![format!("thread for passwords: {error}")]))
    }

    /// Says whether the file could be used, and nothing else.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn check(path: &Path) -> Result<(), GuardError> {
        sources::read(path).map(|_| ())
    }

    /// The files that are read again while the program runs, for whoever shuts it in: the configuration, certificates and
    /// keys. Programs that renew certificates put new files in their places, so that it is their directories that must
    /// stay readable.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.sources.paths()
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What it counted.
    #[must_use]
    pub fn stats(&self) -> GuardStats {
        self.stats
    }

    /// What becomes readable when a password has been checked.
    pub(super) fn wake(&self) -> Option<&OwnedFd> {
        self.passwords.wake()
    }

    /// The headers of every answer.
    pub(super) fn headers(&self) -> Rc<Vec<(String, String)>> {
        Rc::clone(&self.headers)
    }

    /// TLS for a new connection; nothing where there is no TLS.
    pub(super) fn session(&self) -> Option<Box<Session>> {
        let setup = self.tls.as_ref()?;
        Some(Session::new(setup))
    }

    /// Looks whether the files are the ones that were read.
    pub(super) fn look(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        if self.sources.are_as_before() {
            return;
        }
        let read = sources::read(&self.path).and_then(|(web, tls, sources)| {
            if tls.is_some() == self.tls.is_some() {
                Ok((web, tls, sources))
            } else {
                let what = if tls.is_some() { "on" } else { "off" };
                let path = self.path.display();
                let line = format!("{path}: tls_server_config: only a restart switches TLS {what}");
                Err(GuardError(vec![line]))
            }
        });
        match read {
            Ok((web, tls, sources)) => {
                self.stats.successful = true;
                self.stats.last_success = SystemTime::now();
                self.tls = tls;
                self.sources = sources;
                self.adopt(web);
            }
            Err(error) => {
                // Not again before one of the files is another once more.
                self.sources.note();
                self.stats.successful = false;
                log::error!(err = error.to_string().as_str(); "web configuration is wrong, the old one stays");
            }
        }
    }

    fn adopt(&mut self, web: Web) {
        if web.rate_limit != self.limit {
            self.limit = web.rate_limit;
            self.bucket = web
                .rate_limit
                .map(|limit| Bucket::full(limit, Instant::now()));
        }
        self.passwords.adopt(&web.users);
        for warning in &web.warnings {
            log::warn!(path = self.path.display().to_string().as_str(); "{warning}");
        }
        log::info!(
            path = self.path.display().to_string().as_str(),
            tls = self.has_tls(),
            users = web.users.len();
            "web configuration read"
        );
        self.headers = Rc::new(web.headers);
    }

    /// What is to be done with a request.
    pub(super) fn judge(&mut self, request: &Request, now: Instant) -> Verdict {
        self.look(now);
        if self
            .bucket
            .as_mut()
            .is_some_and(|bucket| !bucket.takes(now))
        {
            self.stats.limited += 1;
            return Verdict::Refuse(Answer::text("other", 429, "too many requests"));
        }
        if self.passwords.are_not_asked_for() {
            return Verdict::Pass;
        }
        let Some((name, password)) =
            passwords::credentials(request.authorization.as_ref().map(Secret::as_bytes))
        else {
            return self.unauthorized();
        };
        match self.passwords.look_up(&name, &password) {
            Known::Right => Verdict::Pass,
            Known::Wrong => self.unauthorized(),
            Known::Checking(tag) => Verdict::Wait(tag),
            Known::TooMany => {
                self.stats.busy += 1;
                let mut answer = Answer::text("other", 503, "too many passwords are being checked");
                answer.add_header("Retry-After", "1");
                Verdict::Refuse(answer)
            }
        }
    }

    fn unauthorized(&mut self) -> Verdict {
        self.stats.unauthorized += 1;
        Verdict::Refuse(refusal())
    }

    /// The next password that has been checked: what waited for it, and whether it was right.
    pub(super) fn checked(&mut self) -> Option<(Tag, bool)> {
        self.passwords.checked()
    }

    /// What those get whose password was wrong after all.
    pub(super) fn wrong_password(&mut self) -> Answer {
        self.stats.unauthorized += 1;
        refusal()
    }
}

fn refusal() -> Answer {
    let mut answer = Answer::text("other", 401, "unauthorized");
    answer.add_header("WWW-Authenticate", "Basic");
    answer
}
