//! README's questions for a node graph, asked of a real Prometheus that scrapes the three hosts.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::prometheus::ask;
use crate::running::Directory;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;

use super::A;
use super::B;
use super::C;
use super::FLAGS;
use super::HUB;
use super::Network;
use super::Pairs;
use super::a_input;
use super::a_output;
use super::populate;

/// README's questions, in its order: edges, nodes.
fn questions() -> Vec<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks = text.split("```promql\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_string())
        .collect()
}

/// A Prometheus in the hub that scrapes the three.
fn prometheus(network: &Network, directory: &Directory) -> Process {
    let targets = [A, B, C].map(|[v4, _]| format!("'{v4}:2112'")).join(", ");
    let config = directory.0.join("prometheus.yml");
    let text = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: weir\n    static_configs:\n      - targets: [{targets}]\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = network.hub.command("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            directory.0.join("data").display()
        ))
        .arg(format!("--web.listen-address={HUB}:9090"));
    let quiet = || Stdio::null();
    Process(
        command
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .spawn()
            .unwrap(),
    )
}

/// A label of a series.
fn label(series: &Value, name: &str) -> String {
    series["metric"][name]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

/// The number that the panel shows.
fn mainstat(series: &Value) -> f64 {
    assert_eq!(series["value"][1], "1", "{series}");
    label(series, "mainstat").parse().unwrap()
}

#[test]
fn a_node_graph_is_what_readme_asks_for() {
    if !installed("prometheus") {
        return skip("prometheus is not installed");
    }
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let held = populate(&network.hosts);
    let directory = Directory::new();
    let hosts = directory.0.join("root/etc");
    fs::create_dir_all(&hosts).unwrap();
    fs::write(
        hosts.join("hosts"),
        "10.77.0.1 web\n10.77.0.2 database\n10.77.0.3 mail\nfd77::1 web\nfd77::2 database\n",
    )
    .unwrap();
    let weirs: Vec<_> = network
        .hosts
        .iter()
        .map(|host| {
            let mut command = host.command(WEIR);
            command.args(FLAGS).arg("--web.listen-address=0.0.0.0:2112");
            command.arg(format!(
                "--path.rootfs={}",
                directory.0.join("root").display()
            ));
            command.arg("--collector.connections.hostnames=hosts");
            Weir::launch(command.arg(format!(
                "--collector.connections.exclude=127.0.0.0/8,::1/128,{HUB}"
            )))
        })
        .collect();
    let _prometheus = prometheus(&network, &directory);
    let ask = |question: &str| network.hub.inside(|| ask(&format!("{HUB}:9090"), question));
    wait_until("two scrapes of each", || {
        ask("count_over_time(up[30s]) >= 2 and up == 1").len() == 3
    });

    let questions = questions();
    let [edges, nodes] = questions.as_slice() else {
        panic!("there are {} questions", questions.len());
    };
    let found: Pairs = ask(edges)
        .iter()
        .map(|edge| {
            let (source, target) = (label(edge, "source"), label(edge, "target"));
            assert_eq!(label(edge, "id"), format!("{source}-{target}"));
            ((target, source), mainstat(edge))
        })
        .collect();
    let expected: Pairs = a_input().into_iter().chain(a_output()).collect();
    for ((target, source), count) in &found {
        println!("| `{source}-{target}` | {source} | {target} | {count} |");
    }
    assert_eq!(found, expected);
    let mut found = BTreeMap::new();
    for node in ask(nodes) {
        assert!(
            found.insert(label(&node, "id"), mainstat(&node)).is_none(),
            "{node}"
        );
    }
    for (id, count) in &found {
        println!("| {id} | {count} |");
    }
    let ends = expected
        .keys()
        .flat_map(|(target, source)| [target, source]);
    let mut expected_nodes = BTreeMap::new();
    for end in ends {
        let taken = expected.iter().filter(|((target, _), _)| target == end);
        expected_nodes.insert(end.clone(), taken.map(|(_, count)| count).sum::<f64>());
    }
    assert_eq!(found, expected_nodes);
    drop((held, weirs));
}
