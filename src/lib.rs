//! weir measures a Linux machine's network and serves it to Prometheus and to a browser.
//!
//! A scrape goes from [`http`] through [`app`] to [`scrape`], which runs the [`collectors`]; they read kernel files through
//! [`files`] and [`parse`], the TCP sockets through [`sockets`], the devices through [`links`], and write into a [`metric::Batch`] that [`exposition`]
//! turns into text, and [`view`] into the page. [`textfile`] keeps the same text in a file for node_exporter. Everything happens in one thread, but for
//! what may block, which [`probes`] and [`tc`] do in threads of their own, and what is measured in other network namespaces
//! ([`netns`]): a helper goes there, and the one thread waits for it. [`tc`] has the programs that count packets in the kernel
//! itself, which [`sys`] gives to it. Before any of that, [`sandbox`] gives up the rights that nothing here needs.

#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "nothing that is read may end the program; tests are excepted in .clippy.toml"
)]

pub mod app;
pub mod cidr;
pub mod cli;
pub mod collectors;
pub mod config;
#[cfg(feature = "sqlite")]
pub mod database;
pub mod devices;
pub mod dns;
pub mod exposition;
pub mod files;
pub mod hosts;
pub mod http;
pub mod instruments;
pub mod leases;
pub mod links;
pub mod log;
pub mod metric;
pub mod netlink;
pub mod netns;
pub mod nl80211;
pub mod parse;
pub mod probes;
pub mod process;
pub mod rfc3339;
pub mod rtnetlink;
pub mod sampler;
pub mod sandbox;
pub mod scrape;
pub mod seldom;
pub mod sockets;
pub mod sys;
pub mod tc;
pub mod textfile;
pub mod threads;
pub mod view;
