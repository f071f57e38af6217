//! Tests of the command line.

mod collectors;

use std::os::unix::ffi::OsStringExt;

use super::*;

fn run(arguments: &[&str]) -> Result<Box<Config>, String> {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    match parse(&arguments) {
        Ok(Command::Run(config) | Command::Check(config)) => Ok(config),
        Ok(Command::Print(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    }
}

fn error(arguments: &[&str]) -> String {
    run(arguments).map(|_| ()).expect_err("refused")
}

#[test]
fn the_table_is_sound() {
    let mut names: Vec<_> = flags().map(|flag| flag.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), flags().count());
    for flag in flags() {
        assert!(
            flag.name.starts_with("--") && flag.help.ends_with('.'),
            "{}",
            flag.name
        );
        assert_eq!(
            flag.value.is_empty(),
            matches!(flag.set, Set::Switch(_) | Set::Asked),
            "{}",
            flag.name
        );
    }
}

#[test]
fn the_shown_defaults_are_the_real_ones() {
    for flag in flags().filter(|flag| !flag.default.is_empty()) {
        let given = run(&[flag.name, flag.default]).expect("a valid default");
        assert_eq!(
            format!("{given:?}"),
            format!("{:?}", run(&[]).expect("no flags")),
            "{}",
            flag.name
        );
    }
}

#[test]
fn both_spellings_and_empty_values() {
    for arguments in [
        &["--web.telemetry-path=/m=1"][..],
        &["--web.telemetry-path", "/m=1"],
    ] {
        assert_eq!(run(arguments).expect("valid").telemetry_path, "/m=1");
    }
    assert!(
        run(&["--collector.netdev.device-exclude="])
            .expect("valid")
            .netdev_devices
            .exclude
            .is_none()
    );
    assert!(
        run(&["--web.cors-origin="])
            .expect("valid")
            .cors_origin
            .is_none()
    );
    assert_eq!(
        run(&["--web.cors-origin=\"x\""])
            .expect("valid")
            .cors_origin
            .as_deref(),
        Some("\"x\"")
    );
}

#[test]
fn kinds_of_devices_are_words_with_commas_between() {
    let kinds = |text: &str| {
        let flag = format!("--devices.exclude-kinds={text}");
        let kinds = run(&[&flag]).expect("valid").excluded_kinds;
        (kinds.veth, kinds.bridge_port)
    };
    assert_eq!(kinds(""), (false, false));
    assert_eq!(kinds("veth"), (true, false));
    assert_eq!(kinds("bridge-port"), (false, true));
    assert_eq!(kinds("bridge-port,veth,veth"), (true, true));
    for bad in ["tun", "veth,", "veth bridge-port", "Veth", ","] {
        assert_eq!(
            error(&["--devices.exclude-kinds", bad]),
            format!(
                "--devices.exclude-kinds: expected veth, bridge-port or veth,bridge-port, found {bad:?}"
            )
        );
    }
}

#[test]
fn several_places_to_listen_and_none() {
    let listen = run(&["--web.listen-address=:1", "--web.listen-address", "[::1]:2"])
        .expect("valid")
        .listen
        .clone();
    assert_eq!(
        listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [":1", "[::1]:2"]
    );
}

#[test]
fn without_a_server_there_is_a_file_or_one_page() {
    let none = "--web.listen-address=";
    assert_eq!(
        error(&[none]),
        "--web.listen-address: expected an address where neither --textfile.output nor --once is given, found \"\""
    );
    assert_eq!(error(&[none, "--textfile.output="]), error(&[none]));
    assert_eq!(error(&[none, "--textfile.interval=1m"]), error(&[none]));
    assert!(error(&[none, "--web.listen-address=:1"]).ends_with("found \"\""));
    for with in ["--textfile.output=/x", "--once"] {
        assert!(run(&[none, with]).expect("valid").listen.is_empty());
    }
    let both = run(&["--textfile.output", "/not/there"]).expect("it may be mounted later");
    assert_eq!(both.textfile_output, Some("/not/there".into()));
    assert!(!both.listen.is_empty());
    assert_eq!(
        error(&["--textfile.output"]),
        "--textfile.output: expected DIR, found nothing"
    );
    let file = "--textfile.output=/x";
    for (bad, expected) in [
        (
            "0s",
            "a duration such as 500ms, 15s or 1m30s, more than 0 and at most 24h",
        ),
        (
            "15",
            "a duration such as 500ms, 15s or 1m30s, more than 0 and at most 24h",
        ),
        ("99ms", "at least 100ms"),
    ] {
        assert_eq!(
            error(&[file, "--textfile.interval", bad]),
            format!("--textfile.interval: expected {expected}, found {bad:?}")
        );
    }
}

#[test]
fn an_error_names_flag_rule_and_finding() {
    assert_eq!(
        error(&["--nonesuch"]),
        "--nonesuch: unknown; weir --help lists the flags"
    );
    assert_eq!(
        error(&["serve"]),
        "serve: unknown; weir --help lists the flags"
    );
    assert_eq!(
        error(&[
            "--sockets.source=netlink",
            "--path.procfs=/proc/self/root/proc"
        ]),
        "--sockets.source: expected auto or proc with --path.procfs=/proc/self/root/proc, which is read as files only, \
         found \"netlink\""
    );
    assert_eq!(
        error(&["--path.procfs=/"]),
        "--path.procfs: expected a procfs, with net/dev or 1/net/dev in it, found \"/\""
    );
    assert_eq!(
        error(&["--web.telemetry-path=/health"]),
        "--web.telemetry-path: expected a path that is not taken, found \"/health\""
    );
    let bytes = parse(&[OsString::from_vec(b"--log.level=\xff".to_vec())]);
    assert_eq!(
        bytes.map(|_| ()).map_err(|error| error.to_string()),
        Err("--log.level: expected UTF-8".to_string())
    );
    assert!(run(&["--once", "--once"]).expect("the same twice").once);
    assert_eq!(error(&["--once=yes"]), "--once: takes no value");
    assert_eq!(
        error(&["--log.level"]),
        "--log.level: expected LEVEL, found nothing"
    );
    assert_eq!(
        error(&["--log.level=loud"]),
        "--log.level: expected debug, info, warn or error, found \"loud\""
    );
    assert_eq!(
        error(&["--log.level=info", "--log.level=warn"]),
        "--log.level: expected once, found \"info\" and \"warn\""
    );
    assert_eq!(
        error(&["--web.max-connections=+5"]),
        "--web.max-connections: expected a number from 4 to 65536, found \"+5\""
    );
    assert!(error(&["--web.listen-address=2112"]).starts_with("--web.listen-address: expected"));
    assert!(
        error(&["--web.listen-address", "--once"]).starts_with("--web.listen-address: expected")
    );
    let regexp = error(&["--collector.netdev.device-include=("]);
    assert!(
        regexp.starts_with(
            "--collector.netdev.device-include: expected a regular expression, found \"(\""
        ) && !regexp.contains('\n')
    );
}

#[test]
fn help_and_version_are_printed() {
    assert!(error(&["--help"]).contains("--web.listen-address ADDRESS"));
    assert!(error(&["-h"]).contains("Usage: weir"));
    assert!(error(&["--version"]).starts_with(&format!("weir {VERSION_NUMBER} (commit ")));
}

#[test]
fn network_namespaces_are_all_or_names() {
    use crate::config::Netns;
    assert_eq!(run(&[]).expect("no flags").netns, Netns::Own);
    assert_eq!(run(&["--netns", "all"]).expect("valid").netns, Netns::All);
    let named = Netns::Named(vec!["red".to_string(), "blue".to_string()]);
    assert_eq!(run(&["--netns=red,blue"]).expect("valid").netns, named);
    assert_eq!(
        error(&["--netns="]),
        "--netns: expected all, or names separated by commas, found \"\""
    );
    assert_eq!(
        error(&["--netns=all,red"]),
        "--netns: expected all without other names, or names separated by commas, found \"all,red\""
    );
    assert!(error(&["--netns", "a", "--netns", "b"]).contains("expected once"));
    assert!(error(&["--limit.netns=0"]).contains("a number from 1 to 10000"));
}
