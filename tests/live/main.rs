//! Against the running kernel, and against tools that nobody here wrote.

mod capture;
mod client;
mod devices;
mod dhcp;
mod links;
mod mounts;
mod node_exporter;
mod process;
mod prometheus;
mod promql;
mod promtool;
mod running;
mod sockets;
mod sources;
mod support;
mod text;
mod textfile;
