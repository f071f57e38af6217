//! The channel of every wireless device, the BSS that it uses, and what it knows of the stations it talks with, from
//! nl80211.
//!
//! The kernel tells this nowhere else, so that a captured tree, or a kernel without nl80211, has no such family. What a
//! driver does not tell is 0, as in node_exporter, but for the signal, where 0 would be a value: it is left out.
//!
//! An SSID may hold any bytes: what is not UTF-8 is escaped, where node_exporter replaces it. Devices and stations are
//! bounded: the devices with the lowest indexes stay (`--limit.devices`, at most 64), and of the stations behind each those
//! with the lowest addresses.

use std::collections::BTreeMap;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::devices::keep_lowest;
use crate::files::Files;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::nl80211;
use crate::nl80211::Bss;
use crate::nl80211::NetlinkError;
use crate::nl80211::Nl80211;
use crate::nl80211::Station;
use crate::nl80211::Status;
use crate::nl80211::settled;
use crate::parse::float;
use crate::parse::printable;

/// How many devices are exported whatever `--limit.devices` says; the kernel is asked twice about each.
const DEVICES: usize = 64;
/// How many stations are exported, of all devices together.
const STATIONS: usize = 256;

/// The collector `wifi`.
pub static SPEC: Spec = Spec {
    name: "wifi",
    help: "channel and network of every wireless device, and the stations it talks with",
    on_by_default: false,
    families: &[
        &FREQUENCY,
        &INFO,
        &CONNECTED,
        &INACTIVE,
        &RECEIVE_RATE,
        &TRANSMIT_RATE,
        &RECEIVED_BYTES,
        &TRANSMITTED_BYTES,
        &SIGNAL,
        &RETRIES,
        &FAILED,
        &BEACON_LOSS,
        &TRANSMITTED_PACKETS,
        &RECEIVED_PACKETS,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Wifi {
            limit: config.limit_devices.min(DEVICES),
        })
    },
};

const LABELS: &[&str] = &["device", "mac_address"];

static FREQUENCY: Desc = Desc::gauge(
    "node_wifi_interface_frequency_hertz",
    &["device"],
    "Where the wireless device's channel is, in hertz, from nl80211; 0 while it is on none.",
);
static INFO: Desc = Desc::gauge(
    "node_wifi_station_info",
    &["device", "bssid", "ssid", "mode"],
    "The network that the wireless device is part of, from nl80211. Always 1.",
);
static CONNECTED: Desc = Desc::counter(
    "node_wifi_station_connected_seconds_total",
    LABELS,
    "Seconds since the station connected, from nl80211.",
);
static INACTIVE: Desc = Desc::gauge(
    "node_wifi_station_inactive_seconds",
    LABELS,
    "Seconds since the station last did anything, from nl80211.",
);
static RECEIVE_RATE: Desc = Desc::gauge(
    "node_wifi_station_receive_bits_per_second",
    LABELS,
    "The bit rate at which the station was last received, in bits per second, from nl80211.",
);
static TRANSMIT_RATE: Desc = Desc::gauge(
    "node_wifi_station_transmit_bits_per_second",
    LABELS,
    "The bit rate at which the station was last sent to, in bits per second, from nl80211.",
);
static RECEIVED_BYTES: Desc = Desc::counter(
    "node_wifi_station_receive_bytes_total",
    LABELS,
    "Bytes received from the station, from nl80211.",
);
static TRANSMITTED_BYTES: Desc = Desc::counter(
    "node_wifi_station_transmit_bytes_total",
    LABELS,
    "Bytes sent to the station, from nl80211.",
);
static SIGNAL: Desc = Desc::gauge(
    "node_wifi_station_signal_dbm",
    LABELS,
    "How strong the station was last received, in decibel-milliwatts (dBm), from nl80211.",
);
static RETRIES: Desc = Desc::counter(
    "node_wifi_station_transmit_retries_total",
    LABELS,
    "Times that something had to be sent to the station again, from nl80211.",
);
static FAILED: Desc = Desc::counter(
    "node_wifi_station_transmit_failed_total",
    LABELS,
    "Packets that could not be sent to the station, from nl80211.",
);
static BEACON_LOSS: Desc = Desc::counter(
    "node_wifi_station_beacon_loss_total",
    LABELS,
    "Times that the station's beacons stayed away, from nl80211.",
);
static TRANSMITTED_PACKETS: Desc = Desc::counter(
    "node_wifi_station_transmitted_packets_total",
    LABELS,
    "Packets sent to the station, from nl80211.",
);
static RECEIVED_PACKETS: Desc = Desc::counter(
    "node_wifi_station_received_packets_total",
    LABELS,
    "Packets received from the station, from nl80211.",
);

struct Wifi {
    /// The most devices.
    limit: usize,
}

impl Collector for Wifi {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if !context.files.live() {
            return Ok(());
        }
        let kernel = if has_no_class(context.files) {
            None
        } else {
            Nl80211::find()?
        };
        context.source = Some(if kernel.is_some() {
            "netlink"
        } else {
            "absent"
        });
        if let Some(kernel) = kernel {
            context.left_out = Some(from_netlink(kernel, self.limit, batch)?);
        }
        Ok(())
    }
}

/// Whether sysfs shows that cfg80211 is not loaded. Asking for its family would make the kernel try to load it, at each
/// scrape.
fn has_no_class(files: &Files) -> bool {
    let classes = files.sys_entries("class").ok().flatten();
    classes.is_some_and(|classes| !classes.iter().any(|class| class == "ieee80211"))
}

/// A device's number and its channel in MHz, by its name: one that is renamed during a dump may be there twice.
type Devices = BTreeMap<Vec<u8>, (u32, u32)>;
type Device = (Vec<u8>, (u32, u32));

/// Writes what there is, and says how many devices and stations the limits left out.
fn from_netlink(kernel: Nl80211, limit: usize, batch: &mut Batch) -> Result<usize, NetlinkError> {
    let mut devices = Devices::new();
    settled(|| {
        devices.clear();
        kernel.interfaces(|found| {
            devices.insert(found.name.to_vec(), (found.index, found.frequency));
        })
    })?;
    let (devices, mut left_out) = lowest(devices, limit);
    let mut room = STATIONS;
    for (name, (index, frequency)) in &devices {
        let device = printable(name);
        write_frequency(&device, *frequency, batch);

        let mut used = None;
        or_none(settled(|| {
            used = None;
            kernel.bsses(*index, |bss| {
                used.get_or_insert_with(|| Network::new(bss));
            })
        }))?;
        if let Some(network) = &used {
            network.write(&device, batch);
        }

        let mut stations = Stations::new(room);
        or_none(settled(|| {
            stations = Stations::new(room);
            kernel.stations(*index, |station| stations.add(station))
        }))?;
        room = room.saturating_sub(stations.found.len());
        left_out += stations.write(&device, batch);
    }
    Ok(left_out)
}

/// The devices that stay, in the order of their names, and how many do not.
fn lowest(devices: Devices, limit: usize) -> (Vec<Device>, usize) {
    let mut devices: Vec<Device> = devices.into_iter().collect();
    let left_out = keep_lowest(&mut devices, limit, |(_, (index, _))| Some((*index).into()));
    (devices, left_out)
}

/// A device that cannot tell has nothing to tell; what it told before it said so stays.
fn or_none(result: Result<(), NetlinkError>) -> Result<(), NetlinkError> {
    result.or_else(|error| nl80211::has_none(&error).then_some(()).ok_or(error))
}

fn write_frequency(device: &str, megahertz: u32, batch: &mut Batch) {
    let labels = batch.labels(&[("device", device)]);
    batch.push(&FREQUENCY, labels, f64::from(megahertz) * 1e6);
}

/// The labels of the network that a device is part of.
struct Network {
    bssid: String,
    ssid: String,
    mode: &'static str,
}

impl Network {
    fn new(bss: &Bss<'_>) -> Self {
        Self {
            bssid: text(bss.bssid),
            ssid: printable(bss.ssid).into_owned(),
            mode: match bss.status {
                Status::Client => "client",
                Status::AdHoc => "ad-hoc",
                Status::Unknown => "unknown",
            },
        }
    }

    fn write(&self, device: &str, batch: &mut Batch) {
        let labels = batch.labels(&[
            ("device", device),
            ("bssid", &self.bssid),
            ("ssid", &self.ssid),
            ("mode", self.mode),
        ]);
        batch.push(&INFO, labels, 1.0);
    }
}

/// The stations of one device that stay, in the order of their addresses.
struct Stations {
    found: Vec<Station>,
    room: usize,
    left_out: usize,
}

impl Stations {
    fn new(room: usize) -> Self {
        Self {
            found: Vec::new(),
            room,
            left_out: 0,
        }
    }

    fn add(&mut self, station: &Station) {
        let place = self
            .found
            .binary_search_by_key(&station.address, |found| found.address);
        match place {
            Ok(at) => self
                .found
                .get_mut(at)
                .into_iter()
                .for_each(|found| *found = *station),
            Err(at) => self.found.insert(at, *station),
        }
        if self.found.len() > self.room {
            self.found.pop();
            self.left_out += 1;
        }
    }

    /// Writes the stations, and says how many the limit left out.
    fn write(&self, device: &str, batch: &mut Batch) -> usize {
        for station in &self.found {
            write_station(device, &text(station.address), station, batch);
        }
        self.left_out
    }
}

fn write_station(device: &str, address: &str, station: &Station, batch: &mut Batch) {
    let labels = batch.labels(&[("device", device), ("mac_address", address)]);
    let mut push = |desc: &'static Desc, value| batch.push(desc, labels, value);
    push(&CONNECTED, f64::from(station.connected));
    push(&INACTIVE, f64::from(station.inactive) / 1e3);
    push(&RECEIVE_RATE, f64::from(station.receive_rate) * 1e5);
    push(&TRANSMIT_RATE, f64::from(station.transmit_rate) * 1e5);
    push(&RECEIVED_BYTES, float(station.received_bytes));
    push(&TRANSMITTED_BYTES, float(station.transmitted_bytes));
    if let Some(signal) = station.signal {
        push(&SIGNAL, f64::from(signal));
    }
    push(&RETRIES, f64::from(station.retries));
    push(&FAILED, f64::from(station.failed));
    push(&BEACON_LOSS, f64::from(station.beacon_loss));
    push(&TRANSMITTED_PACKETS, f64::from(station.transmitted_packets));
    push(&RECEIVED_PACKETS, f64::from(station.received_packets));
}

/// An address as everybody writes it.
fn text(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests;
