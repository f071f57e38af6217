//! Integration tests that need nothing but the crate itself and trees of files: one binary, one file for each kind of
//! claim.

mod architecture;
mod cases;
mod companion;
mod completions;
mod config;
mod dashboards;
mod fuzzed;
mod golden;
mod hostile;
mod http;
mod kinds;
mod manual;
mod readme;
mod rules;
mod sampler;
mod table;
mod tree;
mod view;
