//! Processor time (clock_gettime(2)).
//!
//! rustix's own gives wrong numbers on 32-bit MIPS with musl: it reads two words of 32 bits as 64-bit seconds.

use std::time::Duration;

/// Whose time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All threads of this process, those too that have ended.
    Process,
    /// This thread.
    Thread,
}

/// The time that it has had of a processor, user and system.
#[must_use]
pub fn processor_time(whose: Whose) -> Duration {
    let clock = match whose {
        Whose::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
        Whose::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    // SAFETY: a timespec is numbers, for which zeros are good values.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one timespec, which is there for the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    debug_assert_eq!(result, 0, "these clocks are always there");
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_takes_time_and_sleep_does_not() {
        let begun = Instant::now();
        let before = [Whose::Process, Whose::Thread].map(processor_time);
        let mut sum = 0_u64;
        while processor_time(Whose::Thread) < before[1] + Duration::from_millis(20) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{before:?}");
            sum = std::hint::black_box(sum + 1);
        }
        let [process, thread] = [Whose::Process, Whose::Thread].map(processor_time);
        assert!(process >= before[0] + Duration::from_millis(19));
        assert!(thread <= process, "{thread:?} of {process:?}");
        // A test's whole process is minutes at most.
        assert!(process < Duration::from_secs(86_400), "{process:?}");
        let before = processor_time(Whose::Thread);
        std::thread::sleep(Duration::from_millis(200));
        let slept = processor_time(Whose::Thread).saturating_sub(before);
        assert!(slept < Duration::from_millis(150), "{slept:?}");
    }
}
