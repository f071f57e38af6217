//! `promtool check metrics` on what weir serves: it may complain about names that are not weir's to choose, nothing else.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use crate::client;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;

/// The seeds' own names: gauges that end in `_total`, which their documents ask for.
const SEEDS: &[&str] = &[
    "ephemeral_ports_total",
    "network_connections_input_total",
    "network_connections_output_total",
];

/// node_exporter's own names: the kernel's CamelCase words, gauges or untyped families named like counters, and bits.
const NODE_EXPORTER: &[&str] = &[
    "node_entropy_",
    "node_netstat_",
    "node_sockstat_",
    "node_memory_",
];

#[test]
fn promtool_complains_about_foreign_names_only() {
    if !installed("promtool") {
        return skip("promtool is not installed");
    }
    let weir = Weir::start(&["--collect.interval=500ms"]);
    let page = || client::get(&weir.address, "/metrics").unwrap().body;
    assert_eq!(complaints(&page()), [""; 0]);
    // Rates and maxima need two samples.
    let rates = || {
        String::from_utf8(page())
            .unwrap()
            .contains("_bytes_per_second_max{")
    };
    wait_until("rates", rates);
    assert_eq!(complaints(&page()), [""; 0]);
}

/// The lines that promtool writes, without those about foreign names.
pub(crate) fn complaints(page: &[u8]) -> Vec<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(page).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    // 0 without complaints, 3 with complaints about names; else it could not read the page.
    let code = output.status.code();
    assert!(
        matches!(code, Some(0 | 3)),
        "promtool ended with {code:?}: {said}"
    );
    said.lines()
        .filter(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            !SEEDS.contains(&name) && !NODE_EXPORTER.iter().any(|prefix| name.starts_with(prefix))
        })
        .map(ToString::to_string)
        .collect()
}

#[test]
fn promtool_would_complain() {
    if !installed("promtool") {
        return skip("promtool is not installed");
    }
    let bad =
        b"# HELP weir_things_total Things.\n# TYPE weir_things_total gauge\nweir_things_total 1\n";
    assert_eq!(complaints(bad).len(), 1);
}
