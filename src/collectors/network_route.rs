//! The unicast routes, and how many of them every device has.
//!
//! Live, from rtnetlink: all tables of IPv4 and IPv6, each gateway of a route over several as one. Where netlink is refused,
//! and of a captured tree, `/proc/net/route` and `/proc/net/ipv6_route`: IPv4's main table, first gateways only, and without
//! protocol, preferred source and weight, which are then empty.
//!
//! A router may have a million routes, so the routes themselves are bounded; those with the shortest prefixes, the default
//! route first, stay. All are counted, for the devices with the lowest indexes (`--limit.devices`). Routes of two tables can share all labels and are then one series, but count twice.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::ExcludedKinds;
use crate::devices::ifindex;
use crate::devices::keep_lowest;
use crate::devices::kinds::Excluded;
use crate::files::FileError;
use crate::files::Files;
use crate::links::Names;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::parse::ipv6_route;
use crate::parse::printable;
use crate::parse::route;
use crate::parse::route::Route;
use crate::rtnetlink;
use crate::rtnetlink::NetlinkError;
use crate::rtnetlink::settled;

/// How many routes are exported.
const SHOWN: usize = 1000;

/// The collector `network_route`.
pub static SPEC: Spec = Spec {
    name: "network_route",
    help: "unicast routes, and how many of them every network device has",
    on_by_default: false,
    families: &[&INFO, &ROUTES],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(NetworkRoute {
            kinds: config.excluded_kinds,
            limit: config.limit_devices,
        })
    },
};

static INFO: Desc = Desc::gauge(
    "node_network_route_info",
    &["device", "src", "dest", "gw", "priority", "proto", "weight"],
    "A unicast route, from rtnetlink, or /proc/net/route and ipv6_route. Always 1.",
);
static ROUTES: Desc = Desc::gauge(
    "node_network_routes",
    &["device"],
    "Unicast routes that lead out of the device, from rtnetlink, or /proc/net/route and ipv6_route.",
);

struct NetworkRoute {
    kinds: ExcludedKinds,
    /// The most devices.
    limit: usize,
}

impl Collector for NetworkRoute {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if context.files.live() {
            match from_netlink(self.kinds, context, self.limit) {
                Ok(Some(table)) => {
                    context.source = Some("netlink");
                    context.left_out = Some(table.write(batch));
                    return Ok(());
                }
                Err(error) if !rtnetlink::is_absent(&error) => return Err(error.into()),
                // Emulators have no rtnetlink, or not all of it.
                Ok(None) | Err(_) => {}
            }
        }
        let found = from_files(self.kinds, context.files, self.limit)?;
        context.source = Some(if found.is_some() { "proc" } else { "absent" });
        if let Some(table) = found {
            context.left_out = Some(table.write(batch));
        }
        Ok(())
    }
}

/// The routes that stay, with their devices, and how many there are for each device. A device is what the source has: its
/// number or its name.
struct Table<D> {
    routes: BTreeSet<(Route, D)>,
    counts: BTreeMap<D, u64>,
    left_out: usize,
}

impl<D: Clone + Ord> Table<D> {
    fn new() -> Self {
        Self {
            routes: BTreeSet::new(),
            counts: BTreeMap::new(),
            left_out: 0,
        }
    }

    fn add(&mut self, device: D, route: Route) {
        *self.counts.entry(device.clone()).or_default() += 1;
        if self.routes.insert((route, device)) && self.routes.len() > SHOWN {
            self.routes.pop_last();
            self.left_out += 1;
        }
    }

    /// Keeps the counts of the `limit` devices with the lowest indexes.
    fn keep_devices(&mut self, limit: usize, index: impl Fn(&D) -> Option<u64>) {
        let mut devices: Vec<_> = std::mem::take(&mut self.counts).into_iter().collect();
        self.left_out += keep_lowest(&mut devices, limit, |(device, _)| index(device));
        self.counts = devices.into_iter().collect();
    }
}

impl Table<Vec<u8>> {
    /// Writes what there is, and says how many routes and devices the limits left out.
    fn write(&self, batch: &mut Batch) -> usize {
        for (route, device) in &self.routes {
            let text = |address: Option<IpAddr>| {
                address.map_or_else(String::new, |address| address.to_string())
            };
            let destination = if route.length == 0 {
                "default".to_string()
            } else {
                format!("{}/{}", route.destination, route.length)
            };
            let weight = route
                .weight
                .map_or_else(String::new, |weight| weight.to_string());
            let labels = batch.labels(&[
                ("device", &*printable(device)),
                ("src", &text(route.source)),
                ("dest", &destination),
                ("gw", &text(route.gateway)),
                ("priority", &route.priority.to_string()),
                ("proto", route.protocol.map_or("", protocol)),
                ("weight", &weight),
            ]);
            batch.push(&INFO, labels, 1.0);
        }
        for (device, count) in &self.counts {
            let labels = batch.labels(&[("device", &*printable(device))]);
            batch.push(&ROUTES, labels, float(*count));
        }
        self.left_out
    }
}

fn from_netlink(
    kinds: ExcludedKinds,
    context: &mut Context<'_>,
    limit: usize,
) -> Result<Option<Table<Vec<u8>>>, NetlinkError> {
    let Some(names) = context.links.names(context.files)? else {
        return Ok(None);
    };
    let excluded = Excluded::ask(kinds, context.links, context.files);
    let excluded: BTreeSet<u32> = names
        .iter()
        .filter(|(_, name)| excluded.has(name))
        .map(|(index, _)| *index)
        .collect();
    let mut table = Table::new();
    settled(|| {
        table = Table::new();
        rtnetlink::routes(|index, route| {
            if !excluded.contains(&index) {
                table.add(index, route);
            }
        })
    })?;
    Ok(Some(named(table, &names, limit)))
}

/// The table with names for numbers; a device that is gone by now has an empty one.
fn named(mut table: Table<u32>, names: &Names, limit: usize) -> Table<Vec<u8>> {
    table.keep_devices(limit, |index| {
        names.contains_key(index).then_some(u64::from(*index))
    });
    let name = |index: u32| names.get(&index).cloned().unwrap_or_default();
    let mut named = Table::new();
    for (index, count) in table.counts {
        *named.counts.entry(name(index)).or_default() += count;
    }
    let routes = table.routes.into_iter();
    named.routes = routes.map(|(route, index)| (route, name(index))).collect();
    named.left_out = table.left_out;
    named
}

fn from_files(
    kinds: ExcludedKinds,
    files: &Files,
    limit: usize,
) -> Result<Option<Table<Vec<u8>>>, FileError> {
    let excluded = Excluded::new(kinds, &[], files);
    let mut table = Table::new();
    let order = files.byte_order();
    let ipv4 = files.net("route", |bytes| {
        for found in route::routes(bytes, order)? {
            let (device, route) = found?;
            if !excluded.has(device) {
                table.add(device.to_vec(), route);
            }
        }
        Ok(())
    })?;
    let ipv6 = files.net("ipv6_route", |bytes| {
        for found in ipv6_route::routes(bytes) {
            let (device, route) = found?;
            if !excluded.has(device) {
                table.add(device.to_vec(), route);
            }
        }
        Ok(())
    })?;
    table.keep_devices(limit, |device| ifindex(files, device));
    Ok(ipv4.or(ipv6).map(|()| table))
}

/// Who made a route: the names of include/uapi/linux/rtnetlink.h that node_exporter has.
fn protocol(number: u8) -> &'static str {
    match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        17 => "mrouted",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    const HEADER: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn to(number: u32, length: u8) -> Route {
        Route {
            length,
            destination: IpAddr::from(number.to_be_bytes()),
            priority: 0,
            gateway: None,
            source: None,
            protocol: Some(186),
            weight: None,
        }
    }

    fn lines(table: &Table<Vec<u8>>) -> (Vec<String>, usize) {
        let mut batch = Batch::default();
        let left_out = table.write(&mut batch);
        let lines = batch.samples().iter().map(|sample| {
            let family = &batch.families()[sample.family as usize].name;
            format!(
                "{family}{} {}",
                batch.label_text(sample.labels),
                sample.value
            )
        });
        (lines.collect(), left_out)
    }

    #[test]
    fn files_of_both_families() {
        let tree = Tree::new("network-route");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("CAPTURE", "byte_order: little\n")
            .write(
                "proc/net/route",
                format!("{HEADER}eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\neth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"),
            )
            .write(
                "proc/net/ipv6_route",
                "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
                 00000000000000000000000000000000 00000100 00000001 00000000 00000001     lan\n",
            );
        let expected = "\
node_network_route_info{device=\"eth0\",src=\"\",dest=\"default\",gw=\"192.0.2.1\",priority=\"100\",proto=\"\",weight=\"\"} 1
node_network_route_info{device=\"eth0\",src=\"\",dest=\"192.0.2.0/24\",gw=\"\",priority=\"0\",proto=\"\",weight=\"\"} 1
node_network_route_info{device=\"lan\",src=\"\",dest=\"fd00::/64\",gw=\"\",priority=\"256\",proto=\"\",weight=\"\"} 1
node_network_routes{device=\"eth0\"} 2
node_network_routes{device=\"lan\"} 1
";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn the_shortest_prefixes_stay_and_all_count() {
        let mut table = Table::new();
        for number in 0..1500u32 {
            table.add(1, to(number << 8, 24));
        }
        table.add(2, to(0, 0));
        // The same route from another table.
        table.add(2, to(0, 0));
        let names = [(1, b"eth0".to_vec())].into();
        let (lines, left_out) = lines(&named(table, &names, 2));
        assert_eq!((lines.len(), left_out), (SHOWN + 2, 501));
        assert_eq!(
            lines[0],
            "node_network_route_info{device=\"\",src=\"\",dest=\"default\",gw=\"\",priority=\"0\",proto=\"bgp\",weight=\"\"} 1"
        );
        assert_eq!(lines[SHOWN], "node_network_routes{device=\"\"} 2");
        assert_eq!(
            lines[SHOWN + 1],
            "node_network_routes{device=\"eth0\"} 1500"
        );
    }

    #[test]
    fn the_devices_with_the_lowest_indexes_are_counted() {
        let mut table = Table::new();
        for index in [9, 2, 5, 1] {
            table.add(index, to(index, 32));
        }
        let names = [(2, "wan"), (5, "lan"), (9, "office")];
        let names = names.map(|(index, name)| (index, name.as_bytes().to_vec()));
        let (told, left_out) = lines(&named(table, &names.into(), 2));
        // The routes have a limit of their own; a device that is gone goes first.
        assert_eq!((told.len(), left_out), (4 + 2, 2));
        let counted = told.get(4..).expect("the counts");
        assert_eq!(
            counted,
            [
                "node_network_routes{device=\"lan\"} 1",
                "node_network_routes{device=\"wan\"} 1"
            ]
        );
    }

    #[test]
    fn the_indexes_of_a_captured_tree_are_in_its_sysfs() {
        let tree = Tree::new("network-route-limit");
        let row = "\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        tree.write("proc/net/route", format!("{HEADER}a{row}b{row}c{row}"))
            .write("sys/class/net/a/ifindex", "7\n")
            .write("sys/class/net/b/ifindex", "3\n");
        let mut collector = Tree::make(&SPEC, |config| config.limit_devices = 1);
        let page = tree.scrape(&SPEC, &mut *collector).expect("a scrape");
        let counted: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("node_network_routes{"))
            .collect();
        assert_eq!(counted, ["node_network_routes{device=\"b\"} 1"]);
    }

    #[test]
    fn a_broken_file_is_an_error() {
        let tree = Tree::new("network-route-broken");
        tree.write("proc/net/ipv6_route", "fd00\n");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/net/ipv6_route:1: destination: expected 32 hexadecimal digits, found \"fd00\""
                    .to_string()
            )
        );
    }
}
