//! Which families there are, with their labels: what the code declares, and so README's tables.

use weir::collectors::ALL;
use weir::collectors::Spec;
use weir::config::NETSTAT_FIELDS;
use weir::instruments;
use weir::metric::Desc;
use weir::metric::Kind;
use weir::process;
use weir::scrape;

use super::promql::Selector;

/// What Prometheus itself adds for each target.
const PROMETHEUS: [&str; 1] = ["up"];

/// A family that an expression may name.
pub(crate) struct Known {
    pub(crate) name: String,
    /// The labels that its series may have.
    pub(crate) labels: Vec<&'static str>,
}

/// Every family; those of a pattern stand for as many as fit.
pub(crate) fn families() -> Vec<Known> {
    let mut all = Vec::new();
    let mut add = |desc: &'static Desc, per_namespace: bool| {
        let mut labels = desc.labels.to_vec();
        labels.extend(["instance", "job"]);
        if per_namespace {
            labels.push("netns");
        }
        if desc.kind == Kind::Histogram {
            for part in ["_sum", "_count"] {
                all.push(known(&format!("{}{part}", desc.name), &labels));
            }
            labels.push("le");
            all.push(known(&format!("{}_bucket", desc.name), &labels));
        } else {
            all.push(known(&desc.name, &labels));
        }
    };
    for spec in ALL {
        spec.declared()
            .for_each(|desc| add(desc, spec.per_namespace()));
    }
    let own = scrape::FAMILIES.iter().chain(instruments::FAMILIES);
    own.chain(process::FAMILIES)
        .for_each(|desc| add(desc, false));
    for name in PROMETHEUS {
        all.push(known(name, &["instance", "job"]));
    }
    all
}

fn known(name: &str, labels: &[&'static str]) -> Known {
    Known {
        name: name.to_string(),
        labels: labels.to_vec(),
    }
}

/// Whether weir exports a family of this name by default: a pattern stands for names that exist, as far as that is known.
fn fits(pattern: &str, name: &str) -> bool {
    // What text files and sources bring may be called anything.
    if pattern.starts_with('<') || !Spec::fits(pattern, name) {
        return false;
    }
    name.strip_prefix("node_netstat_").is_none_or(|field| {
        regex_lite::Regex::new(NETSTAT_FIELDS)
            .unwrap()
            .is_match(field)
    })
}

/// The families that a selector asks for.
pub(crate) fn asked<'a>(all: &'a [Known], selector: &Selector) -> Vec<&'a Known> {
    if let Some(pattern) = selector.matcher("__name__", "=~") {
        let pattern = regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        let matching = all.iter().filter(|family| pattern.is_match(&family.name));
        return matching.collect();
    }
    let name = &selector.name;
    all.iter()
        .filter(|family| fits(&family.name, name))
        .collect()
}

#[test]
fn what_does_not_exist_is_not_known() {
    let all = families();
    let count = |text: &str| asked(&all, &super::promql::selectors(text)[0]).len();
    assert_eq!(count("node_network_up"), 1);
    assert_eq!(count("weir_scrape_duration_seconds_bucket"), 1);
    assert_eq!(
        count("{__name__=~\"network_connections_(in|out)put_total\"}"),
        2
    );
    assert_eq!(count("node_netstat_Tcp_RetransSegs"), 1);
    for missing in [
        "node_netstat_Tcp_AttemptFails",
        "weir_scrape_duration_seconds",
        "node_network_upp",
    ] {
        assert_eq!(count(missing), 0, "{missing}");
    }
}
