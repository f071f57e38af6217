//! The TC counters against `ip -s link` and between the two ends of veth pairs, attached in every way, killed, renamed,
//! and without the right to do any of it.

mod clsact;
mod counting;
mod events;
mod many;
mod refused;
pub(crate) mod setup;
mod transfer;
