//! Integration tests that need nothing but the crate itself and small trees of files.

mod readme;
mod sampler;
