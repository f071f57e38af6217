//! What deploy/grafana holds, as the tests read it: tests/live uses this file too.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Where the dashboards are.
pub(crate) const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana");

/// A dashboard and the name of its file.
pub(crate) struct Board {
    pub(crate) file: String,
    pub(crate) json: Value,
}

impl Board {
    /// Its panels, those that lie in collapsed rows too.
    pub(crate) fn panels(&self) -> Vec<&Value> {
        let mut all = Vec::new();
        for panel in list(&self.json["panels"]) {
            all.push(panel);
            all.extend(list(&panel["panels"]));
        }
        all
    }

    /// The variables that people choose from, the data source left out.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Value> {
        let all = list(&self.json["templating"]["list"]).iter();
        all.filter(|variable| variable["type"] != "datasource")
    }

    /// Every question of every panel: the panel's title and the target.
    pub(crate) fn targets(&self) -> Vec<(String, &Value)> {
        let mut all = Vec::new();
        for panel in self.panels() {
            let place = format!("{}: {}", self.file, text(&panel["title"]));
            let targets = list(&panel["targets"]).iter();
            all.extend(targets.map(|target| (place.clone(), target)));
        }
        all
    }
}

/// The dashboards by their files' names.
pub(crate) fn boards() -> Vec<Board> {
    let mut boards: Vec<_> = fs::read_dir(Path::new(DIRECTORY))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = fs::read(&path).unwrap();
            let json =
                serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
            Board { file, json }
        })
        .collect();
    boards.sort_by(|one, other| one.file.cmp(&other.file));
    boards
}

/// The items of a list; none where there is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The selector and the label of `label_values(SELECTOR, LABEL)`.
pub(crate) fn label_values(query: &str) -> (&str, &str) {
    let inner = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'));
    let parts = inner.and_then(|inner| inner.rsplit_once(", "));
    parts.unwrap_or_else(|| panic!("{query}: not label_values(SELECTOR, LABEL)"))
}
