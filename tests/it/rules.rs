//! The form of deploy/prometheus: every alert has what whoever is woken by it needs, a test, and its line in the
//! documentation; every metric exists. promtool's tests and the answers of a real Prometheus are in tests/live.

use std::collections::BTreeSet;
use std::fs;

use weir::config::node::Node;
use weir::config::node::Value;
use weir::config::yaml;

use crate::dashboards::boards::boards;
use crate::dashboards::boards::text;
use crate::dashboards::known::asked;
use crate::dashboards::known::families;
use crate::dashboards::promql::selectors;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dashboards.md");

/// A field of a mapping as a text; empty where there is none.
fn field(node: &Node, path: &[&str]) -> String {
    let mut node = node;
    for name in path {
        let Value::Mapping(entries) = &node.value else {
            return String::new();
        };
        let Some(entry) = entries.iter().find(|entry| &*entry.name == *name) else {
            return String::new();
        };
        node = &entry.node;
    }
    match &node.value {
        Value::Text { text, .. } => text.clone(),
        _ => String::new(),
    }
}

/// The rules of a file.
fn rules(file: &str) -> Vec<Node> {
    let bytes = fs::read(format!("{DIRECTORY}/{file}")).unwrap();
    let root = yaml::read(&bytes).unwrap_or_else(|wrong| panic!("{file}: {wrong:?}"));
    let mut all = Vec::new();
    for group in root.entries("groups").unwrap()[0]
        .node
        .items("a list")
        .unwrap()
    {
        let entries = group.entries("a group").unwrap();
        let rules = entries
            .iter()
            .find(|entry| &*entry.name == "rules")
            .unwrap();
        all.extend(rules.node.items("rules").unwrap().iter().cloned());
    }
    assert!(all.len() > 5, "{file}");
    all
}

#[test]
fn rules_name_what_exists() {
    let all = families();
    let recording = rules("weir-recording.yml");
    let names: BTreeSet<_> = recording
        .iter()
        .map(|rule| field(rule, &["record"]))
        .collect();
    assert_eq!(names.len(), recording.len(), "a record twice");
    assert!(
        names.iter().all(|name| name.split(':').count() == 3),
        "{names:?}"
    );
    let mut used = BTreeSet::new();
    for rule in recording.iter().chain(&rules("weir-alerts.yml")) {
        for selector in selectors(&field(rule, &["expr"])) {
            if names.contains(&selector.name) {
                used.insert(selector.name);
                continue;
            }
            let families = asked(&all, &selector);
            assert!(!families.is_empty(), "unknown {}", selector.text);
            for [label, _, _] in &selector.matchers {
                let has = families
                    .iter()
                    .any(|family| family.labels.contains(&label.as_str()));
                assert!(has, "{}: no label {label}", selector.text);
            }
        }
    }
    assert_eq!(used, names, "a record that no alert compares");
}

#[test]
fn alerts_tell_what_to_do() {
    let boards = boards();
    let titles: BTreeSet<_> = boards
        .iter()
        .map(|board| text(&board.json["title"]))
        .collect();
    for alert in rules("weir-alerts.yml") {
        let name = field(&alert, &["alert"]);
        assert!(name.starts_with("Weir"), "{name}");
        let wait = field(&alert, &["for"]);
        assert!(wait.ends_with('m') && wait != "0m", "{name}: for {wait}");
        let severity = field(&alert, &["labels", "severity"]);
        assert!(
            ["critical", "warning"].contains(&severity.as_str()),
            "{name}"
        );
        let summary = field(&alert, &["annotations", "summary"]);
        assert!(
            !summary.is_empty() && summary.len() < 120,
            "{name}: {summary}"
        );
        let description = field(&alert, &["annotations", "description"]);
        assert!(
            description.len() > 150 && description.ends_with(['.', '?']),
            "{name}: {description}"
        );
        for quoted in description.split('«').skip(1) {
            let title = quoted.split('»').next().unwrap();
            assert!(
                !title.starts_with("weir:") || titles.contains(title),
                "{name}: «{title}»"
            );
        }
    }
}

#[test]
fn every_alert_has_a_test_and_a_line_in_the_documentation() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let mut tests: BTreeSet<String> = fs::read_dir(format!("{DIRECTORY}/tests"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let mut lines = document.lines().filter(|line| line.starts_with("| `Weir"));
    for alert in rules("weir-alerts.yml") {
        let name = field(&alert, &["alert"]);
        assert!(tests.remove(&format!("{name}.yml")), "{name}: no test");
        let (severity, wait) = (
            field(&alert, &["labels", "severity"]),
            field(&alert, &["for"]),
        );
        let line = lines.next().unwrap_or_default();
        let begin = format!("| `{name}` | {severity} | {wait} | ");
        assert!(line.starts_with(&begin), "{begin}\n{line}");
    }
    assert_eq!(lines.next(), None, "no such alert");
    assert_eq!(tests, BTreeSet::new(), "no such alert");
}

#[test]
fn the_documentation_names_every_dashboard() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    for board in boards() {
        let title = text(&board.json["title"]);
        let line = format!("| {title} | `{}` | ", board.file);
        assert!(document.contains(&line), "{line}");
    }
}
