//! The comparisons of README's performance section: `make bench`, or `cargo bench`.
//!
//! Everything that is compared runs in one go and in turns, so that a slow or busy machine slows all of it; what is
//! judged are ratios. CPU time is what the kernel charged to a process's threads, not wall time. Prints markdown, and ends
//! with 1 when a goal is missed. Needs root for the crowded namespace, and Debian's prometheus-node-exporter, ss and awk
//! for the rivals; what is missing is said and left out.

#[expect(dead_code, reason = "the live tests use the rest")]
#[path = "../../tests/live/client.rs"]
mod client;
mod cost;
mod dns;
mod encoding;
mod floor;
mod isolation;
mod leases;
mod load;
mod namespaces;
mod page;
mod peers;
mod programs;
mod report;
mod rivals;
#[cfg(feature = "tls")]
mod tls;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::process::ExitCode;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use cost::Process;
use report::Goals;
use rivals::Floor;
use rivals::Rival;
use rivals::Server;
use rivals::Set;

/// Scrapes in one round: enough for node_exporter's garbage collector to run in each.
const SCRAPES: u32 = 20;
const ROUNDS: usize = 40;
const CROWDED_ROUNDS: usize = 7;
/// On a slow machine rounds end after this time, once there are a few.
const PATIENCE: Duration = Duration::from_secs(45);
const LEAST_ROUNDS: usize = 3;
/// More TCP sockets than this, and the machine is not idle.
const FEW_SOCKETS: u64 = 5_000;
/// Two sockets each.
const CONNECTIONS: u32 = 100_000;
/// The clients' source addresses.
const PEERS: u32 = 1_000;
/// How long the idle server is watched while nobody asks: two ticks at least.
const QUIET: Duration = Duration::from_secs(11);
const GZIP: &str = "Accept-Encoding: gzip\r\n";

/// The largest x86_64 musl binary, in bytes; .ci/size-limit watches it grow.
const BINARY: f64 = 1_800_000.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match *words.as_slice() {
        ["--hold", index, count, peers] => numbers(index, count)
            .and_then(|(index, count)| Ok(load::hold_some(index, count, peers.parse()?)?))
            .map(|()| true),
        ["--peers", peers] => peers
            .parse()
            .map_err(Into::into)
            .and_then(|peers| Ok(peers::crowded(peers)?))
            .map(|()| true),
        ["--floor"] => floor::serve(None, 0).map(|()| true).map_err(Into::into),
        ["--floor-server", address, page] => floor_server(address, page).map(|()| true),
        ["--nothing"] => Ok(true),
        ["--page"] => page::inside().map(|()| true).map_err(Into::into),
        // `cargo bench -- --pages`, in half a minute.
        ["--pages", ..] => {
            let mut goals = Goals::default();
            page_goals(&mut goals);
            Ok(goals.print())
        }
        ["--namespaces"] => namespaces::inside().map(|()| true).map_err(Into::into),
        // `cargo bench -- --netns`, in ten seconds.
        ["--netns", ..] => {
            let mut goals = Goals::default();
            namespaces::report(&mut goals);
            Ok(goals.print())
        }
        // `cargo bench -- --programs`, in a second.
        ["--programs", ..] => {
            let mut goals = Goals::default();
            programs::goals(&mut goals);
            Ok(goals.print())
        }
        // `cargo bench -- --leases`, in half a minute.
        ["--leases", ..] => {
            let mut goals = Goals::default();
            leases::goals(&mut goals);
            Ok(goals.print())
        }
        // `cargo bench -- --dns`, in a minute and a half.
        ["--dns", ..] => {
            let mut goals = Goals::default();
            dns::goals(&mut goals);
            Ok(goals.print())
        }
        // `cargo bench --features tls -- --tls`, in ten seconds.
        #[cfg(feature = "tls")]
        ["--tls", ..] => {
            let mut goals = Goals::default();
            tls::goals(&mut goals);
            Ok(goals.print())
        }
        ["--crowded"] => crowded().map(|()| true).map_err(Into::into),
        ["--isolated"] => isolation::furnish()
            .map_err(Into::into)
            .and_then(|()| bench(true)),
        // cargo bench passes --bench.
        _ if !words.contains(&"--bench") => {
            println!("run by `cargo bench`");
            Ok(true)
        }
        _ if isolation::possible() => isolated(),
        _ => bench(false),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn numbers(first: &str, second: &str) -> Result<(u32, u32), Box<dyn Error>> {
    Ok((first.parse()?, second.parse()?))
}

fn floor_server(address: &str, page: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    Ok(floor::serve(Some(&listener), page.parse()?)?)
}

/// Everything, in namespaces of its own.
fn isolated() -> Result<bool, Box<dyn Error>> {
    let child = isolation::command(&["--isolated"])?
        .stdin(Stdio::null())
        .spawn()?;
    Ok(Process(child).0.wait()?.success())
}

fn bench(isolated: bool) -> Result<bool, Box<dyn Error>> {
    let mut goals = Goals::default();
    report::machine(&rivals::binary(), isolated)?;
    let size = std::fs::metadata(rivals::binary())?.len();
    // The flood at the end of `idle` leaves thousands of connections in TIME_WAIT behind, which each walk passes.
    idle_defaults(&mut goals)?;
    idle(isolated, &mut goals)?;
    goals.at_most("size of the binary, bytes", BINARY, report::float(size));
    goals.at_most("encoding 10,000 samples, ms", 2.0, encoding::milliseconds());
    namespaces::report(&mut goals);
    page_goals(&mut goals);
    programs::goals(&mut goals);
    leases::goals(&mut goals);
    #[cfg(feature = "tls")]
    tls::goals(&mut goals);
    match run_inside(&["--crowded"]) {
        Ok(figures) => report_crowded(&figures, &mut goals),
        Err(error) => goals.missing(&format!("200,000 sockets: {error}")),
    }
    peers::report(&mut goals);
    dns::goals(&mut goals);
    Ok(goals.print())
}

fn page_goals(goals: &mut Goals) {
    const PAGE: &str = "the page and its JSON with 50 interfaces: CPU per refresh, ms";
    match page::figures() {
        Ok((cost, resident)) => {
            goals.at_most(PAGE, 2.0, cost);
            println!("\nThe page with 50 interfaces: weir has {resident} KiB resident.");
        }
        Err(error) => goals.missing(&format!("{PAGE}: {error}")),
    }
}

fn idle(isolated: bool, goals: &mut Goals) -> io::Result<()> {
    let mut weir = rivals::weir(Set::Network, &[])?;
    let mut weir_gzip = rivals::weir(Set::Network, &[])?;
    let mut node = rivals::node_exporter(Set::Network)?;
    let mut node_gzip = rivals::node_exporter(Set::Network)?;
    let mut floor = Floor::start()?;
    let page = weir.page()?;
    let mut floor_server = rivals::floor_server(page)?;
    let mut list = vec![
        Rival::new("weir", || weir.scrapes(SCRAPES, "")),
        Rival::new("weir, gzip", || weir_gzip.scrapes(SCRAPES, GZIP)),
        Rival::new("reading the same and throwing it away", || {
            floor.readings(SCRAPES)
        }),
        Rival::new("the same behind HTTP, with an answer as long", || {
            floor_server.scrapes(SCRAPES, "")
        }),
        Rival::new("`cat` of the same files", rivals::cat),
        Rival::new(
            "`ss -Htan \\| awk \\| sort \\| uniq \\| wc`",
            rivals::ports_pipeline,
        ),
    ];
    if let Some(node) = &mut node {
        list.push(Rival::new(NODE, || node.scrapes(SCRAPES, "")));
    }
    if let Some(node) = &mut node_gzip {
        list.push(Rival::new("node_exporter, gzip", || {
            node.scrapes(SCRAPES, GZIP)
        }));
    }
    let sockets = tcp_sockets()?;
    let figures = take_turns(&mut list, ROUNDS)?;
    drop(list);
    let sockets = sockets.max(tcp_sockets()?);
    if !isolated && sockets > FEW_SOCKETS {
        let why = format!("the machine has {sockets} TCP sockets");
        goals.missing(&format!(
            "idle: {why}, which every walk passes: repeat without them"
        ));
    }
    report::table(
        &format!("Idle: CPU time per scrape of {page} bytes, median of {ROUNDS} rounds or fewer"),
        &figures,
    );
    by_collector(&mut weir, rivals::collectors())?;
    goals.ratio("idle: CPU of node_exporter's", 0.25, &figures, NODE);
    goals.ratio(
        "idle: CPU of reading the same and throwing it away",
        1.5,
        &figures,
        "reading the same and throwing it away",
    );
    idle_memory(&mut weir, node.as_ref(), goals)
}

/// What runs when no flag is given, against node_exporter with the same collectors; the floor does not read all of this.
fn idle_defaults(goals: &mut Goals) -> io::Result<()> {
    let mut weir = rivals::weir(Set::Defaults, &[])?;
    let mut node = rivals::node_exporter(Set::Defaults)?;
    let page = weir.page()?;
    let mut list = vec![Rival::new("weir", || weir.scrapes(SCRAPES, ""))];
    if let Some(node) = &mut node {
        list.push(Rival::new(NODE, || node.scrapes(SCRAPES, "")));
    }
    let figures = take_turns(&mut list, ROUNDS)?;
    drop(list);
    report::table(
        &format!(
            "Idle, all default collectors: CPU time per scrape of {page} bytes, median of {ROUNDS} rounds or fewer"
        ),
        &figures,
    );
    by_collector(&mut weir, rivals::defaults())?;
    goals.ratio(
        "idle, all default collectors: CPU of node_exporter's",
        0.2,
        &figures,
        NODE,
    );
    Ok(())
}

const NODE: &str = "node_exporter, same families";

/// After many scrapes, with nobody asking: memory, threads, the tick; then a flood of small requests.
fn idle_memory(weir: &mut Server, node: Option<&Server>, goals: &mut Goals) -> io::Result<()> {
    let id = weir.process.id();
    let before = cost::cpu(id)?;
    thread::sleep(QUIET);
    let ticks = cost::cpu(id)? - before;
    let resident = cost::status(id, "VmRSS")?;
    let threads = cost::status(id, "Threads")?;
    let mut rival = String::new();
    if let Some(node) = node {
        let id = node.process.id();
        let (resident, threads) = (cost::status(id, "VmRSS")?, cost::status(id, "Threads")?);
        rival = format!(" node_exporter {resident} KiB in {threads} threads;");
    }
    println!(
        "\nResident after these scrapes: weir {resident} KiB in {threads} thread;{rival} with nobody asking, weir used \
         {ticks:.1?} of CPU in {QUIET:?}."
    );
    goals.at_most("resident memory idle, MB", 3.0, megabytes(resident));
    goals.at_most("threads", 1.0, report::float(threads));

    let begin = Instant::now();
    let each = weir.requests(20_000, "/health", "")?;
    let kept = 20_000.0 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    for _ in 0..3_000 {
        client::get(&weir.address, "/health")?;
    }
    let fresh = 3_000.0 / begin.elapsed().as_secs_f64();
    println!(
        "\nFlood of /health, one client: {kept:.0} requests a second on one connection ({each:.1?} of CPU each), \
         {fresh:.0} with a connection for each."
    );
    Ok(())
}

/// Where weir's time goes: one collector at a time.
fn by_collector(weir: &mut Server, names: impl Iterator<Item = &'static str>) -> io::Result<()> {
    println!(
        "\n### Idle: weir's collectors one at a time, each with its request\n\n| collector | CPU time |\n|---|---:|"
    );
    for name in names {
        let path = format!("/metrics?collect%5B%5D={name}");
        weir.requests(SCRAPES, &path, "")?;
        let figure = weir.requests(10 * SCRAPES, &path, "")?;
        println!("| {name} | {figure:.2?} |");
    }
    Ok(())
}

fn megabytes(kibibytes: u64) -> f64 {
    report::float(kibibytes) * 1024.0 / 1e6
}

/// Every TCP socket of the machine, in all namespaces: they share one hash table, which each walk visits whole, so that
/// a machine with many is not idle for anybody.
fn tcp_sockets() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat")?;
    let number = |key: &str| {
        let mut words = text.split_whitespace();
        words.find(|word| *word == key)?;
        words.next()?.parse::<u64>().ok()
    };
    Ok(number("alloc").unwrap_or(0) + number("tw").unwrap_or(0))
}

/// Runs every rival once a round and gives the median of each, so that what disturbs the machine disturbs all.
fn take_turns(
    rivals: &mut [Rival<'_>],
    rounds: usize,
) -> io::Result<Vec<(&'static str, Duration)>> {
    let mut figures = vec![Vec::new(); rivals.len()];
    let begin = Instant::now();
    // The first round warms up and does not count.
    for round in 0..=rounds {
        if round > LEAST_ROUNDS && begin.elapsed() > PATIENCE {
            break;
        }
        for (rival, figures) in rivals.iter_mut().zip(&mut figures) {
            let figure = (rival.round)()
                .map_err(|error| io::Error::other(format!("{}: {error}", rival.name)))?;
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    let medians = figures.into_iter().map(|mut figures| {
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    });
    Ok(rivals.iter().map(|rival| rival.name).zip(medians).collect())
}

/// Starts this program again in namespaces of its own, which are gone when its processes are.
fn run_inside(arguments: &[&str]) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let mut process = Process(
        isolation::command(arguments)?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut figures = BTreeMap::new();
    let output = process.0.stdout.take().ok_or("no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        let (name, value) = line.split_once('\t').ok_or_else(|| line.clone())?;
        figures.insert(name.to_string(), value.parse()?);
    }
    if process.0.wait()?.success() {
        Ok(figures)
    } else {
        Err("the part in a namespace failed".into())
    }
}

/// The part inside: prints a name, a tab and a figure a line.
fn crowded() -> io::Result<()> {
    isolation::furnish()?;
    let mut weir = rivals::weir(Set::Network, &[])?;
    let mut from_proc = rivals::weir(Set::Network, &["--sockets.source=proc"])?;
    let mut node = rivals::node_exporter(Set::Network)?;
    for server in [&mut weir, &mut from_proc] {
        server.scrapes(SCRAPES, "")?;
    }
    let before = [&weir, &from_proc].map(|server| cost::status(server.process.id(), "VmRSS"));
    let begin = Instant::now();
    let load = load::hold(CONNECTIONS, PEERS)?;
    println!("seconds to open\t{}", begin.elapsed().as_secs_f64());
    let mut list = vec![
        Rival::new("weir", || weir.scrapes(1, "")),
        Rival::new("weir, --sockets.source=proc", || from_proc.scrapes(1, "")),
        Rival::new(CAT_SOCKETS, rivals::cat_sockets),
        Rival::new(
            "`ss -Htan \\| awk \\| sort \\| uniq \\| wc`",
            rivals::ports_pipeline,
        ),
    ];
    if let Some(node) = &mut node {
        list.push(Rival::new(NODE, || node.scrapes(1, "")));
    }
    let figures = take_turns(&mut list, CROWDED_ROUNDS)?;
    drop(list);
    for (name, figure) in figures {
        println!("cpu {name}\t{}", figure.as_secs_f64() * 1e9);
    }
    let mut memory = vec![("netlink", &weir), ("proc", &from_proc)];
    for ((source, server), before) in memory.drain(..).zip(before) {
        let peak = cost::status(server.process.id(), "VmHWM")?;
        println!(
            "growth {source}\t{}",
            megabytes(peak.saturating_sub(before?))
        );
    }
    if let Some(node) = &node {
        println!(
            "node resident\t{}",
            cost::status(node.process.id(), "VmRSS")?
        );
    }
    drop(load);
    Ok(())
}

const CAT_SOCKETS: &str = "`cat /proc/net/tcp /proc/net/tcp6 >/dev/null`";

fn report_crowded(found: &BTreeMap<String, f64>, goals: &mut Goals) {
    let mut figures: Vec<_> = found
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("cpu ")?, *value)))
        .map(|(name, value)| (name, Duration::from_secs_f64(value / 1e9)))
        .collect();
    figures.sort_by_key(|(name, figure)| (*name != "weir", *figure));
    let sockets = CONNECTIONS * 2;
    report::table(
        &format!(
            "{sockets} sockets: CPU time per scrape, median of {CROWDED_ROUNDS} rounds or fewer"
        ),
        &figures,
    );
    goals.ratio(
        "200,000 sockets: CPU of `cat`'s",
        0.6,
        &figures,
        CAT_SOCKETS,
    );
    for source in ["netlink", "proc"] {
        if let Some(growth) = found.get(&format!("growth {source}")) {
            goals.at_most(
                &format!("200,000 sockets: growth of memory, MB ({source})"),
                1.0,
                *growth,
            );
        }
    }
    if let Some(resident) = found.get("node resident") {
        println!("\nnode_exporter is then at {resident} KiB resident.");
    }
}
