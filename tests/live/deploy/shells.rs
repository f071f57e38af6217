//! The completions, by the shells themselves.

use std::process::Command;

use super::deploy;
use super::says;
use crate::running::installed;
use crate::support::skip;

/// Asks the function as bash does: with `=` as a word of its own.
const BASH: &str = r#"
compopt() { :; }
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
"$(complete -p weir | sed 's/.*-F \([^ ]*\) .*/\1/')"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn bash(words: &[&str]) -> Vec<String> {
    let script = deploy("completions/weir.bash");
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "-uc", BASH, "bash"])
        .arg(script)
        .arg("weir")
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = says(&mut shell);
    let lines = said.lines().filter(|line| !line.is_empty());
    lines.map(str::to_string).collect()
}

#[test]
fn bash_completes_names_and_values() {
    if !installed("bash") {
        return skip("bash is not installed");
    }
    assert_eq!(bash(&["--log."]), ["--log.level=", "--log.format="]);
    assert_eq!(bash(&["--companion", "--onc"]), ["--once"]);
    assert_eq!(bash(&["--no-collector.netc"]), ["--no-collector.netclass"]);
    let levels = ["debug", "info", "warn", "error"];
    for words in [
        &["--log.level", "="][..],
        &["--log.level", "=", ""],
        &["--log.level", ""],
    ] {
        assert_eq!(bash(words), levels, "{words:?}");
    }
    assert_eq!(bash(&["--log.level", "=", "d"]), ["debug"]);
    assert_eq!(bash(&["--log.level", "=", "debug", "--onc"]), ["--once"]);
    // Where COMP_WORDBREAKS has no `=`.
    assert_eq!(bash(&["--log.level=d"]), ["--log.level=debug"]);
    assert_eq!(
        bash(&["--config.file", "=", "deploy/we"]),
        ["deploy/weir.yml"]
    );
    assert_eq!(bash(&["--path.sysfs", "deploy/m"]), ["deploy/man"]);
    assert_eq!(bash(&["--web.listen-address", "=", ""]), [""; 0]);
    // Switches take no value: what follows is another flag.
    assert!(bash(&["--once", ""]).len() > 100);
}

#[test]
fn fish_completes_names_and_values() {
    if !installed("fish") {
        return skip("fish is not installed");
    }
    let script = deploy("completions/weir.fish");
    let fish = |line: &str| {
        let mut shell = Command::new("fish");
        shell
            .args(["--no-config", "-c"])
            .arg("source $argv[1]; complete -C $argv[2]")
            .arg(&script)
            .arg(line)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let said = says(&mut shell);
        let name = |line: &str| line.split('\t').next().unwrap().to_string();
        said.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(
        fish("weir --log.level="),
        ["debug", "error", "info", "warn"].map(|word| format!("--log.level={word}"))
    );
    assert_eq!(fish("weir --log.level d"), ["debug"]);
    assert_eq!(
        fish("weir --no-collector.netc"),
        ["--no-collector.netclass"]
    );
    assert_eq!(fish("weir --onc"), ["--once"]);
    assert_eq!(
        fish("weir --config.file=deploy/we"),
        ["--config.file=deploy/weir.yml"]
    );
    // No files where there is nothing to name.
    assert_eq!(fish("weir deploy/we"), [""; 0]);
}

/// Types a line and a tab into a shell on a terminal, and reads until what it should become was shown.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "unset zle_bracketed_paste; PS1=; fpath=(${1:h} \$fpath); autoload -Uz compinit; compinit -u -D; print rea''dy"
zpty -r shell shown '*ready*'
zpty -w -n shell "$2"$'\t'
zpty -r shell shown "$3"
zpty -d shell
"#;

#[test]
fn zsh_completes_names_and_values() {
    if !installed("zsh") {
        return skip("zsh is not installed");
    }
    for (typed, shown) in [
        ("weir --log.level=de", "*de*bug*"),
        ("weir --no-collector.netc", "*netc*lass*"),
        ("weir --sockets.so", "*so*urce=*"),
        ("weir --once --config.f", "*f*ile=*"),
    ] {
        let mut shell = Command::new("timeout");
        shell
            .args(["60", "zsh", "-f", "-c", ZSH, "zsh"])
            .arg(deploy("completions/_weir"))
            .args([typed, shown])
            .env("TERM", "dumb");
        says(&mut shell);
    }
}
