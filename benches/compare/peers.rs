//! The collector `connections` while 200,000 sockets are established: in a few pairs of hosts, and in as many pairs as
//! sockets. All of them are on loopback, so its exclusion is switched off.

use std::io;
use std::time::Duration;

use crate::CAT_SOCKETS;
use crate::CONNECTIONS;
use crate::CROWDED_ROUNDS;
use crate::cost;
use crate::isolation;
use crate::load;
use crate::megabytes;
use crate::report;
use crate::report::Goals;
use crate::rivals;
use crate::rivals::Rival;
use crate::rivals::Set;
use crate::run_inside;
use crate::take_turns;

/// What is measured: a name, the clients' addresses, and the goals: CPU of `cat`'s, megabytes resident.
const CROWDS: [(&str, u32, f64, f64); 2] = [
    ("in few pairs", 10, 0.7, 5.0),
    ("of distinct peers", CONNECTIONS, 1.0, 12.0),
];

const FLAGS: &[&str] = &[
    "--collector.connections",
    "--collector.connections.exclude=",
];

/// The part inside: prints a name, a tab and a figure a line.
pub(crate) fn crowded(peers: u32) -> io::Result<()> {
    isolation::furnish()?;
    // Before it, the connection to weir would be idle for too long on a busy machine.
    let _load = load::hold(CONNECTIONS, peers)?;
    let mut weir = rivals::weir(Set::Defaults, FLAGS)?;
    let mut list = [
        Rival::new("weir", || weir.scrapes(1, "")),
        Rival::new(CAT_SOCKETS, rivals::cat_sockets),
    ];
    let figures = take_turns(&mut list, CROWDED_ROUNDS)?;
    drop(list);
    for (name, figure) in figures {
        println!("cpu {name}\t{}", figure.as_secs_f64() * 1e9);
    }
    let peak = cost::status(weir.process.id(), "VmHWM")?;
    println!("resident\t{}", megabytes(peak));
    Ok(())
}

/// Runs both crowds, each in namespaces of its own.
pub(crate) fn report(goals: &mut Goals) {
    for (name, peers, ratio, resident) in CROWDS {
        let sockets = CONNECTIONS * 2;
        let found = match run_inside(&["--peers", &peers.to_string()]) {
            Ok(found) => found,
            Err(error) => {
                goals.missing(&format!("connections, {sockets} {name}: {error}"));
                continue;
            }
        };
        let figure = |name: &'static str| {
            let nanoseconds = found.get(&format!("cpu {name}"))?;
            Some((name, Duration::from_secs_f64(nanoseconds / 1e9)))
        };
        let figures: Vec<_> = ["weir", CAT_SOCKETS]
            .into_iter()
            .filter_map(figure)
            .collect();
        report::table(
            &format!("connections, {sockets} sockets {name}: CPU time of a whole scrape"),
            &figures,
        );
        let what = format!("connections, {sockets} {name}");
        goals.ratio(
            &format!("{what}: CPU of `cat`'s"),
            ratio,
            &figures,
            CAT_SOCKETS,
        );
        match found.get("resident") {
            Some(found) => goals.at_most(&format!("{what}: MB resident at most"), resident, *found),
            None => goals.missing(&format!("{what}: no figure for memory")),
        }
    }
}
