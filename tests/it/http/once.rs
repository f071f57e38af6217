//! The text file for node_exporter, as `--once --textfile.output` writes it of a captured host.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use weir::collectors::ALL;
use weir::config::TEXTFILE;
use weir::parse::textfile;

use crate::tree::Copy;
use crate::tree::Host;
use crate::tree::directories;
use crate::tree::well_formed;

/// The file of a host, with every collector that reads files.
fn written(host: &Path, output: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .args(["--once", "--log.level=error"])
        .args(arguments);
    command.arg(format!("--textfile.output={}", output.display()));
    command.arg(format!("--path.procfs={}", host.join("proc").display()));
    command.arg(format!("--path.sysfs={}", host.join("sys").display()));
    // tc attaches to the running kernel, which a tree of files is not.
    let of_files = ALL.iter().filter(|spec| spec.name != "tc");
    command.args(of_files.map(|spec| format!("--collector.{}", spec.name)));
    let ran = command.stdin(Stdio::null()).output().expect("it runs");
    assert!(ran.status.success(), "{ran:?}");
    fs::read_to_string(output.join(TEXTFILE)).expect("the file")
}

#[test]
fn it_holds_what_is_shown_beside_node_exporter() {
    for root in directories("hosts") {
        let output = Copy::of_nothing();
        let text = written(&root, &output.root, &[]);
        well_formed(&text).expect("no series twice");
        // This reader refuses timestamps, and families whose lines are not together.
        let families = textfile::families(text.as_bytes()).expect("the text format");
        let mut seen = BTreeSet::new();
        for family in &families {
            assert!(seen.insert(family.name), "{}: twice", family.name);
            assert!(
                family.help.is_some() && family.kind.is_some(),
                "{}",
                family.name
            );
            for prefix in ["node_", "process_", "go_", "promhttp_", "weir_http_"] {
                assert!(!family.name.starts_with(prefix), "{}", family.name);
            }
        }
        for own in [
            "weir_build_info",
            "weir_collector_success",
            "weir_textfile_write_errors_total",
        ] {
            assert!(seen.contains(own), "{own}");
        }
        let page = Host::with(&root, |config| {
            config.companion = true;
            config
                .collectors
                .retain(|name| !matches!(*name, "tc" | "textfile"));
        })
        .page(&[]);
        let missing: Vec<_> = page
            .lines()
            .filter(|line| !text.lines().any(|other| other == *line))
            .collect();
        assert_eq!(missing, [""; 0], "{}", root.display());
        assert_eq!(fs::read_dir(&output.root).expect("a directory").count(), 1);
    }
}

/// node_exporter reads that directory itself, and what is written there must not come back.
#[test]
fn what_other_files_hold_is_not_in_it() {
    let output = Copy::of_nothing();
    let other = "# HELP backup_bytes Size of the last backup in bytes.\nbackup_bytes 1\n";
    fs::write(output.root.join("other.prom"), other).expect("a file");
    let own = format!("--collector.textfile.directory={}", output.root.display());
    for _ in 0..2 {
        let text = written(&directories("hosts")[0], &output.root, &[&own]);
        assert!(!text.contains("backup_bytes") && !text.contains("collector=\"textfile\""));
        assert!(text.contains("weir_build_info"));
    }
}

#[test]
fn without_exporter_metrics_they_are_not_in_it() {
    let output = Copy::of_nothing();
    let without = "--web.disable-exporter-metrics";
    let text = written(&directories("hosts")[0], &output.root, &[without]);
    assert!(text.contains("weir_build_info") && text.contains("weir_collector_success"));
    for prefix in ["weir_ticks", "weir_scrape", "weir_textfile"] {
        assert!(!text.contains(prefix), "{prefix}");
    }
}
