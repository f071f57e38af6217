//! What is printed: tables of figures, and the goals with their verdicts.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The goals of this run.
#[derive(Default)]
pub(crate) struct Goals {
    rows: Vec<String>,
    missed: bool,
}

impl Goals {
    pub(crate) fn at_most(&mut self, what: &str, limit: f64, found: f64) {
        let verdict = if found <= limit { "pass" } else { "**MISSED**" };
        self.missed |= found > limit;
        let found = if found < 100.0 {
            format!("{found:.2}")
        } else {
            format!("{found:.0}")
        };
        self.rows
            .push(format!("| {what} | {limit} | {found} | {verdict} |"));
    }

    /// weir's figure, the first one, divided by a rival's.
    pub(crate) fn ratio<N: AsRef<str>>(
        &mut self,
        what: &str,
        limit: f64,
        figures: &[(N, Duration)],
        rival: &str,
    ) {
        let weir = figures.first().map(|(_, figure)| figure);
        let found = figures.iter().find(|(name, _)| name.as_ref() == rival);
        match (weir, found) {
            (Some(weir), Some((_, rival))) => {
                self.at_most(what, limit, weir.as_secs_f64() / rival.as_secs_f64());
            }
            _ => self.missing(&format!("{what}: no figure for {rival}")),
        }
    }

    /// A goal that could not be measured counts as missed: silence is no pass.
    pub(crate) fn missing(&mut self, why: &str) {
        self.missed = true;
        self.rows.push(format!("| {why} | | | **NOT MEASURED** |"));
    }

    /// Prints them and tells whether all were reached.
    pub(crate) fn print(&self) -> bool {
        println!("\n### Goals\n\n| goal | at most | found | |\n|---|---:|---:|---|");
        for row in &self.rows {
            println!("{row}");
        }
        !self.missed
    }
}

/// A table of CPU times, with what weir, the first row, takes of each.
pub(crate) fn table<N: AsRef<str>>(title: &str, figures: &[(N, Duration)]) {
    println!("\n### {title}\n\n| program | CPU time | weir takes |\n|---|---:|---:|");
    let weir = figures.first().map(|(_, figure)| figure.as_secs_f64());
    for (name, figure) in figures {
        let ratio = weir.unwrap_or_default() / figure.as_secs_f64();
        println!("| {} | {figure:.2?} | {ratio:.2} |", name.as_ref());
    }
}

/// Says what was measured, and on what.
pub(crate) fn machine(binary: &Path, isolated: bool) -> io::Result<()> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cpus = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let place = if isolated {
        "in namespaces of its own with 5 devices"
    } else {
        "among the machine's other connections: no namespaces can be made here"
    };
    println!(
        "Measured: {} on Linux {}, {cpus} CPUs, load {}, {place}.",
        binary.display(),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    );
    Ok(())
}

/// Sizes are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}
