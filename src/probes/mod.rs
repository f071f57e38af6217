//! What may block (name look-ups, files on a dead mount): a thread of its own at its own interval, and one slot with the
//! latest value and its age. The loop only ever reads the slot.
//!
//! A probe that hangs costs nothing but its thread: the slot keeps the last value, and its age grows, which is what the
//! collector that reads it exports. What is worth asking only when somebody wants to know is asked [`OnDemand`], and many such
//! questions share the threads of a [`Pool`].

mod on_demand;
mod pool;

use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crate::threads;

pub use self::on_demand::Answer;
pub use self::on_demand::OnDemand;
pub use self::on_demand::PATIENCE;
pub use self::on_demand::STUCK;
pub use self::pool::Ask;
pub use self::pool::Pool;

/// A value and when it was taken.
#[derive(Clone, Debug)]
pub struct Reading<T> {
    /// What the probe found.
    pub value: Arc<T>,
    /// When it found it.
    pub taken: Instant,
}

/// A thread that asks again and again. Dropping it tells the thread to stop, and does not wait for it.
pub struct Probe<T> {
    shared: Arc<Shared<T>>,
    thread: JoinHandle<()>,
}

struct Shared<T> {
    slot: Mutex<Slot<T>>,
    stopped: Condvar,
}

struct Slot<T> {
    latest: Option<Reading<T>>,
    stop: bool,
}

impl<T> Shared<T> {
    /// The slot is written in one assignment, so that a panic elsewhere cannot leave it half changed.
    fn slot(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync + 'static> Probe<T> {
    /// Starts the thread, which asks at once and then `interval` after each answer.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        name: &str,
        interval: Duration,
        mut ask: impl FnMut() -> T + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            slot: Mutex::new(Slot {
                latest: None,
                stop: false,
            }),
            stopped: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let work = Box::new(move || {
            loop {
                let value = Arc::new(ask());
                let mut slot = worker.slot();
                slot.latest = Some(Reading {
                    value,
                    taken: Instant::now(),
                });
                let rest = worker
                    .stopped
                    .wait_timeout_while(slot, interval, |slot| !slot.stop);
                if rest.unwrap_or_else(PoisonError::into_inner).0.stop {
                    return;
                }
            }
        });
        let thread = threads::start(name, work)?;
        Ok(Self { shared, thread })
    }

    /// The latest value, if there is one yet.
    #[must_use]
    pub fn latest(&self) -> Option<Reading<T>> {
        self.shared.slot().latest.as_ref().map(|reading| Reading {
            value: Arc::clone(&reading.value),
            taken: reading.taken,
        })
    }
}

impl<T> Probe<T> {
    /// Whether the thread is no more: what it asks panicked, and the slot will stay as it is.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl<T> Drop for Probe<T> {
    fn drop(&mut self) {
        self.shared.slot().stop = true;
        self.shared.stopped.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn the_slot_holds_the_latest_value_while_the_next_answer_hangs() {
        let (answer, answers) = mpsc::channel();
        let (asked, asks) = mpsc::channel();
        let probe = Probe::start("test", Duration::from_millis(1), move || {
            asked.send(()).expect("the test listens");
            answers.recv().unwrap_or(0)
        })
        .expect("a thread");
        asks.recv().expect("asked once");
        assert!(probe.latest().is_none());
        answer.send(7).expect("the probe listens");
        asks.recv()
            .expect("asked again, so the first answer is in the slot");
        let first = probe.latest().expect("a reading");
        assert_eq!(*first.value, 7);
        let again = probe.latest().expect("the same reading");
        assert_eq!(again.taken, first.taken);
    }

    #[test]
    fn a_panic_ends_the_thread_and_is_seen() {
        let (go, wait) = mpsc::channel::<()>();
        let probe = Probe::start("test", Duration::ZERO, move || {
            wait.recv().expect("the test said so");
        })
        .expect("a thread");
        assert!(!probe.has_ended());
        drop(go);
        let begun = Instant::now();
        while !probe.has_ended() && begun.elapsed() < Duration::from_secs(20) {
            thread::yield_now();
        }
        assert!(probe.has_ended());
    }

    #[test]
    fn dropping_it_stops_the_thread() {
        let (asked, asks) = mpsc::channel();
        let probe = Probe::start("test", Duration::from_secs(3600), move || asked.send(()))
            .expect("a thread");
        asks.recv().expect("asked once");
        drop(probe);
        assert!(
            asks.recv().is_err(),
            "the thread ended and dropped its sender"
        );
    }
}
