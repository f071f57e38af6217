//! Twenty namespaces and five hundred processes, with and without connections, and namespaces that come and go.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weir::collectors::PER_NAMESPACE;

use crate::connections::Held;
use crate::running::Namespace;
use crate::running::Process;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;

use super::ForAll;
use super::connections::listed_by_ss;
use super::connections::told;
use super::namespaces;
use super::netns_labels;
use super::numbers::join;
use super::once;
use super::seen_from_outside;
use super::sleeper;

const NAMESPACES: usize = 20;
const PROCESSES: usize = 500;
/// How many pairs of them talk to each other, and the ports that are served there.
const PAIRS: usize = 3;
const SERVED: [u16; 2] = [443, 5432];

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

/// Lets some of them talk: three pairs of neighbours, whose addresses are the same in each pair, and the one that is without
/// a process with itself. Nothing happens in the others.
fn talk(made: &[Namespace]) -> Vec<Held> {
    let mut all = Vec::new();
    let mut pairs = made.chunks_exact(2);
    for (pair, count) in pairs.by_ref().take(PAIRS).zip(1..) {
        let [near, far] = pair else { unreachable!() };
        join(near, far);
        let mut held = Held::default();
        held.listen(near, "0.0.0.0:443");
        held.listen(far, "[::]:5432");
        held.open(far, "10.98.0.1:443", "0.0.0.0:443", count);
        held.open(near, "10.98.0.2:5432", "[::]:5432", 2 * count);
        held.open(near, "[2001:db8:98::2]:5432", "[::]:5432", 1);
        all.push(held);
    }
    let alone = &made[NAMESPACES - 1];
    alone.ip("addr add 10.98.0.1/32 dev lo");
    let mut held = Held::default();
    held.listen(alone, "0.0.0.0:443");
    held.open(alone, "10.98.0.1:443", "0.0.0.0:443", 7);
    all.push(held);
    all
}

/// Sockets of IPv4 that are not in TIME_WAIT, which is what sockstat counts.
fn inuse(namespace: &Namespace) -> f64 {
    let told = namespace.run("ss", ["-H4tan", "exclude", "time-wait"]);
    let lines = String::from_utf8(told).unwrap().lines().count();
    f64::from(u32::try_from(lines).unwrap())
}

#[test]
fn twenty_namespaces_and_five_hundred_processes() {
    if !installed("ss") {
        return skip("ss is not installed");
    }
    let Some((made, processes)) = crowd() else {
        return;
    };
    let held = talk(&made);
    let opened = |number: usize| match number {
        number if number < 2 * PAIRS => 3 * (number / 2 + 1) + 1,
        number if number == NAMESPACES - 1 => 14,
        _ => 0,
    };
    let listed = made.iter().enumerate().map(|(number, namespace)| {
        // The last segment of a handshake may be on its way.
        wait_until("connections", || {
            let told = namespace.run("ss", ["-Htn", "state", "established"]);
            String::from_utf8(told).unwrap().lines().count() == opened(number)
        });
        listed_by_ss(namespace, &SERVED)
    });
    let listed: Vec<_> = listed.collect();
    let flags = [
        "--netns=all",
        "--limit.netns=10000",
        "--collector.connections",
    ];
    let weir = Weir::start(&flags);
    let page = weir.scrape();
    for (namespace, listed) in made.iter().zip(&listed) {
        let name = namespace.name.as_str();
        let label = [("netns", name)];
        let value = |family| page.value(family, &label);
        assert_eq!(value("weir_netns_success"), Some(1.0), "{name}");
        assert_eq!(
            value("node_sockstat_TCP_inuse"),
            Some(inuse(namespace)),
            "{name}"
        );
        assert!(value("ephemeral_ports_total").is_some(), "{name}");
        assert_eq!(&told(&page, name), listed, "{name}");
    }
    // Without privilege the first process of each namespace leads there.
    let program = ForAll::new();
    let tables = once(&mut program.command(), &flags);
    for (process, listed) in processes.iter().zip(&listed).take(NAMESPACES - 1) {
        let label = seen_from_outside(process);
        assert_eq!(&told(&tables, &label), listed, "{label}");
    }
    let expected: BTreeSet<_> = netns_labels(&page, "weir_netns_success");
    for family in [
        "node_network_receive_bytes_total",
        "node_netstat_Tcp_InSegs",
        "node_tcp_connection_states",
    ] {
        assert_eq!(netns_labels(&page, family), expected, "{family}");
    }
    drop((processes, held));
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
    wait_until("one thread", || count(&weir, "task") == 1);
    // The last scrape's connection may be among them still.
    let before = count(&weir, "fd");
    for _ in 0..200 {
        weir.scrape();
    }
    wait_until("no more than before", || {
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
    let program = ForAll::new();
    let mut command = program.command();
    command.args([
        "--web.listen-address=127.0.0.1:0",
        "--netns=all",
        "--limit.netns=10000",
    ]);
    let weir = Weir::launch(&mut command);
    // Nobody sees only the tables; what has a name and no process cannot be measured then.
    let sleeps = sleeper(&steady);
    let seen = Namespace {
        name: seen_from_outside(&sleeps),
    };
    scrapes_during(&weir, &seen, || drop(sleeper(&busy)));
    // There is no such name to delete.
    std::mem::forget(seen);
    drop(sleeps);
}
