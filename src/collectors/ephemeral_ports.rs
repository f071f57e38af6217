//! How much of the ephemeral port range is in use, in all and for the fullest destinations.
//!
//! A port counts as used when any TCP socket of either family has it as its local port, in whatever state. But ports run
//! out for each destination, not in all: connections from one address to one address and port need different local
//! ports, all others may share them. TIME_WAIT takes part in both.
//!
//! Sockets that were accepted here are no use of a destination; they are known by their listener. Where it was closed
//! meanwhile and its port is in the range (passive FTP), its connections count as if they had been opened here.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::ip_local_reserved_ports;
use crate::sockets::Source;
use crate::sockets::port_range;
use crate::sockets::survey::Destination;
use crate::sockets::tally::Tally;

/// How many destinations are exported, the fullest first.
const SHOWN: usize = 10;

/// The collector `ephemeral_ports`.
pub static SPEC: Spec = Spec {
    name: "ephemeral_ports",
    help: "use of the ephemeral port range, in all and for the fullest destinations",
    on_by_default: true,
    families: &[
        &USED,
        &TOTAL,
        &AVAILABLE,
        &USAGE_RATIO,
        &RESERVED,
        &DESTINATION_USED,
        &DESTINATION_USED_MAX,
        &DESTINATION_UNTRACKED,
    ],
    patterns: &[],
    verdict: Some(&SCRAPE_SUCCESS),
    make: |_| Box::new(EphemeralPorts),
};

// The names and sentences of ephemeral-port-exporter, which these five replace.
static USED: Desc = Desc::gauge(
    "ephemeral_ports_used",
    &[],
    "Number of ephemeral ports in use",
);
static TOTAL: Desc = Desc::gauge("ephemeral_ports_total", &[], "Total ephemeral ports");
static AVAILABLE: Desc = Desc::gauge(
    "ephemeral_ports_available",
    &[],
    "Total ephemeral ports available",
);
static USAGE_RATIO: Desc = Desc::gauge(
    "ephemeral_ports_usage_ratio",
    &[],
    "Ratio of ephemeral ports used",
);
static SCRAPE_SUCCESS: Desc = Desc::gauge(
    "ephemeral_port_exporter_scrape_success",
    &[],
    "Whether scraping ephemeral ports succeeded (1 = yes, 0 = no)",
);

static RESERVED: Desc = Desc::gauge(
    "weir_ephemeral_ports_reserved",
    &[],
    "Ports inside the ephemeral range that the kernel does not pick, from ip_local_reserved_ports.",
);
static DESTINATION_USED: Desc = Desc::gauge(
    "weir_ephemeral_ports_destination_used",
    &["src_ip", "dest_ip", "dest_port"],
    "Ephemeral ports in use from a local address to a remote address and port, of the ten fullest, from the kernel's \
     socket tables.",
);
static DESTINATION_USED_MAX: Desc = Desc::gauge(
    "weir_ephemeral_ports_destination_used_max",
    &[],
    "Ephemeral ports in use to the fullest destination, from the kernel's socket tables.",
);
static DESTINATION_UNTRACKED: Desc = Desc::gauge(
    "weir_ephemeral_ports_destination_untracked",
    &[],
    "Sockets on ephemeral ports whose destination found no room in the bounded table, from the kernel's \
     socket tables.",
);

struct EphemeralPorts;

impl Collector for EphemeralPorts {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let survey = context.sockets.survey(context.files)?;
        context.source = Some(survey.source().word());
        if survey.source() == Source::Absent {
            return Ok(());
        }
        // The survey passes over a file that is missing or broken; here is where it is told which.
        let range = match survey.range() {
            Some(range) => Some(range),
            None => port_range(context.files)?,
        };
        let Some(range) = range else {
            return Ok(());
        };
        let (used, total) = (survey.ports().count_in(range), range.total());
        batch.push(&USED, NO_LABELS, f64::from(used));
        batch.push(&TOTAL, NO_LABELS, f64::from(total));
        batch.push(&AVAILABLE, NO_LABELS, f64::from(total.saturating_sub(used)));
        batch.push(&USAGE_RATIO, NO_LABELS, f64::from(used) / f64::from(total));
        let reserved = context.files.proc(ip_local_reserved_ports::PATH, |bytes| {
            ip_local_reserved_ports::parse(bytes, range)
        })?;
        if let Some(reserved) = reserved {
            batch.push(&RESERVED, NO_LABELS, f64::from(reserved));
        }
        context.left_out = Some(write_destinations(survey.destinations(), batch));
        Ok(())
    }
}

/// Writes the fullest destinations and says how many others there are that were told apart.
fn write_destinations(destinations: &Tally<Destination>, batch: &mut Batch) -> usize {
    let fullest = destinations.top(SHOWN);
    for (destination, count) in &fullest {
        let labels = batch.labels(&[
            ("src_ip", &destination.source().ip().to_string()),
            ("dest_ip", &destination.destination().ip().to_string()),
            ("dest_port", &destination.port().to_string()),
        ]);
        batch.push(&DESTINATION_USED, labels, float(*count));
    }
    let most = fullest.first().map_or(0, |(_, count)| *count);
    batch.push(&DESTINATION_USED_MAX, NO_LABELS, float(most));
    let untracked = destinations.without_room();
    batch.push(&DESTINATION_UNTRACKED, NO_LABELS, float(untracked));
    destinations.len().saturating_sub(fullest.len())
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";
    const RANGE: &str = "proc/sys/net/ipv4/ip_local_port_range";
    const RESERVED_PORTS: &str = "proc/sys/net/ipv4/ip_local_reserved_ports";

    fn to(destination: u8, port: u16) -> String {
        format!("0: 0100000A:{port:04X} {destination:02X}00000A:01BB 06 00000000:00000000\n")
    }

    #[test]
    fn used_total_reserved_and_the_fullest_destinations() {
        let tree = Tree::new("ephemeral-both");
        let accepted = "0: 00000000:9C40 00000000:0000 0A 00000000:00000000\n\
                        1: 0100000A:9C40 0900000A:C351 01 00000000:00000000\n";
        let rows = [(5, 40001), (5, 40002), (7, 40001), (3, 40003), (3, 1000)];
        let rows: String = rows.map(|(to_host, port)| to(to_host, port)).concat();
        let table = format!("{HEAD}{accepted}{rows}");
        tree.write("proc/net/tcp", table)
            .write(RANGE, "32768\t60999\n")
            .write(RESERVED_PORTS, "8080,40000-40001\n");
        let expected = "ephemeral_ports_used 4\n\
            ephemeral_ports_total 28232\n\
            ephemeral_ports_available 28228\n\
            ephemeral_ports_usage_ratio 0.00014168319637291018\n\
            weir_ephemeral_ports_reserved 2\n\
            weir_ephemeral_ports_destination_used{src_ip=\"10.0.0.1\",dest_ip=\"10.0.0.5\",dest_port=\"443\"} 2\n\
            weir_ephemeral_ports_destination_used{src_ip=\"10.0.0.1\",dest_ip=\"10.0.0.3\",dest_port=\"443\"} 1\n\
            weir_ephemeral_ports_destination_used{src_ip=\"10.0.0.1\",dest_ip=\"10.0.0.7\",dest_port=\"443\"} 1\n\
            weir_ephemeral_ports_destination_used_max 2\n\
            weir_ephemeral_ports_destination_untracked 0\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn ten_destinations_are_shown() {
        let tree = Tree::new("ephemeral-ten");
        let rows: String = (1..=20)
            .map(|destination| to(destination, 40000 + u16::from(destination)))
            .collect();
        tree.write("proc/net/tcp", format!("{HEAD}{rows}"))
            .write(RANGE, "32768\t60999\n");
        let text = tree.once(&SPEC).unwrap();
        assert_eq!(text.matches("destination_used{").count(), 10);
        assert!(text.contains("dest_ip=\"10.0.0.10\"") && !text.contains("dest_ip=\"10.0.0.11\""));
        assert!(!text.contains("reserved"));
    }

    #[test]
    fn missing_files_are_no_families_and_broken_ones_errors() {
        let tree = Tree::new("ephemeral-broken");
        tree.write(RANGE, "32768\t60999\n");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        let tree = Tree::new("ephemeral-range");
        tree.write("proc/net/tcp", HEAD);
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(RANGE, "60999\t32768\n");
        assert_eq!(
            tree.once(&SPEC),
            Err(format!(
                "{RANGE}:1: high: expected at least the low end, found \"32768\""
            ))
        );
        tree.write(RANGE, "32768\t60999\n")
            .write(RESERVED_PORTS, "x\n");
        assert!(tree.once(&SPEC).unwrap_err().starts_with(RESERVED_PORTS));
    }
}
