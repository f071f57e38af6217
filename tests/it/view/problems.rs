//! From when on something is wrong.

use weir::metric::Batch;
use weir::sampler::Sampler;
use weir::view::About;

use super::about;
use super::kinds;
use super::push;
use super::rendered;

#[test]
fn what_is_wrong_and_from_when_on() {
    let none = Sampler::default();
    let of = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::default();
        fill(&mut batch);
        let (_, now) = rendered(about(), &batch, &none);
        kinds(&now)
            .into_iter()
            .map(|(level, kind)| format!("{level} {kind}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let queue = |backlog: f64| {
        of(&|batch| {
            let labels = [("address", "::"), ("port", "80")];
            push(batch, "weir_listener_backlog", &labels, backlog);
            push(batch, "weir_listener_backlog_limit", &labels, 100.0);
        })
    };
    let queues = [79.0, 80.0, 99.0, 100.0].map(queue);
    assert_eq!(
        queues,
        ["", "warning backlog", "warning backlog", "critical backlog"]
    );
    let ports = |used: f64| {
        of(&|batch| {
            push(batch, "ephemeral_ports_used", &[], 900.0);
            push(batch, "ephemeral_ports_total", &[], 1100.0);
            push(batch, "weir_ephemeral_ports_reserved", &[], 100.0);
            let labels = [("src_ip", "a"), ("dest_ip", "b"), ("dest_port", "1")];
            push(
                batch,
                "weir_ephemeral_ports_destination_used",
                &labels,
                used,
            );
        })
    };
    assert_eq!([800.0, 801.0].map(ports), ["", "critical ports"]);
    let conntrack = |entries: f64| {
        of(&|batch| {
            push(batch, "node_nf_conntrack_entries", &[], entries);
            push(batch, "node_nf_conntrack_entries_limit", &[], 1000.0);
        })
    };
    assert_eq!([800.0, 801.0].map(conntrack), ["", "critical conntrack"]);
    let pool = |ratio: f64| {
        of(&|batch| {
            push(
                batch,
                "weir_dhcp_pool_usage_ratio",
                &[("server", "a"), ("pool", "b")],
                ratio,
            );
        })
    };
    assert_eq!([0.9, 0.91].map(pool), ["", "warning pool"]);
    let unread =
        |success: f64| of(&|batch| push(batch, "weir_dhcp_success", &[("server", "a")], success));
    assert_eq!([1.0, 0.0].map(unread), ["", "warning dhcp"]);
    let record = |valid: f64| {
        of(&|batch| {
            push(
                batch,
                "weir_dns_record_valid",
                &[("name", "a"), ("type", "A")],
                valid,
            );
        })
    };
    assert_eq!([1.0, 0.0].map(record), ["", "critical dns"]);
}

#[test]
fn links_without_carrier() {
    let mut batch = Batch::default();
    let mut link = |name: &str, admin: &str, carrier: Option<f64>, ups: Option<f64>| {
        push(
            &mut batch,
            "node_network_info",
            &[
                ("device", name),
                ("operstate", "down"),
                ("adminstate", admin),
            ],
            1.0,
        );
        if let Some(carrier) = carrier {
            push(
                &mut batch,
                "node_network_carrier",
                &[("device", name)],
                carrier,
            );
        }
        if let Some(ups) = ups {
            push(
                &mut batch,
                "node_network_carrier_up_changes_total",
                &[("device", name)],
                ups,
            );
        }
    };
    link("lost0", "up", Some(0.0), Some(2.0));
    link("never0", "up", Some(0.0), Some(0.0));
    link("never1", "up", Some(0.0), Some(0.0));
    link("old0", "up", Some(0.0), None);
    link("br0", "up", Some(0.0), Some(3.0));
    link("off0", "down", None, Some(3.0));
    link("fine0", "up", Some(1.0), Some(3.0));
    let about = About {
        bridges: vec!["br0".to_string()],
        ..about()
    };
    let (_, now) = rendered(about, &batch, &Sampler::default());
    let rows = now["problems"].as_array().unwrap().iter();
    let texts: Vec<_> = rows
        .map(|row| format!("{}: {}", row["level"], row["text"]).replace('"', ""))
        .collect();
    assert_eq!(
        texts,
        [
            "critical: lost0 is configured up and has lost its carrier.",
            "critical: old0 is configured up and has lost its carrier.",
            "note: never0, never1 are configured up and have no carrier.",
        ]
    );
    let mut devices = now["interfaces"].as_array().unwrap().iter();
    let off = devices.find(|device| device["name"] == "off0").unwrap();
    assert_eq!(off["state"], "off");
}
