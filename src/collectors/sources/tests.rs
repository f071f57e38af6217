use std::fs;

use super::super::tree::Tree;
use super::*;
use crate::config::Config;
use crate::config::sections::SECTIONS;
use crate::config::yaml;

/// The sources of a section in which `ROOT` stands for the tree's root.
pub(super) fn configured(tree: &Tree, section: &str) -> Vec<Source> {
    let root = tree.path("").display().to_string();
    let section = section.replace("ROOT", root.trim_end_matches('/'));
    let document = yaml::read(section.as_bytes()).expect("YAML");
    let reads = SECTIONS.iter().find(|section| section.key == SPEC.name);
    let (mut config, mut wrong) = (Config::default(), Vec::new());
    (reads.expect("a section").read)(&document, &mut config, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:?}");
    config.sources
}

fn collector(tree: &Tree, section: &str) -> Box<dyn Collector> {
    let sources = configured(tree, section);
    Tree::make(&SPEC, |config| {
        config.sources = sources;
        config.once = true;
    })
}

/// The samples but for ages and times.
fn scraped(tree: &Tree, collector: &mut dyn Collector) -> String {
    let text = tree.scrape(&SPEC, collector).expect("never fails");
    let changes = ["_age_seconds", "_mtime_seconds"];
    text.lines()
        .filter(|line| !changes.iter().any(|name| line.contains(name)))
        .map(|line| format!("{line}\n"))
        .collect()
}

const TWO: &str = "
- {metric: near, format: number, file: ROOT/near, scale: 0.001, labels: {room: attic}}
- {metric: far, name: other, type: counter, format: number, file: ROOT/far}
";

#[test]
fn without_a_source_nothing_is_told() {
    let tree = Tree::new("sources-none");
    assert_eq!(tree.once(&SPEC), Ok(String::new()));
}

#[test]
fn what_cannot_be_read_stays_as_it_was_and_heals() {
    let tree = Tree::new("sources-heal");
    tree.write("near", "21500\n");
    let mut collector = collector(&tree, TWO);
    let success = |near: u8, other: u8| {
        format!(
            "weir_configured_source_success{{source=\"near\"}} {near}\n\
             weir_configured_source_success{{source=\"other\"}} {other}\n"
        )
    };
    let mut told = |far: &str| {
        let text = scraped(&tree, &mut *collector);
        let near = "near{room=\"attic\"} 21.5\n";
        let rest = text
            .strip_prefix(near)
            .and_then(|rest| rest.strip_prefix(far));
        rest.unwrap_or_else(|| panic!("{text}")).to_string()
    };
    assert_eq!(told(""), success(1, 0), "the other has never been there");
    tree.write("far", "7\n");
    assert_eq!(told("far 7\n"), success(1, 1));
    tree.write("far", "many\n");
    assert_eq!(told("far 7\n"), success(1, 0), "broken");
    tree.write("far", "");
    assert_eq!(told("far 7\n"), success(1, 0), "empty");
    fs::remove_file(tree.path("far")).expect("a file");
    assert_eq!(told("far 7\n"), success(1, 0), "gone");
    fs::create_dir(tree.path("far")).expect("a directory");
    assert_eq!(told("far 7\n"), success(1, 0), "a directory");
    fs::remove_dir(tree.path("far")).expect("a directory");
    tree.write("new", "8");
    fs::rename(tree.path("new"), tree.path("far")).expect("a file");
    assert_eq!(told("far 8\n"), success(1, 1));
}

#[test]
fn ages_and_times_are_told() {
    let tree = Tree::new("sources-ages");
    tree.write("near", "1\n");
    let mut collector = collector(&tree, TWO);
    let text = tree.scrape(&SPEC, &mut *collector).expect("never fails");
    let value = |family: &str| {
        let line = text.lines().find(|line| line.starts_with(family));
        let value = line.and_then(|line| line.rsplit_once(' '));
        value.and_then(|(_, value)| value.parse::<f64>().ok())
    };
    let age = value("weir_configured_source_age_seconds{source=\"near\"}");
    assert!(age.is_some_and(|age| (0.0..60.0).contains(&age)), "{text}");
    let mtime = value("weir_configured_source_mtime_seconds{source=\"near\"}");
    assert!(mtime.is_some_and(|mtime| mtime > 1.7e9), "{text}");
    assert_eq!(
        value("weir_configured_source_age_seconds{source=\"other\"}"),
        None
    );
}

#[test]
fn no_series_is_told_twice() {
    let tree = Tree::new("sources-twice");
    tree.write("a", "x 1\nx 2\ny 3\n").write("b", "4\n");
    let section = "
- {metric: m, name: first, format: columns, file: ROOT/a, column: 2, label-columns: {k: 1}}
- {metric: m, name: second, format: number, file: ROOT/b, labels: {k: y}}
- {metric: m, name: third, format: number, file: ROOT/b, labels: {k: z}}
";
    let mut collector = collector(&tree, section);
    assert_eq!(
        scraped(&tree, &mut *collector),
        "m{k=\"x\"} 1\nm{k=\"y\"} 3\nm{k=\"z\"} 4\n\
         weir_configured_source_success{source=\"first\"} 0\n\
         weir_configured_source_success{source=\"second\"} 0\n\
         weir_configured_source_success{source=\"third\"} 1\n"
    );
}

#[test]
fn the_series_of_all_sources_are_bounded() {
    let tree = Tree::new("sources-bounded");
    let mut section = String::new();
    let table: String = (0..1100).map(|row| format!("r{row} {row}\n")).collect();
    tree.write("table", &table);
    for number in 0..11 {
        section.push_str(&format!(
            "- {{metric: m{number}, format: columns, file: ROOT/table, column: 2, label-columns: {{row: 1}}}}\n"
        ));
    }
    let mut collector = collector(&tree, &section);
    let text = scraped(&tree, &mut *collector);
    let series = text.lines().filter(|line| line.starts_with('m')).count();
    assert_eq!(series, SERIES);
    assert!(!text.contains("m10{"), "the last finds no room");
    assert!(text.contains("m0{row=\"r999\"}") && !text.contains("r1000"));
}
