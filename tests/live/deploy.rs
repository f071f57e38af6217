//! What is under deploy/, by the tools that will read it on somebody's machine.

mod install;
mod manual;
mod shells;
mod systemd;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

/// A file below deploy/.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

/// Both outputs of a command that must succeed, as one text.
fn says(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn both(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(said).unwrap()
}
