//! What every network device says of itself: the attributes in `/sys/class/net/DEVICE/`, most of which one netlink dump
//! has too.
//!
//! Names, units and labels are those of node_exporter's netclass collector with its default source. An attribute that does
//! not exist, or that the device does not tell (`speed` while the link is down), gives no sample; in `node_network_info` it
//! is an empty label. `node_network_up` is 1 for the state `up` alone: lo, tunnels and ppp, whose state is `unknown`, have 0.
//!
//! Both sources give the same samples (tests/live/links.rs). netlink.rs takes the kernel's list where there is one, for a
//! tenth of the time and without waiting for a lock twenty times a device; sysfs.rs reads the files, for captured hosts
//! and where netlink is missing.

mod netlink;
mod sysfs;

use regex_lite::Regex;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::ExcludedKinds;
use crate::metric::Batch;
use crate::metric::Desc;

/// The collector `netclass`.
pub static SPEC: Spec = Spec {
    name: "netclass",
    help: "state, speed and settings of every network device",
    on_by_default: true,
    families: &[
        &UP,
        &INFO,
        &ADDRESS_ASSIGN_TYPE,
        &CARRIER,
        &CARRIER_CHANGES,
        &CARRIER_UP_CHANGES,
        &CARRIER_DOWN_CHANGES,
        &DEVICE_ID,
        &DORMANT,
        &FLAGS,
        &IFACE_ID,
        &IFACE_LINK,
        &IFACE_LINK_MODE,
        &MTU_BYTES,
        &NAME_ASSIGN_TYPE,
        &NET_DEV_GROUP,
        &SPEED_BYTES,
        &TRANSMIT_QUEUE_LENGTH,
        &PROTOCOL_TYPE,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Netclass {
            ignored: config.netclass_ignored.clone(),
            ignore_invalid_speed: config.netclass_ignore_invalid_speed,
            kinds: config.excluded_kinds,
            limit: config.limit_devices,
            device: Device::default(),
            settled: netlink::Settled::default(),
        })
    },
};

const DEVICE: &[&str] = &["device"];

static UP: Desc = Desc::gauge(
    "node_network_up",
    DEVICE,
    "Whether the device's operational state is up: 1 for up, 0 for all others, from operstate in /sys/class/net.",
);
static INFO: Desc = Desc::gauge(
    "node_network_info",
    &[
        "device",
        "address",
        "broadcast",
        "duplex",
        "operstate",
        "adminstate",
        "ifalias",
    ],
    "What is not a number in /sys/class/net/<device>; the value is always 1.",
);
static ADDRESS_ASSIGN_TYPE: Desc = Desc::gauge(
    "node_network_address_assign_type",
    DEVICE,
    "Where the hardware address comes from: 0 permanent, 1 random, 2 stolen, 3 set, from addr_assign_type in /sys/class/net.",
);
static CARRIER: Desc = Desc::gauge(
    "node_network_carrier",
    DEVICE,
    "Whether the device has a carrier, 1 or 0, from carrier in /sys/class/net.",
);
static CARRIER_CHANGES: Desc = Desc::counter(
    "node_network_carrier_changes_total",
    DEVICE,
    "Times the carrier came or went, from carrier_changes in /sys/class/net.",
);
static CARRIER_UP_CHANGES: Desc = Desc::counter(
    "node_network_carrier_up_changes_total",
    DEVICE,
    "Times the carrier came, from carrier_up_count in /sys/class/net.",
);
static CARRIER_DOWN_CHANGES: Desc = Desc::counter(
    "node_network_carrier_down_changes_total",
    DEVICE,
    "Times the carrier went, from carrier_down_count in /sys/class/net.",
);
static DEVICE_ID: Desc = Desc::gauge(
    "node_network_device_id",
    DEVICE,
    "The number that tells devices apart which share a hardware address, from dev_id in /sys/class/net.",
);
static DORMANT: Desc = Desc::gauge(
    "node_network_dormant",
    DEVICE,
    "Whether the device waits for something such as 802.1X, 1 or 0, from dormant in /sys/class/net.",
);
static FLAGS: Desc = Desc::gauge(
    "node_network_flags",
    DEVICE,
    "The device's IFF_ flags of linux/if.h as one number, from flags in /sys/class/net.",
);
static IFACE_ID: Desc = Desc::gauge(
    "node_network_iface_id",
    DEVICE,
    "The device's index, from ifindex in /sys/class/net.",
);
static IFACE_LINK: Desc = Desc::gauge(
    "node_network_iface_link",
    DEVICE,
    "The index of the device below this one, or its own, from iflink in /sys/class/net.",
);
static IFACE_LINK_MODE: Desc = Desc::gauge(
    "node_network_iface_link_mode",
    DEVICE,
    "What follows on a carrier: 0 up, 1 dormant, from link_mode in /sys/class/net.",
);
static MTU_BYTES: Desc = Desc::gauge(
    "node_network_mtu_bytes",
    DEVICE,
    "The largest packet that the device sends in bytes, from mtu in /sys/class/net.",
);
static NAME_ASSIGN_TYPE: Desc = Desc::gauge(
    "node_network_name_assign_type",
    DEVICE,
    "Where the name comes from: 1 kernel, 2 predictable by the kernel, 3 user, 4 renamed, from name_assign_type in /sys/class/net.",
);
static NET_DEV_GROUP: Desc = Desc::gauge(
    "node_network_net_dev_group",
    DEVICE,
    "The group that the device is in, 0 by default, from netdev_group in /sys/class/net.",
);
static SPEED_BYTES: Desc = Desc::gauge(
    "node_network_speed_bytes",
    DEVICE,
    "The link's speed in bytes per second, -125000 where it is unknown, from speed in /sys/class/net.",
);
static TRANSMIT_QUEUE_LENGTH: Desc = Desc::gauge(
    "node_network_transmit_queue_length",
    DEVICE,
    "The most packets in the device's transmit queue, from tx_queue_len in /sys/class/net.",
);
static PROTOCOL_TYPE: Desc = Desc::gauge(
    "node_network_protocol_type",
    DEVICE,
    "The device's ARPHRD_ type of linux/if_arp.h, from type in /sys/class/net.",
);

/// Bytes per second in one Mbit/s, the unit of `speed`.
const BYTES_PER_MEGABIT: f64 = 125_000.0;

/// The attributes that are exported as they stand.
static NUMBERS: [(&str, &Desc); 14] = [
    ("addr_assign_type", &ADDRESS_ASSIGN_TYPE),
    ("carrier", &CARRIER),
    ("carrier_changes", &CARRIER_CHANGES),
    ("carrier_up_count", &CARRIER_UP_CHANGES),
    ("carrier_down_count", &CARRIER_DOWN_CHANGES),
    ("dev_id", &DEVICE_ID),
    ("dormant", &DORMANT),
    ("iflink", &IFACE_LINK),
    ("link_mode", &IFACE_LINK_MODE),
    ("mtu", &MTU_BYTES),
    ("name_assign_type", &NAME_ASSIGN_TYPE),
    ("netdev_group", &NET_DEV_GROUP),
    ("tx_queue_len", &TRANSMIT_QUEUE_LENGTH),
    ("type", &PROTOCOL_TYPE),
];

struct Netclass {
    ignored: Regex,
    ignore_invalid_speed: bool,
    kinds: ExcludedKinds,
    limit: usize,
    /// The device that is being read, kept for its memory.
    device: Device,
    /// What netlink does not tell.
    settled: netlink::Settled,
}

/// What one device says of itself, whoever was asked.
#[derive(Default)]
struct Device {
    address: String,
    broadcast: String,
    duplex: String,
    operstate: String,
    ifalias: String,
    flags: Option<i64>,
    /// In Mbit/s.
    speed: Option<i64>,
    ifindex: Option<i64>,
    /// In the order of [`NUMBERS`].
    numbers: [Option<i64>; NUMBERS.len()],
}

impl Collector for Netclass {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let source = self.collect_netlink(context, batch)?;
        if !source {
            self.collect_sysfs(context, batch)?;
        }
        // A tree of files leaves no choice.
        if context.files.live_sysfs() {
            context.source = Some(if source { "netlink" } else { "sysfs" });
        }
        Ok(())
    }
}

impl Device {
    fn push(&self, batch: &mut Batch, name: &str, ignore_invalid_speed: bool) {
        let info = batch.labels(&[
            ("device", name),
            ("address", &self.address),
            ("broadcast", &self.broadcast),
            ("duplex", &self.duplex),
            ("operstate", &self.operstate),
            ("adminstate", self.adminstate()),
            ("ifalias", &self.ifalias),
        ]);
        let labels = batch.labels(&[("device", name)]);
        let up = self.operstate == "up";
        batch.push(&UP, labels, f64::from(u8::from(up)));
        batch.push(&INFO, info, 1.0);
        let numbers = NUMBERS.iter().map(|(_, desc)| *desc).zip(self.numbers);
        let others = [(&FLAGS, self.flags), (&IFACE_ID, self.ifindex)];
        for (desc, value) in numbers.chain(others) {
            if let Some(value) = value {
                batch.push(desc, labels, value as f64);
            }
        }
        let speed = self
            .speed
            .filter(|speed| *speed >= 0 || !ignore_invalid_speed);
        if let Some(speed) = speed {
            batch.push(&SPEED_BYTES, labels, speed as f64 * BYTES_PER_MEGABIT);
        }
    }

    /// Whether somebody switched the device on, whatever its link does.
    fn adminstate(&self) -> &'static str {
        const IFF_UP: i64 = 1;
        match self.flags {
            Some(flags) if flags & IFF_UP != 0 => "up",
            Some(_) => "down",
            None => "unknown",
        }
    }
}

#[cfg(test)]
mod tests;
