//! The configuration file as the program reads it: cases with their errors, the example, and which of file and command
//! line wins.

mod reread;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use weir::cli;
use weir::cli::Command;
use weir::config::Config;
use weir::config::yaml;

use crate::tree::Copy;
use crate::tree::entries;
use crate::tree::fixtures;
use crate::tree::golden;
use crate::tree::name;

fn parse(arguments: &[&str]) -> Result<Box<Config>, Vec<String>> {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    match cli::parse(&arguments) {
        Ok(Command::Run(config) | Command::Check(config)) => Ok(config),
        Ok(Command::Print(text)) => Err(vec![text]),
        Err(error) => Err(error.lines().to_vec()),
    }
}

/// What a file with this text gives besides these arguments; errors without the file's directory.
struct File(Copy);

impl File {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let copy = Copy::of_nothing();
        copy.write(Path::new("weir.yml"), text.as_ref());
        Self(copy)
    }

    fn with(&self, arguments: &[&str]) -> Result<Box<Config>, Vec<String>> {
        let flag = format!("--config.file={}/weir.yml", self.0.root.display());
        let all: Vec<_> = arguments.iter().copied().chain([flag.as_str()]).collect();
        let directory = format!("{}/", self.0.root.display());
        parse(&all).map_err(|lines| {
            lines
                .iter()
                .map(|line| line.replace(&directory, ""))
                .collect()
        })
    }
}

fn collectors(config: &Config) -> Vec<String> {
    let default = Config {
        collectors: parse(&[]).expect("no flags").collectors,
        ..Config::default()
    };
    let added = config.collectors.iter();
    let added = added.filter(|name| !default.collectors.contains(name));
    let removed = default.collectors.iter();
    let removed = removed.filter(|name| !config.collectors.contains(name));
    let added = added.map(|name| format!("collector.{name}: true"));
    added
        .chain(removed.map(|name| format!("collector.{name}: false")))
        .collect()
}

/// What a file says, in one spelling, or what is wrong with it.
fn report(file: &File, arguments: &[&str]) -> String {
    let config = match file.with(arguments) {
        Ok(config) => config,
        Err(lines) => return lines.join("\n") + "\n",
    };
    let mut text = String::new();
    for (flag, values) in &config.said {
        if *flag != "--config.file" && !arguments.iter().any(|other| other.starts_with(flag)) {
            let _ = writeln!(text, "{}: {values:?}", flag.trim_start_matches('-'));
        }
    }
    for line in collectors(&config) {
        let _ = writeln!(text, "{line}");
    }
    text
}

#[test]
fn each_case_gives_the_text_beside_it() {
    let mut wrong = Vec::new();
    let captured = format!("--path.procfs={}/hosts/no-ipv6/proc", fixtures().display());
    for case in entries(&fixtures().join("cases/config")) {
        let input = case.with_extension("");
        if case.extension().is_some_and(|end| end == "expected") {
            assert!(input.exists(), "{}: of no case", case.display());
            continue;
        }
        let file = File::new(fs::read(&case).expect("a case"));
        let arguments: &[&str] = match name(&case) {
            "contradiction.yml" => &[&captured],
            _ => &[],
        };
        let report = report(&file, arguments).replace(&captured, "--path.procfs=CAPTURED");
        for line in report.lines().filter(|line| line.starts_with("weir.yml")) {
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        let expected = format!("{}.expected", case.display());
        wrong.extend(golden(Path::new(&expected), &report).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_command_line_wins_flag_by_flag() {
    let file = File::new(
        "limit.devices: 5\ncollect.interval: 10s\nweb.listen-address: [\":1\", \":2\"]\n\
         collector.arp: false\ncollector.wifi: true\ncollector.disable-defaults: true\n",
    );
    let config = file
        .with(&[
            "--limit.devices=7",
            "--web.listen-address=:3",
            "--no-collector.wifi",
            "--collector.uname",
        ])
        .expect("sound");
    assert_eq!(config.limit_devices, 7);
    assert_eq!(config.interval.as_secs(), 10);
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, [":3"], "the places are not added up");
    assert_eq!(config.collectors, ["uname"]);
    // A default that is given is given.
    let config = file.with(&["--limit.devices=1000"]).expect("sound");
    assert_eq!(config.limit_devices, 1000);
}

#[test]
fn what_is_overridden_must_be_right_all_the_same() {
    let file = File::new("limit.devices: many\n");
    assert_eq!(
        file.with(&["--limit.devices=7"]).map(|_| ()),
        Err(vec![
            "weir.yml:1:16: limit.devices: expected a number from 1 to 1000000, found \"many\""
                .to_string()
        ])
    );
}

#[test]
fn the_error_is_the_flags_but_for_the_place() {
    for (key, value) in [
        ("limit.devices", "0"),
        ("collect.interval", "5"),
        ("log.level", "loud"),
        ("web.listen-address", "2112"),
        ("sockets.source", "magic"),
        ("collector.netdev.device-include", "("),
        ("path.procfs", "/"),
        ("collector.ipvs.backend-labels", "color"),
    ] {
        let of_file = File::new(format!("{key}: \"{value}\""))
            .with(&[])
            .map(|_| ());
        let of_line = parse(&[&format!("--{key}={value}")]).map(|_| ());
        let column = key.len() + 3;
        let wanted = of_line.map_err(|lines| {
            let rest = lines[0].strip_prefix("--").expect("the flag's name");
            vec![format!("weir.yml:1:{column}: {rest}")]
        });
        assert!(wanted.is_err());
        assert_eq!(of_file, wanted);
    }
}

#[test]
fn files_that_cannot_be_read() {
    let file = File::new("");
    let root = &file.0.root;
    let path = |name: &str| format!("{}/{name}", root.display());
    let error = |name: &str| parse(&[&format!("--config.file={}", path(name))]).map(|_| ());
    let told = |name: &str, why: &str| Err(vec![format!("--config.file: {}: {why}", path(name))]);
    let missing = error("none.yml").expect_err("refused");
    let begin = format!(
        "--config.file: {}: No such file or directory",
        path("none.yml")
    );
    assert!(missing[0].starts_with(&begin), "{missing:?}");
    fs::create_dir(root.join("directory.yml")).expect("made");
    assert_eq!(
        error("directory.yml"),
        told("directory.yml", "expected a regular file")
    );
    // Nobody writes into it: opening it must not wait.
    let fifo = rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo.yml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    );
    fifo.expect("made");
    assert_eq!(
        error("fifo.yml"),
        told("fifo.yml", "expected a regular file")
    );
    fs::write(root.join("large.yml"), vec![b'#'; yaml::LIMIT + 1]).expect("written");
    assert_eq!(
        error("large.yml"),
        told("large.yml", "expected at most 1048576 bytes, found more")
    );
    fs::write(root.join("fits.yml"), vec![b'#'; yaml::LIMIT]).expect("written");
    assert_eq!(error("fits.yml"), Ok(()));
    assert_eq!(
        parse(&["--config.file="]).map(|config| config.file.clone()),
        Ok(None)
    );
    // A link leads to the file, as configuration managers make them.
    std::os::unix::fs::symlink(root.join("fits.yml"), root.join("link.yml")).expect("made");
    assert_eq!(error("link.yml"), Ok(()));
}

/// Lines that begin with `#` and no space are settings, shown with their defaults.
fn shown_settings(text: &str) -> String {
    let shown = |line: &str| {
        let rest = line.strip_prefix('#')?;
        rest.starts_with(|first: char| first.is_ascii_lowercase())
            .then(|| format!("{rest}\n"))
    };
    text.lines().filter_map(shown).collect()
}

#[test]
fn the_example_is_sound_and_shows_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/weir.yml");
    let text = fs::read_to_string(path).expect("the example");
    assert_eq!(report(&File::new(&text), &[]), "", "it changes nothing");
    let settings = shown_settings(&text);
    assert!(settings.lines().count() > 30, "{settings}");
    let given = File::new(&settings).with(&[]);
    let mut given = given.unwrap_or_else(|lines| panic!("{}", lines.join("\n")));
    // An empty text is what most flags with no default are when they are not given.
    given
        .said
        .retain(|flag, values| *flag != "--config.file" && values != &[""]);
    assert!(given.said.is_empty(), "no defaults: {:?}", given.said);
    given.file = None;
    let without = parse(&[]).expect("no flags");
    let lines = |config: &Config| {
        format!("{config:#?}")
            .lines()
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    for (shown, real) in lines(&given).iter().zip(lines(&without)) {
        assert_eq!(*shown, real);
    }
}

/// Lines that stand in five spaces are an example that is no default.
#[test]
fn the_examples_section_is_sound() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/weir.yml");
    let text = fs::read_to_string(path).expect("the example");
    let example = text.lines().filter_map(|line| line.strip_prefix("#     "));
    let example: String = example.map(|line| format!("{line}\n")).collect();
    let given = File::new(example).with(&[]);
    let given = given.unwrap_or_else(|lines| panic!("{}", lines.join("\n")));
    assert_eq!(given.dhcp.servers.len(), 1);
    assert!(given.dhcp.per_lease);
    assert_eq!(given.dns.records.len(), 3);
    assert_eq!(given.sources.len(), 2);
}

#[test]
fn a_flag_replaces_what_it_is_about_of_a_section() {
    let file = File::new(
        "dhcp:\n  servers: [{leases: /a}, {leases: /b, name: b}]\n  pools: {lan: 10.0.0.0/24}\n  per-lease-limit: 7\n",
    );
    let config = file
        .with(&["--collector.dhcp.leases=kea:/c"])
        .expect("sound");
    let names: Vec<_> = config
        .dhcp
        .servers
        .iter()
        .map(|server| &server.name)
        .collect();
    assert_eq!(names, ["kea"]);
    assert_eq!(
        (config.dhcp.pools.len(), config.dhcp.per_lease_limit),
        (1, 7)
    );
}

/// The blocks of YAML in README and docs/ that are for weir, each with the page that it is in.
fn shown_blocks() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("docs");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut blocks = Vec::new();
    for page in pages.chain([root.join("README.md")]) {
        let text = fs::read_to_string(&page).expect("a page");
        for rest in text.split("```yaml\n").skip(1) {
            let (block, _) = rest.split_once("```").expect("the end of a block");
            // The others are for Prometheus, Kubernetes and Docker, and say so by their first key.
            let key = block.lines().find(|line| !line.starts_with('#'));
            let key = key.unwrap_or_default();
            let ours = ["dhcp", "dns", "sources"]
                .iter()
                .any(|section| key.strip_suffix(':') == Some(section));
            let flag = key
                .split_once(": ")
                .is_some_and(|(key, _)| key.contains('.'));
            if ours || flag {
                blocks.push((page.display().to_string(), block.to_string()));
            }
        }
    }
    blocks
}

#[test]
fn the_examples_in_the_documentation_are_sound() {
    let blocks = shown_blocks();
    assert!(blocks.len() >= 5, "{blocks:?}");
    for (page, block) in blocks {
        if block.contains("format: sqlite")
            && !block.contains("lease_rows")
            && !cfg!(feature = "sqlite")
        {
            continue;
        }
        // Its last source wants a weir with SQLite.
        let known = block.split("  - metric: lease_rows").next();
        let known = known.filter(|_| !cfg!(feature = "sqlite"));
        let given = File::new(known.unwrap_or(&block)).with(&[]);
        given.unwrap_or_else(|lines| panic!("{page}: {}", lines.join("\n")));
    }
}

#[test]
fn what_the_example_says_waits_for_a_restart_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/weir.yml");
    let text = fs::read_to_string(path).expect("the example");
    let mut marked: Vec<_> = text
        .lines()
        .filter(|line| line.contains("# (restart)"))
        .filter_map(|line| line.strip_prefix('#')?.split_once(':'))
        .map(|(key, _)| format!("--{key}"))
        .collect();
    marked.sort();
    let mut all: Vec<_> = cli::needs_restart().map(str::to_string).collect();
    all.sort();
    assert_eq!(marked, all);
}

/// The example and a file of everything, cut and garbled: an error that names a line, or a configuration.
#[test]
fn any_file_gives_a_configuration_or_places() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/weir.yml");
    let example = fs::read_to_string(path).expect("the example");
    let mut text = shown_settings(&example);
    text.push_str("textfile.output: /x\ncollector.textfile.directory: [a, b]\n");
    let file = File::new("");
    let check = |bytes: &[u8]| {
        file.0.write(Path::new("weir.yml"), bytes);
        if let Err(lines) = file.with(&[]) {
            for line in lines {
                let rest = line
                    .strip_prefix("weir.yml:")
                    .unwrap_or_else(|| panic!("{line}"));
                let number = rest.split(':').next().expect("one part at least");
                let number: usize = number.parse().unwrap_or(0);
                assert!(number > 0 || rest.starts_with(" and "), "{line}");
                assert!(
                    !line.contains(char::is_control) && line.len() < 600,
                    "{line:?}"
                );
            }
        }
    };
    let stride = 1 + text.len() / 300;
    for at in (0..text.len()).step_by(stride) {
        check(&text.as_bytes()[..at]);
        for byte in [b'\t', b'"', b'[', b':', 0xff] {
            let mut garbled = text.clone().into_bytes();
            garbled[at] = byte;
            check(&garbled);
        }
    }
}
