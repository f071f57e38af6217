//! Parses the command line, runs, and sets the exit code: 0 ok, 1 a run-time error, 2 a usage error.

fn main() {}
