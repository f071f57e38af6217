//! Encoding alone: 10,000 samples of a machine with many devices, in this process.

use std::time::Instant;

use weir::exposition;
use weir::metric::Batch;
use weir::metric::Desc;

static FAMILIES: [Desc; 10] = [
    Desc::counter("node_network_receive_bytes_total", &["device"], "Bytes."),
    Desc::counter(
        "node_network_receive_packets_total",
        &["device"],
        "Packets.",
    ),
    Desc::counter("node_network_receive_errs_total", &["device"], "Errors."),
    Desc::counter("node_network_receive_drop_total", &["device"], "Drops."),
    Desc::counter("node_network_transmit_bytes_total", &["device"], "Bytes."),
    Desc::counter(
        "node_network_transmit_packets_total",
        &["device"],
        "Packets.",
    ),
    Desc::counter("node_network_transmit_errs_total", &["device"], "Errors."),
    Desc::counter("node_network_transmit_drop_total", &["device"], "Drops."),
    Desc::gauge(
        "weir_network_receive_bytes_per_second",
        &["device"],
        "A rate.",
    ),
    Desc::gauge(
        "weir_network_transmit_bytes_per_second",
        &["device"],
        "A rate.",
    ),
];

/// The median time to encode 10,000 samples into memory that is already there, in milliseconds.
pub(crate) fn milliseconds() -> f64 {
    let mut batch = Batch::default();
    for device in 0..1_000_u32 {
        let name = format!("veth{device:06x}");
        let labels = batch.labels(&[("device", &name)]);
        for (position, family) in (0_u32..).zip(&FAMILIES) {
            // Large counters and rates with a fraction: what takes longest to print.
            let value = f64::from(device) * 1e9 + f64::from(position) * 1234.567;
            batch.push(family, labels, value);
        }
    }
    let mut out = Vec::new();
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            out.clear();
            let begin = Instant::now();
            exposition::encode(&batch, &mut out);
            begin.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
