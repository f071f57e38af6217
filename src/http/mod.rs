//! HTTP: one thread, everything bounded.
