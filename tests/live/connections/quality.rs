//! Round-trip times and retransmissions are those that `ss -i` shows, of the same connections.

use crate::running::Namespace;

use super::end;
use super::once;

pub(super) fn check(a: &Namespace) {
    let text = a.run("ss", ["-HtniO", "state", "established"]);
    let text = String::from_utf8(text).unwrap();
    let page = once(a, &["--collector.connections.tcp-info"]);
    for (group, v4) in [("10.77.0.0/24", true), ("fd77::/64", false)] {
        let mut milliseconds = Vec::new();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let peer = end(words[3]);
            if peer.is_ipv4() == v4 && !peer.is_loopback() {
                let rtt = words
                    .iter()
                    .find_map(|word| word.strip_prefix("rtt:"))
                    .unwrap();
                milliseconds.push(rtt.split('/').next().unwrap().parse::<f64>().unwrap());
            }
        }
        let value = |family: &str, part: &str| {
            let name = format!("weir_connections_{family}");
            let samples = &page.families[&name].samples;
            let labels = [("peers".to_string(), group.to_string())];
            samples[&(format!("{name}_{part}"), labels.into_iter().collect())]
        };
        let count = f64::from(u32::try_from(milliseconds.len()).unwrap());
        assert!(count > 2.0, "{text}");
        assert_eq!(value("round_trip_seconds", "count"), count, "{group}");
        assert_eq!(value("retransmitted_segments", "count"), count, "{group}");
        let (sum, found) = (
            milliseconds.iter().sum::<f64>() / 1e3,
            value("round_trip_seconds", "sum"),
        );
        assert!(
            sum > 0.0 && (sum - found).abs() < 1e-6 * count,
            "{group}: {sum} and {found}\n{text}"
        );
    }
}
