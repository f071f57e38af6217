//! What went through every network device: bytes, packets and errors, from `/proc/net/dev`.
//!
//! Names and sums are those of node_exporter's netdev collector. Its `receive_nohandler` is not in this file; it comes from
//! the kernel's list of devices, where that can be asked (Linux 4.6). With `--collector.netdev.label-ifalias` every one of
//! these families has the label `ifalias` too, and with `--collector.netdev.address-info` the devices' addresses are told
//! (addresses.rs).
//!
//! For the page the counters are those of the last tick.

mod addresses;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::DeviceFilter;
use crate::config::ExcludedKinds;
use crate::devices::ifindex;
use crate::devices::keep_lowest;
use crate::devices::kinds::Excluded;
use crate::files::Files;
use crate::links;
use crate::links::Link;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Family;
use crate::parse::dev;
use crate::parse::dev::Counters;
use crate::parse::dev::Row;
use crate::parse::float;
use crate::parse::printable;
use crate::sampler::Device;

/// The collector `netdev`.
pub static SPEC: Spec = Spec {
    name: "netdev",
    help: "bytes, packets and errors of every network device",
    on_by_default: true,
    families: &[
        &RECEIVE_BYTES,
        &RECEIVE_PACKETS,
        &RECEIVE_ERRS,
        &RECEIVE_DROP,
        &RECEIVE_FIFO,
        &RECEIVE_FRAME,
        &RECEIVE_COMPRESSED,
        &RECEIVE_MULTICAST,
        &RECEIVE_NOHANDLER,
        &TRANSMIT_BYTES,
        &TRANSMIT_PACKETS,
        &TRANSMIT_ERRS,
        &TRANSMIT_DROP,
        &TRANSMIT_FIFO,
        &TRANSMIT_COLLS,
        &TRANSMIT_CARRIER,
        &TRANSMIT_COMPRESSED,
        &addresses::INFO,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Netdev {
            devices: config.netdev_devices.clone(),
            kinds: config.excluded_kinds,
            limit: config.limit_devices,
            alias: config.netdev_label_ifalias,
            families: COUNTERS
                .map(|(desc, counter)| (family(desc, config.netdev_label_ifalias), counter)),
            nohandler: family(&RECEIVE_NOHANDLER, config.netdev_label_ifalias),
            address_info: config.netdev_address_info,
        })
    },
};

const DEVICE: &[&str] = &["device"];
const DEVICE_AND_ALIAS: &[&str] = &["device", "ifalias"];

static RECEIVE_BYTES: Desc = Desc::counter(
    "node_network_receive_bytes_total",
    DEVICE,
    "Bytes received by the device, from /proc/net/dev.",
);
static RECEIVE_PACKETS: Desc = Desc::counter(
    "node_network_receive_packets_total",
    DEVICE,
    "Packets received by the device, from /proc/net/dev.",
);
static RECEIVE_ERRS: Desc = Desc::counter(
    "node_network_receive_errs_total",
    DEVICE,
    "Bad packets received by the device, all receive errors together, from /proc/net/dev.",
);
static RECEIVE_DROP: Desc = Desc::counter(
    "node_network_receive_drop_total",
    DEVICE,
    "Received packets dropped for want of room or use, those missed by the hardware included, from /proc/net/dev.",
);
static RECEIVE_FIFO: Desc = Desc::counter(
    "node_network_receive_fifo_total",
    DEVICE,
    "Overruns of the device's receive FIFO, from /proc/net/dev.",
);
static RECEIVE_FRAME: Desc = Desc::counter(
    "node_network_receive_frame_total",
    DEVICE,
    "Received packets with a frame, length, overrun or CRC error, from /proc/net/dev.",
);
static RECEIVE_COMPRESSED: Desc = Desc::counter(
    "node_network_receive_compressed_total",
    DEVICE,
    "Compressed packets received by the device (SLIP and PPP), from /proc/net/dev.",
);
static RECEIVE_MULTICAST: Desc = Desc::counter(
    "node_network_receive_multicast_total",
    DEVICE,
    "Multicast packets received by the device, from /proc/net/dev.",
);
static RECEIVE_NOHANDLER: Desc = Desc::counter(
    "node_network_receive_nohandler_total",
    DEVICE,
    "Packets received by a port that is not in use (a bond's inactive one, say), from RTM_GETLINK.",
);
static TRANSMIT_BYTES: Desc = Desc::counter(
    "node_network_transmit_bytes_total",
    DEVICE,
    "Bytes transmitted by the device, from /proc/net/dev.",
);
static TRANSMIT_PACKETS: Desc = Desc::counter(
    "node_network_transmit_packets_total",
    DEVICE,
    "Packets transmitted by the device, from /proc/net/dev.",
);
static TRANSMIT_ERRS: Desc = Desc::counter(
    "node_network_transmit_errs_total",
    DEVICE,
    "Packets that the device could not transmit, all transmit errors together, from /proc/net/dev.",
);
static TRANSMIT_DROP: Desc = Desc::counter(
    "node_network_transmit_drop_total",
    DEVICE,
    "Packets dropped on their way out of the device, from /proc/net/dev.",
);
static TRANSMIT_FIFO: Desc = Desc::counter(
    "node_network_transmit_fifo_total",
    DEVICE,
    "Underruns of the device's transmit FIFO, from /proc/net/dev.",
);
static TRANSMIT_COLLS: Desc = Desc::counter(
    "node_network_transmit_colls_total",
    DEVICE,
    "Collisions while the device transmitted, from /proc/net/dev.",
);
static TRANSMIT_CARRIER: Desc = Desc::counter(
    "node_network_transmit_carrier_total",
    DEVICE,
    "Transmissions lost to a carrier, abort, window or heartbeat error, from /proc/net/dev.",
);
static TRANSMIT_COMPRESSED: Desc = Desc::counter(
    "node_network_transmit_compressed_total",
    DEVICE,
    "Compressed packets transmitted by the device (SLIP and PPP), from /proc/net/dev.",
);

/// What goes into a family.
type Counter = fn(&Counters) -> u64;

static COUNTERS: [(&Desc, Counter); 16] = [
    (&RECEIVE_BYTES, |of| of.receive_bytes),
    (&RECEIVE_PACKETS, |of| of.receive_packets),
    (&RECEIVE_ERRS, |of| of.receive_errs),
    (&RECEIVE_DROP, |of| of.receive_drop),
    (&RECEIVE_FIFO, |of| of.receive_fifo),
    (&RECEIVE_FRAME, |of| of.receive_frame),
    (&RECEIVE_COMPRESSED, |of| of.receive_compressed),
    (&RECEIVE_MULTICAST, |of| of.receive_multicast),
    (&TRANSMIT_BYTES, |of| of.transmit_bytes),
    (&TRANSMIT_PACKETS, |of| of.transmit_packets),
    (&TRANSMIT_ERRS, |of| of.transmit_errs),
    (&TRANSMIT_DROP, |of| of.transmit_drop),
    (&TRANSMIT_FIFO, |of| of.transmit_fifo),
    (&TRANSMIT_COLLS, |of| of.transmit_colls),
    (&TRANSMIT_CARRIER, |of| of.transmit_carrier),
    (&TRANSMIT_COMPRESSED, |of| of.transmit_compressed),
];

struct Netdev {
    devices: DeviceFilter,
    kinds: ExcludedKinds,
    limit: usize,
    /// Whether the families have the label `ifalias`.
    alias: bool,
    families: [(Family, Counter); COUNTERS.len()],
    nohandler: Family,
    address_info: bool,
}

/// The family with the labels that were asked for.
fn family(desc: &'static Desc, alias: bool) -> Family {
    if alias {
        let (name, help) = (desc.name.to_string(), desc.help.to_string());
        Family::Shared(Desc::at_run_time(name, desc.kind, DEVICE_AND_ALIAS, help))
    } else {
        Family::Static(desc)
    }
}

impl Collector for Netdev {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        // The one counter is no reason to lose the other sixteen; netclass tells what is wrong with the list.
        let links = context.links.all(context.files).ok().flatten();
        let links = links.unwrap_or_default();
        let files = context.files;
        let excluded = Excluded::new(self.kinds, links, files);
        context.left_out = match context.counted {
            Some(devices) => {
                // One that is gone, or was made anew since then, has no counters.
                let same = |device: &&Device| {
                    let link = links::find(links, device.name());
                    link.is_some_and(|link| device.ifindex() == Some(link.ifindex.into()))
                };
                let mut rows = Vec::with_capacity(devices.len());
                let devices = devices
                    .iter()
                    .filter(|device| links.is_empty() || same(device));
                let shown = devices.filter_map(Device::row);
                rows.extend(shown.filter(|row| self.shows(row)));
                Some(self.push_rows(rows, (links, &excluded), files, batch))
            }
            None => files.net("dev", |bytes| {
                let rows = dev::rows(bytes)?;
                let rows = rows.filter(|row| row.as_ref().map_or(true, |row| self.shows(row)));
                let rows = rows.collect::<Result<_, _>>()?;
                Ok(self.push_rows(rows, (links, &excluded), files, batch))
            })?,
        };
        if self.address_info {
            let left_out = addresses::collect(self, context, batch)?;
            *context.left_out.get_or_insert(0) += left_out;
        }
        Ok(())
    }
}

impl Netdev {
    fn shows(&self, row: &Row<'_>) -> bool {
        self.devices.shows(&printable(row.name))
    }

    /// Writes the counters of the devices that are shown, and says how many others there are.
    fn push_rows(
        &self,
        mut rows: Vec<Row<'_>>,
        (links, excluded): (&[Link], &Excluded<'_>),
        files: &Files,
        batch: &mut Batch,
    ) -> usize {
        // The kernel loses its place between two reads of a long file when devices come and go, and may tell one
        // twice; a page with a series twice is refused as a whole.
        let mut seen = HashSet::new();
        rows.retain(|row| !excluded.has(row.name) && seen.insert(printable(row.name)));
        let left_out = keep_lowest(&mut rows, self.limit, |row| {
            links::find(links, row.name).map_or_else(
                || ifindex(files, row.name),
                |link| Some(link.ifindex.into()),
            )
        });
        for row in rows {
            self.push(&row, links::find(links, row.name), files, batch);
        }
        left_out
    }

    /// Writes one device's counters.
    fn push(&self, row: &Row<'_>, link: Option<&Link>, files: &Files, batch: &mut Batch) {
        let device = printable(row.name);
        let labels = if self.alias {
            let alias = match link {
                Some(link) => printable(link.alias.trim_ascii()),
                None => Cow::Owned(alias(files, row.name)),
            };
            batch.labels(&[("device", &device), ("ifalias", &alias)])
        } else {
            batch.labels(&[("device", &device)])
        };
        for (family, counter) in &self.families {
            batch.push_family(family, labels, float(counter(&row.counters)));
        }
        if let Some(packets) = link.and_then(|link| link.receive_nohandler) {
            batch.push_family(&self.nohandler, labels, float(packets));
        }
    }
}

/// What somebody called the device, from sysfs; empty where nobody did, or it is not known.
fn alias(files: &Files, name: &[u8]) -> String {
    let path = Path::new("class/net").join(OsStr::from_bytes(name));
    let device = files.sys_directory(path).ok().flatten();
    let alias = device.and_then(|device| {
        let alias = device.read("ifalias", |bytes| Ok(printable(bytes).into_owned()));
        alias.ok().flatten()
    });
    alias.unwrap_or_default()
}

#[cfg(test)]
mod tests;
