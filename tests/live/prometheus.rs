//! A real Prometheus scrapes weir and is asked through its API: the target is up, nothing in its log is about our page,
//! and the questions that dashboards ask have answers.

use std::fs;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::client;
use crate::running::Directory;
use crate::running::Process;
use crate::running::Weir;
use crate::running::free_address;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;

/// Questions that must have at least one series in the answer, after a few scrapes a second apart.
const QUESTIONS: &[&str] = &[
    "up == 1",
    "rate(node_network_receive_bytes_total[10s])",
    "rate(node_network_transmit_packets_total{device=\"lo\"}[10s]) >= 0",
    "rate(node_network_receive_errs_total[10s]) / rate(node_network_receive_packets_total[10s]) or node_network_up",
    "sum by (state) (node_tcp_connection_states{state=\"established\"}) >= 1",
    "count(node_tcp_connection_states) == 13",
    "rate(node_netstat_Tcp_OutSegs[10s])",
    "irate(node_softnet_processed_total[10s]) >= 0",
    "ephemeral_ports_used / ephemeral_ports_total <= 1",
    "ephemeral_ports_total - ephemeral_ports_used == ephemeral_ports_available",
    "ephemeral_port_exporter_scrape_success == 1",
    "node_sockstat_TCP_inuse >= 1",
    "min(node_scrape_collector_success) == 1",
    "histogram_quantile(0.9, rate(weir_scrape_duration_seconds_bucket[10s])) or weir_scrape_duration_seconds_count",
    "process_resident_memory_bytes",
    "weir_build_info",
    "scrape_samples_scraped > 100",
];

#[test]
fn prometheus_scrapes_and_answers() {
    if !installed("prometheus") {
        return skip("prometheus is not installed");
    }
    let weir = Weir::start(&["--collect.interval=1s"]);
    let prometheus = Prometheus::scraping("weir", &weir);
    let address = &prometheus.address;
    for question in QUESTIONS {
        assert_ne!(ask(address, question), [Value::Null; 0], "{question}");
    }
    let never_down = ask(address, "min_over_time(up[30s]) == 0");
    assert_eq!(never_down, [Value::Null; 0]);

    check_target(address);
    check_types(address, &weir);
    let log = prometheus.log();
    let complaints: Vec<_> = log.lines().filter(|line| is_complaint(line)).collect();
    assert_eq!(complaints, [""; 0]);
}

/// A Prometheus of its own that scrapes weir every second.
pub(crate) struct Prometheus {
    pub(crate) address: String,
    process: Process,
    directory: Directory,
}

impl Prometheus {
    /// Starts it and waits until it has scraped four times.
    pub(crate) fn scraping(job: &str, weir: &Weir) -> Self {
        Self::scraping_with(job, weir, "")
    }

    /// The same with more lines for the target, each with four spaces before it.
    pub(crate) fn scraping_with(job: &str, weir: &Weir, lines: &str) -> Self {
        Self::scraping_all(job, &[weir], lines)
    }

    /// The same of several targets.
    pub(crate) fn scraping_all(job: &str, weirs: &[&Weir], lines: &str) -> Self {
        let targets: Vec<_> = weirs.iter().map(|weir| weir.address.as_str()).collect();
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: {job}\n{lines}    static_configs:\n      - \
             targets: ['{}']\n",
            targets.join("', '")
        );
        let prometheus = Self::launch(&mut Command::new("prometheus"), &config, free_address());
        // Prometheus takes five seconds to look for targets at all.
        wait_until("four scrapes", || {
            ask(&prometheus.address, "count_over_time(up[30s]) >= 4").len() == weirs.len()
        });
        prometheus
    }

    /// Starts a prepared command with this configuration. It may not answer yet.
    pub(crate) fn launch(command: &mut Command, config: &str, address: String) -> Self {
        let directory = Directory::new();
        let path = directory.0.join("prometheus.yml");
        fs::write(&path, config).unwrap();
        let child = command
            .arg(format!("--config.file={}", path.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.0.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.0.join("log")).unwrap())
            .spawn()
            .unwrap();
        let process = Process(child);
        Self {
            address,
            process,
            directory,
        }
    }

    /// Ends it and gives what it logged.
    fn log(self) -> String {
        drop(self.process);
        fs::read_to_string(self.directory.0.join("log")).unwrap()
    }
}

/// What Prometheus says of a page that it does not like.
fn is_complaint(line: &str) -> bool {
    [
        "level=warn",
        "level=error",
        "Append failed",
        "Scrape failed",
        "uplicate",
    ]
    .iter()
    .any(|word| line.contains(word))
}

fn check_target(address: &str) {
    let targets = api(address, "/api/v1/targets?state=active");
    let target = &targets["activeTargets"][0];
    assert_eq!(target["health"], "up", "{target}");
    assert_eq!(target["lastError"], "", "{target}");
}

/// The types as Prometheus understood them are those that weir's page says.
fn check_types(address: &str, weir: &Weir) {
    let metadata = api(
        address,
        "/api/v1/targets/metadata?match_target=%7Bjob%3D%22weir%22%7D",
    );
    let metadata = metadata.as_array().unwrap();
    let page = weir.scrape();
    assert!(metadata.len() > 50, "{} families", metadata.len());
    for entry in metadata {
        let name = entry["metric"].as_str().unwrap();
        let kind = match entry["type"].as_str().unwrap() {
            "unknown" => "untyped",
            other => other,
        };
        // A family may be gone again, such as the retransmission ratio of a quiet moment.
        if let Some(family) = page.families.get(name) {
            assert_eq!(kind, family.kind, "{name}");
            assert_ne!(entry["help"], "", "{name}");
        }
    }
}

/// A question as it stands in a URL.
pub(crate) fn encoded(question: &str) -> String {
    question
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect()
}

/// The series that answer a question.
pub(crate) fn ask(address: &str, question: &str) -> Vec<Value> {
    let query = encoded(question);
    match client::get(address, &format!("/api/v1/query?query={query}")) {
        Ok(answer) => {
            let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let series = answer["data"]["result"].as_array();
            series.cloned().unwrap_or_default()
        }
        // Not started yet.
        Err(_) => Vec::new(),
    }
}

fn api(address: &str, path: &str) -> Value {
    let answer = client::get(address, path).unwrap();
    let mut answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["status"], "success", "{path}");
    answer["data"].take()
}
