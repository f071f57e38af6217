//! Parses the command line, runs, and sets the exit status: 0 ok, 1 a run-time error, 2 a wrong command line.

use std::io::Write;
use std::process::ExitCode;

use weir::app::RunError;
use weir::cli::Command;

fn main() -> ExitCode {
    match weir::cli::parse(std::env::args_os().skip(1).collect()) {
        Ok(Command::Print(text)) => match weir::app::print(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Ok(Command::Run(config)) => match weir::app::run(&config) {
            Ok(()) => ExitCode::SUCCESS,
            // A root that does not exist was named by a flag.
            Err(error @ RunError::Files(_)) => fail(&error, 2),
            Err(error) => fail(&error, 1),
        },
        Err(error) => fail(&error, 2),
    }
}

fn fail(error: &dyn std::error::Error, status: u8) -> ExitCode {
    // Not eprintln, which panics when standard error is closed.
    let _ = writeln!(std::io::stderr(), "weir: {error}");
    ExitCode::from(status)
}
