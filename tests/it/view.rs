//! The page and its JSON from a batch: a captured host as a golden file, what strangers may have named, and what is wrong when.

mod problems;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use weir::config::Config;
use weir::files::Files;
use weir::metric::Batch;
use weir::metric::Desc;
use weir::metric::Kind;
use weir::metric::NO_LABELS;
use weir::sampler::Sampler;
use weir::scrape::Engine;
use weir::view;
use weir::view::About;
use weir::view::Run;
use weir::view::View;

use crate::tree::fixtures;
use crate::tree::golden;

fn about() -> About {
    About {
        host: "router".to_string(),
        version: "weir 1.2.3 (commit abc, target test)".to_string(),
        uptime: Duration::from_secs(93_784),
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_701_945_000),
        refresh: Duration::from_secs(5),
        telemetry_path: "/metrics".to_string(),
        collectors: Vec::new(),
        bridges: Vec::new(),
    }
}

fn run(name: &'static str, error: Option<&str>) -> Run {
    Run {
        name,
        help: "what it answers",
        enabled: true,
        duration: Some(Duration::from_micros(250)),
        error: error.map(str::to_string),
    }
}

/// The page's `<main>`, and the JSON.
fn rendered(about: About, batch: &Batch, sampler: &Sampler) -> (String, Value) {
    texts(&View::new(about, batch, sampler, None))
}

fn texts(view: &View) -> (String, Value) {
    let [html, json] = view.render(<[Vec<u8>; 2]>::default());
    let (html, json) = (
        String::from_utf8(html).unwrap(),
        String::from_utf8(json).unwrap(),
    );
    let main = html.split_once("<main ").expect("a main part").1;
    let main = main.split_once("</main>").expect("its end").0;
    let now = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    (format!("<main {main}</main>\n"), now)
}

/// Adds a sample of a family that is not described elsewhere.
fn push(batch: &mut Batch, name: &str, labels: &[(&'static str, &str)], value: f64) {
    let names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
    let known = batch.families().iter().find(|family| family.name == name);
    let known = known.map(|family| match family {
        weir::metric::Family::Shared(desc) => Arc::clone(desc),
        weir::metric::Family::Static(desc) => panic!("{}", desc.name),
    });
    let desc = known.unwrap_or_else(|| {
        Desc::at_run_time(name.to_string(), Kind::Gauge, names.leak(), String::new())
    });
    let labels = if labels.is_empty() {
        NO_LABELS
    } else {
        batch.labels(labels)
    };
    batch.push_shared(&desc, labels, value);
}

fn kinds(now: &Value) -> Vec<(&str, &str)> {
    let rows = now["problems"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["level"].as_str().unwrap(),
            row["kind"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_captured_host_gives_the_page_beside_it() {
    // Each in the memory of the one before.
    let mut last = None;
    for name in ["x86_64-vm", "odd-names", "x86_64-vm"] {
        let root = fixtures().join("hosts").join(name);
        let config = Config {
            procfs: root.join("proc"),
            sysfs: root.join("sys"),
            collectors: view::COLLECTORS
                .into_iter()
                .filter(|name| *name != "connections")
                .collect(),
            ..Config::default()
        };
        let files = Files::open(&config.procfs, &config.sysfs).unwrap();
        let (mut sampler, start) = (Sampler::default(), Instant::now());
        for tick in 0..3 {
            sampler.tick(&files, start + Duration::from_secs(5 * tick));
        }
        let mut engine = Engine::new(&config, files);
        engine.look(&view::COLLECTORS, &sampler);
        let runs = engine.outcomes().chain(engine.beside());
        let collectors = runs.map(|(spec, outcome)| {
            run(
                spec.name,
                outcome.and_then(|outcome| outcome.error.as_deref()),
            )
        });
        let about = About {
            collectors: collectors.collect(),
            ..about()
        };
        let view = View::new(about, engine.seen(), &sampler, last.take());
        let (html, now) = texts(&view);
        last = Some(view);
        golden(&root.join("expected.html"), &html).unwrap();
        let json = serde_json::to_string_pretty(&now).unwrap() + "\n";
        golden(&root.join("expected.json"), &json).unwrap();
        // Peers are counted for the page alone.
        assert!(now["peers"]["input"].is_array());
        let (batch, _) = engine.scrape(&[], &[], &sampler).unwrap();
        let mut families = batch.families().iter();
        assert!(!families.any(|family| family.name.starts_with("network_connections")));
        engine.look_away();
        assert_eq!(engine.beside().count(), 0);
    }
}

#[test]
fn whatever_things_are_called_it_is_text_and_json() {
    let evil = "\"'><script>&\\\n\u{1}\u{7f}\u{2028}é";
    let mut batch = Batch::default();
    let device = [("device", evil)];
    push(
        &mut batch,
        "weir_network_receive_bytes_per_second",
        &device,
        f64::NAN,
    );
    push(
        &mut batch,
        "node_network_receive_errs_total",
        &device,
        f64::INFINITY,
    );
    push(&mut batch, "node_network_transmit_drop_total", &device, 3.0);
    push(
        &mut batch,
        "node_network_info",
        &[("device", evil), ("operstate", evil), ("adminstate", evil)],
        1.0,
    );
    push(&mut batch, "ephemeral_ports_used", &[], f64::NEG_INFINITY);
    push(&mut batch, "ephemeral_ports_total", &[], 0.0);
    let destination = [("src_ip", evil), ("dest_ip", evil), ("dest_port", evil)];
    push(
        &mut batch,
        "weir_ephemeral_ports_destination_used",
        &destination,
        -1.0,
    );
    push(
        &mut batch,
        "weir_listener_backlog",
        &[("address", evil), ("port", evil)],
        3.0,
    );
    push(
        &mut batch,
        "weir_listener_backlog_limit",
        &[("address", evil), ("port", evil)],
        0.0,
    );
    push(
        &mut batch,
        "weir_connections",
        &[("local_port", "1"), ("direction", "input")],
        1.0,
    );
    let peer = [("dest_ip", evil), ("src_ip", evil), ("peer_hostname", evil)];
    push(&mut batch, "network_connections_input_total", &peer, 1e300);
    push(&mut batch, "network_connections_output_total", &peer, 1.5);
    push(
        &mut batch,
        "weir_dhcp_pool_usage_ratio",
        &[("server", evil), ("pool", evil)],
        2.0,
    );
    push(&mut batch, "weir_dhcp_success", &[("server", evil)], 0.0);
    push(
        &mut batch,
        "weir_dns_record_valid",
        &[("name", evil), ("type", evil)],
        0.0,
    );
    push(
        &mut batch,
        "weir_dns_record_status",
        &[("name", evil), ("type", evil), ("reason", evil)],
        1.0,
    );
    push(
        &mut batch,
        "node_tcp_connection_states",
        &[("state", "listen")],
        1.0,
    );
    let about = About {
        host: evil.to_string(),
        version: evil.to_string(),
        telemetry_path: evil.to_string(),
        collectors: vec![run("tcpstat", Some(evil)), run("netdev", None)],
        ..about()
    };
    let (html, now) = rendered(about, &batch, &Sampler::default());
    for forbidden in ["<script", "'>", "\u{1}", "\u{7f}"] {
        assert!(!html.contains(forbidden), "{forbidden:?}: {html}");
    }
    assert!(
        html.matches("&quot;&#39;&gt;&lt;script&gt;&amp;\\\\")
            .count()
            + html.matches("&quot;&#39;&gt;&lt;script&gt;&amp;\\").count()
            > 15
    );
    let device = &now["interfaces"][0];
    for found in [
        &now["host"],
        &device["name"],
        &device["state"],
        &now["listeners"][0]["address"],
        &now["peers"]["input"][0]["name"],
        &now["dhcp"][0]["pool"],
        &now["dns"][0]["reason"],
        &now["collectors"][0]["error"],
    ] {
        assert_eq!(found, evil);
    }
    // JSON has no such numbers, and they are not zero either.
    assert!(device["receive_bytes_per_second"].is_null() && device["receive_errors"].is_null());
    assert_eq!(device["transmit_drops"], 3);
    assert!(now["ports"]["used"].is_null() && now["ports"]["usage_ratio"].is_null());
}

#[test]
fn nothing_measured_is_no_section() {
    let (html, now) = rendered(about(), &Batch::default(), &Sampler::default());
    for absent in [
        "Interfaces",
        "TCP",
        "Ephemeral",
        "Listeners",
        "Peers",
        "DHCP",
        "DNS",
        "data-n=",
        "data-b=",
    ] {
        assert!(!html.contains(absent), "{absent}: {html}");
    }
    for key in ["tcp", "ports", "listeners", "peers", "conntrack"] {
        assert!(now[key].is_null(), "{key}");
    }
    assert!(html.contains("No collector is enabled."));
    // What failed says so, and in words what is wrong.
    let failed = [
        "tcpstat",
        "listeners",
        "connections",
        "ephemeral_ports",
        "netclass",
        "dhcp",
        "dns",
        "conntrack",
    ];
    let about = About {
        collectors: failed
            .map(|name| run(name, Some("proc/x:1: no <use>")))
            .to_vec(),
        ..about()
    };
    let (html, now) = rendered(about, &Batch::default(), &Sampler::default());
    assert_eq!(
        html.matches("Not measured: proc/x:1: no &lt;use&gt;")
            .count(),
        7
    );
    assert_eq!(kinds(&now), [("warning", "collector"); 8]);
    assert!(html.contains("8 things are wrong.") && !html.contains("There are none"));
    assert_eq!(
        now["problems"][0]["text"],
        "The collector tcpstat fails: proc/x:1: no <use>"
    );
}

#[test]
fn crowds_are_bounded_and_folded() {
    let mut batch = Batch::default();
    for number in 0..1000 {
        let name = format!("veth{number}");
        let labels = [("device", name.as_str())];
        push(
            &mut batch,
            "weir_network_receive_bytes_per_second",
            &labels,
            f64::from(number) * 10.0,
        );
        push(
            &mut batch,
            "node_network_info",
            &[labels[0], ("operstate", "up"), ("adminstate", "up")],
            1.0,
        );
    }
    for port in 0..100 {
        let port = port.to_string();
        let labels = [("address", "0.0.0.0"), ("port", port.as_str())];
        let backlog = if port == "77" { 9.0 } else { 0.0 };
        push(&mut batch, "weir_listener_backlog", &labels, backlog);
        push(&mut batch, "weir_listener_backlog_limit", &labels, 10.0);
    }
    let about = About {
        collectors: vec![run("throughput", None)],
        ..about()
    };
    let view = View::new(about.clone(), &batch, &Sampler::default(), None);
    let [whole, _] = view.render(<[Vec<u8>; 2]>::default());
    let (html, now) = rendered(about, &batch, &Sampler::default());
    let devices = now["interfaces"].as_array().unwrap();
    assert_eq!(
        (devices.len(), &devices[0]["name"]),
        (100, &Value::from("veth900"))
    );
    assert_eq!(now["interfaces_left_out"], 900);
    assert!(html.contains("900 more are not shown here."));
    assert_eq!(now["listeners"].as_array().unwrap().len(), 100);
    assert_eq!(now["listeners"][0]["port"], "77");
    let (shown, folded) = html
        .split_once("<details id=\"listeners\"><summary>94 more")
        .expect("a fold");
    assert!(shown.contains("0.0.0.0:77") && folded.contains("0.0.0.0:99"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&whole).unwrap();
    let length = packed.finish().unwrap().len();
    assert!(length < 40_000, "{length}");
}
