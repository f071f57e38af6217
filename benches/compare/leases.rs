//! A hundred thousand leases in one file of each of the formats that large servers write, in this process: the time that this
//! process is charged to read and count them, and to find the file unchanged.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use weir::config::Config;
use weir::config::dhcp::Format;
use weir::config::dhcp::Pool;
use weir::config::dhcp::Range;
use weir::config::dhcp::Server;
use weir::files::Files;
use weir::leases::Leases;
use weir::sys::clock::Whose;
use weir::sys::clock::processor_time;

use crate::report::Goals;

const LEASES: u32 = 100_000;
/// What the first reading may take, and what a look at an unchanged file may, in milliseconds.
const FIRST: f64 = 150.0;
const UNCHANGED: f64 = 0.05;
/// The first readings of which the median counts, and the looks at an unchanged file.
const ROUNDS: usize = 7;
const LOOKS: u32 = 1000;

/// A file that is gone with its owner.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Measures each format.
pub(crate) fn goals(goals: &mut Goals) {
    for format in [Format::Dnsmasq, Format::Kea, Format::Isc, Format::Json] {
        let what = format!("100,000 leases of {}", format.word());
        match milliseconds(format) {
            Ok((first, unchanged)) => {
                goals.at_most(&format!("{what}: reading and counting, ms"), FIRST, first);
                goals.at_most(&format!("{what}: unchanged, ms"), UNCHANGED, unchanged);
            }
            Err(error) => goals.missing(&format!("{what}: {error}")),
        }
    }
}

fn milliseconds(format: Format) -> io::Result<(f64, f64)> {
    let name = format!("weir-bench-{}-{}", std::process::id(), format.word());
    let file = File(std::env::temp_dir().join(name));
    fs::write(&file.0, text(format))?;
    // Later than what could be written again within the same step of the clock.
    std::thread::sleep(Duration::from_secs(4));
    let files = Files::open(Path::new("/proc"), Path::new("/sys")).map_err(io::Error::other)?;
    let range = Range::parse("10.0.0.0/8").map_err(io::Error::other)?;
    let mut config = Config {
        collectors: vec!["dhcp"],
        ..Config::default()
    };
    config.dhcp.servers = vec![Server {
        name: "bench".to_string(),
        format: Some(format),
        leases: vec![file.0.clone()],
        pools: vec![Pool {
            name: "all".to_string(),
            range,
        }],
        ..Server::default()
    }];
    let now = files.now();
    let look = |leases: &mut Leases| -> io::Result<()> {
        leases.look(&files);
        let server = leases.servers().first_mut();
        let counts = server.and_then(|server| server.counts(now));
        let pools = counts.map(|counts| counts.pools.iter());
        let pools = pools.into_iter().flatten();
        let held: f64 = pools.map(|pool| pool.of(weir::leases::State::Active)).sum();
        if held == f64::from(LEASES) {
            Ok(())
        } else {
            Err(io::Error::other(format!("{held} leases were counted")))
        }
    };
    let mut first = Vec::new();
    let mut leases = Leases::new(&config);
    for _ in 0..ROUNDS {
        leases = Leases::new(&config);
        let begun = charged();
        look(&mut leases)?;
        first.push(charged() - begun);
    }
    first.sort_by(f64::total_cmp);
    let begun = charged();
    for _ in 0..LOOKS {
        look(&mut leases)?;
    }
    let unchanged = (charged() - begun) / f64::from(LOOKS);
    Ok((
        first.get(ROUNDS / 2).copied().unwrap_or(f64::NAN),
        unchanged,
    ))
}

/// The time that this process has been charged so far, in milliseconds: a busy machine does not lengthen it much.
fn charged() -> f64 {
    processor_time(Whose::Process).as_secs_f64() * 1000.0
}

fn text(format: Format) -> String {
    let mut text = String::new();
    text.push_str(match format {
        Format::Kea => {
            "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
        }
        Format::Json => "[\n",
        _ => "",
    });
    for number in 0..LEASES {
        // In the order in which clients come, which is not that of the addresses.
        let number = number * 7919 % LEASES;
        let [_, a, b, c] = number.to_be_bytes();
        let address = format!("10.{a}.{b}.{c}");
        let mac = format!("02:00:00:{a:02x}:{b:02x}:{c:02x}");
        let _ = match format {
            Format::Kea => writeln!(
                text,
                "{address},{mac},01:{mac},43200,4102444800,7,0,0,host-{number},0,,0"
            ),
            Format::Isc => writeln!(
                text,
                "lease {address} {{\n  starts 6 2026/11/21 13:59:27;\n  ends 5 2100/01/01 00:00:00;\n  cltt 6 2026/11/21 13:59:27;\n  \
                binding state active;\n  next binding state free;\n  rewind binding state free;\n  hardware ethernet {mac};\n  \
                client-hostname \"host-{number}\";\n}}"
            ),
            Format::Json => {
                let comma = if number == 0 { "" } else { ",\n" };
                write!(
                    text,
                    "{comma}{{ \"ip-address\": \"{address}\", \"mac-address\": \"{mac}\", \"hostname\": \"host-{number}\", \
                    \"client-id\": \"01:{mac}\", \"expiry-time\": 4102444800 }}"
                )
            }
            _ => writeln!(text, "4102444800 {mac} {address} host-{number} 01:{mac}"),
        };
    }
    if format == Format::Json {
        text.push_str("\n]\n");
    }
    text
}
