//! Devices that come, go, are renamed and made anew, and more of them than the limit allows.

use crate::support::skip;

use super::setup::Both;
use super::setup::Meter;
use super::setup::ifindex;
use super::setup::joined;
use super::setup::namespace;
use super::setup::ping;
use super::setup::quiet;

#[test]
fn a_rename_keeps_the_counters_and_changes_the_name() {
    for method in ["tcx", "clsact"] {
        let pair = match joined() {
            Ok(pair) => pair,
            Err(reason) => return skip(&reason),
        };
        let near = &pair[0];
        let attach = format!("--collector.tc.attach={method}");
        let meter = Meter::start(near, &[&attach]);
        let index = meter.attached(near, "near0");
        ping(near, 5, 100);
        let before = quiet(|| meter.counted("near0", index).unwrap());
        assert_eq!(before.egress.packets, 5, "{method}");
        near.ip("link set near0 down");
        near.ip("link set near0 name wan0");
        near.ip("link set wan0 up");
        meter.wait("it has its new name", || {
            meter.counted("wan0", index).is_some()
        });
        assert_eq!(meter.counted("near0", index), None, "{method}");
        near.ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev wan0 nud permanent");
        let sent = ping(near, 3, 100);
        let after = quiet(|| meter.counted("wan0", index).unwrap());
        let both = Both {
            ingress: sent,
            egress: sent,
        };
        assert_eq!(after.since(before), both, "{method}");
        meter.stop();
    }
}

#[test]
fn a_device_made_anew_starts_anew() {
    for method in ["tcx", "clsact"] {
        let pair = match joined() {
            Ok(pair) => pair,
            Err(reason) => return skip(&reason),
        };
        let [near, far] = &pair;
        let attach = format!("--collector.tc.attach={method}");
        let meter = Meter::start(near, &[&attach]);
        let first = meter.attached(near, "near0");
        ping(near, 5, 100);
        // Once with an index of its own, once with the index that it had.
        for given in [String::new(), format!(" index {}", first + 1000)] {
            for _ in 0..2 {
                let before = ifindex(near, "near0");
                near.ip("link del near0");
                near.ip(&format!(
                    "link add name near0 address 02:00:00:00:00:01{given} type veth peer name far0 address 02:00:00:00:00:02 netns {}",
                    far.name
                ));
                for (namespace, device, own, other) in [(near, "near0", 1, 2), (far, "far0", 2, 1)]
                {
                    namespace.ip(&format!("addr add 192.0.2.{own}/24 dev {device}"));
                    namespace.ip(&format!("link set up dev {device}"));
                    namespace.ip(&format!(
                        "neigh replace 192.0.2.{other} lladdr 02:00:00:00:00:0{other} dev {device} nud permanent"
                    ));
                }
                let index = ifindex(near, "near0");
                if given.is_empty() {
                    assert_ne!(index, before);
                }
                // With the old index and name only its counters tell that the device was made anew.
                meter.wait("it is counted from 0", || {
                    meter.counted("near0", index) == Some(Both::default())
                });
                let sent = ping(near, 2, 100);
                let both = Both {
                    ingress: sent,
                    egress: sent,
                };
                assert_eq!(
                    quiet(|| meter.counted("near0", index)),
                    Some(both),
                    "{method}"
                );
                if index != before {
                    assert_eq!(meter.counted("near0", before), None, "{method}");
                }
            }
        }
        assert!(!meter.log().contains("level=error"), "{}", meter.log());
        meter.stop();
    }
}

#[test]
fn the_limit_keeps_the_lowest_indexes() {
    let namespace = match namespace() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    for index in [30, 20, 10] {
        namespace.ip(&format!(
            "link add name dev{index} index {index} type veth peer name peer{index} index {}",
            index + 1
        ));
    }
    let exclude = "--collector.tc.device-exclude=^(lo|peer)";
    let meter = Meter::start(&namespace, &["--limit.devices=2", exclude]);
    meter.attached(&namespace, "dev20");
    assert!(meter.counted("dev10", 10).is_some());
    assert_eq!(meter.counted("dev30", 30), None);
    let left_out = [("collector", "tc")];
    let count = || meter.scrape().value("weir_series_left_out", &left_out);
    assert_eq!(count(), Some(1.0));
    namespace.ip("link del dev10");
    meter.attached(&namespace, "dev30");
    assert_eq!(count(), Some(0.0));
    meter.stop();
}

#[test]
fn loopback_and_veth_are_not_counted_unless_asked_for() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    pair[0].ip("link add name bridge0 type bridge");
    let launch = |words: &[&str]| {
        let mut command = pair[0].command(crate::running::WEIR);
        let words: Vec<_> = ["--collector.disable-defaults"]
            .iter()
            .chain(words)
            .copied()
            .collect();
        Meter::launch(&mut command, &words)
    };
    let names = |meter: &Meter| -> Vec<String> {
        let page = meter.scrape();
        let family = page.families.get("weir_tc_interface_attached");
        let samples = family.into_iter().flat_map(|family| family.samples.keys());
        samples
            .map(|(_, labels)| labels["interface"].clone())
            .collect()
    };
    let meter = launch(&[]);
    meter.attached(&pair[0], "bridge0");
    assert_eq!(names(&meter), ["bridge0"]);
    meter.stop();
    // Nothing to count is nothing broken.
    let meter = launch(&["--collector.tc.device-exclude=bridge"]);
    meter.wait("it is up", || {
        meter.scrape().value("netprobe_up", &[]) == Some(1.0)
    });
    assert_eq!(names(&meter), [""; 0]);
    meter.stop();
}
