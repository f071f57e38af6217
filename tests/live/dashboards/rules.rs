//! The rules as Prometheus took them from deploy/prometheus, and promtool's tests of them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::boards::list;
use crate::boards::text;
use crate::running::Directory;
use crate::running::installed;
use crate::running::wait_until;
use crate::selectors::selectors;
use crate::support::skip;

use super::Question;
use super::api;
use super::ask_all;
use super::names_in;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");
const FILES: [&str; 2] = ["weir-recording.yml", "weir-alerts.yml"];

/// An expression in which every comparison gives 0 or 1 instead of leaving series out.
fn without_thresholds(expression: &str) -> String {
    let mut text = String::new();
    let (mut quoted, mut braces, mut escaped) = (false, 0, false);
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        text.push(letter);
        match letter {
            '"' if !escaped => quoted = !quoted,
            '{' if !quoted => braces += 1,
            '}' if !quoted => braces -= 1,
            '<' | '>' | '=' | '!' if !quoted && braces == 0 => {
                text.extend(letters.next_if_eq(&'='));
                text.push_str(" bool");
            }
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    text
}

/// Every rule is evaluated without a complaint, and every alert would have series, with the labels that its texts want,
/// if nothing were compared; one alert has something to tell of the scene.
pub(super) fn check(address: &str) {
    let groups = || api(address, "/api/v1/rules").unwrap();
    wait_until("every rule is evaluated", || {
        let groups = groups();
        let mut rules = list(&groups["groups"])
            .iter()
            .flat_map(|group| list(&group["rules"]));
        rules.all(|rule| rule["health"] != "unknown")
    });
    let groups = groups();
    let rules: Vec<_> = list(&groups["groups"])
        .iter()
        .flat_map(|group| list(&group["rules"]))
        .collect();
    assert!(rules.len() > 25, "{} rules", rules.len());
    let mut all = Vec::new();
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        all.extend(questions(rule));
    }
    all.push(Question {
        place: "the alert".to_string(),
        query: "ALERTS{alertname=\"WeirDnsRecordInvalid\", name=\"missing.lan\"}".to_string(),
        labels: vec!["alertstate".to_string()],
    });
    ask_all(address, all);
}

fn questions(rule: &Value) -> Vec<Question> {
    let (name, query) = (text(&rule["name"]), text(&rule["query"]));
    let question = |query: String| Question {
        place: name.to_string(),
        query,
        labels: Vec::new(),
    };
    let mut all: Vec<_> = selectors(query)
        .into_iter()
        .map(|selector| question(format!("last_over_time({}[1m])", selector.text)))
        .collect();
    if rule["type"] == "recording" {
        all.push(question(name.to_string()));
        return all;
    }
    // Of a series that must not be missing, the selector alone is what has an answer.
    if query.starts_with("absent(") {
        return all;
    }
    let mut whole = question(without_thresholds(query));
    let annotations = rule["annotations"].as_object().unwrap();
    let names = annotations
        .values()
        .flat_map(|value| names_in(text(value), "{{", "$labels.", "}}"));
    whole.labels = names.collect();
    all.push(whole);
    all
}

/// Runs promtool; what it says is the error.
fn promtool(arguments: &[String]) -> Result<(), String> {
    let output = Command::new("promtool").args(arguments).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned())
}

fn tests_in(directory: &str) -> Vec<String> {
    let files = fs::read_dir(format!("{directory}/tests")).unwrap();
    files
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect()
}

#[test]
fn promtool_passes_the_rules_and_their_tests() {
    if !installed("promtool") {
        return skip("promtool is not installed");
    }
    let files = FILES.map(|file| format!("{RULES}/{file}"));
    let words = ["check".to_string(), "rules".to_string()];
    promtool(&[&words[..], &files].concat()).unwrap();
    let words = ["test".to_string(), "rules".to_string()];
    promtool(&[&words[..], &tests_in(RULES)].concat()).unwrap();
}

/// The alerts with every number of a comparison in their expressions multiplied; a 0 becomes a number beside it.
fn with_thresholds(alerts: &str, factor: f64) -> String {
    let comparison = regex_lite::Regex::new(r"(>=|==|>) (\d[\d.]*)").unwrap();
    let change = |found: &regex_lite::Captures| {
        let number: f64 = found[2].parse().unwrap();
        let number = if number == 0.0 {
            factor - 1.0
        } else {
            number * factor
        };
        format!("{} {number}", &found[1])
    };
    let mut text = String::new();
    // Descriptions have comparisons too.
    for alert in alerts.split_inclusive("        for: ") {
        let begin = alert.rfind("expr:").unwrap_or(alert.len());
        let (before, expression) = alert.split_at(begin);
        text.push_str(before);
        text.push_str(&comparison.replace_all(expression, change));
    }
    text
}

/// An alert that fires at once, one that never does, and thresholds half as high and half higher: no alert's test may pass.
#[test]
fn promtools_tests_notice_every_change() {
    if !installed("promtool") {
        return skip("promtool is not installed");
    }
    let alerts = fs::read_to_string(format!("{RULES}/weir-alerts.yml")).unwrap();
    let waits = regex_lite::Regex::new(r"(?m)^        for: \w+$").unwrap();
    let wait = |time: &str| {
        let line = format!("        for: {time}");
        waits.replace_all(&alerts, line.as_str()).into_owned()
    };
    let directory = Directory::new();
    let root = directory.0.display().to_string();
    fs::create_dir(directory.0.join("tests")).unwrap();
    for file in tests_in(RULES)
        .iter()
        .chain(&[format!("{RULES}/weir-recording.yml")])
    {
        let name = file.strip_prefix(RULES).unwrap();
        fs::copy(file, format!("{root}{name}")).unwrap();
    }
    for (what, changed) in [
        ("for: 0s", wait("0s")),
        ("for: 10h", wait("10h")),
        ("lower thresholds", with_thresholds(&alerts, 0.5)),
        ("higher thresholds", with_thresholds(&alerts, 1.5)),
    ] {
        fs::write(directory.0.join("weir-alerts.yml"), changed).unwrap();
        for test in tests_in(&root) {
            // It compares nothing.
            if what.ends_with("thresholds") && test.ends_with("WeirAbsent.yml") {
                continue;
            }
            let words = ["test".to_string(), "rules".to_string(), test.clone()];
            let said = promtool(&words).expect_err(&format!("{test} with {what}"));
            assert!(said.contains("FAILED"), "{test} with {what}: {said}");
        }
    }
}

#[test]
fn thresholds_are_taken_out_of_comparisons_only() {
    let text = "a{b!=\"c\", d=~\">\"} >= 1 and on (e) (f != g) or h{i=\"\\\"=\"} == 0";
    let expected =
        "a{b!=\"c\", d=~\">\"} >= bool 1 and on (e) (f != bool g) or h{i=\"\\\"=\"} == bool 0";
    assert_eq!(without_thresholds(text), expected);
}
