//! Eight megabytes and no more.

use crate::client;
use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::scrape;
use crate::support::skip;
use crate::text::Page;

use super::Footprint;

const LIMIT: usize = 8 << 20;
const SCRAPES: usize = 50;

/// The collectors that failed: some have nothing to read in an empty namespace.
fn failed(page: &Page) -> Vec<String> {
    let success = &page.families["node_scrape_collector_success"].samples;
    let failed = success.iter().filter(|(_, value)| **value == 0.0);
    failed
        .map(|((_, labels), _)| labels["collector"].clone())
        .collect()
}

/// RLIMIT_DATA bounds all that a process may write to of its own: heap, stacks of threads, copied pages (getrlimit(2), since
/// Linux 4.7). Beyond it the kernel says ENOMEM, as a full machine does, and a cgroup of that size would end the program. Not
/// RLIMIT_AS: that counts the program's file, too, which with its symbols is larger than the limit.
#[test]
fn eight_megabytes_are_enough() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let mut command = namespace.command("prlimit");
    command.arg(format!("--data={LIMIT}")).arg(WEIR);
    let weir = Weir::launch(command.args([
        "--web.listen-address=127.0.0.1:0",
        "--collect.interval=100ms",
    ]));
    let limits = format!("/proc/{}/limits", weir.process.0.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let ours = limits.lines().find(|line| line.starts_with("Max data"));
    assert!(ours.unwrap().contains(&LIMIT.to_string()), "{limits}");
    let mut peak = 0;
    let (address, process) = (&weir.address, &weir.process);
    namespace.inside(|| {
        for _ in 0..SCRAPES {
            scrape(address);
            for path in ["/", "/api/now", "/metrics?collect[]=netdev"] {
                let answer = client::get(address, path).unwrap();
                assert_eq!(answer.status, 200, "{path}");
            }
            peak = peak.max(Footprint::of(process).own_kib);
        }
        let free = Weir::start(&[]);
        assert_eq!(failed(&scrape(address)), failed(&free.scrape()));
    });
    println!(
        "{SCRAPES} scrapes and pages: {peak} KiB of its own, {:?}",
        Footprint::of(process)
    );
    assert!(0 < peak && peak < (LIMIT >> 10) as u64);
    let said: Vec<_> = weir.log.try_iter().collect();
    assert!(!said.iter().any(|line| line.contains("ENOMEM")), "{said:?}");
}
