//! Who talks to whom: established TCP connections by pair of hosts, for a graph of the infrastructure.
//!
//! ngraph's two families, with the direction from the listeners instead of the ports alone: `src_ip` opened the
//! connections and `dest_ip` accepted them, whichever of them is this host. Where both ends are of this host (loopback is
//! excluded by default, its own other addresses are not) a connection is in both families, once each, since it has a
//! socket at either end.
//!
//! What is not among the largest pairs is summed in one series for each direction whose addresses are `other`, so that
//! sums stay right. `weir_connections` counts the same connections without their peers, and so without the peers'
//! filters.

mod quality;

use std::net::IpAddr;
use std::sync::Arc;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::Connections as Settings;
use crate::dns::reverse::ReverseNames;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::net_tcp::Address;
use crate::sockets::Source;
use crate::sockets::peers::Direction;
use crate::sockets::peers::Pair;
use crate::sockets::peers::Peers;
use crate::sockets::port_range;

/// How many local ports are exported, the busiest before others.
const PORTS: usize = 100;

/// What stands for what a limit left out.
const OTHER: &str = "other";

/// The collector `connections`.
pub static SPEC: Spec = Spec {
    name: "connections",
    help: "who talks to whom: established TCP connections by pair of hosts and by service",
    on_by_default: false,
    families: &[
        &INPUT,
        &OUTPUT,
        &CONNECTIONS,
        &quality::ROUND_TRIP,
        &quality::RETRANSMITS,
        &HOSTS_ADDRESSES,
        &HOSTS_REFUSED,
    ],
    patterns: &[],
    verdict: None,
    make: |config| Box::new(Connections::new(&config.connections)),
};

static INPUT: Desc = Desc::gauge(
    "network_connections_input_total",
    &["dest_ip", "src_ip", "peer_hostname"],
    "Established TCP connections that src_ip opened and dest_ip, which is this host, accepted; a gauge that goes down \
     too, whatever its name says; from the kernel's socket tables.",
);
static OUTPUT: Desc = Desc::gauge(
    "network_connections_output_total",
    &["dest_ip", "src_ip", "peer_hostname"],
    "Established TCP connections that src_ip, which is this host, opened and dest_ip accepted; a gauge that goes down \
     too, whatever its name says; from the kernel's socket tables.",
);
static CONNECTIONS: Desc = Desc::gauge(
    "weir_connections",
    &["local_port", "direction"],
    "Established TCP connections, whoever the peer: accepted ones (input) by the local port that took them, with a zero \
     for a port that listens in vain, and all that were opened here (output) in one series without port.",
);

static HOSTS_ADDRESSES: Desc = Desc::gauge(
    "weir_hosts_addresses",
    &[],
    "Addresses that have a name, from /etc/hosts; absent where that file is not asked for or cannot be read.",
);
static HOSTS_REFUSED: Desc = Desc::gauge(
    "weir_hosts_lines_refused",
    &[],
    "Lines of /etc/hosts that are neither an address with a name nor a comment, or for which there was no more room; \
     the log tells the first.",
);

struct Connections {
    settings: Settings,
}

impl Connections {
    fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
        }
    }
}

/// Who knows names: /etc/hosts, then the others in their order.
struct Names<'a> {
    hosts: &'a Hosts,
    more: Option<More<'a>>,
}

/// Who knows the names that /etc/hosts does not have, the first before the second.
struct More<'a> {
    leases: &'a Leases,
    now: i64,
    reverse: &'a ReverseNames,
}

impl More<'_> {
    fn of(&self, address: IpAddr) -> Option<Arc<str>> {
        let lease = self.leases.hostname(address, self.now);
        let lease = lease.filter(|name| !name.is_empty()).map(Arc::from);
        lease.or_else(|| self.reverse.of(address))
    }
}

impl Collector for Connections {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let survey = context.sockets.survey(context.files)?;
        context.source = Some(survey.source().word());
        let (Some(peers), false) = (survey.peers(), survey.source() == Source::Absent) else {
            return Ok(());
        };
        if survey.range().is_none() {
            // Direction would quietly be another: a range that is broken is told, and none is none.
            port_range(context.files)?;
        }
        if let Some((addresses, refused)) = context.hosts.counts() {
            batch.push(&HOSTS_ADDRESSES, NO_LABELS, float(addresses));
            batch.push(&HOSTS_REFUSED, NO_LABELS, float(refused));
        }
        let reverse = match context.reverse {
            None => None,
            Some(Ok(reverse)) if !reverse.has_ended() => Some(reverse),
            // Names would be missing in silence.
            Some(Ok(_)) => return Err(CollectError::Thread("it ended".to_string())),
            Some(Err(error)) => return Err(CollectError::Thread(error.to_string())),
        };
        let more = reverse.map(|reverse| More {
            leases: context.leases,
            now: context.files.now(),
            reverse,
        });
        let names = Names {
            hosts: context.hosts,
            more,
        };
        let mut left_out = self.write_pairs(peers, &names, batch);
        left_out = left_out.saturating_add(write_ports(peers, batch));
        if let (Some(quality), Source::Netlink) = (peers.quality(), survey.source()) {
            quality.outcome()?;
            left_out = left_out.saturating_add(quality::write(quality, batch));
        }
        context.left_out = Some(left_out);
        Ok(())
    }
}

impl Connections {
    /// Writes the largest pairs, and says how many others there are, at most: what found no room in the table of pairs
    /// may have been a pair each.
    fn write_pairs(&self, peers: &Peers, names: &Names<'_>, batch: &mut Batch) -> usize {
        let pairs = peers.pairs();
        let mut largest = pairs.top(self.settings.max_series);
        largest.sort_unstable_by_key(|(pair, _)| *pair);
        let mut rest = peers.counted();
        for (pair, count) in &largest {
            self.write_pair(pair, *count, names, batch);
            let [input, output] = &mut rest;
            let rest = match pair.direction() {
                Direction::Input => input,
                Direction::Output => output,
            };
            *rest = rest.saturating_sub(*count);
        }
        for (direction, rest) in Direction::ALL.into_iter().zip(rest) {
            if rest > 0 {
                write(direction, [OTHER, OTHER, ""], rest, batch);
            }
        }
        let without_room = usize::try_from(pairs.without_room()).unwrap_or(usize::MAX);
        (pairs.len() - largest.len()).saturating_add(without_room)
    }

    fn write_pair(&self, pair: &Pair, count: u64, names: &Names<'_>, batch: &mut Batch) {
        let group = self.settings.group;
        let single = group.is_single(pair.peer());
        let address = Address::v6(pair.peer());
        let name = Some(names.hosts).filter(|_| single);
        let name = name.and_then(|hosts| hosts.of(address));
        // Nobody is asked for an address that has a name already.
        let more = names.more.as_ref().filter(|_| single && name.is_none());
        let found = more.and_then(|more| more.of(address.ip()));
        let name = name.or(found.as_deref());
        let local: IpAddr = pair.local().ip();
        let (local, peer) = (local.to_string(), group.text(pair.peer()));
        let ends = match pair.direction() {
            Direction::Input => [&*local, &*peer],
            Direction::Output => [&*peer, &*local],
        };
        let [dest, src] = ends;
        write(
            pair.direction(),
            [dest, src, name.unwrap_or_default()],
            count,
            batch,
        );
    }
}

fn write(direction: Direction, values: [&str; 3], count: u64, batch: &mut Batch) {
    let desc = match direction {
        Direction::Input => &INPUT,
        Direction::Output => &OUTPUT,
    };
    let [dest, src, name] = values;
    let labels = batch.labels(&[("dest_ip", dest), ("src_ip", src), ("peer_hostname", name)]);
    batch.push(desc, labels, float(count));
}

/// Writes the busiest ports in the order of ports, the rest in one, and says how many ports that is.
fn write_ports(peers: &Peers, batch: &mut Batch) -> usize {
    let mut ports: Vec<_> = peers.accepted().collect();
    if ports.len() > PORTS {
        ports.sort_unstable_by_key(|(port, count)| (std::cmp::Reverse(*count), *port));
    }
    let most = PORTS.min(ports.len());
    let (shown, rest) = ports.split_at_mut(most);
    shown.sort_unstable();
    let mut write = |port: &str, direction: Direction, count: u64| {
        let labels = batch.labels(&[("local_port", port), ("direction", direction.word())]);
        batch.push(&CONNECTIONS, labels, float(count));
    };
    for (port, count) in shown.iter() {
        write(&port.to_string(), Direction::Input, u64::from(*count));
    }
    if !rest.is_empty() {
        let sum = rest.iter().map(|(_, count)| u64::from(*count)).sum();
        write(OTHER, Direction::Input, sum);
    }
    write("", Direction::Output, peers.opened());
    rest.len()
}

#[cfg(test)]
mod tests;
