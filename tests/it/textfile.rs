//! The text file for node_exporter, as `--once --textfile.output` writes it of a captured host.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use weir::app;
use weir::collectors::ALL;
use weir::config::Config;
use weir::config::TEXTFILE;
use weir::parse::textfile;

use crate::tree::Copy;
use crate::tree::Host;
use crate::tree::directories;
use crate::tree::well_formed;

/// The program's own configuration for a host and a directory, with every collector there is.
fn config(host: &Path, output: &Path) -> Config {
    Config {
        procfs: host.join("proc"),
        sysfs: host.join("sys"),
        collectors: ALL.iter().map(|spec| spec.name).collect(),
        textfile_output: Some(output.to_path_buf()),
        once: true,
        ..Config::default()
    }
}

#[test]
fn it_holds_what_is_shown_beside_node_exporter() {
    for root in directories("hosts") {
        let output = Copy::of_nothing();
        app::run(&config(&root, &output.root)).expect("written");
        let text = fs::read_to_string(output.root.join(TEXTFILE)).expect("the file");
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
            config.collectors.retain(|name| *name != "textfile");
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
    let mut config = config(&directories("hosts")[0], &output.root);
    config.textfile_directories = vec![output.root.clone()];
    for _ in 0..2 {
        app::run(&config).expect("written");
        let text = fs::read_to_string(output.root.join(TEXTFILE)).expect("the file");
        assert!(!text.contains("backup_bytes") && !text.contains("collector=\"textfile\""));
        assert!(text.contains("weir_build_info"));
    }
}

#[test]
fn without_exporter_metrics_they_are_not_in_it() {
    let output = Copy::of_nothing();
    let mut config = config(&directories("hosts")[0], &output.root);
    config.exporter_metrics = false;
    app::run(&config).expect("written");
    let text = fs::read_to_string(output.root.join(TEXTFILE)).expect("the file");
    assert!(text.contains("weir_build_info") && text.contains("weir_collector_success"));
    for prefix in ["weir_ticks", "weir_scrape", "weir_textfile"] {
        assert!(!text.contains(prefix), "{prefix}");
    }
}

#[test]
fn once_says_why_it_could_not() {
    let output = Copy::of_nothing();
    let missing = output.root.join("missing");
    let error = app::run(&config(&directories("hosts")[0], &missing)).expect_err("refused");
    let begin = format!("{}: open: No such file or directory", missing.display());
    assert!(error.to_string().starts_with(&begin), "{error}");
    assert!(!missing.exists());
}
