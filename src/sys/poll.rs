//! poll(2) with a limit of time.
//!
//! rustix's own takes a `timespec`, and on 32-bit MIPS with musl hands its 64-bit seconds to the `ppoll` of old binaries, which
//! reads two words of 32 bits: no wait lasted on big-endian processors, and none its last fraction of a second on the others.
//! poll(2) takes milliseconds.

use std::time::Duration;

use rustix::event::PollFd;
use rustix::io::Errno;

// Both are `int fd; short events; short revents;`; rustix hands a slice of them to the kernel just so.
const _: () = assert!(size_of::<PollFd<'_>>() == size_of::<libc::pollfd>());
const _: () = assert!(align_of::<PollFd<'_>>() == align_of::<libc::pollfd>());

/// Waits until one of them is ready or the time is over, and says how many are. Without a limit the wait has no end; a fraction
/// of a millisecond is rounded up, so that nobody comes back a moment too early again and again.
///
/// # Errors
/// What poll(2) says.
pub fn poll(polled: &mut [PollFd<'_>], limit: Option<Duration>) -> Result<usize, Errno> {
    let milliseconds = limit.map_or(-1, |limit| {
        let whole = limit.as_nanos().div_ceil(1_000_000);
        libc::c_int::try_from(whole).unwrap_or(libc::c_int::MAX)
    });
    let count = libc::nfds_t::try_from(polled.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the pointer and the count are a slice's, whose elements are laid out as poll(2) has them (above), are borrowed for
    // the call, and hold descriptors that stay open as long; the kernel writes `revents` only.
    let ready = unsafe { libc::poll(polled.as_mut_ptr().cast(), count, milliseconds) };
    usize::try_from(ready).map_err(|_| super::last_errno())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use rustix::event::PollFlags;

    use super::*;

    #[test]
    fn a_wait_lasts_as_long_as_it_should() {
        for milliseconds in [0, 30, 1030] {
            let limit = Duration::from_millis(milliseconds);
            let begun = Instant::now();
            assert_eq!(poll(&mut [], Some(limit)), Ok(0));
            let waited = begun.elapsed();
            assert!(waited >= limit, "{waited:?} for {limit:?}");
            assert!(waited < limit + Duration::from_secs(20), "{waited:?}");
        }
    }

    #[test]
    fn who_is_ready_is_told() {
        let (near, mut far) = UnixStream::pair().expect("a pair");
        let (idle, _other) = UnixStream::pair().expect("a pair");
        far.write_all(b"x").expect("written");
        let mut polled = [
            PollFd::new(&idle, PollFlags::IN),
            PollFd::new(&near, PollFlags::IN),
        ];
        assert_eq!(poll(&mut polled, None), Ok(1));
        let [idle, near] = polled.map(|one| one.revents());
        assert_eq!((idle, near), (PollFlags::empty(), PollFlags::IN));
    }
}
