//! Without the right to count: one line says so, and everything else is served.

use crate::running::WEIR;
use crate::running::installed;
use crate::support::skip;

use super::setup::Meter;
use super::setup::joined;
use super::setup::ping;

#[test]
fn without_capabilities_everything_else_is_served() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    if !installed("setpriv") {
        return skip("setpriv is not installed");
    }
    for (gone, told) in [
        ("-bpf,-sys_admin", "needs CAP_BPF and CAP_NET_ADMIN"),
        ("-net_admin,-sys_admin", "CAP_NET_ADMIN"),
        ("-all", "needs CAP_BPF and CAP_NET_ADMIN"),
    ] {
        for attach in ["auto", "clsact"] {
            let mut command = pair[0].command("setpriv");
            command.args([
                &format!("--bounding-set={gone}"),
                &format!("--inh-caps={gone}"),
                WEIR,
            ]);
            let attach = format!("--collector.tc.attach={attach}");
            let words = [&*attach, "--collector.tc.device-include=."];
            let meter = Meter::launch(&mut command, &words);
            let success = |collector: &str| {
                let labels = [("collector", collector)];
                meter
                    .scrape()
                    .value("node_scrape_collector_success", &labels)
            };
            meter.wait("it fails", || success("tc") == Some(0.0));
            for _ in 0..3 {
                assert_eq!(success("tc"), Some(0.0), "{gone}");
            }
            let page = meter.scrape();
            assert_eq!(page.value("netprobe_up", &[]), Some(0.0), "{gone}");
            let ours =
                |name: &&String| name.starts_with("netprobe_") || name.starts_with("weir_tc_");
            let ours: Vec<_> = page.families.keys().filter(ours).collect();
            assert_eq!(ours, ["netprobe_up"], "{gone}");
            let device = [("device", "near0")];
            assert!(
                page.value("node_network_receive_packets_total", &device)
                    .is_some()
            );
            assert_eq!(success("netclass"), Some(1.0));
            assert_eq!(meter.get("/health").unwrap(), "OK\n");
            let log = meter.log();
            let bad: Vec<&str> = log
                .lines()
                .filter(|line| line.contains("level=error") || line.contains("level=warn"))
                .collect();
            assert_eq!(bad.len(), 1, "{gone}: {log}");
            assert!(
                bad[0].contains("collector=tc") && bad[0].contains(told),
                "{gone}: {log}"
            );
            meter.stop();
        }
    }
}

/// What the unit and the line for setcap in docs/tc.md give it.
#[test]
fn two_capabilities_are_enough() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    if !installed("setpriv") {
        return skip("setpriv is not installed");
    }
    for method in ["tcx", "clsact"] {
        let mut command = pair[0].command("setpriv");
        let kept = "-all,+bpf,+net_admin";
        command.args([
            &format!("--bounding-set={kept}"),
            &format!("--inh-caps={kept}"),
            WEIR,
        ]);
        let attach = format!("--collector.tc.attach={method}");
        let words = [
            &*attach,
            "--collector.tc.device-include=.",
            "--collector.tc.protocols",
        ];
        let meter = Meter::launch(&mut command, &words);
        let index = meter.attached(&pair[0], "near0");
        let sent = ping(&pair[0], 3, 100);
        let counted = meter.counted("near0", index).unwrap();
        assert_eq!((counted.ingress, counted.egress), (sent, sent), "{method}");
        meter.stop();
    }
}

#[test]
fn a_captured_host_has_nothing_to_count() {
    let proc = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/hosts/tcp-states/proc"
    );
    let output = std::process::Command::new(WEIR)
        .args(["--once", "--collector.tc", &format!("--path.procfs={proc}")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("weir: --collector.tc: expected --path.procfs=/proc, found "),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1);
}
