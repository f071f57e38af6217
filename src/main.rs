//! Parses the command line, runs, and sets the exit status: 0 ok, 1 a run-time error, 2 a wrong command line or file.

use std::io::Write;
use std::process::ExitCode;

use weir::app::RunError;
use weir::cli::Command;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let result = match weir::cli::parse(&arguments) {
        Ok(Command::Print(text)) => weir::app::print(text.as_bytes()),
        Ok(Command::Check(config)) => weir::app::check(&config),
        Ok(Command::Run(config)) => weir::app::run(*config, arguments),
        Err(error) => return fail(error.lines(), 2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A root or a user that does not exist was named by a flag, or a sandbox was required that cannot be had.
        Err(error @ (RunError::Files(_) | RunError::Sandbox(_))) => fail(&[error.to_string()], 2),
        // And so was this file.
        Err(RunError::Web(error)) => fail(error.lines(), 2),
        Err(error) => fail(&[error.to_string()], 1),
    }
}

fn fail(lines: &[String], status: u8) -> ExitCode {
    for line in lines {
        // Not eprintln, which panics when standard error is closed.
        let _ = writeln!(std::io::stderr(), "weir: {line}");
    }
    ExitCode::from(status)
}
