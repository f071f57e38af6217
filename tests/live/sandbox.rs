//! What weir gives up, as the kernel sees it; and that everything works all the same: `--sandbox=require` against `off`.

mod features;
mod parts;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::success;
use crate::running::unique;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

const ERROR: &str = "configuration needs more than the sandbox allows";

/// Whether this test may run: landlock restricts the tests' own rights no more than weir's.
fn able() -> bool {
    let root = rustix::process::geteuid().is_root();
    let landlock = weir::sys::landlock::Ruleset::new();
    if !root {
        skip("only root has rights to give up");
    } else if let Err(errno) = &landlock {
        skip(&format!("this kernel has no landlock: {errno}"));
    }
    root && landlock.is_ok()
}

fn namespace() -> Option<Namespace> {
    match Namespace::new() {
        Ok(namespace) => Some(namespace),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

/// A weir that listens inside.
struct Inside<'n> {
    weir: Weir,
    namespace: &'n Namespace,
}

impl<'n> Inside<'n> {
    fn start(namespace: &'n Namespace, arguments: &[&str]) -> Self {
        let mut command = namespace.command(WEIR);
        command.arg("--web.listen-address=127.0.0.1:0");
        let weir = Weir::launch(command.args(arguments));
        Self { weir, namespace }
    }

    fn scrape(&self) -> Page {
        let mut client = self.namespace.connect(&self.weir.address).unwrap();
        let answer = client.get("/metrics", "").unwrap();
        let text = answer.text().unwrap();
        Page::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}

/// What a field of `/proc/PID/task/TID/status` says of each thread.
fn of_threads(weir: &Weir, field: &str) -> BTreeSet<String> {
    let tasks = format!("/proc/{}/task", weir.process.0.id());
    let mut found = BTreeSet::new();
    for task in fs::read_dir(tasks).unwrap() {
        // It may have ended.
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else {
            continue;
        };
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        found.insert(line.unwrap().trim_start_matches(':').trim().to_string());
    }
    found
}

fn threads(weir: &Weir) -> usize {
    let tasks = format!("/proc/{}/task", weir.process.0.id());
    fs::read_dir(tasks).unwrap().count()
}

fn all(text: &str) -> BTreeSet<String> {
    BTreeSet::from([text.to_string()])
}

/// A file outside of what weir may read by default.
struct Outside(PathBuf);

impl Outside {
    fn new(content: &str) -> Option<Self> {
        let places = ["/root", "/home", "/opt", "/srv"].map(Path::new);
        let made = places.iter().find_map(|place| {
            let path = place.join(unique());
            fs::write(&path, content).ok().map(|()| path)
        });
        if made.is_none() {
            skip("none of /root, /home, /opt and /srv can be written");
        }
        made.map(Self)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The families of one page and the collectors that did not succeed.
fn once(namespace: &Namespace, arguments: &[&str]) -> (BTreeSet<String>, Vec<String>) {
    let output = namespace
        .command(WEIR)
        .arg("--once")
        .args(arguments)
        .output();
    let text = String::from_utf8(success(output.unwrap(), WEIR)).unwrap();
    let page = Page::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let names = page.families.keys().cloned().collect();
    let failed = text
        .lines()
        .filter(|line| line.starts_with("node_scrape_collector_success{") && line.ends_with(" 0"));
    (names, failed.map(str::to_string).collect())
}

#[test]
fn every_collector_that_needs_no_settings_tells_the_same() {
    if !able() {
        return;
    }
    let Some(namespace) = namespace() else { return };
    let collectors = ["", "--collector.disable-defaults"];
    let more = weir::collectors::ALL
        .iter()
        .filter(|spec| !spec.on_by_default && spec.name != "tc")
        .map(|spec| format!("--collector.{}", spec.name))
        .collect::<Vec<_>>();
    for defaults in collectors {
        let mut arguments: Vec<_> = more.iter().map(String::as_str).collect();
        arguments.extend(Some(defaults).filter(|flag| !flag.is_empty()));
        // What the whole machine has may change between two runs: mounts of other tests, say.
        let agree = || {
            let run = |more: &[&str]| once(&namespace, &[arguments.as_slice(), more].concat());
            let before = run(&["--sandbox=off"]);
            let between = [
                run(&["--sandbox=require"]),
                run(&["--sandbox=require", "--user=65534"]),
            ];
            let after = run(&["--sandbox=off"]);
            before == after && between.iter().all(|page| *page == before)
        };
        assert!((0..5).any(|_| agree()), "{arguments:?}");
    }
}

#[test]
fn a_file_outside_is_refused_by_the_reload_and_by_the_kernel() {
    if !able() {
        return;
    }
    let Some(outside) = Outside::new("5\n") else {
        return;
    };
    let directory = Directory::new();
    let config = directory.0.join("weir.yml");
    let link = directory.0.join("link");
    let write = |source: &Path| {
        let text = format!(
            "collector.disable-defaults: true\ncollector.sources: true\nsources:\n- {{metric: it, file: {}, format: number}}\n",
            source.display()
        );
        fs::write(&config, text).unwrap();
    };
    fs::write(directory.0.join("inside"), "4\n").unwrap();
    write(&link);
    for (mode, expected) in [("off", (5.0, 1.0)), ("require", (4.0, 0.0))] {
        std::os::unix::fs::symlink(directory.0.join("inside"), &link).unwrap();
        write(&link);
        let file = format!("--config.file={}", config.display());
        let weir = Weir::start(&[&file, &format!("--sandbox={mode}")]);
        let told = || {
            let page = weir.scrape();
            let success = page.value("weir_configured_source_success", &[("source", "it")]);
            page.value("it", &[]).zip(success)
        };
        wait_until("the source is read", || told() == Some((4.0, 1.0)));
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&outside.0, &link).unwrap();
        // What cannot be read any more keeps its value.
        wait_until("the link leads outside", || told() == Some(expected));
        write(&outside.0);
        weir.process.signal(Signal::HUP);
        let mut said = String::new();
        while !said.contains("configuration ") {
            said.push_str(&weir.log.recv_timeout(PATIENCE).unwrap());
        }
        let page = weir.scrape();
        let reloaded = page.value("weir_config_last_reload_successful", &[]);
        if mode == "off" {
            assert!(said.contains("configuration read again"), "{said}");
            assert_eq!(reloaded, Some(1.0));
        } else {
            let path = outside.0.display();
            let reason = format!("{path}: outside what weir may read since it started; restart");
            assert!(said.contains(ERROR) && said.contains(&reason), "{said}");
            assert!(
                said.contains("Permission denied"),
                "the kernel's word: {said}"
            );
            assert_eq!(reloaded, Some(0.0));
        }
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn what_was_given_up_does_not_come_back_with_a_reload() {
    if !able() {
        return;
    }
    let directory = Directory::new();
    let config = directory.0.join("weir.yml");
    fs::write(&config, "collector.disable-defaults: true\n").unwrap();
    let file = format!("--config.file={}", config.display());
    let weir = Weir::start(&[&file, "--sandbox=require"]);
    let output = format!("textfile.output: {}", directory.0.display());
    for (line, reason) in [
        ("netns: all", "err=\"netns: needs what weir gave up"),
        (output.as_str(), ": outside what weir may write"),
        ("collector.loadavg: true", "changed=collectors"),
    ] {
        fs::write(
            &config,
            format!("collector.disable-defaults: true\n{line}\n"),
        )
        .unwrap();
        weir.process.signal(Signal::HUP);
        let said = weir.log.recv_timeout(PATIENCE).unwrap();
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!(
        weir.scrape()
            .value("weir_config_last_reload_successful", &[]),
        Some(1.0)
    );
}

#[test]
fn the_text_file_goes_on_and_nothing_is_written_elsewhere() {
    if !able() {
        return;
    }
    let directory = Directory::new();
    // Another user's, into which root writes with a capability only.
    let output = directory.0.join("output");
    fs::create_dir(&output).unwrap();
    std::os::unix::fs::chown(&output, Some(65534), Some(65534)).unwrap();
    let flag = format!("--textfile.output={}", output.display());
    let weir = Weir::start(&[&flag, "--textfile.interval=100ms", "--sandbox=require"]);
    let file = output.join("weir.prom");
    for _ in 0..3 {
        wait_until("the file is written", || file.exists());
        fs::remove_file(&file).unwrap();
    }
    wait_until("the file is written again", || file.exists());
    let page = weir.scrape();
    assert_eq!(
        page.value("weir_textfile_write_errors_total", &[]),
        Some(0.0)
    );
    // The directory is another now, of the same name.
    fs::rename(&output, directory.0.join("old")).unwrap();
    fs::create_dir(&output).unwrap();
    wait_until("writing elsewhere is refused", || {
        weir.scrape()
            .value("weir_textfile_write_errors_total", &[])
            .is_some_and(|errors| errors > 0.0)
    });
    assert!(!file.exists());
}

#[test]
fn as_nobody_it_measures_and_serves_a_low_port() {
    if !able() {
        return;
    }
    let Some(namespace) = namespace() else { return };
    let mut command = namespace.command(WEIR);
    let weir = Weir::launch(command.args([
        "--web.listen-address=127.0.0.1:80",
        "--user=65534:65533",
        "--sandbox=require",
    ]));
    for (field, expected) in [
        ("Uid", "65534\t65534\t65534\t65534"),
        ("Gid", "65533\t65533\t65533\t65533"),
        ("CapEff", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        assert_eq!(of_threads(&weir, field), all(expected), "{field}");
    }
    assert_eq!(weir.address, "127.0.0.1:80");
    let namespace = &namespace;
    let page = Inside { weir, namespace }.scrape();
    // Its own files below /proc.
    for family in weir::process::FAMILIES {
        assert!(
            page.families.contains_key(family.name.as_ref()),
            "{}",
            family.name
        );
    }
}

#[test]
fn nobody_in_particular_gives_up_what_is_left() {
    if !able() {
        return;
    }
    let directory = Directory::new();
    let copied = Command::new("cp").arg(WEIR).arg(&directory.0).status();
    assert!(copied.unwrap().success());
    for mode in ["auto", "require"] {
        let mut command = Command::new(directory.0.join("weir"));
        command.uid(65534).gid(65534);
        command.args([
            "--web.listen-address=127.0.0.1:0",
            &format!("--sandbox={mode}"),
        ]);
        let weir = Weir::launch(&mut command);
        assert_eq!(of_threads(&weir, "Seccomp"), all("2"));
        let labels = [
            ("capabilities", "none"),
            ("no_new_privs", "on"),
            ("landlock", "on"),
            ("seccomp", "on"),
        ];
        assert_eq!(weir.scrape().value("weir_sandbox_info", &labels), Some(1.0));
    }
}
