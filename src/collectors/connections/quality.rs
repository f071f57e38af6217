//! Round-trip times and retransmissions, as histograms over groups of peers.

use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Part;
use crate::parse::float;
use crate::sockets::quality;
use crate::sockets::quality::Distribution;
use crate::sockets::quality::Group;
use crate::sockets::quality::Quality;

/// How many groups are exported, those with the most connections.
const GROUPS: usize = 100;

pub(super) static ROUND_TRIP: Desc = Desc::histogram_by(
    "weir_connections_round_trip_seconds",
    &["peers"],
    "Smoothed round-trip times of the TCP connections that are established now, by group of peers, in seconds; a snapshot \
     that goes down too, so that histogram_quantile() wants no rate(); from netlink (tcp_info).",
);
pub(super) static RETRANSMITS: Desc = Desc::histogram_by(
    "weir_connections_retransmitted_segments",
    &["peers"],
    "Segments that each TCP connection that is established now has sent again since it began, by group of peers; a snapshot \
     that goes down too, so that histogram_quantile() wants no rate(); from netlink (tcp_info).",
);

/// Writes the largest groups, the rest in one, and says how many groups that is, at most.
pub(super) fn write(quality: &Quality, batch: &mut Batch) -> usize {
    let (largest, others, left_out) = quality.largest(GROUPS);
    for (key, group) in &largest {
        write_group(&quality.text(*key), group, batch);
    }
    if others.retransmits.count > 0 {
        write_group(super::OTHER, &others, batch);
    }
    left_out
}

fn write_group(peers: &str, group: &Group, batch: &mut Batch) {
    const MICROSECOND: f64 = 1e-6;
    let times = (&group.round_trip, &quality::ROUND_TRIP, MICROSECOND);
    let segments = (&group.retransmits, &quality::RETRANSMITS, 1.0);
    write_histogram(&ROUND_TRIP, peers, times, batch);
    write_histogram(&RETRANSMITS, peers, segments, batch);
}

/// The values are multiples of `unit`.
fn write_histogram<const N: usize>(
    desc: &'static Desc,
    peers: &str,
    (values, bounds, unit): (&Distribution<N>, &[(u32, &str); N], f64),
    batch: &mut Batch,
) {
    let mut below = 0;
    let bounds = bounds.iter().map(|(_, text)| *text);
    let buckets = bounds.zip(values.buckets).map(|(bound, count)| {
        below += count;
        (bound, below)
    });
    for (bound, count) in buckets.chain([("+Inf", values.count)]) {
        let labels = batch.labels(&[("peers", peers), ("le", bound)]);
        batch.push_part(desc, Part::Bucket, labels, float(count));
    }
    let labels = batch.labels(&[("peers", peers)]);
    batch.push_part(desc, Part::Sum, labels, float(values.sum) * unit);
    batch.push_part(desc, Part::Count, labels, float(values.count));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Connections;
    use crate::exposition;
    use crate::parse::net_tcp::Address;
    use crate::sockets::tcp_info::Measured;

    #[test]
    fn buckets_add_up_to_the_count() {
        let mut found = Quality::new(&Connections::default());
        for (round_trip, retransmits) in [(Some(200), 0), (Some(20_000), 2), (None, 1000)] {
            let remote = Address::v4([10, 0, 0, 7]);
            found.add(&Measured {
                remote,
                round_trip,
                retransmits,
            });
        }
        let mut batch = Batch::default();
        assert_eq!(write(&found, &mut batch), 0);
        let mut text = Vec::new();
        exposition::encode(&batch, &mut text);
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 10 + 1 + 2 + 7 + 1 + 2);
        for line in [
            "weir_connections_round_trip_seconds_bucket{peers=\"10.0.0.0/24\",le=\"0.0001\"} 0",
            "weir_connections_round_trip_seconds_bucket{peers=\"10.0.0.0/24\",le=\"0.0003\"} 1",
            "weir_connections_round_trip_seconds_bucket{peers=\"10.0.0.0/24\",le=\"0.03\"} 2",
            "weir_connections_round_trip_seconds_bucket{peers=\"10.0.0.0/24\",le=\"+Inf\"} 2",
            "weir_connections_round_trip_seconds_count{peers=\"10.0.0.0/24\"} 2",
            "weir_connections_retransmitted_segments_bucket{peers=\"10.0.0.0/24\",le=\"300\"} 2",
            "weir_connections_retransmitted_segments_bucket{peers=\"10.0.0.0/24\",le=\"+Inf\"} 3",
            "weir_connections_retransmitted_segments_sum{peers=\"10.0.0.0/24\"} 1002",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
        assert!(
            text.contains("round_trip_seconds_sum{peers=\"10.0.0.0/24\"} 0.0202"),
            "{text}"
        );
    }
}
