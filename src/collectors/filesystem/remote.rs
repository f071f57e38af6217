//! The file systems that somebody else must answer for: each is asked by a thread of its own, which is all that one that
//! hangs costs. What does not answer in time is told with its last answer, and after five seconds as an error, as in
//! node_exporter's later versions, until it answers again.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;

use super::Answer;
use super::Shown;
use crate::files::Files;
use crate::files::Space;
use crate::files::errno_words;
use crate::files::space;
use crate::probes::OnDemand;

/// node_exporter's word for a mount that hangs.
const HANGS: &str = "mountpoint timeout";

/// The most threads, those included that still hang on a mount that is gone. Further mounts are told without their sizes.
pub(super) const THREADS: usize = 32;

/// Path and device: what is mounted anew at the same place is another one.
type Key = (Vec<u8>, u64, u64);

/// The thread that asks a mount, or why there is none.
type Asked = Result<OnDemand<Result<Space, Errno>>, String>;

pub(super) struct Remote {
    /// How long the answers of one scrape are waited for, all together.
    patience: Duration,
    until: Instant,
    /// A machine has few mounts of this kind, so that a search from the first to the last is quick.
    asked: Vec<(Key, Asked)>,
    /// Each thread holds one of these for as long as it lives.
    alive: Arc<()>,
}

impl Remote {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            until: Instant::now(),
            asked: Vec::new(),
            alive: Arc::new(()),
        }
    }

    /// Asks these mounts, all at the same time, and forgets those that are not among them.
    pub(super) fn ask<'a>(&mut self, files: &Files, mounts: impl Iterator<Item = &'a Shown<'a>>) {
        let mut before = std::mem::take(&mut self.asked);
        for shown in mounts.filter(|shown| may_be_asked(shown)) {
            let key = key(shown);
            if self.asked(&key).is_some() {
                continue;
            }
            let known = before.iter().position(|(known, _)| *known == key);
            let known = known.map(|at| before.swap_remove(at).1);
            let known = known.filter(Result::is_ok);
            if let Some(thread) = known.or_else(|| self.start(files, shown)) {
                if let Ok(thread) = &thread {
                    thread.ask();
                }
                self.asked.push((key, thread));
            }
        }
        self.until = Instant::now() + self.patience;
    }

    /// What there is to tell of a mount; `None` where nothing is known yet, or it was not asked.
    pub(super) fn answer(&self, shown: &Shown<'_>) -> Option<Answer> {
        let thread = match self.asked(&key(shown))? {
            Ok(thread) => thread,
            Err(words) => return Some(Err(words.clone())),
        };
        let answer = thread.answer(self.until);
        if answer.is_stuck() {
            return Some(Err(HANGS.to_string()));
        }
        let told = answer.value()?;
        Some(told.map_err(errno_words))
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        Arc::strong_count(&self.alive).saturating_sub(1)
    }

    fn asked(&self, key: &Key) -> Option<&Asked> {
        let mut asked = self.asked.iter();
        asked.find_map(|(known, asked)| (known == key).then_some(asked))
    }

    fn start(&self, files: &Files, shown: &Shown<'_>) -> Option<Asked> {
        let path = files.below_root(&shown.path)?;
        if self.threads() >= THREADS {
            return None;
        }
        let alive = Arc::clone(&self.alive);
        let started = OnDemand::start("statvfs", move || {
            let _alive = &alive;
            space(&path)
        });
        Some(started.map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::AGAIN);
            errno_words(errno)
        }))
    }
}

/// Asking an automounter would mount.
fn may_be_asked(shown: &Shown<'_>) -> bool {
    shown.mount.kind != b"autofs"
}

fn key(shown: &Shown<'_>) -> Key {
    (shown.path.to_vec(), shown.mount.major, shown.mount.minor)
}
