//! Twenty namespaces and five hundred processes, and namespaces that come and go.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weir::collectors::PER_NAMESPACE;

use crate::running::Namespace;
use crate::running::Process;
use crate::running::Weir;

use super::namespaces;
use super::netns_labels;
use super::sleeper;

const NAMESPACES: usize = 20;
const PROCESSES: usize = 500;

/// One is without a process.
fn crowd() -> Option<(Vec<Namespace>, Vec<Process>)> {
    let made = namespaces(NAMESPACES)?;
    let inhabited = &made[..NAMESPACES - 1];
    let processes = inhabited.iter().cycle().take(PROCESSES).map(sleeper);
    let processes = processes.collect();
    Some((made, processes))
}

fn count(weir: &Weir, what: &str) -> usize {
    let path = format!("/proc/{}/{what}", weir.process.0.id());
    std::fs::read_dir(path).unwrap().count()
}

#[test]
fn twenty_namespaces_and_five_hundred_processes() {
    let Some((made, processes)) = crowd() else {
        return;
    };
    let weir = Weir::start(&["--netns=all", "--limit.netns=10000"]);
    let page = weir.scrape();
    for namespace in &made {
        let label = [("netns", namespace.name.as_str())];
        assert_eq!(
            page.value("weir_netns_success", &label),
            Some(1.0),
            "{}",
            namespace.name
        );
        assert_eq!(page.value("node_sockstat_TCP_inuse", &label), Some(0.0));
        assert!(page.value("ephemeral_ports_total", &label).is_some());
    }
    let expected: BTreeSet<_> = netns_labels(&page, "weir_netns_success");
    for family in [
        "node_network_receive_bytes_total",
        "node_netstat_Tcp_InSegs",
        "node_tcp_connection_states",
    ] {
        assert_eq!(netns_labels(&page, family), expected, "{family}");
    }
    drop(processes);
}

#[test]
fn descriptors_and_threads_are_flat() {
    let Some(made) = namespaces(3) else { return };
    let sleeps = sleeper(&made[0]);
    let names: Vec<_> = made
        .iter()
        .map(|namespace| namespace.name.as_str())
        .collect();
    // Only these: other collectors have threads of their own for what may block.
    let collectors = PER_NAMESPACE.iter();
    let mut arguments: Vec<_> = collectors
        .map(|spec| format!("--collector.{}", spec.name))
        .collect();
    arguments.push("--collector.disable-defaults".to_string());
    arguments.push(format!("--netns={},nonesuch", names.join(",")));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let weir = Weir::start(&arguments);
    for _ in 0..3 {
        weir.scrape();
    }
    // The helper's end is told a moment before it is gone from the list.
    crate::running::wait_until("one thread", || count(&weir, "task") == 1);
    // The last scrape's connection may be among them still.
    let before = count(&weir, "fd");
    for _ in 0..200 {
        weir.scrape();
    }
    crate::running::wait_until("no more than before", || {
        count(&weir, "fd") <= before && count(&weir, "task") == 1
    });
    drop(sleeps);
}

/// Scrapes while `change` runs again and again, and looks at each page for what must always be there.
fn scrapes_during(weir: &Weir, steady: &Namespace, mut change: impl FnMut() + Send) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                change();
            }
        });
        for _ in 0..60 {
            // Read strictly: no series twice, no half families.
            let page = weir.scrape();
            let label = [("netns", steady.name.as_str())];
            assert_eq!(page.value("weir_netns_success", &label), Some(1.0));
            assert_eq!(page.value("node_sockstat_TCP_inuse", &label), Some(0.0));
            for name in [
                "netdev",
                "netstat",
                "sockstat",
                "tcpstat",
                "ephemeral_ports",
            ] {
                let label = [("collector", name)];
                let success = page.value("node_scrape_collector_success", &label);
                assert_eq!(success, Some(1.0), "{name}");
            }
            // Whatever is there of a namespace is all there.
            let inuse = netns_labels(&page, "node_sockstat_TCP_inuse");
            assert_eq!(netns_labels(&page, "node_tcp_connection_states"), inuse);
            assert_eq!(
                netns_labels(&page, "node_network_receive_bytes_total"),
                inuse
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn namespaces_that_come_and_go_cost_only_themselves() {
    let Some(made) = namespaces(1) else { return };
    let steady = &made[0];
    let weir = Weir::start(&["--netns=all", "--limit.netns=10000"]);
    scrapes_during(&weir, steady, || {
        drop(Namespace::new().unwrap());
    });
}

#[test]
fn processes_that_end_take_their_namespace_along() {
    let Some(made) = namespaces(2) else { return };
    let [steady, busy] = <[Namespace; 2]>::try_from(made).ok().unwrap();
    let program = super::ForAll::new();
    let mut command = program.command();
    command.args([
        "--web.listen-address=127.0.0.1:0",
        "--netns=all",
        "--limit.netns=10000",
    ]);
    let weir = Weir::launch(&mut command);
    // Nobody sees only the tables; what has a name and no process cannot be measured then.
    let sleeps = sleeper(&steady);
    let id = std::fs::metadata(format!("/proc/{}/net/dev", sleeps.0.id())).unwrap();
    let label = format!("proc/{}", std::os::unix::fs::MetadataExt::ino(&id));
    let seen = Namespace { name: label };
    scrapes_during(&weir, &seen, || drop(sleeper(&busy)));
    // There is no such name to delete.
    std::mem::forget(seen);
    drop(sleeps);
}
