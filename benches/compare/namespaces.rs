//! `--netns=all` on a machine with many network namespaces and processes, in which nothing happens.

use std::io;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::cost::Process;
use crate::isolation;
use crate::rivals;

const NAMESPACES: u32 = 20;
const PROCESSES: u32 = 500;
/// As many as make a round last longer than a tick of the scheduler many times over.
const SCRAPES: u32 = 50;
const ROUNDS: usize = 7;

/// The median CPU time of one scrape in milliseconds, from the program's part inside.
pub(crate) fn milliseconds() -> io::Result<f64> {
    let mut command = isolation::command_alone(&["--namespaces"])?;
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.trim().parse().ok().filter(|_| output.status.success());
    found.ok_or_else(|| io::Error::other(format!("the part in namespaces: {}", text.trim())))
}

/// The part inside: prints the figure.
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
    let mut weir = rivals::weir(rivals::Set::Network, &["--netns=all"])?;
    weir.scrapes(SCRAPES, "")?;
    let mut figures: Vec<Duration> = (0..ROUNDS)
        .map(|_| weir.scrapes_in_ticks(SCRAPES))
        .collect::<Result<_, _>>()?;
    figures.sort_unstable();
    let median = figures.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("{}", median.as_secs_f64() * 1e3);
    Ok(())
}
