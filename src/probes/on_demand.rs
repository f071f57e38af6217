//! A question that is asked when it is worth asking, by a thread of its own: how full a network mount is, when somebody
//! scrapes; what stands in a directory that may be on one.
//!
//! The loop waits [`PATIENCE`] for the answer, which is long for everything that works, and no more than that ever: it does
//! not wait at all for a question that was asked before and hangs, nor where the last answer took longer. There is one
//! question at a time, so that what hangs costs one thread, however often it is asked.

use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use super::Reading;
use crate::threads;

/// How long the loop waits for answers: all that one collector asks for in one scrape together.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// A question without an answer for that long hangs: node_exporter's limit for mounts.
pub const STUCK: Duration = Duration::from_secs(5);

/// An answer older than that is no longer worth telling: Prometheus' own limit.
const OLD: Duration = Duration::from_secs(300);

/// A thread that asks when it is told to. Dropping it tells the thread to stop, and does not wait for it.
pub struct OnDemand<T> {
    shared: Arc<Shared<T>>,
}

/// What is known of a question.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    pub(super) latest: Option<Reading<T>>,
    /// Since when the question has had no answer.
    pub(super) pending: Option<Duration>,
}

impl<T> Answer<T> {
    /// The latest value: that of this question where it has been answered, else of an earlier one, unless that is old.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        let young = |reading: &&Reading<T>| reading.taken.elapsed() <= OLD;
        let latest = self.latest.as_ref().filter(young);
        latest.map(|reading| &*reading.value)
    }

    /// Whether the question hangs.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.pending.is_some_and(|pending| pending >= STUCK)
    }
}

struct Shared<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
}

struct Slot<T> {
    latest: Option<Reading<T>>,
    /// When the question was asked that has no answer yet.
    asked: Option<Instant>,
    /// Whether the answer is worth waiting for.
    patient: bool,
    /// How long the last answer took.
    took: Duration,
    stop: bool,
}

impl<T> Shared<T> {
    /// Nothing that can panic runs while the slot is held.
    fn slot(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync + 'static> OnDemand<T> {
    /// Starts the thread, which waits for the first question.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &str, mut ask: impl FnMut() -> T + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            slot: Mutex::new(Slot {
                latest: None,
                asked: None,
                patient: false,
                took: Duration::ZERO,
                stop: false,
            }),
            changed: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let work = Box::new(move || {
            while let Some(asked) = worker.question() {
                let value = Arc::new(ask());
                worker.answer(value, asked);
            }
        });
        threads::start(name, work)?;
        Ok(Self { shared })
    }

    /// Asks, unless an earlier question has no answer yet.
    pub fn ask(&self) {
        let mut slot = self.shared.slot();
        slot.patient = slot.asked.is_none() && slot.took <= PATIENCE;
        if slot.asked.is_none() {
            slot.asked = Some(Instant::now());
            drop(slot);
            self.shared.changed.notify_all();
        }
    }

    /// What there is to tell at `until` at the latest: at once, where there is nothing worth waiting for.
    #[must_use]
    pub fn answer(&self, until: Instant) -> Answer<T> {
        let slot = self.shared.slot();
        let rest = until.saturating_duration_since(Instant::now());
        let waited = self
            .shared
            .changed
            .wait_timeout_while(slot, rest, |slot| slot.patient && slot.asked.is_some());
        let mut slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        slot.patient = false;
        Answer {
            latest: slot.latest.as_ref().map(|reading| Reading {
                value: Arc::clone(&reading.value),
                taken: reading.taken,
            }),
            pending: slot.asked.map(|asked| asked.elapsed()),
        }
    }
}

impl<T> Shared<T> {
    /// The thread's wait for a question; `None` when it is to end.
    fn question(&self) -> Option<Instant> {
        let idle = |slot: &mut Slot<T>| !slot.stop && slot.asked.is_none();
        let woken = self.changed.wait_while(self.slot(), idle);
        let slot = woken.unwrap_or_else(PoisonError::into_inner);
        slot.asked.filter(|_| !slot.stop)
    }

    fn answer(&self, value: Arc<T>, asked: Instant) {
        let mut slot = self.slot();
        let taken = Instant::now();
        slot.took = taken.saturating_duration_since(asked);
        slot.latest = Some(Reading { value, taken });
        slot.asked = None;
        drop(slot);
        self.changed.notify_all();
    }
}

impl<T> Drop for OnDemand<T> {
    fn drop(&mut self) {
        self.shared.slot().stop = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    /// Longer than anything takes on a busy machine.
    const LONG: Duration = Duration::from_secs(60);

    /// A thread that tells when it is asked, and answers what it is given.
    fn scripted() -> (OnDemand<u32>, mpsc::Receiver<()>, mpsc::Sender<u32>) {
        let (answer, answers) = mpsc::channel();
        let (asked, asks) = mpsc::channel();
        let on_demand = OnDemand::start("test", move || {
            // The test may be over.
            let _ = asked.send(());
            answers.recv().unwrap_or(0)
        });
        (on_demand.expect("a thread"), asks, answer)
    }

    fn now(on_demand: &OnDemand<u32>) -> Answer<u32> {
        on_demand.answer(Instant::now())
    }

    #[test]
    fn an_answer_is_waited_for() {
        let (on_demand, asks, answer) = scripted();
        assert!(now(&on_demand).value().is_none(), "nobody asked");
        for value in [7, 8] {
            answer.send(value).expect("the thread listens");
            on_demand.shared.slot().took = Duration::ZERO;
            on_demand.ask();
            let answer = on_demand.answer(Instant::now() + LONG);
            assert_eq!((answer.value(), answer.pending), (Some(&value), None));
            asks.recv().expect("asked once for each question");
        }
    }

    #[test]
    fn what_hangs_is_asked_once_and_never_waited_for_again() {
        let (on_demand, asks, answer) = scripted();
        answer.send(7).expect("the thread listens");
        on_demand.ask();
        assert_eq!(on_demand.answer(Instant::now() + LONG).value(), Some(&7));
        asks.recv().expect("asked");
        on_demand.shared.slot().took = Duration::ZERO;
        on_demand.ask();
        asks.recv().expect("asked again, and now it hangs");
        let first = on_demand.answer(Instant::now() + Duration::from_millis(1));
        assert!(first.pending.is_some() && first.value() == Some(&7));
        for _ in 0..3 {
            on_demand.ask();
            let begun = Instant::now();
            let answer = on_demand.answer(begun + LONG);
            assert!(begun.elapsed() < LONG / 2, "waited");
            assert_eq!(answer.value(), Some(&7), "the value before");
        }
        assert!(asks.try_recv().is_err(), "asked again while it hung");
        answer.send(9).expect("the thread listens");
        let begun = Instant::now();
        while now(&on_demand).pending.is_some() && begun.elapsed() < LONG {
            thread::yield_now();
        }
        assert_eq!(now(&on_demand).value(), Some(&9), "it came back");
    }

    #[test]
    fn a_slow_answer_is_told_at_the_next_question_without_waiting() {
        let (on_demand, asks, answer) = scripted();
        answer.send(7).expect("the thread listens");
        on_demand.ask();
        assert_eq!(on_demand.answer(Instant::now() + LONG).value(), Some(&7));
        asks.recv().expect("asked");
        on_demand.shared.slot().took = PATIENCE + Duration::from_millis(1);
        on_demand.ask();
        let begun = Instant::now();
        assert_eq!(on_demand.answer(begun + LONG).value(), Some(&7));
        assert!(begun.elapsed() < LONG / 2, "waited");
    }

    #[test]
    fn stuck_and_old_are_told_from_the_time_that_passed() {
        let reading = |age| Reading {
            value: Arc::new(7),
            taken: Instant::now().checked_sub(age).unwrap_or_else(Instant::now),
        };
        let answer = |pending| Answer {
            latest: Some(reading(Duration::ZERO)),
            pending,
        };
        assert!(answer(Some(STUCK)).is_stuck());
        assert!(!answer(Some(STUCK / 2)).is_stuck() && !answer(None).is_stuck());
        assert_eq!(answer(Some(STUCK)).value(), Some(&7));
        // A machine that has just been started has no instant as old as that.
        if Instant::now().checked_sub(OLD * 2).is_some() {
            let old = Answer {
                latest: Some(reading(OLD * 2)),
                pending: None,
            };
            assert_eq!(old.value(), None);
        }
    }

    #[test]
    fn dropping_it_stops_the_thread() {
        let (on_demand, asks, _answer) = scripted();
        drop(on_demand);
        assert!(
            asks.recv().is_err(),
            "the thread ended and dropped its sender"
        );
    }
}
