//! Against the running kernel, and against tools that nobody here wrote.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it finds something else than it expects"
)]

mod capture;
