//! Threads that live long, with a name and a small stack.

use std::io;
use std::thread;
use std::thread::JoinHandle;

/// Room for calls, in bytes: memory that is not touched is not taken.
const STACK: usize = 256 << 10;

/// Starts a thread. What starts threads is compiled once for each kind of work, and is large; boxed, there is one kind.
///
/// # Errors
/// When the system gives no thread.
pub fn start(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_string())
        .stack_size(STACK)
        .spawn(work)
}
