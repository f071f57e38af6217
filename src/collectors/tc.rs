//! Packets and bytes at the TC layer, counted by programs of our own in the kernel: what NetProbe set out to do.
//!
//! The programs are in tc/, and so is the thread that attaches them. Packets and bytes are those on the wire: a packet
//! that the kernel handles as one and sends as forty (GSO) is forty, each with its headers, so that what one end sends is
//! what the other receives. All protocols are counted. The counters begin at 0 when the interface is attached to.
//!
//! Rates and activity are those of the last tick (`--collect.interval`); they need two samples, so `--once` has none.

use std::sync::Arc;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::sampler::TcRates;
use crate::tc::Counts;
use crate::tc::Direction;
use crate::tc::attach::AttachError;
use crate::tc::attach::Interface;
use crate::tc::attach::Method;
use crate::tc::attach::State;

/// Registers the collector.
pub static SPEC: Spec = Spec {
    name: "tc",
    help: "packets and bytes on the wire of every network interface, counted in the kernel's TC layer by eBPF",
    on_by_default: false,
    families: &[
        &PACKETS,
        &BYTES,
        &PACKETS_PER_SECOND,
        &BYTES_PER_SECOND,
        &ACTIVE,
        &COLLECTIONS,
        &LAST_COLLECTION,
        &ATTACHED,
        &PROTOCOL_PACKETS,
        &PROTOCOL_BYTES,
    ],
    patterns: &[],
    verdict: Some(&UP),
    make: |config| {
        Box::new(Tc {
            active_only: config.tc_active_only,
        })
    },
};

const INTERFACE: &[&str] = &["interface", "ifindex"];
const DIRECTION: &[&str] = &["interface", "ifindex", "direction"];
const PROTOCOL: &[&str] = &[
    "interface",
    "ifindex",
    "direction",
    "ip_version",
    "protocol",
];

static PACKETS: Desc = Desc::counter(
    "netprobe_tc_packets_total",
    DIRECTION,
    "Packets on the wire since the interface was attached to, counted by eBPF at the TC layer.",
);
static BYTES: Desc = Desc::counter(
    "netprobe_tc_bytes_total",
    DIRECTION,
    "Bytes on the wire, link-layer headers included, since the interface was attached to, counted by eBPF at the TC layer.",
);
static PACKETS_PER_SECOND: Desc = Desc::gauge(
    "netprobe_tc_packets_per_second",
    DIRECTION,
    "Packets on the wire per second over the last tick, counted by eBPF at the TC layer.",
);
static BYTES_PER_SECOND: Desc = Desc::gauge(
    "netprobe_tc_bytes_per_second",
    DIRECTION,
    "Bytes on the wire per second over the last tick, counted by eBPF at the TC layer.",
);
static ACTIVE: Desc = Desc::gauge(
    "netprobe_interface_active",
    INTERFACE,
    "Whether more than 0.1 packets a second went over the interface in either direction over the last tick (1) or not (0).",
);
static UP: Desc = Desc::gauge(
    "netprobe_up",
    &[],
    "Whether packets are counted (1), or the eBPF programs are not loaded or not attached (0).",
);
static COLLECTIONS: Desc = Desc::counter(
    "netprobe_collection_total",
    &[],
    "Ticks since the start, at which rates are sampled.",
);
static LAST_COLLECTION: Desc = Desc::gauge(
    "netprobe_last_collection_timestamp_seconds",
    &[],
    "When a tick last read the counters of every interface, in seconds since 1970.",
);
static ATTACHED: Desc = Desc::gauge(
    "weir_tc_interface_attached",
    INTERFACE,
    "Whether the interface is counted (1), or should be and is not, yet or at all (0); the log says why.",
);
static PROTOCOL_PACKETS: Desc = Desc::counter(
    "weir_tc_protocol_packets_total",
    PROTOCOL,
    "Packets on the wire by IP version and protocol since the interface was attached to, counted by eBPF at the TC layer.",
);
static PROTOCOL_BYTES: Desc = Desc::counter(
    "weir_tc_protocol_bytes_total",
    PROTOCOL,
    "Bytes on the wire, link-layer headers included, by IP version and protocol since the interface was attached to, counted by eBPF at the TC layer.",
);

const DIRECTIONS: [(Direction, &str); 2] = [
    (Direction::Ingress, "ingress"),
    (Direction::Egress, "egress"),
];
const IP_VERSIONS: [&str; 2] = ["4", "6"];
const PROTOCOLS: [&str; 4] = ["tcp", "udp", "icmp", "other"];

struct Tc {
    active_only: bool,
}

impl Collector for Tc {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let Some(tc) = context.sampler.tc() else {
            // A captured tree: there is nothing that could be attached to.
            context.verdict = Some(false);
            return Ok(());
        };
        let state = tc.watch().state().map_err(CollectError::Tc)?;
        context.verdict = Some(state.is_up());
        if let Some(error) = nothing_works(&state) {
            return Err(CollectError::Tc(error));
        }
        context.source = state.method.map(Method::word);
        context.left_out = Some(state.left_out);
        batch.push(&COLLECTIONS, NO_LABELS, float(context.sampler.ticks()));
        if let Some(seconds) = tc.last_success().and_then(since_1970) {
            batch.push(&LAST_COLLECTION, NO_LABELS, seconds);
        }
        for interface in &state.interfaces {
            let rates = tc.rates(interface.ifindex);
            let active = rates.is_some_and(|rates| TcRates::is_active(&rates));
            if active || !self.active_only {
                write_interface(&state, interface, rates.as_ref(), batch)?;
            }
        }
        Ok(())
    }
}

/// The reason, where not one interface could be attached.
fn nothing_works(state: &State) -> Option<Arc<AttachError>> {
    let attached = state.interfaces.iter().any(|interface| interface.attached);
    let mut errors = state.interfaces.iter().map(|interface| &interface.error);
    let first = errors.find_map(Option::as_ref);
    first.filter(|_| state.settled && !attached).map(Arc::clone)
}

fn write_interface(
    state: &State,
    interface: &Interface,
    rates: Option<&[TcRates; 2]>,
    batch: &mut Batch,
) -> Result<(), CollectError> {
    let ifindex = interface.ifindex.to_string();
    let labels = [("interface", &*interface.name), ("ifindex", &*ifindex)];
    let own = batch.labels(&labels);
    batch.push(&ATTACHED, own, f64::from(u8::from(interface.attached)));
    let Some(programs) = state.programs.as_ref().filter(|_| interface.attached) else {
        return Ok(());
    };
    if let Some(rates) = rates {
        let active = f64::from(u8::from(TcRates::is_active(rates)));
        batch.push(&ACTIVE, own, active);
    }
    for (at, (direction, word)) in DIRECTIONS.into_iter().enumerate() {
        let counts = programs
            .read(interface.ifindex, direction)
            .map_err(|error| CollectError::Tc(Arc::new(error.into())))?;
        // The interface went a moment ago.
        let Some(counts) = counts else { continue };
        let [name, ifindex] = labels;
        let labels = [name, ifindex, ("direction", word)];
        let own = batch.labels(&labels);
        batch.push(&PACKETS, own, float(counts.packets));
        batch.push(&BYTES, own, float(counts.bytes));
        if let Some(rates) = rates.and_then(|rates| rates.get(at)) {
            batch.push(&PACKETS_PER_SECOND, own, rates.packets);
            batch.push(&BYTES_PER_SECOND, own, rates.bytes);
        }
        write_protocols(&counts, labels, batch);
    }
    Ok(())
}

fn write_protocols(counts: &Counts, labels: [(&str, &str); 3], batch: &mut Batch) {
    let Some(protocols) = &counts.protocols else {
        return;
    };
    let [interface, ifindex, direction] = labels;
    for (version, of_version) in IP_VERSIONS.into_iter().zip(protocols) {
        for (protocol, counts) in PROTOCOLS.into_iter().zip(of_version) {
            let version = ("ip_version", version);
            let protocol = ("protocol", protocol);
            let own = batch.labels(&[interface, ifindex, direction, version, protocol]);
            batch.push(&PROTOCOL_PACKETS, own, float(counts.packets));
            batch.push(&PROTOCOL_BYTES, own, float(counts.bytes));
        }
    }
}

fn since_1970(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}
