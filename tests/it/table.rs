//! The table of collectors: names, families, and that what is exported is what was declared.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use weir::collectors::ALL;
use weir::collectors::Spec;
use weir::collectors::textfile;
use weir::instruments;
use weir::metric::Desc;
use weir::metric::Kind;
use weir::metric::Part;
use weir::process;
use weir::scrape;

use crate::tree::Host;
use crate::tree::directories;

/// Named by the seeds: gauges that end in `_total`, and HELP texts that are no sentences.
const SEEDS: [&str; 8] = [
    "dhcp_lease_count",
    "ephemeral_port_exporter_scrape_success",
    "ephemeral_ports_available",
    "ephemeral_ports_total",
    "ephemeral_ports_usage_ratio",
    "ephemeral_ports_used",
    "network_connections_input_total",
    "network_connections_output_total",
];

/// Named by node_exporter: counters that do not end in `_total`, and HELP texts that are no sentences.
const NODE_EXPORTER: [&str; 0] = [];

/// Collectors that no fixture can show: the first three ask the running kernel only, which tests/live does, the fourth
/// wants two ticks, which tests/it/sampler.rs gives it, and the fifth a name server, which tests/live starts.
const NOT_IN_FIXTURES: [&str; 5] = ["qdisc", "tc", "wifi", "throughput", "dns"];

fn declared() -> impl Iterator<Item = &'static Desc> {
    let of_collectors = ALL.iter().flat_map(|spec| of(spec));
    of_collectors.chain(scrape::FAMILIES.iter().copied())
}

fn of(spec: &Spec) -> impl Iterator<Item = &'static Desc> {
    let listed = spec.families.iter().chain(spec.patterns).copied();
    listed.chain(spec.verdict)
}

fn excepted(name: &str) -> bool {
    SEEDS.contains(&name) || NODE_EXPORTER.contains(&name)
}

#[test]
fn collectors_have_names_of_their_own() {
    let mut seen = BTreeSet::new();
    for spec in ALL {
        let mut bytes = spec.name.bytes();
        assert!(
            bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
                && bytes
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
            "{}: not ^[a-z][a-z0-9_]*$",
            spec.name
        );
        assert!(seen.insert(spec.name), "{}: two collectors", spec.name);
        assert!(!spec.help.is_empty(), "{}: no help", spec.name);
    }
}

#[test]
fn total_is_the_end_of_counters_only() {
    for desc in declared().filter(|desc| !excepted(&desc.name)) {
        if desc.kind == Kind::Untyped {
            continue;
        }
        let total = desc.name.ends_with("_total");
        assert_eq!(
            total,
            desc.kind == Kind::Counter,
            "{} is a {}",
            desc.name,
            desc.kind.word()
        );
    }
}

#[test]
fn help_is_a_sentence() {
    for desc in declared().filter(|desc| !excepted(&desc.name)) {
        let help = &desc.help;
        assert!(help.len() > 20, "{}: {help:?} says too little", desc.name);
        assert!(
            help.starts_with(|first: char| first.is_uppercase()) && help.ends_with('.'),
            "{}: {help:?} is no sentence",
            desc.name
        );
    }
}

#[test]
fn families_have_names_that_prometheus_takes() {
    for desc in declared() {
        let plain: String = desc.name.replace(['<', '>'], "");
        let taken = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_lowercase())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        assert!(taken(&plain), "{}", desc.name);
        let distinct: BTreeSet<_> = desc.labels.iter().collect();
        assert_eq!(
            distinct.len(),
            desc.labels.len(),
            "{}: a label twice",
            desc.name
        );
        assert!(
            desc.labels
                .iter()
                .all(|label| taken(label) && *label != "le"),
            "{}",
            desc.name
        );
    }
}

#[test]
fn a_family_is_declared_once_or_alike() {
    let mut seen: BTreeMap<&str, &Desc> = BTreeMap::new();
    for desc in declared() {
        if let Some(other) = seen.insert(&desc.name, desc) {
            assert!(
                std::ptr::eq(other, desc),
                "{}: two collectors each have their own",
                desc.name
            );
        }
    }
}

#[test]
fn patterns_fit_what_they_should() {
    assert!(Spec::fits(
        "node_netstat_<Protocol>_<Field>",
        "node_netstat_Tcp_InSegs"
    ));
    assert!(Spec::fits(
        "node_memory_<Key>_bytes",
        "node_memory_Active_anon_bytes"
    ));
    assert!(!Spec::fits(
        "node_netstat_<Protocol>_<Field>",
        "node_netstat_Tcp"
    ));
    assert!(!Spec::fits("node_load1", "node_load15"));
}

/// What text files bring has types and labels of its own.
fn is_foreign(desc: &Desc) -> bool {
    desc.name.starts_with('<')
}

/// What weir writes beside the collectors' families may come from no file either.
#[test]
fn every_family_is_refused_in_a_text_file() {
    let listed = scrape::FAMILIES
        .iter()
        .chain(instruments::FAMILIES)
        .chain(process::FAMILIES)
        .copied();
    for desc in declared().chain(listed).filter(|desc| !is_foreign(desc)) {
        let name = desc.name.replace(['<', '>'], "");
        assert!(textfile::is_ours(&name), "{name}");
    }
    assert!(!textfile::is_ours("backup_bytes") && !textfile::is_ours("node_reboot_required"));
}

#[test]
fn what_is_exported_was_declared() {
    for root in directories("hosts")
        .into_iter()
        .chain(directories("cases/hosts"))
    {
        let mut host = Host::open(&root);
        for spec in ALL {
            let batch = host.scrape(&[spec.name]);
            let descs: Vec<_> = of(spec).chain(scrape::FAMILIES.iter().copied()).collect();
            for family in batch.families() {
                let desc = descs
                    .iter()
                    .find(|desc| Spec::fits(&desc.name, &family.name));
                let desc = desc
                    .unwrap_or_else(|| panic!("{}: exports {} undeclared", spec.name, family.name));
                if is_foreign(desc) {
                    continue;
                }
                assert_eq!(desc.kind, family.kind, "{}", family.name);
                assert_eq!(desc.labels, family.labels, "{}", family.name);
            }
            for sample in batch.samples() {
                let family = &batch.families()[sample.family as usize];
                let desc = descs
                    .iter()
                    .find(|desc| Spec::fits(&desc.name, &family.name));
                if desc.is_some_and(|desc| is_foreign(desc)) {
                    continue;
                }
                let mut labels = label_names(batch.label_text(sample.labels));
                if sample.part == Part::Bucket {
                    assert_eq!(labels.pop().as_deref(), Some("le"), "{}", family.name);
                }
                assert_eq!(
                    labels, family.labels,
                    "{}: order of the labels",
                    family.name
                );
            }
        }
    }
}

/// The names in `{a="x",b="y"}`; values may hold anything, quotes escaped.
fn label_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text.trim_start_matches('{');
    while let Some((name, value)) = rest.split_once("=\"") {
        names.push(name.to_string());
        let mut escaped = false;
        let end = value.find(|character: char| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let end = end.expect("a closing quote");
        rest = value[end + 1..].trim_start_matches([',', '}']);
    }
    names
}

#[test]
fn every_collector_is_shown_by_a_host() {
    let mut hosts: Vec<_> = directories("hosts")
        .into_iter()
        .chain(directories("cases/hosts"))
        .map(|root| Host::open(&root))
        .collect();
    for spec in ALL
        .iter()
        .filter(|spec| !NOT_IN_FIXTURES.contains(&spec.name))
    {
        let own: Vec<_> = spec.families.iter().chain(spec.patterns).collect();
        let shown = hosts.iter_mut().any(|host| {
            let families = host.scrape(&[spec.name]).families();
            families
                .iter()
                .any(|family| own.iter().any(|desc| Spec::fits(&desc.name, &family.name)))
        });
        assert!(shown, "{}: no fixture host shows it", spec.name);
    }
}
