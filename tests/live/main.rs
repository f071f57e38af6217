//! Against the running kernel, and against tools that nobody here wrote.

mod capture;
mod sockets;
mod support;
