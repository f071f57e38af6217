//! What the page keeps of the devices while the kernel reports no change, and that it keeps nothing longer.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::support::skip;

/// Longer than an answer of the page is good for.
const ANOTHER_LOOK: Duration = Duration::from_millis(1100);

struct Host {
    namespace: Namespace,
    weir: Weir,
}

impl Host {
    fn look(&self) -> Value {
        thread::sleep(ANOTHER_LOOK);
        let answer = self.get("/api/now");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    fn get(&self, path: &str) -> String {
        let mut client = self.namespace.connect(&self.weir.address).unwrap();
        let answer = client.get(path, "").unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.text().unwrap().to_string()
    }
}

/// How long netclass took: of two runs that is never the same to the nanosecond.
fn run(now: &Value) -> f64 {
    let mut runs = now["collectors"].as_array().unwrap().iter();
    let netclass = runs.find(|run| run["name"] == "netclass").unwrap();
    netclass["duration_seconds"].as_f64().unwrap()
}

/// Names, states and settings, without lo.
fn devices(now: &Value) -> Value {
    let rows = now["interfaces"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["name"] != "lo");
    rows.map(|row| json!([row["name"], row["state"], row["mtu_bytes"], row["carrier"]]))
        .collect()
}

#[test]
fn devices_are_asked_for_again_when_the_kernel_reports_a_change() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    namespace.ip("link add lan0 type veth peer name lan1");
    namespace.ip("link set lan0 up");
    namespace.ip("link set lan1 up");
    let mut command = namespace.command(WEIR);
    // Ticks are what tells of devices that are gone.
    let arguments = ["--web.listen-address=127.0.0.1:0", "--collect.interval=1s"];
    let weir = Weir::launch(command.args(arguments));
    let host = Host { namespace, weir };
    let up = |name: &str, mtu: u32| json!([name, "up", mtu, 1]);

    // The first looks may still see the links come up.
    let settled = json!([up("lan1", 1500), up("lan0", 1500)]);
    let mut last = host.look();
    for _ in 0..10 {
        if devices(&last) != settled {
            last = host.look();
        }
    }
    assert_eq!(devices(&last), settled);
    let quiet = host.look();
    assert_eq!(run(&quiet), run(&host.look()), "nothing has changed");

    for (change, device, expected) in [
        ("link set lan0 mtu 1400", "lan0", up("lan0", 1400)),
        (
            "link set lan1 down",
            "lan0",
            json!(["lan0", "no carrier", 1400, 0]),
        ),
        ("link set lan1 up", "lan0", up("lan0", 1400)),
        (
            "link add new0 type veth peer name new1",
            "new0",
            json!(["new0", "off", 1500, null]),
        ),
        (
            "link set new0 name old0",
            "old0",
            json!(["old0", "off", 1500, null]),
        ),
    ] {
        let before = run(&host.look());
        host.namespace.ip(change);
        let shown = |now: &Value| {
            let rows = devices(now);
            let mut rows = rows.as_array().unwrap().iter();
            rows.find(|row| row[0] == device).cloned()
        };
        // The kernel reports a carrier a second late.
        let mut now = host.look();
        if shown(&now).as_ref() != Some(&expected) {
            now = host.look();
        }
        assert_eq!(shown(&now), Some(expected), "{change}");
        assert_ne!(run(&now), before, "{change}");
    }

    host.namespace.ip("link del old0");
    let now = host.look();
    let shown = devices(&now).to_string();
    assert!(
        !shown.contains("\"old0\"") && !shown.contains("\"new1\""),
        "{shown}"
    );

    // A scrape asks for itself, and what a look keeps is its own.
    let before = host.look();
    assert!(
        host.get("/metrics")
            .contains("node_network_mtu_bytes{device=\"lan0\"} 1400\n")
    );
    let after = host.look();
    assert_eq!(devices(&after), devices(&before));
    assert_ne!(run(&after), run(&before), "the scrape ran it");
    host.namespace.ip("link set lan0 mtu 1500");
    assert!(
        devices(&host.look())
            .to_string()
            .contains("[\"lan0\",\"up\",1500,1]")
    );
}
