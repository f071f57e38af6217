//! Beside node_exporter: not one of its families, and everything of ours.

use std::collections::BTreeSet;

use weir::scrape::Families;

use crate::tree::Host;
use crate::tree::directories;

#[test]
fn no_family_of_node_exporter_is_on_the_page() {
    for root in directories("hosts") {
        let beside = |line: &&str| !line.contains("node_") && !line.contains("weir_collector_");
        let whole = Host::open(&root).page(&[]);
        let mut host = Host::companion(&root);
        let page = host.page(&[]);
        assert!(!names(&page).iter().any(|name| name.starts_with("node_")));
        let whole: Vec<_> = whole.lines().filter(beside).collect();
        let ours: Vec<_> = page.lines().filter(beside).collect();
        // What says which collectors ran is of those that did.
        let of_runs = |line: &&&str| !line.contains("collector=");
        assert_eq!(
            ours.iter().filter(of_runs).collect::<Vec<_>>(),
            whole.iter().filter(of_runs).collect::<Vec<_>>(),
            "{}",
            root.display()
        );
        assert!(page.contains("weir_collector_success{collector=\"listeners\"} 1\n"));
        let mut host = Host::open(&root);
        let switched = host.page_for(Families::BesideNodeExporter);
        assert_eq!(switched, page, "{}: by the page", root.display());
    }
}

#[test]
fn collectors_without_families_of_ours_do_not_run() {
    let root = &directories("hosts")[0];
    let ran: Vec<_> = Host::companion(root).collectors();
    assert!(ran.contains(&"listeners") && ran.contains(&"ephemeral_ports"));
    for not in ["netdev", "netclass", "netstat", "tcpstat", "sockstat"] {
        assert!(!ran.contains(&not), "{not}");
    }
}

fn names(page: &str) -> BTreeSet<&str> {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect()
}
