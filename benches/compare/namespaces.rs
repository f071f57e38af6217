//! `--netns=all` on a machine with many network namespaces and processes, in which nothing happens: with the collectors of the
//! other comparisons, and with `connections` too.

use std::io;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::cost::Process;
use crate::isolation;
use crate::report::Goals;
use crate::rivals;

const NAMESPACES: u32 = 20;
const PROCESSES: u32 = 500;
/// As many as make a round last longer than a tick of the scheduler many times over.
const SCRAPES: u32 = 50;
const ROUNDS: usize = 7;

/// What is measured: its name in the list of goals, and the flags.
const CASES: [(&str, &[&str]); 2] = [
    (
        "20 network namespaces, 500 processes: CPU per scrape, ms",
        &["--netns=all"],
    ),
    (
        "the same with connections: CPU per scrape, ms",
        &["--netns=all", "--collector.connections"],
    ),
];

pub(crate) fn report(goals: &mut Goals) {
    match milliseconds() {
        Ok(found) => {
            for ((name, _), found) in CASES.iter().zip(found) {
                goals.at_most(name, 10.0, found);
            }
        }
        Err(error) => goals.missing(&format!("{}: {error}", CASES[0].0)),
    }
}

/// The median CPU time of one scrape in milliseconds for each case, from the program's part inside.
fn milliseconds() -> io::Result<Vec<f64>> {
    let mut command = isolation::command_alone(&["--namespaces"])?;
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    let found = found.ok().filter(|found| found.len() == CASES.len());
    let found = found.filter(|_| output.status.success());
    found.ok_or_else(|| io::Error::other(format!("the part in namespaces: {}", text.trim())))
}

/// The part inside: prints a figure for each case.
pub(crate) fn inside() -> io::Result<()> {
    isolation::furnish()?;
    // Names of its own: those of the machine lead to namespaces that are not part of this.
    isolation::run("mount", "-t tmpfs none /run")?;
    let mut processes = Vec::new();
    for number in 0..NAMESPACES {
        isolation::run("ip", &format!("netns add n{number}"))?;
        isolation::run("ip", &format!("-n n{number} link set lo up"))?;
    }
    // The last one is without a process.
    for number in (0..NAMESPACES - 1).cycle().take(PROCESSES as usize) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/n{number}"));
        let sleep = command
            .args(["sleep", "600"])
            .stdin(Stdio::null())
            .spawn()?;
        processes.push(Process(sleep));
    }
    let mut weirs = Vec::new();
    for (_, flags) in CASES {
        let mut weir = rivals::weir(rivals::Set::Network, flags)?;
        weir.scrapes(SCRAPES, "")?;
        weirs.push((weir, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (weir, figures) in &mut weirs {
            figures.push(weir.scrapes_in_ticks(SCRAPES)?);
        }
    }
    for (_, mut figures) in weirs {
        figures.sort_unstable();
        let median: Duration = figures.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("{}", median.as_secs_f64() * 1e3);
    }
    Ok(())
}
