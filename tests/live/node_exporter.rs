//! Every family that Debian's node_exporter 1.5.0 and weir share, read from both on this machine. Names, types and label
//! sets must be equal; a value must lie between two readings of node_exporter, one before and one after weir's, which
//! makes it equal wherever it did not move. metrics.md promises the names of 1.12, so what differs is listed and explained.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use weir::config::MOUNT_POINTS_EXCLUDE;
use weir::config::NETSTAT_FIELDS;

use crate::client::Client;
use crate::running::Namespace;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::free_address;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::LabelSet;
use crate::text::Page;

pub(crate) const NODE_EXPORTER: &str = "/usr/bin/prometheus-node-exporter";

/// node_exporter's collectors that weir has.
const COLLECTORS: &[&str] = &[
    "arp",
    "bonding",
    "conntrack",
    "cpu",
    "entropy",
    "filefd",
    "filesystem",
    "loadavg",
    "meminfo",
    "ipvs",
    "lnstat",
    "netclass",
    "netdev",
    "netstat",
    "network_route",
    "qdisc",
    "sockstat",
    "softnet",
    "stat",
    "tcpstat",
    "thermal_zone",
    "time",
    "udp_queues",
    "uname",
];

/// How often both are read until a value that moves has been caught between two readings.
const ATTEMPTS: usize = 25;

/// What moves up and down with everybody's connections, and is compared in a quiet namespace only.
const SOCKETS: &[&str] = &[
    "node_tcp_connection_states",
    "node_sockstat_",
    "node_udp_queues",
];

enum Known {
    /// A family that only node_exporter has.
    OnlyThere,
    /// A family that only weir has.
    OnlyHere,
    /// A label that only weir has.
    LabelHere(&'static str),
    /// Series that only weir has.
    MoreHere,
    /// A series with this label value has another value.
    Value(&'static str),
    /// Another value at any time, because the readers themselves or the rest of the machine move it.
    Moves,
}

/// The differences, with their reasons. Anything else that differs fails the test.
const DIFFERENCES: &[(&str, Known, &str)] = &[
    (
        "node_exporter_build_info",
        Known::OnlyThere,
        "about itself; weir_build_info here",
    ),
    (
        "promhttp_metric_handler_errors_total",
        Known::OnlyThere,
        "about its HTTP library",
    ),
    (
        "node_scrape_collector_duration_seconds",
        Known::MoreHere,
        "weir has more collectors",
    ),
    (
        "node_scrape_collector_duration_seconds",
        Known::Moves,
        "the time each of them took",
    ),
    (
        "node_scrape_collector_success",
        Known::MoreHere,
        "weir has more collectors",
    ),
    (
        "node_scrape_collector_success",
        Known::Value("bonding"),
        "0 there where the kernel has not loaded it; no family here, and no failure",
    ),
    (
        "node_scrape_collector_success",
        Known::Value("ipvs"),
        "0 there where the kernel has not loaded it; no family here, and no failure",
    ),
    (
        "node_network_info",
        Known::LabelHere("adminstate"),
        "later versions of node_exporter have it",
    ),
    (
        "node_softnet_cpu_collision_total",
        Known::OnlyHere,
        "later versions of node_exporter have it",
    ),
    (
        "node_softnet_received_rps_total",
        Known::OnlyHere,
        "later versions of node_exporter have it",
    ),
    (
        "node_softnet_flow_limit_count_total",
        Known::OnlyHere,
        "later versions of node_exporter have it",
    ),
    (
        "node_softnet_backlog_len",
        Known::OnlyHere,
        "later versions of node_exporter have it",
    ),
    (
        "node_tcp_connection_states",
        Known::MoreHere,
        "1.5.0 leaves out states without sockets",
    ),
    (
        "node_tcp_connection_states",
        Known::Value("tx_queued_bytes"),
        "1.5.0 adds the accept limits of LISTEN sockets, which are no queued bytes",
    ),
    (
        "node_sockstat_sockets_used",
        Known::Moves,
        "node_exporter has netlink sockets open while it counts",
    ),
    (
        "node_sockstat_TCP_mem",
        Known::Moves,
        "of the whole machine, and moves with every packet",
    ),
    (
        "node_sockstat_TCP_mem_bytes",
        Known::Moves,
        "the same in bytes",
    ),
    (
        "node_sockstat_TCP_alloc",
        Known::Moves,
        "of the whole machine",
    ),
    (
        "node_sockstat_TCP_orphan",
        Known::Moves,
        "of the whole machine",
    ),
    (
        "node_sockstat_UDP_mem",
        Known::Moves,
        "of the whole machine",
    ),
    (
        "node_sockstat_UDP_mem_bytes",
        Known::Moves,
        "of the whole machine",
    ),
    (
        "node_filesystem_size_bytes",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_free_bytes",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_avail_bytes",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_files",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_files_free",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_readonly",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_device_error",
        Known::LabelHere("device_error"),
        "later versions of node_exporter have it",
    ),
    (
        "node_filesystem_mount_info",
        Known::OnlyHere,
        "later versions of node_exporter have it",
    ),
];

fn known(family: &str, is: impl Fn(&Known) -> bool) -> bool {
    DIFFERENCES
        .iter()
        .any(|(name, known, _)| *name == family && is(known))
}

#[test]
fn shared_families_are_equal_on_this_machine() {
    compare_both(None);
}

/// Where nobody else opens connections, those can be compared too.
#[test]
fn shared_families_are_equal_in_a_quiet_namespace() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    namespace.ip("link add name a.b-c numtxqueues 2 type veth peer name far0");
    namespace.ip("link set a.b-c up alias office");
    namespace.ip("address add 192.0.2.1/24 dev a.b-c");
    namespace.ip("neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev a.b-c");
    namespace.ip("route add default via 192.0.2.2 metric 7 proto bgp src 192.0.2.1");
    namespace.ip("route add 198.51.100.0/24 nexthop via 192.0.2.2 weight 3 nexthop via 192.0.2.3");
    namespace.ip("route add 203.0.113.0/24 dev a.b-c table 7");
    namespace.ip("route add unreachable 10.0.0.0/8");
    // A root with a discipline for each queue below it, and one for what comes in.
    for words in [
        "qdisc add dev a.b-c root handle 1: mq",
        "qdisc add dev a.b-c clsact",
    ] {
        let status = namespace.command("tc").args(words.split(' ')).status();
        assert!(status.is_ok_and(|status| status.success()), "tc {words}");
    }
    compare_both(Some(&namespace));
}

fn compare_both(namespace: Option<&Namespace>) {
    if !Path::new(NODE_EXPORTER).exists() {
        return skip("prometheus-node-exporter is not installed");
    }
    let command =
        |program| namespace.map_or_else(|| Command::new(program), |inside| inside.command(program));
    let connect = |address: &str| {
        namespace.map_or_else(
            || Client::connect(address),
            |inside| inside.connect(address),
        )
    };
    let collectors: Vec<String> = COLLECTORS
        .iter()
        .map(|name| format!("--collector.{name}"))
        .collect();
    let address = free_address();
    let child = command(NODE_EXPORTER)
        .arg(format!("--web.listen-address={address}"))
        .args([
            "--collector.disable-defaults",
            "--web.disable-exporter-metrics",
        ])
        // Debian leaves lo out, and the default fields grew since 1.5.0.
        .arg("--collector.netdev.device-exclude=^$")
        .arg("--collector.netdev.address-info")
        .arg(format!("--collector.netstat.fields={NETSTAT_FIELDS}"))
        // Debian leaves out more.
        .arg(format!(
            "--collector.filesystem.mount-points-exclude={MOUNT_POINTS_EXCLUDE}"
        ))
        .args(&collectors)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _node_exporter = Process(child);
    wait_until("node_exporter", || connect(&address).is_ok());
    let mut weir = command(WEIR);
    weir.args([
        "--web.listen-address=127.0.0.1:0",
        "--web.disable-exporter-metrics",
    ]);
    weir.arg("--collector.netdev.address-info");
    let weir = Weir::launch(weir.arg("--collector.disable-defaults").args(&collectors));

    // Connections that stay open, so that the readings themselves open none.
    let mut there = connect(&address).unwrap();
    let mut here = connect(&weir.address).unwrap();
    let mut values = Values::default();
    for attempt in 0..ATTEMPTS {
        let before = read(&mut there);
        let ours = read(&mut here);
        let after = read(&mut there);
        if attempt == 0 {
            assert_eq!(differing_shape(&after, &ours), [""; 0]);
        }
        values.compare(&before, &ours, &after, namespace.is_some());
        if values.never_equal().is_empty() {
            break;
        }
    }
    assert!(
        values.found.len() > 90,
        "only {} values",
        values.found.len()
    );
    assert_eq!(values.never_equal(), [""; 0]);
}

fn read(client: &mut Client<TcpStream>) -> Page {
    let answer = client.get("/metrics", "").unwrap();
    Page::parse(answer.text().unwrap()).unwrap()
}

/// What is not as it should be in names, types and label sets.
fn differing_shape(there: &Page, here: &Page) -> Vec<String> {
    let mut found = Vec::new();
    for (name, theirs) in &there.families {
        let Some(ours) = here.families.get(name) else {
            if !known(name, |known| matches!(known, Known::OnlyThere)) {
                found.push(format!("{name}: missing here"));
            }
            continue;
        };
        if ours.kind != theirs.kind {
            found.push(format!("{name}: {} here, {} there", ours.kind, theirs.kind));
        }
        let ours: BTreeSet<_> = ours.samples.keys().map(|key| series(name, key)).collect();
        let theirs: BTreeSet<_> = theirs.samples.keys().map(|key| series(name, key)).collect();
        let missing = theirs.difference(&ours);
        found.extend(missing.map(|series| format!("missing here: {series}")));
        if !known(name, |known| matches!(known, Known::MoreHere)) {
            let more = ours.difference(&theirs);
            found.extend(more.map(|series| format!("only here: {series}")));
        }
    }
    for name in here
        .families
        .keys()
        .filter(|name| name.starts_with("node_"))
    {
        let only_here = || known(name, |known| matches!(known, Known::OnlyHere));
        if !there.families.contains_key(name) && !only_here() {
            found.push(format!("{name}: only here"));
        }
    }
    found
}

/// A series without the labels that only weir has.
fn series(family: &str, (name, labels): &(String, LabelSet)) -> String {
    let shared = labels
        .iter()
        .filter(|(label, _)| {
            !known(
                family,
                |known| matches!(known, Known::LabelHere(here) if here == label),
            )
        })
        .map(|(label, value)| format!("{label}={value:?}"));
    format!("{name}{{{}}}", shared.collect::<Vec<_>>().join(","))
}

/// Which values were equal at least once, and what was seen of those that were not.
#[derive(Default)]
struct Values {
    found: BTreeMap<String, Option<String>>,
}

impl Values {
    fn compare(&mut self, before: &Page, ours: &Page, after: &Page, quiet: bool) {
        for (family, theirs) in &after.families {
            if !quiet && SOCKETS.iter().any(|prefix| family.starts_with(prefix)) {
                continue;
            }
            if known(family, |known| {
                matches!(known, Known::OnlyThere | Known::Moves)
            }) {
                continue;
            }
            let by_series = |page: &Page| -> BTreeMap<String, f64> {
                let samples = page.families.get(family).map(|family| &family.samples);
                let samples = samples.into_iter().flatten();
                samples
                    .map(|(key, value)| (series(family, key), *value))
                    .collect()
            };
            let (before, ours) = (by_series(before), by_series(ours));
            for (key, after) in &theirs.samples {
                let other = |known: &Known| matches!(known, Known::Value(value) if key.1.values().any(|v| v == value));
                if known(family, other) {
                    continue;
                }
                let key = series(family, key);
                let (before, ours) = (before.get(&key), ours.get(&key));
                let between = before.zip(ours).is_some_and(|(before, ours)| {
                    before.min(*after) <= *ours && *ours <= before.max(*after)
                });
                let seen = format!("{key}: {before:?} there, {ours:?} here, {after:?} there");
                let entry = self.found.entry(key).or_insert_with(|| Some(seen));
                if between {
                    *entry = None;
                }
            }
        }
    }

    fn never_equal(&self) -> Vec<&str> {
        self.found.values().flatten().map(String::as_str).collect()
    }
}
