//! Keeps the programs attached to the network interfaces: a thread of its own, since attaching waits.
//!
//! A TCX link (`tcx_link_attach` in the kernel's kernel/bpf/tcx.c) waits for an RCU grace period with the kernel's lock for
//! devices (RTNL) held, 8 to 15 ms for each direction. Whoever else needs that lock waits too, a scrape that lists the
//! devices among them, so the thread leaves the lock alone for twice as long as it had it. With clsact, for kernels before
//! 6.6, attaching takes no time at all.
//!
//! The thread shares with the loop what [`State`] has: which interfaces are counted, and why one is not. The lock around
//! it is held while that is copied and never during a system call, and the loop reads the counters from the programs' map
//! itself, so that a scrape never waits for the thread.
//!
//! When a TCX link is closed the program is detached: nothing is left of it when the process ends, however it ends. The
//! filters of clsact stay after a SIGKILL; see clsact.rs.

mod error;
mod interfaces;
mod worker;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::Resource;
use rustix::process::Rlimit;

use crate::config::Config;
use crate::config::DeviceFilter;
use crate::config::TcAttach;
use crate::threads;

use super::Programs;

pub use self::error::AttachError;

/// Open files that are left to connections and all else.
const OTHER_FILES: u64 = 512;

/// What the thread is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which interfaces are counted.
    pub devices: DeviceFilter,
    /// How many of them at most.
    pub limit: usize,
    /// How the programs are attached.
    pub attach: TcAttach,
    /// Whether the longer programs are loaded.
    pub protocols: bool,
    /// Whether others get the kernel's lock for devices between two interfaces.
    pub pauses: bool,
}

impl Settings {
    /// What the command line says.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            devices: config.tc_devices.clone(),
            limit: config.limit_devices,
            attach: config.tc_attach,
            protocols: config.tc_protocols,
            pauses: !config.once,
        }
    }
}

/// How the programs are held to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By TCX links, since Linux 6.6.
    Tcx,
    /// As filters of the discipline clsact.
    Clsact,
}

impl Method {
    /// As `--collector.tc.attach` names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

/// An interface that is to be counted.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its index.
    pub ifindex: u32,
    /// Its name as it is exported.
    pub name: Arc<str>,
    /// Whether the programs are attached.
    pub attached: bool,
    /// Why they could not be attached when that was last tried.
    pub error: Option<Arc<AttachError>>,
}

/// How things stand.
#[derive(Clone, Default)]
pub struct State {
    /// The programs and their map, once they are loaded.
    pub programs: Option<Arc<Programs>>,
    /// How they are attached, once the first one is.
    pub method: Option<Method>,
    /// The interfaces that are to be counted, by index.
    pub interfaces: Vec<Interface>,
    /// How many more there are than the limit allows.
    pub left_out: usize,
    /// Whether everything was tried that there is to try.
    pub settled: bool,
    error: Option<Arc<AttachError>>,
}

impl State {
    /// Whether packets are counted: the programs are loaded and attached to something, unless there is nothing to be
    /// attached to.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.error.is_none() && self.programs.is_some() && self.attached_as_wanted()
    }

    fn attached_as_wanted(&self) -> bool {
        let attached = self.interfaces.iter().any(|interface| interface.attached);
        attached || self.settled && self.interfaces.is_empty()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// Every change leaves the state whole, so that a panic elsewhere cannot leave it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

/// The thread. Dropping it detaches everything and waits until that is done.
pub struct Watch {
    shared: Arc<Shared>,
    /// The thread polls the other end, and ends when this one is closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts the thread. That it could not be started is found in [`Watch::state`].
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let shared = Arc::new(Shared::default());
        let (stop, thread) = match spawn(settings, Arc::clone(&shared)) {
            Ok((stop, thread)) => (Some(stop), Some(thread)),
            Err(error) => {
                let error = Some(Arc::new(AttachError::Thread(error)));
                shared.change(|state| state.error = error);
                (None, None)
            }
        };
        Self {
            shared,
            stop,
            thread,
        }
    }

    /// How things stand now.
    ///
    /// # Errors
    /// When nothing can be counted, with the reason.
    pub fn state(&self) -> Result<State, Arc<AttachError>> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return Err(Arc::new(AttachError::Ended));
        }
        let state = self.shared.state().clone();
        match &state.error {
            Some(error) => Err(Arc::clone(error)),
            None => Ok(state),
        }
    }

    /// Waits until everything was tried that there is to try, at most so long.
    pub fn settle(&self, limit: Duration) {
        let state = self.shared.state();
        let trying = |state: &mut State| !state.settled && state.error.is_none();
        drop(self.shared.changed.wait_timeout_while(state, limit, trying));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was logged when it happened.
            let _ = thread.join();
        }
    }
}

fn spawn(settings: Settings, shared: Arc<Shared>) -> io::Result<(UnixStream, JoinHandle<()>)> {
    let (stop, stopped) = UnixStream::pair()?;
    let work = Box::new(move || worker::run(settings, &shared, &stopped));
    let thread = threads::start("tc", work)?;
    Ok((stop, thread))
}

/// How many of so many interfaces the limit on open files allows, which is raised for them as far as this process may:
/// each is two links.
fn affordable(interfaces: usize) -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = (interfaces as u64).saturating_mul(2) + OTHER_FILES;
    let raised = Rlimit {
        current: Some(limit.maximum.map_or(wanted, |most| most.min(wanted))),
        ..limit
    };
    match limit.current {
        Some(now) if now < wanted => {
            let now = match rustix::process::setrlimit(Resource::Nofile, raised) {
                Ok(()) => raised.current.unwrap_or(now).max(now),
                Err(_) => now,
            };
            interfaces.min(within(now))
        }
        _ => interfaces,
    }
}

/// How many interfaces so many open files are enough for, when half of them, or what the rest of the program needs, is
/// left to others.
fn within(files: u64) -> usize {
    let links = files.saturating_sub(OTHER_FILES.min(files / 2));
    usize::try_from(links / 2).unwrap_or(usize::MAX)
}

/// Waits until the other end of `stop` is closed, `also` can be read, or the time is over, and says whether it was the
/// first.
fn wait(stop: &UnixStream, also: Option<&dyn AsFd>, limit: Option<Duration>) -> bool {
    let mut polled = vec![PollFd::new(stop, PollFlags::IN)];
    let also = also.map(AsFd::as_fd);
    polled.extend(also.as_ref().map(|also| PollFd::new(also, PollFlags::IN)));
    match crate::sys::poll(&mut polled, limit) {
        Ok(_) => polled
            .first()
            .is_some_and(|stop| !stop.revents().is_empty()),
        Err(Errno::INTR) => false,
        // ENOMEM: not a reason to spin.
        Err(_) => {
            thread::sleep(Duration::from_millis(100));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(thread: impl FnOnce() + Send + 'static) -> Watch {
        Watch {
            shared: Arc::default(),
            stop: None,
            thread: Some(thread::spawn(thread)),
        }
    }

    #[test]
    fn a_thread_that_ended_by_itself_is_told() {
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let watch = watch(move || {
            let _ = ends.recv();
        });
        assert!(watch.state().is_ok());
        drop(end);
        while !watch.thread.as_ref().unwrap().is_finished() {
            thread::yield_now();
        }
        let told = watch.state().err().map(|error| error.to_string());
        assert!(told.unwrap().contains("restart weir"));
    }

    #[test]
    fn up_is_attached_or_nothing_to_attach_to() {
        let interface = |attached| Interface {
            ifindex: 2,
            name: "eth0".into(),
            attached,
            error: None,
        };
        let up = |settled, interfaces: &[bool]| {
            let interfaces = interfaces.iter().copied().map(interface).collect();
            State {
                settled,
                interfaces,
                ..State::default()
            }
            .attached_as_wanted()
        };
        assert!(up(true, &[false, true]) && up(false, &[true]));
        assert!(up(true, &[]), "nothing is wanted");
        assert!(!up(false, &[]), "nothing is known yet");
        assert!(!up(true, &[false, false]));
        // Not loaded.
        assert!(!State::default().is_up());
    }

    #[test]
    fn settling_ends_with_the_last_try_with_an_error_and_with_patience() {
        let begin = std::time::Instant::now();
        let watch = watch(|| ());
        watch.settle(Duration::from_millis(1));
        watch.shared.change(|state| state.settled = true);
        watch.settle(Duration::from_secs(3600));
        watch.shared.change(|state| {
            state.settled = false;
            state.error = Some(Arc::new(AttachError::Ingress));
        });
        watch.settle(Duration::from_secs(3600));
        assert!(begin.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn links_take_at_most_the_open_files_that_others_leave() {
        assert_eq!([0, 1, 64, 1024, 4608].map(within), [0, 0, 16, 256, 2048]);
        // As many as this process has files for by far.
        assert_eq!(affordable(2), 2);
    }

    #[test]
    fn waiting_ends_when_the_other_end_is_closed() {
        let (held, polled) = UnixStream::pair().unwrap();
        assert!(!wait(&polled, None, Some(Duration::ZERO)));
        let (mut told, other) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut told, b"x").unwrap();
        assert!(!wait(&polled, Some(&other), None), "that was the other one");
        drop(held);
        assert!(wait(&polled, Some(&other), None));
        assert!(wait(&polled, None, None));
    }
}
