//! Against the running kernel, and against tools that nobody here wrote.

mod addresses;
#[path = "../it/dashboards/boards.rs"]
mod boards;
mod capture;
mod client;
mod connections;
mod dashboards;
mod dead;
mod deploy;
mod devices;
mod dhcp;
mod dns;
mod hanging;
mod kinds;
mod links;
mod mounts;
mod netns;
mod node_exporter;
mod page;
mod process;
mod prometheus;
mod promql;
mod promtool;
mod running;
mod sandbox;
#[path = "../it/dashboards/promql.rs"]
mod selectors;
mod soak;
mod sockets;
mod sources;
mod support;
mod tc;
mod tc_programs;
mod text;
mod textfile;
mod textfile_output;
#[cfg(feature = "tls")]
mod tls;
