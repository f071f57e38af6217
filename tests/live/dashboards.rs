//! Every question of deploy/grafana and every rule of deploy/prometheus, asked of a real Prometheus that scrapes weir: each
//! is understood, and each has an answer, with the labels that its legend or its annotations want.
//!
//! Questions that end in `or vector(0)` would always have one. So each selector in them must have series of its own too.

mod rules;
mod scene;

use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::boards::Board;
use crate::boards::boards;
use crate::boards::label_values;
use crate::boards::list;
use crate::boards::text;
use crate::client;
use crate::prometheus::encoded;
use crate::running::PATIENCE;
use crate::running::installed;
use crate::selectors::selectors;
use crate::support::skip;

use scene::Scene;

/// What Grafana puts in for `$__rate_interval`, with a scrape each second.
const RATE_INTERVAL: &str = "10s";

/// Metrics that cannot be here, with the reason: questions about them must be understood, and may have no answer.
const ABSENT: [(&str, &str); 2] = [
    ("node_wifi_", "the machine has no wireless device"),
    (
        "node_textfile_mtime_seconds{file=~",
        "weir.prom as node_exporter serves it; weir's own collector passes over that file",
    ),
];

/// A question, and what its answer must have.
struct Question {
    /// Where it stands.
    place: String,
    query: String,
    /// Labels that some series of the answer must have each.
    labels: Vec<String>,
}

impl Question {
    /// Whether it is answered now.
    ///
    /// # Panics
    /// When Prometheus does not understand it.
    fn answered(&self, address: &str) -> bool {
        let path = format!("/api/v1/query?query={}", encoded(&self.query));
        let series = api(address, &path)
            .unwrap_or_else(|error| panic!("{}: {}\n{error}", self.place, self.query));
        let series = series["result"].as_array().unwrap().clone();
        // Where only some of it is absent, the rest must answer.
        let absent = |text: &str| ABSENT.iter().any(|(begin, _)| text.starts_with(begin));
        if selectors(&self.query)
            .iter()
            .all(|found| absent(&found.text))
        {
            return true;
        }
        let has = |label: &String| series.iter().any(|one| one["metric"][label].is_string());
        !series.is_empty() && self.labels.iter().all(has)
    }
}

/// What Prometheus answers, or what it complains about.
fn api(address: &str, path: &str) -> Result<Value, String> {
    let answer = client::get(address, path).map_err(|error| error.to_string())?;
    let mut answer: Value =
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    if answer["status"] == "success" {
        Ok(answer["data"].take())
    } else {
        Err(answer["error"].to_string())
    }
}

/// Asks until all are answered: some numbers come a few seconds later than others.
fn ask_all(address: &str, mut pending: Vec<Question>) {
    assert!(!pending.is_empty());
    let begin = Instant::now();
    loop {
        pending.retain(|question| !question.answered(address));
        if pending.is_empty() {
            return;
        }
        if begin.elapsed() > 2 * PATIENCE {
            break;
        }
        thread::sleep(Duration::from_millis(500));
    }
    let told: Vec<_> = pending
        .iter()
        .map(|question| {
            let labels = &question.labels;
            format!("{}: {}: {labels:?}", question.place, question.query)
        })
        .collect();
    panic!("no answer, or without these labels:\n{}", told.join("\n"));
}

/// The words that stand between `open` and `close`, `prefix` before them.
fn names_in(text: &str, open: &str, prefix: &str, close: &str) -> Vec<String> {
    text.split(open)
        .skip(1)
        .filter_map(|rest| rest.split(close).next()?.trim().strip_prefix(prefix))
        .map(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            rest[..end.unwrap_or(rest.len())].to_string()
        })
        .collect()
}

/// Fills variables in. The longer names come first, so that none stands for the head of another.
fn filled(expression: &str, values: &[(String, String)]) -> String {
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut query = expression.replace("$__rate_interval", RATE_INTERVAL);
    for (name, value) in values {
        query = query.replace(&format!("${name}"), &value);
    }
    query
}

/// What Grafana puts in for each variable of a dashboard when nothing is chosen.
fn unchosen(board: &Board) -> Vec<(String, String)> {
    let value = |variable: &Value| match text(&variable["allValue"]) {
        "" => text(&variable["current"]["value"]).to_string(),
        all => all.to_string(),
    };
    board
        .variables()
        .map(|variable| (text(&variable["name"]).to_string(), value(variable)))
        .collect()
}

/// A dashboard's questions with these values, and those of their selectors.
fn questions(board: &Board, values: &[(String, String)], with_selectors: bool) -> Vec<Question> {
    let mut all = Vec::new();
    for (place, target) in board.targets() {
        let query = filled(text(&target["expr"]), values);
        if with_selectors {
            let alone = selectors(&query).into_iter().map(|selector| Question {
                place: place.clone(),
                query: format!("last_over_time({}[1m])", selector.text),
                labels: Vec::new(),
            });
            all.extend(alone);
        }
        let labels = if target["format"] == "table" {
            Vec::new()
        } else {
            names_in(text(&target["legendFormat"]), "{{", "", "}}")
        };
        all.push(Question {
            place,
            query,
            labels,
        });
    }
    all
}

/// The values that people may choose for a variable.
fn choices(address: &str, variable: &Value, values: &[(String, String)]) -> Vec<String> {
    let (selector, label) = label_values(text(&variable["query"]["query"]));
    let selector = encoded(&filled(selector, values));
    let found = api(
        address,
        &format!("/api/v1/label/{label}/values?match%5B%5D={selector}"),
    );
    let found = found.unwrap_or_else(|error| panic!("{variable}: {error}"));
    let found = found.as_array().unwrap().iter();
    found.map(|value| text(value).to_string()).collect()
}

#[test]
fn every_panel_has_data() {
    if !installed("prometheus") {
        return skip("prometheus is not installed");
    }
    let scene = match Scene::new() {
        Ok(scene) => scene,
        Err(reason) => return skip(&reason),
    };
    let (address, chosen) = (scene.address().to_string(), scene.chosen());
    let address = address.as_str();
    scene.inside(|| {
        let boards = boards();
        let mut all = vec![Question {
            place: "both namespaces".to_string(),
            query: "sum(weir_netns_success) == 2".to_string(),
            labels: Vec::new(),
        }];
        for board in &boards {
            all.extend(questions(board, &unchosen(board), true));
        }
        ask_all(address, all);

        // What was chosen, as Grafana writes it into a regular expression.
        let mut all = Vec::new();
        for board in &boards {
            let mut values = unchosen(board);
            for (name, value) in &mut values {
                let variables: Vec<_> = board.variables().collect();
                let variable = variables.iter().find(|found| text(&found["name"]) == name);
                let variable = variable.unwrap();
                if variable["type"] != "query" {
                    continue;
                }
                let (_, wanted) = chosen.iter().find(|(found, _)| found == name).unwrap();
                let offered = choices(address, variable, &unchosen(board));
                assert!(offered.contains(wanted), "{name}: {wanted} of {offered:?}");
                *value = wanted.replace('.', "\\\\.");
            }
            all.extend(questions(board, &values, false));
        }
        ask_all(address, all);
        check_graph(address, &boards);
        rules::check(address);
    });
}

/// The two tables of the node graph: its edges and their numbers, and a node for each end of each edge, without which
/// Grafana draws nothing at all.
fn check_graph(address: &str, boards: &[Board]) {
    let panels = boards.iter().flat_map(|board| {
        let panels = board.panels().into_iter();
        panels.map(move |panel| (board, panel))
    });
    let mut graphs = panels.filter(|(_, panel)| panel["type"] == "nodeGraph");
    let (board, panel) = graphs.next().unwrap();
    let table = |name: &str, columns: &[&str]| -> Vec<Vec<String>> {
        let mut targets = list(&panel["targets"]).iter();
        let target = targets.find(|target| target["refId"] == name).unwrap();
        let query = encoded(&filled(text(&target["expr"]), &unchosen(board)));
        let answer = api(address, &format!("/api/v1/query?query={query}")).unwrap();
        let rows = list(&answer["result"]).iter().map(|row| {
            let column = |name: &&str| text(&row["metric"][*name]).to_string();
            columns.iter().map(column).collect()
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    };
    let (router, client) = ("192.0.2.1", "192.0.2.2");
    assert_eq!(
        table("edges", &["id", "source", "target", "mainstat"]),
        [
            ["192.0.2.1-192.0.2.2", router, client, "3"],
            ["192.0.2.2-192.0.2.1", client, router, "4"]
        ]
    );
    assert_eq!(
        table("nodes", &["id", "title", "mainstat"]),
        [[router, router, "4"], [client, client, "3"]]
    );
}

#[test]
fn names_are_taken_out_of_texts() {
    let legend = "{{instance}} {{ netns }} in";
    assert_eq!(names_in(legend, "{{", "", "}}"), ["instance", "netns"]);
    let summary = "{{ $labels.a_b }}: {{ $value | humanize }} of {{ $labels.c }}";
    assert_eq!(names_in(summary, "{{", "$labels.", "}}"), ["a_b", "c"]);
    let values = [("a", "1"), ("ab", "2")].map(|(name, value)| (name.into(), value.into()));
    let query = filled("x{a=~\"$a\", ab=~\"$ab\"}[$__rate_interval]", &values);
    assert_eq!(query, "x{a=~\"1\", ab=~\"2\"}[10s]");
}
