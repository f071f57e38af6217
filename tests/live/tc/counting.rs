//! What is counted: pings of known sizes, bulk TCP, both attached in both ways, protocols, rates; and that traffic arrives
//! as it was sent.

use crate::running::Namespace;
use crate::support::skip;

use super::setup::Both;
use super::setup::Counted;
use super::setup::Meter;
use super::setup::joined;
use super::setup::kernel;
use super::setup::ping;
use super::setup::quiet;
use super::setup::value;
use super::transfer::transfer;

/// 50 MiB in pieces of 64 KiB.
const BULK: usize = 800;

/// The ends of a pair, each with its device, what counts there, and the device's index.
struct Ends<'a> {
    namespaces: [&'a Namespace; 2],
    meters: [Meter; 2],
    indexes: [u64; 2],
}

const DEVICES: [&str; 2] = ["near0", "far0"];

impl<'a> Ends<'a> {
    fn measured(pair: &'a [Namespace; 2], words: &[&str]) -> Self {
        let [near, far] = pair;
        let namespaces = [near, far];
        let meters = namespaces.map(|namespace| Meter::start(namespace, words));
        let indexes = [0, 1].map(|end| meters[end].attached(namespaces[end], DEVICES[end]));
        Self {
            namespaces,
            meters,
            indexes,
        }
    }

    fn counted(&self) -> [Both; 2] {
        quiet(|| {
            [0, 1].map(|end| {
                self.meters[end]
                    .counted(DEVICES[end], self.indexes[end])
                    .unwrap()
            })
        })
    }

    fn kernel(&self) -> [Both; 2] {
        quiet(|| [0, 1].map(|end| kernel(self.namespaces[end], DEVICES[end])))
    }
}

fn since(now: [Both; 2], before: [Both; 2]) -> [Both; 2] {
    [now[0].since(before[0]), now[1].since(before[1])]
}

#[test]
fn pings_of_known_sizes_are_counted_to_the_byte() {
    for method in ["tcx", "clsact"] {
        let pair = match joined() {
            Ok(pair) => pair,
            Err(reason) => return skip(&reason),
        };
        let attach = format!("--collector.tc.attach={method}");
        let ends = Ends::measured(&pair, &[&attach]);
        let source = [("collector", "tc"), ("source", method)];
        let page = ends.meters[0].scrape();
        assert_eq!(page.value("weir_source_info", &source), Some(1.0));
        assert_eq!(page.value("netprobe_up", &[]), Some(1.0));
        let before = (ends.counted(), ends.kernel());
        for (count, size) in [(20, 56), (10, 1000), (5, 1), (5, 1472)] {
            let was = ends.counted();
            let sent = ping(&pair[0], count, size);
            let both = Both {
                ingress: sent,
                egress: sent,
            };
            assert_eq!(since(ends.counted(), was), [both; 2], "{method}: {size}");
        }
        // Larger than a packet may be: three fragments each way.
        ping(&pair[0], 4, 4000);
        let counted = since(ends.counted(), before.0);
        assert_eq!(counted, since(ends.kernel(), before.1), "{method}");
        assert_eq!(counted[0], counted[1].mirrored(), "{method}");
        assert_eq!(counted[0].egress.packets, 40 + 3 * 4, "{method}");
        ends.meters.into_iter().for_each(Meter::stop);
    }
}

#[test]
fn bulk_tcp_is_counted_as_on_the_wire() {
    for method in ["tcx", "clsact"] {
        for gso in [true, false] {
            let pair = match joined() {
                Ok(pair) => pair,
                Err(reason) => return skip(&reason),
            };
            let [near, far] = &pair;
            if !gso {
                near.ip("link set dev near0 gso_max_segs 1");
                far.ip("link set dev far0 gso_max_segs 1");
            }
            let attach = format!("--collector.tc.attach={method}");
            let ends = Ends::measured(&pair, &[&attach]);
            let before = (ends.counted(), ends.kernel());
            transfer(near, far, BULK);
            let counted = since(ends.counted(), before.0);
            let kernel = since(ends.kernel(), before.1);
            let told = format!("{method}, gso {gso}: {counted:?} {kernel:?}");
            assert_eq!(counted[0], counted[1].mirrored(), "{told}");
            // 1460 bytes at most in a packet, and 54 bytes of headers at least.
            let payload = (BULK as u64) * (64 << 10);
            let sent = counted[0].egress;
            assert!(sent.packets >= payload.div_ceil(1460), "{told}");
            assert!(sent.bytes >= payload + sent.packets * 54, "{told}");
            if gso {
                // The kernel counts what it hands over in one piece as one.
                assert!(kernel[0].egress.packets < sent.packets, "{told}");
            } else {
                assert_eq!(counted, kernel, "{told}");
            }
            ends.meters.into_iter().for_each(Meter::stop);
        }
    }
}

#[test]
fn traffic_is_the_same_with_and_without_the_programs() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let [near, far] = &pair;
    let load = || {
        let read = || {
            let (near, far) = (kernel(near, "near0"), kernel(far, "far0"));
            assert_eq!(near, far.mirrored());
            near
        };
        let before = quiet(read);
        ping(near, 50, 1400);
        let after = quiet(read).since(before);
        // Compared byte for byte where it arrives.
        transfer(near, far, 100);
        quiet(read);
        after
    };
    let without = load();
    for method in ["tcx", "clsact"] {
        for protocols in [&[][..], &["--collector.tc.protocols"]] {
            let attach = format!("--collector.tc.attach={method}");
            let words: Vec<&str> = [&*attach]
                .into_iter()
                .chain(protocols.iter().copied())
                .collect();
            let ends = Ends::measured(&pair, &words);
            assert_eq!(load(), without, "{words:?}");
            ends.meters.into_iter().for_each(Meter::stop);
        }
    }
    assert_eq!(load(), without, "afterwards");
}

#[test]
fn protocols_add_up_to_the_totals() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let [near, far] = &pair;
    let ends = Ends::measured(&pair, &["--collector.tc.protocols"]);
    let index = ends.indexes[0].to_string();
    let of = |kind: &str, direction: &str, version: &str, protocol: &str| {
        let labels = [
            ("interface", "near0"),
            ("ifindex", &*index),
            ("direction", direction),
            ("ip_version", version),
            ("protocol", protocol),
        ];
        let page = ends.meters[0].scrape();
        let family = format!("weir_tc_protocol_{kind}_total");
        page.value(&family, &labels).unwrap() as u64
    };
    let all = |kind: &str, direction: &str| {
        let versions = ["4", "6"].iter();
        let protocols = |version| {
            ["tcp", "udp", "icmp", "other"].map(|name| of(kind, direction, version, name))
        };
        versions.flat_map(|version| protocols(version)).sum::<u64>()
    };
    let before = ["ingress", "egress"].map(|direction| of("packets", direction, "4", "icmp"));
    let sent = ping(near, 10, 500);
    transfer(near, far, 20);
    let counted = ends.counted()[0];
    for (at, (direction, counted)) in [("ingress", counted.ingress), ("egress", counted.egress)]
        .into_iter()
        .enumerate()
    {
        let icmp = of("packets", direction, "4", "icmp") - before[at];
        assert_eq!(icmp, sent.packets, "{direction}");
        assert_eq!(
            of("bytes", direction, "4", "icmp"),
            sent.bytes,
            "{direction}"
        );
        assert_eq!(of("packets", direction, "4", "udp"), 0, "{direction}");
        let sums = Counted {
            packets: all("packets", direction),
            bytes: all("bytes", direction),
        };
        assert_eq!(sums, counted, "{direction}");
    }
    assert!(of("bytes", "egress", "4", "tcp") > 20 * (64 << 10));
}

#[test]
fn rates_and_activity_are_of_the_last_tick() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let words = ["--collect.interval=500ms"];
    let all = Meter::start(&pair[0], &words);
    let active_only = Meter::start(&pair[0], &[words[0], "--collector.tc.active-only"]);
    let index = all.attached(&pair[0], "near0");
    let rate = |meter: &Meter, family: &str, direction| {
        let family = format!("netprobe_tc_{family}_per_second");
        value(&meter.scrape(), &family, "near0", index, direction)
    };
    let index_word = index.to_string();
    let labels = [("interface", "near0"), ("ifindex", &*index_word)];
    let active = |meter: &Meter| meter.scrape().value("netprobe_interface_active", &labels);
    all.wait("it is idle", || active(&all) == Some(0.0));
    assert_eq!(rate(&all, "packets", "egress"), Some(0.0));
    active_only.wait("it ticks", || {
        active_only.scrape().value("netprobe_collection_total", &[]) >= Some(3.0)
    });
    assert_eq!(active(&active_only), None);
    assert_eq!(active_only.counted("near0", index), None);

    // A hundred packets of 1042 bytes a second at most, each way.
    let pinging = pair[0]
        .command("ping")
        .args(["-q", "-c", "400", "-i", "0.01", "-s", "1000", "192.0.2.2"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pinging = crate::running::Process(pinging);
    all.wait("the rate is measured", || {
        rate(&all, "packets", "ingress") > Some(30.0)
    });
    for direction in ["ingress", "egress"] {
        let page = all.scrape();
        let packets = value(
            &page,
            "netprobe_tc_packets_per_second",
            "near0",
            index,
            direction,
        )
        .unwrap();
        let bytes = value(
            &page,
            "netprobe_tc_bytes_per_second",
            "near0",
            index,
            direction,
        )
        .unwrap();
        assert!((20.0..=110.0).contains(&packets), "{direction}: {packets}");
        assert!(
            (bytes - packets * 1042.0).abs() < 1e-6 * bytes,
            "{packets} {bytes}"
        );
    }
    assert_eq!(active(&all), Some(1.0));
    active_only.wait("it is shown", || active(&active_only) == Some(1.0));
    drop(pinging);
    all.wait("it is idle again", || active(&all) == Some(0.0));
    active_only.wait("it is hidden again", || active(&active_only).is_none());
}

#[test]
fn health_and_the_page_tell_of_the_same_ticks() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    // So seldom that no tick falls between two questions.
    let meter = Meter::start(&pair[0], &["--collect.interval=2s"]);
    meter.attached(&pair[0], "near0");
    let ticks = |meter: &Meter| meter.scrape().value("netprobe_collection_total", &[]);
    let before = ticks(&meter);
    meter.wait("the next tick", || ticks(&meter) != before);
    let page = meter.scrape();
    let health = meter.get("/health?format=json").unwrap();
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    let server = &health["server"];
    let collections = page.value("netprobe_collection_total", &[]).unwrap();
    assert_eq!(
        server["collections"].as_f64(),
        Some(collections),
        "{health}"
    );
    let last = page
        .value("netprobe_last_collection_timestamp_seconds", &[])
        .unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!((0.0..3.0).contains(&(now.as_secs_f64() - last)), "{last}");
    assert_eq!(health["status"], "ok");
}
