//! Many questions that may block, and few threads: named numbers are read from a hundred files, any of which may be on a mount
//! whose server is gone.
//!
//! One thread asks them all, one after the other, as long as each answers soon. When one keeps it for longer than [`HOLD`]
//! while others wait, that thread is left behind and another takes the rest; the one that comes back late ends, or goes on if
//! it is the last. So what hangs holds up the others for that long and no longer. There are [`MOST`] threads at most; when as
//! many questions hang, the others are told to be waiting for a thread. They hardly ever are: what lies farthest from what
//! hangs is asked first, so that a second file of a dead mount comes after all files elsewhere.
//!
//! Whoever owns the pool looks after it: threads are started while it asks and waits, and at no other time. A question that
//! panics is not asked again, and counts as one that hangs. Dropping the pool ends its threads, those that hang when they
//! come back.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use super::Answer;
use super::PATIENCE;
use super::Reading;
use crate::threads;

/// How long a question has a thread for itself while others wait for it.
const HOLD: Duration = Duration::from_millis(20);

/// The most threads.
const MOST: usize = 16;

/// What asks a question.
pub type Ask<T> = Box<dyn FnMut() -> T + Send>;

/// Questions and the threads that ask them.
pub struct Pool<T> {
    name: &'static str,
    hold: Duration,
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Tells threads that there is something to ask, or that they are to end.
    work: Condvar,
    /// Tells the owner that nothing is left to ask.
    answers: Condvar,
}

struct State<T> {
    questions: Vec<Question<T>>,
    /// Threads that have not ended.
    threads: usize,
    /// Of those, how many have no question.
    idle: usize,
    /// Why the system gave no thread.
    refused: Option<String>,
    stop: bool,
}

struct Question<T> {
    /// What it may hang with: the path of a file.
    place: PathBuf,
    /// `None` while a thread has it.
    ask: Option<Ask<T>>,
    latest: Option<Reading<T>>,
    /// When it was asked for, if there is no answer to that yet.
    asked: Option<Instant>,
    /// When a thread took it, if there is no answer to that yet.
    begun: Option<Instant>,
    /// Whether the answer is worth waiting for.
    patient: bool,
    /// How long the last answer took.
    took: Duration,
}

impl<T> Question<T> {
    fn is_queued(&self) -> bool {
        self.asked.is_some() && self.begun.is_none()
    }

    fn has_begun_before(&self, time: Option<Instant>) -> bool {
        self.begun
            .is_some_and(|begun| time.is_some_and(|time| begun <= time))
    }
}

impl<T> Shared<T> {
    /// Nothing that can panic runs while the state is held.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync + 'static> Pool<T> {
    /// Takes questions, each with the place with which it hangs. Nothing is asked yet, and there is no thread.
    #[must_use]
    pub fn new(name: &'static str, questions: Vec<(PathBuf, Ask<T>)>) -> Self {
        let questions = questions.into_iter().map(|(place, ask)| Question {
            place,
            ask: Some(ask),
            latest: None,
            asked: None,
            begun: None,
            patient: false,
            took: Duration::ZERO,
        });
        let state = State {
            questions: questions.collect(),
            threads: 0,
            idle: 0,
            refused: None,
            stop: false,
        };
        Self {
            name,
            hold: HOLD,
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                work: Condvar::new(),
                answers: Condvar::new(),
            }),
        }
    }

    /// Asks every question that is not being asked, and waits until all are answered that are worth waiting for, but not
    /// longer than that. One that hangs, and one that took long the last time, is not.
    pub fn ask(&self, patience: Duration) {
        let mut state = self.shared.state();
        let now = Instant::now();
        let until = now + patience;
        for question in &mut state.questions {
            question.patient = question.asked.is_none() && question.took <= PATIENCE;
            question.asked = question.asked.or(Some(now));
        }
        self.shared.work.notify_one();
        loop {
            let now = Instant::now();
            self.hire(&mut state, now);
            let waits = |question: &Question<T>| question.patient && question.asked.is_some();
            if now >= until || !state.questions.iter().any(waits) {
                return;
            }
            let rest = until.saturating_duration_since(now).min(self.hold);
            let woken = self.shared.answers.wait_timeout(state, rest);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts a thread when questions wait, and every thread has been busy with one for too long.
    fn hire(&self, state: &mut State<T>, now: Instant) {
        let limit = now.checked_sub(self.hold);
        let soon_free =
            |question: &Question<T>| question.begun.is_some() && !question.has_begun_before(limit);
        let queued = state.questions.iter().any(Question::is_queued);
        let free = state.idle > 0 || state.questions.iter().any(soon_free);
        if !queued || free || state.threads >= MOST {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let hold = self.hold;
        match threads::start(self.name, Box::new(move || work(&shared, hold))) {
            Ok(_) => {
                state.threads += 1;
                state.idle += 1;
                state.refused = None;
            }
            Err(error) => state.refused = Some(error.to_string()),
        }
    }

    /// What is known of a question, by its position.
    #[must_use]
    pub fn answer(&self, at: usize) -> Answer<T> {
        let state = self.shared.state();
        let question = state.questions.get(at);
        let latest = question.and_then(|question| question.latest.as_ref());
        Answer {
            latest: latest.map(|reading| Reading {
                value: Arc::clone(&reading.value),
                taken: reading.taken,
            }),
            pending: question
                .and_then(|question| question.asked)
                .map(|asked| asked.elapsed()),
        }
    }

    /// Why a question has no thread: `None` where it has one, or needs none.
    #[must_use]
    pub fn lacks_thread(&self, at: usize) -> Option<String> {
        let state = self.shared.state();
        state.questions.get(at).filter(|found| found.is_queued())?;
        let all = || {
            let count = state.threads;
            format!("expected a thread to read it, found all {count} waiting for others")
        };
        let refused = state.refused.as_ref();
        Some(refused.map_or_else(all, |error| format!("no thread: {error}")))
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.work.notify_all();
    }
}

impl<T> State<T> {
    /// The question to be asked next.
    fn next(&self, hung_before: Option<Instant>) -> Option<usize> {
        let hangs = |other: &&Question<T>| other.has_begun_before(hung_before);
        let near = |question: &Question<T>| {
            let hanging = self.questions.iter().filter(hangs);
            let near = hanging.map(|other| in_common(&question.place, &other.place));
            near.max()
        };
        let queued = self.questions.iter().enumerate();
        let queued = queued.filter(|(_, question)| question.is_queued());
        // Of equals the first.
        queued
            .min_by_key(|(_, question)| near(question))
            .map(|(at, _)| at)
    }
}

/// How many bytes two paths begin with alike.
fn in_common(one: &Path, other: &Path) -> usize {
    let [one, other] = [one, other].map(|path| path.as_os_str().as_encoded_bytes());
    one.iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

fn work<T>(shared: &Shared<T>, hold: Duration) {
    let mut state = shared.state();
    while !state.stop {
        let hung_before = Instant::now().checked_sub(hold);
        let next = state.next(hung_before);
        let question = next.and_then(|at| state.questions.get_mut(at));
        let Some((question, mut ask)) = question.and_then(|found| {
            let ask = found.ask.take()?;
            Some((found, ask))
        }) else {
            // One waits for what comes next.
            if state.idle > 1 {
                break;
            }
            let woken = shared.work.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let begun = Instant::now();
        question.begun = Some(begun);
        state.idle -= 1;
        drop(state);
        let value = Arc::new(ask());
        state = shared.state();
        state.idle += 1;
        if let Some(question) = next.and_then(|at| state.questions.get_mut(at)) {
            let taken = Instant::now();
            question.ask = Some(ask);
            question.took = taken.saturating_duration_since(begun);
            question.latest = Some(Reading { value, taken });
            (question.asked, question.begun) = (None, None);
        }
        if !state.questions.iter().any(Question::is_queued) {
            shared.answers.notify_one();
        }
    }
    state.idle -= 1;
    state.threads -= 1;
}

#[cfg(test)]
mod tests;
