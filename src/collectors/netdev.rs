//! What went through every network device: bytes, packets and errors, from `/proc/net/dev`.
//!
//! Names and sums are those of node_exporter's netdev collector. Its `receive_nohandler` is not in this file; it comes from
//! the kernel's list of devices, where that can be asked (Linux 4.6).

use std::collections::HashSet;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::DeviceFilter;
use crate::links;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::dev;
use crate::parse::dev::Counters;
use crate::parse::float;
use crate::parse::printable;

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
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Netdev {
            devices: config.netdev_devices.clone(),
        })
    },
};

const DEVICE: &[&str] = &["device"];

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

/// A family and the counter that goes into it.
type Family = (&'static Desc, fn(&Counters) -> u64);

static FAMILIES: [Family; 16] = [
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
        context.files.net("dev", |bytes| {
            // The kernel loses its place between two reads of a long file when devices come and go, and may tell one
            // twice; a page with a series twice is refused as a whole.
            let mut seen = HashSet::new();
            for row in dev::rows(bytes)? {
                let row = row?;
                let device = printable(row.name);
                if !self.devices.shows(&device) || !seen.insert(device.clone()) {
                    continue;
                }
                let labels = batch.labels(&[("device", &device)]);
                for (desc, counter) in FAMILIES {
                    batch.push(desc, labels, float(counter(&row.counters)));
                }
                let link = links::find(links, row.name);
                if let Some(packets) = link.and_then(|link| link.receive_nohandler) {
                    batch.push(&RECEIVE_NOHANDLER, labels, float(packets));
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use regex_lite::Regex;

    const HEADER: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

    #[test]
    fn every_counter_has_its_family() {
        let tree = Tree::new("netdev-families");
        let row = "eth0.10:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 18446744073709551615\n";
        tree.write("proc/net/dev", [HEADER, row].concat());
        let text = tree.once(&SPEC).expect("a scrape");
        let expected = [
            "receive_bytes",
            "receive_packets",
            "receive_errs",
            "receive_drop",
            "receive_fifo",
            "receive_frame",
            "receive_compressed",
            "receive_multicast",
            "transmit_bytes",
            "transmit_packets",
            "transmit_errs",
            "transmit_drop",
            "transmit_fifo",
            "transmit_colls",
            "transmit_carrier",
            "transmit_compressed",
        ];
        let expected: String = (1..)
            .zip(expected)
            .map(|(value, name)| {
                let value = if value == 16 {
                    "18446744073709552000".to_string()
                } else {
                    value.to_string()
                };
                format!("node_network_{name}_total{{device=\"eth0.10\"}} {value}\n")
            })
            .collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn the_filter_leaves_devices_out_and_odd_names_are_escaped() {
        let tree = Tree::new("netdev-filter");
        let zeros = " 0".repeat(16);
        let mut bytes = HEADER.as_bytes().to_vec();
        for name in [&b"veth1"[..], b"b\xfcro"] {
            bytes.extend_from_slice(&[name, b":", zeros.as_bytes(), b"\n"].concat());
        }
        tree.write("proc/net/dev", bytes);
        let mut netdev = Tree::make(&SPEC, |config| {
            config.netdev_devices.exclude = Some(Regex::new("^veth").expect("a pattern"));
        });
        let text = tree.scrape(&SPEC, &mut *netdev).expect("a scrape");
        assert!(!text.contains("veth1"));
        assert_eq!(text.matches("{device=\"b\\\\xfcro\"} 0\n").count(), 16);
    }

    #[test]
    fn a_missing_file_is_no_family_and_a_broken_one_an_error() {
        let tree = Tree::new("netdev-broken");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/dev", [HEADER, "eth0: 1 x\n"].concat());
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/net/dev:3: receive packets: expected an unsigned decimal number, found \"x\""
                    .to_string()
            )
        );
    }
}
