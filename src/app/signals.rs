//! What signals ask for: SIGTERM and SIGINT to stop, SIGHUP to read the configuration again.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;

use crate::http::Server;

/// Flags that signals set; a byte on a socket wakes the server's poll.
pub(super) struct Signals {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// A second signal to stop ends the program at once, should the first not. SIGHUP never ends it, also without a file
    /// to read again: it may be the end of the terminal that a background process was started from.
    pub(super) fn watch(server: &mut Server) -> io::Result<Self> {
        let signals = Self {
            stop: Arc::new(AtomicBool::new(false)),
            reload: Arc::new(AtomicBool::new(false)),
        };
        let (wake, woken) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        for signal in [SIGTERM, SIGINT] {
            let stop = &signals.stop;
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(stop))?;
            signal_hook::flag::register(signal, Arc::clone(stop))?;
        }
        signal_hook::flag::register(SIGHUP, Arc::clone(&signals.reload))?;
        // After the flags, so that whoever wakes finds them set.
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        server.wake_on(OwnedFd::from(woken));
        Ok(signals)
    }

    /// Whether to stop.
    pub(super) fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether to read the configuration again; several signals since this was last asked are one.
    pub(super) fn reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}
