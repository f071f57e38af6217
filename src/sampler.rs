//! The tick: every `--collect.interval` the cheap counters are sampled, from which rates, maxima between scrapes and the
//! retransmission ratio come.

/// What the ticks have sampled so far.
#[derive(Default)]
pub struct Sampler {}
