//! The page and its JSON on a machine with 50 interfaces that all have traffic, as a browser refreshes them; and what its
//! history holds of the memory.

use std::io;
use std::net::UdpSocket;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::GZIP;
use crate::cost;
use crate::isolation;
use crate::rivals;
use crate::rivals::Set;

/// Pairs of devices, of which one end is `veth` and the other in the same namespace: with lo 51 interfaces.
const PAIRS: u8 = 25;
const ROUNDS: usize = 20;
/// Longer than what was seen is good for, so that each round looks anew; app/look.rs has it.
const APART: Duration = Duration::from_millis(1200);

/// The median CPU time of one refresh in milliseconds, and what is resident after it in kilobytes; from the program's
/// part inside.
pub(crate) fn figures() -> io::Result<(f64, f64)> {
    let mut command = isolation::command_alone(&["--page"])?;
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match *found.as_slice() {
        [cost, memory] if output.status.success() => Ok((cost, memory)),
        _ => Err(io::Error::other(format!(
            "the part with the page: {}",
            text.trim()
        ))),
    }
}

/// The part inside: prints the figures.
pub(crate) fn inside() -> io::Result<()> {
    isolation::run("mount", "-t sysfs none /sys")?;
    isolation::run("ip", "link set lo up")?;
    for number in 0..PAIRS {
        isolation::run(
            "ip",
            &format!("link add veth{number} type veth peer name pod{number}"),
        )?;
        isolation::run(
            "ip",
            &format!("address add 10.99.{number}.1/24 dev veth{number}"),
        )?;
        for end in ["veth", "pod"] {
            isolation::run("ip", &format!("link set up dev {end}{number}"))?;
        }
        // Somebody to send to, who need not be there.
        let neighbour =
            format!("neigh add 10.99.{number}.2 lladdr 02:00:00:00:00:01 dev veth{number}");
        isolation::run("ip", &neighbour)?;
    }
    let mut weir = rivals::weir(Set::Defaults, &["--collect.interval=1s"])?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut figures = Vec::new();
    for round in 0..ROUNDS {
        for number in 0..PAIRS {
            // More or less in each round, so that pictures have slopes.
            for _ in 0..=(round * usize::from(number + 3)) % 17 {
                socket.send_to(&[0; 1200], format!("10.99.{number}.2:9"))?;
            }
        }
        thread::sleep(APART);
        let before = cost::cpu(weir.process.id())?;
        weir.requests(1, "/api/now", GZIP)?;
        weir.requests(1, "/", GZIP)?;
        figures.push(cost::cpu(weir.process.id())? - before);
    }
    figures.sort_unstable();
    let median = figures.get(ROUNDS / 2).copied().unwrap_or_default();
    let resident = cost::status(weir.process.id(), "VmRSS")?;
    println!("{} {resident}", median.as_secs_f64() * 1e3);
    Ok(())
}
