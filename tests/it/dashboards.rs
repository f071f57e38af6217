//! The form of deploy/grafana: what Grafana would complain about or draw wrong, and that every metric, label and
//! variable in it exists. That the questions have answers tests/live shows, on a real Prometheus.

pub(crate) mod boards;
pub(crate) mod known;
pub(crate) mod promql;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use boards::Board;
use boards::boards;
use boards::label_values;
use boards::list;
use boards::text;
use known::Known;
use known::asked;
use known::families;
use promql::selectors;

/// What stands for the data source wherever one is named.
const SOURCE: &str = "${DS_PROMETHEUS}";

/// Panels whose numbers want a unit.
const WITH_UNIT: [&str; 3] = ["timeseries", "stat", "bargauge"];

/// Grafana's units that the dashboards use. One that it does not know it would show as a word behind the number.
const UNITS: [&str; 11] = [
    "none",
    "percentunit",
    "bps",
    "pps",
    "cps",
    "ops",
    "reqps",
    "bytes",
    "decbytes",
    "s",
    "dBm",
];

/// Every place in a value with the key that leads to it.
fn walk<'a>(value: &'a Value, key: &'a str, visit: &mut dyn FnMut(&'a str, &'a Value)) {
    visit(key, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, key, visit)),
        Value::Object(entries) => {
            for (key, value) in entries {
                walk(value, key, visit);
            }
        }
        _ => {}
    }
}

#[test]
fn dashboards_have_names_of_their_own() {
    let boards = boards();
    assert_eq!(boards.len(), 5);
    let mut titles = BTreeSet::new();
    for Board { file, json } in &boards {
        assert_eq!(format!("{}.json", text(&json["uid"])), *file);
        assert!(text(&json["uid"]).len() <= 40, "{file}: Grafana's limit");
        assert!(titles.insert(text(&json["title"])), "{file}: title twice");
        assert!(text(&json["description"]).ends_with('.'), "{file}");
        assert!(json["tags"].as_array().unwrap().contains(&"weir".into()));
        // 38 is Grafana 10.0's, which later ones bring up to date by themselves.
        assert_eq!(json["schemaVersion"], 38, "{file}");
        assert!(json.get("id").is_none(), "{file}: an id is the server's");
        assert_eq!(json["links"][0]["tags"][0], "weir", "{file}");
    }
}

#[test]
fn the_data_source_is_a_variable_everywhere() {
    for board in boards() {
        let file = &board.file;
        let first = &board.json["templating"]["list"][0];
        assert_eq!(format!("${{{}}}", text(&first["name"])), SOURCE, "{file}");
        assert_eq!(first["type"], "datasource", "{file}");
        walk(&board.json, "", &mut |key, value| {
            if key == "datasource" && value.is_object() {
                assert_eq!(value["uid"], SOURCE, "{file}");
                assert_eq!(value["type"], "prometheus", "{file}");
            }
        });
        for panel in board.panels() {
            let has = panel.get("datasource").is_some();
            assert_eq!(has, panel["type"] != "row", "{file}: {}", panel["title"]);
        }
        for variable in board.variables() {
            let has = variable.get("datasource").is_some();
            assert_eq!(has, variable["type"] == "query", "{file}: {variable}");
        }
    }
}

/// Left, top, right and bottom in the grid of 24 columns.
fn area(panel: &Value) -> [u64; 4] {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
    assert!(
        w > 0 && h > 0 && x + w <= 24,
        "{}: {x} + {w}",
        panel["title"]
    );
    [x, y, x + w, y + h]
}

fn overlap(one: [u64; 4], other: [u64; 4]) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}

#[test]
fn panels_do_not_overlap() {
    let (one, other) = ([0, 0, 12, 8], [11, 7, 24, 9]);
    assert!(overlap(one, other) && !overlap(one, [12, 0, 24, 8]));
    for board in boards() {
        let top = list(&board.json["panels"]);
        let rows = top.iter().filter(|panel| panel["collapsed"] == true);
        for group in rows.map(|row| list(&row["panels"])).chain([top]) {
            for (number, panel) in group.iter().enumerate() {
                for other in &group[..number] {
                    let file = &board.file;
                    let titles = [&panel["title"], &other["title"]];
                    assert!(!overlap(area(panel), area(other)), "{file}: {titles:?}");
                }
            }
        }
    }
}

#[test]
fn panels_are_complete() {
    for board in boards() {
        let mut ids = BTreeSet::new();
        for panel in board.panels() {
            let place = format!("{}: {}", board.file, panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{place}: id");
            assert!(!text(&panel["title"]).is_empty(), "{place}");
            if panel["type"] == "row" {
                let inside = list(&panel["panels"]).is_empty();
                assert_eq!(panel["collapsed"] == true, !inside, "{place}");
                continue;
            }
            assert!(text(&panel["description"]).ends_with('.'), "{place}");
            assert!(!list(&panel["targets"]).is_empty(), "{place}");
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            let kind = text(&panel["type"]);
            assert!(unit.is_string() || !WITH_UNIT.contains(&kind), "{place}");
            let steps = &panel["fieldConfig"]["defaults"]["thresholds"]["steps"];
            let steps = list(steps).iter().skip(1).map(|step| &step["value"]);
            let steps: Vec<_> = steps.map(|value| value.as_f64().unwrap()).collect();
            assert!(steps.is_sorted(), "{place}: thresholds");
            let mut references = BTreeSet::new();
            for target in list(&panel["targets"]) {
                assert!(references.insert(text(&target["refId"])), "{place}");
                assert!(!text(&target["expr"]).trim().is_empty(), "{place}");
                let legend = target["format"] == "table" || target["legendFormat"].is_string();
                assert!(legend, "{place}: no legend");
            }
        }
        walk(&board.json, "", &mut |key, value| {
            if key == "unit" {
                assert!(UNITS.contains(&text(value)), "{}: {value}", board.file);
            }
        });
    }
}

/// A table's columns: what its questions give, each with a name, and no option for a column that is not there.
#[test]
fn tables_name_the_columns_that_they_have() {
    for board in boards() {
        let panels = board.panels();
        for panel in panels.iter().filter(|panel| panel["type"] == "table") {
            let place = format!("{}: {}", board.file, panel["title"]);
            let targets = list(&panel["targets"]);
            let mut columns: BTreeSet<String> = ["Time".to_string(), "job".to_string()].into();
            for target in targets {
                let several = targets.len() > 1;
                let value = format!("Value #{}", text(&target["refId"]));
                columns.insert(if several { value } else { "Value".to_string() });
                let (_, rest) = text(&target["expr"]).split_once(" by (").unwrap();
                let labels = rest.split_once(')').unwrap().0.split(", ");
                columns.extend(labels.map(str::to_string));
            }
            let organize = list(&panel["transformations"]).last().unwrap();
            assert_eq!(organize["id"], "organize", "{place}");
            let keys = |option: &str| -> BTreeSet<String> {
                let entries = organize["options"][option].as_object().unwrap();
                entries.keys().cloned().collect()
            };
            let named = keys("renameByName");
            let settled: BTreeSet<_> = named.union(&keys("excludeByName")).cloned().collect();
            assert_eq!(settled, columns, "{place}");
            assert_eq!(keys("indexByName"), named, "{place}");
            let names: BTreeSet<_> = organize["options"]["renameByName"]
                .as_object()
                .unwrap()
                .values()
                .map(text)
                .collect();
            for option in list(&panel["fieldConfig"]["overrides"]) {
                let column = text(&option["matcher"]["options"]);
                assert!(names.contains(column), "{place}: {column}");
            }
            let sort = list(&panel["options"]["sortBy"]).first();
            assert!(
                sort.is_none_or(|sort| names.contains(text(&sort["displayName"]))),
                "{place}"
            );
        }
    }
}

/// That a selector's metric and labels exist, and that it heeds every variable that its series have a label for.
fn check(place: &str, all: &[Known], variables: &[String], expression: &str) {
    let found = selectors(expression);
    assert!(!found.is_empty(), "{place}: {expression}");
    for selector in found {
        let families = asked(all, &selector);
        assert!(!families.is_empty(), "{place}: unknown {}", selector.text);
        for family in families {
            for [label, _, _] in &selector.matchers {
                let has = label == "__name__" || family.labels.contains(&label.as_str());
                assert!(has, "{place}: {} has no {label}", family.name);
            }
            for variable in variables {
                let heeded = selector.matcher(variable, "=~") == Some(&format!("${variable}"));
                let wanted = family.labels.contains(&variable.as_str());
                assert_eq!(heeded, wanted, "{place}: {} and ${variable}", selector.text);
            }
        }
    }
}

#[test]
fn expressions_name_what_exists_and_heed_the_variables() {
    let all = families();
    for board in boards() {
        let queried = board
            .variables()
            .filter(|variable| variable["type"] == "query");
        let variables: Vec<_> = queried
            .map(|variable| text(&variable["name"]).to_string())
            .collect();
        assert!(variables.contains(&"instance".to_string()));
        for (place, target) in board.targets() {
            check(&place, &all, &variables, text(&target["expr"]));
        }
        let mut earlier = Vec::new();
        for variable in board
            .variables()
            .filter(|variable| variable["type"] == "query")
        {
            let name = text(&variable["name"]);
            let query = text(&variable["query"]["query"]);
            assert_eq!(variable["definition"], query);
            // All must match series without the label too.
            assert_eq!(variable["allValue"], ".*", "{name}");
            let (selector, label) = label_values(query);
            assert_eq!(label, name);
            let asks = asked(&all, &selectors(selector)[0]);
            assert!(
                asks.iter().all(|family| family.labels.contains(&label)),
                "{query}"
            );
            check(&board.file, &all, &earlier, selector);
            earlier.push(name.to_string());
        }
    }
}

#[test]
fn every_variable_is_defined_and_used() {
    const GIVEN: [&str; 3] = ["__rate_interval", "__url_time_range", "__value"];
    let name = regex_lite::Regex::new(r"\$\{?([A-Za-z_]\w*)").unwrap();
    for board in boards() {
        let mut defined: BTreeMap<&str, usize> = BTreeMap::new();
        for variable in list(&board.json["templating"]["list"]) {
            defined.insert(text(&variable["name"]), 0);
        }
        walk(&board.json["panels"], "", &mut |_, value| {
            for found in name.captures_iter(text(value)) {
                let name = found.get(1).unwrap().as_str();
                match defined.get_mut(name) {
                    Some(count) => *count += 1,
                    None => assert!(GIVEN.contains(&name), "{}: ${name}", board.file),
                }
            }
        });
        for (variable, count) in defined {
            assert!(count > 0, "{}: ${variable} changes nothing", board.file);
        }
    }
}

#[test]
fn links_lead_to_dashboards() {
    let boards = boards();
    let uids: BTreeSet<_> = boards
        .iter()
        .map(|board| text(&board.json["uid"]))
        .collect();
    let mut links = 0;
    for board in &boards {
        walk(&board.json["panels"], "", &mut |key, value| {
            if key == "url" {
                let path = text(value).strip_prefix("/d/").unwrap();
                let uid = path.split('?').next().unwrap();
                assert!(uids.contains(uid), "{}: {path}", board.file);
                links += 1;
            }
        });
    }
    assert!(links > 0);
}
