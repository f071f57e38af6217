//! Waiting for descriptors (poll(2)) with a limit of time.

use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::Timespec;
use rustix::io::Errno;

/// No wait is longer; who wants more asks again.
const LONGEST: Duration = Duration::from_secs(3600);

/// Waits until one of them is ready or the time is over, and says how many are. Without a limit the wait has no end.
///
/// # Errors
/// What poll(2) says.
pub fn poll(polled: &mut [PollFd<'_>], limit: Option<Duration>) -> Result<usize, Errno> {
    let limit = limit.map(|limit| timespec(limit.min(LONGEST)));
    rustix::event::poll(polled, limit.as_ref())
}

#[cfg(not(all(target_env = "musl", target_arch = "mips")))]
fn timespec(limit: Duration) -> Timespec {
    Timespec {
        tv_sec: limit.as_secs() as _,
        tv_nsec: limit.subsec_nanos() as _,
    }
}

/// On 32-bit MIPS rustix hands its 64-bit seconds to musl's `ppoll` of old binaries, which reads two words of 32 bits:
/// seconds and nanoseconds. So both are put where it looks for them, in what rustix takes for the seconds. Otherwise no wait
/// would last at all on big-endian processors, and none its last fraction of a second on the others.
#[cfg(all(target_env = "musl", target_arch = "mips"))]
fn timespec(limit: Duration) -> Timespec {
    let seconds = limit.as_secs() as i64;
    let nanoseconds = i64::from(limit.subsec_nanos());
    let words = if cfg!(target_endian = "big") {
        seconds << 32 | nanoseconds
    } else {
        nanoseconds << 32 | seconds
    };
    Timespec {
        tv_sec: words,
        tv_nsec: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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
}
