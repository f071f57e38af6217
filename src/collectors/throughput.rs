//! Rates per device, the highest tick of the last minute, and the share of TCP segments that were sent again.
//!
//! All of it comes from the ticks (`--collect.interval`), not from the scrape: a burst between two scrapes is seen by
//! every scraper, and two scrapers do not disturb each other. Rates need two samples, so `--once` has none.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::ExcludedKinds;
use crate::devices::keep_lowest;
use crate::devices::kinds::Excluded;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;

/// Registers the collector.
pub static SPEC: Spec = Spec {
    name: "throughput",
    help: "bytes, packets and errors per second of every network device, and TCP retransmissions",
    on_by_default: true,
    families: &[
        &RECEIVE_BYTES,
        &TRANSMIT_BYTES,
        &RECEIVE_PACKETS,
        &TRANSMIT_PACKETS,
        &RECEIVE_ERRORS,
        &TRANSMIT_ERRORS,
        &RECEIVE_BYTES_MAX,
        &TRANSMIT_BYTES_MAX,
        &RETRANSMISSION_RATIO,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Throughput {
            limit: config.limit_devices,
            kinds: config.excluded_kinds,
        })
    },
};

const DEVICE: &[&str] = &["device"];

static RECEIVE_BYTES: Desc = Desc::gauge(
    "weir_network_receive_bytes_per_second",
    DEVICE,
    "Bytes received per second over the last tick, from /proc/net/dev.",
);
static TRANSMIT_BYTES: Desc = Desc::gauge(
    "weir_network_transmit_bytes_per_second",
    DEVICE,
    "Bytes sent per second over the last tick, from /proc/net/dev.",
);
static RECEIVE_PACKETS: Desc = Desc::gauge(
    "weir_network_receive_packets_per_second",
    DEVICE,
    "Packets received per second over the last tick, from /proc/net/dev.",
);
static TRANSMIT_PACKETS: Desc = Desc::gauge(
    "weir_network_transmit_packets_per_second",
    DEVICE,
    "Packets sent per second over the last tick, from /proc/net/dev.",
);
static RECEIVE_ERRORS: Desc = Desc::gauge(
    "weir_network_receive_errors_per_second",
    DEVICE,
    "Receive errors per second over the last tick, from /proc/net/dev.",
);
static TRANSMIT_ERRORS: Desc = Desc::gauge(
    "weir_network_transmit_errors_per_second",
    DEVICE,
    "Transmit errors per second over the last tick, from /proc/net/dev.",
);
static RECEIVE_BYTES_MAX: Desc = Desc::gauge(
    "weir_network_receive_bytes_per_second_max",
    DEVICE,
    "The highest tick of the last 60 seconds, in bytes received per second.",
);
static TRANSMIT_BYTES_MAX: Desc = Desc::gauge(
    "weir_network_transmit_bytes_per_second_max",
    DEVICE,
    "The highest tick of the last 60 seconds, in bytes sent per second.",
);
static RETRANSMISSION_RATIO: Desc = Desc::gauge(
    "weir_tcp_retransmission_ratio",
    &[],
    "TCP segments retransmitted per segment sent over the last tick, from /proc/net/snmp; absent when nothing was sent.",
);

struct Throughput {
    limit: usize,
    kinds: ExcludedKinds,
}

impl Collector for Throughput {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        // Asked here and not at every tick: a device becomes a bridge's port at any time.
        let excluded = Excluded::ask(self.kinds, context.links, context.files);
        let mut devices: Vec<_> = context.sampler.devices().iter().collect();
        devices.retain(|device| !excluded.has(device.name()));
        context.left_out = Some(keep_lowest(&mut devices, self.limit, |device| {
            device.ifindex()
        }));
        for device in devices {
            let Some(rates) = device.rates else { continue };
            let labels = batch.labels(&[("device", &device.label)]);
            let (receive_max, transmit_max) = device.peak();
            for (desc, value) in [
                (&RECEIVE_BYTES, rates.receive_bytes),
                (&TRANSMIT_BYTES, rates.transmit_bytes),
                (&RECEIVE_PACKETS, rates.receive_packets),
                (&TRANSMIT_PACKETS, rates.transmit_packets),
                (&RECEIVE_ERRORS, rates.receive_errors),
                (&TRANSMIT_ERRORS, rates.transmit_errors),
                (&RECEIVE_BYTES_MAX, receive_max),
                (&TRANSMIT_BYTES_MAX, transmit_max),
            ] {
                batch.push(desc, labels, value);
            }
        }
        if let Some(ratio) = context.sampler.retransmission_ratio() {
            batch.push(&RETRANSMISSION_RATIO, NO_LABELS, ratio);
        }
        context
            .sampler
            .error()
            .map_or(Ok(()), |error| Err(CollectError::Sampled(error)))
    }
}
