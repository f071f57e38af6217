//! FIFOs (fifo(7)) that a program writes when somebody reads: opened without waiting, and waited for no longer than is said.
//! Only a thread that may wait should do so.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Cause;
use super::FileError;
use super::READ;

/// How much is read at once: what the kernel keeps in a pipe.
const PIECE: usize = 64 << 10;

/// Whether a path leads to a FIFO. It is not opened.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Reads what is written until the last writer closes the FIFO, at most `limit` bytes, for `patience` in all.
///
/// # Errors
/// When it is no FIFO or cannot be read, nobody writes, what is written does not end, or is too large.
pub fn read(path: &Path, limit: usize, patience: Duration) -> Result<Vec<u8>, FileError> {
    let end = Instant::now() + patience;
    let failed = |cause| FileError {
        path: path.display().to_string(),
        cause,
    };
    let io = |errno| failed(Cause::Io(errno));
    let file = rustix::fs::open(path, READ | OFlags::NOCTTY, Mode::empty()).map_err(io)?;
    let found = rustix::fs::fstat(&file).map_err(io)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Fifo {
        return Err(failed(Cause::NotRegular));
    }
    let mut bytes = Vec::new();
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        let mut wait = [PollFd::new(&file, PollFlags::IN)];
        // Until the first writer has come, the kernel tells nothing, not even that there is none.
        let ready = match crate::sys::poll(&mut wait, Some(rest)) {
            Ok(ready) => ready > 0 && !rest.is_zero(),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(io(errno)),
        };
        if !ready {
            let cause = if bytes.is_empty() {
                Cause::NotWritten(patience)
            } else {
                Cause::NotEnded(patience)
            };
            return Err(failed(cause));
        }
        bytes.reserve(PIECE);
        match rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.len() > limit => return Err(failed(Cause::TooLarge(limit))),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(io(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;
    use std::thread;

    /// Far more than anything here takes.
    const LONG: Duration = Duration::from_secs(60);

    struct Fifo(PathBuf);

    impl Fifo {
        fn new(name: &str) -> Self {
            let name = format!("weir-{}-fifo-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_file(&path);
            let name = CString::new(path.as_os_str().as_bytes()).expect("no zero");
            let mode = Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, &name, FileType::Fifo, mode, 0).expect("a FIFO");
            Self(path)
        }

        /// Opens it for writing, which waits for a reader, and writes.
        fn writer(&self, text: &'static [u8]) -> thread::JoinHandle<fs::File> {
            let path = self.0.clone();
            thread::spawn(move || {
                let mut file = fs::File::options()
                    .write(true)
                    .open(path)
                    .expect("a reader");
                file.write_all(text).expect("written");
                file
            })
        }

        fn told(&self, limit: usize, patience: Duration) -> String {
            match read(&self.0, limit, patience) {
                Ok(bytes) => String::from_utf8(bytes).expect("text"),
                Err(error) => error
                    .to_string()
                    .replace(&format!("{}: ", self.0.display()), ""),
            }
        }
    }

    impl Drop for Fifo {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn what_a_writer_writes_and_closes_is_read() {
        let fifo = Fifo::new("whole");
        assert!(is_one(&fifo.0) && !is_one(Path::new("/proc/self/stat")));
        let writer = fifo.writer(b"1\n2\n");
        let read = thread::scope(|scope| {
            let reader = scope.spawn(|| fifo.told(4, LONG));
            drop(writer.join().expect("written"));
            reader.join().expect("read")
        });
        assert_eq!(read, "1\n2\n");
    }

    #[test]
    fn nobody_who_writes_no_end_and_too_much_are_errors() {
        let fifo = Fifo::new("errors");
        let short = Duration::from_millis(30);
        let nobody = "expected somebody to write within 30 ms, found nobody";
        assert_eq!(fifo.told(9, short), nobody);
        let writer = fifo.writer(b"1\n");
        // A reader that waits for the writer first, so that the next one finds it there.
        let waits = fs::File::open(&fifo.0).expect("a writer");
        let file = writer.join().expect("written");
        let endless = "expected an end within 30 ms, found none";
        assert_eq!(fifo.told(9, short), endless);
        drop(file);
        let writer = fifo.writer(b"12345");
        let file = writer.join().expect("written");
        assert_eq!(fifo.told(4, LONG), "expected at most 4 bytes, found more");
        drop((file, waits));
        assert!(read(Path::new("/proc/self/stat"), 9, short).is_err());
    }
}
