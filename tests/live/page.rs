//! The page in Chromium, against the program in a namespace of the test's own: its numbers are those of /metrics, it moves
//! with the traffic, nothing that it loads is elsewhere, and names that are markup are text. Pictures are left in target/ci.

mod browser;
mod reports;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

use self::browser::Browser;
use self::browser::MOMENTS;

/// A name that the kernel takes for a device, and one that a DHCP server takes for a client.
const DEVICE: &str = "<b>x&\"'";
const CLIENT: &str = "<script>alert(1)</script>";

/// A host with a device `wan0` to a peer, an odd device, and a listener whose accept queue is full.
struct Scene {
    host: Namespace,
    _peer: Namespace,
    /// From the peer into the host; what comes in is read and thrown away.
    traffic: TcpStream,
    _held: (TcpListener, Vec<TcpStream>),
    directory: Directory,
}

impl Scene {
    fn new() -> Result<Self, String> {
        let (host, peer) = (Namespace::new()?, Namespace::new()?);
        host.ip(&format!(
            "link add wan0 type veth peer name eth0 netns {}",
            peer.name
        ));
        host.ip(&format!("link add {DEVICE} type veth peer name odd"));
        host.ip("addr add 192.0.2.1/24 dev wan0");
        peer.ip("addr add 192.0.2.2/24 dev eth0");
        for device in ["wan0", "odd", DEVICE] {
            host.ip(&format!("link set {device} up"));
        }
        peer.ip("link set eth0 up");
        let (sink, held) = host.inside(|| {
            let sink = TcpListener::bind("192.0.2.1:5001").unwrap();
            let held = TcpListener::bind("192.0.2.1:5002").unwrap();
            rustix::net::listen(&held, 1).unwrap();
            (sink, held)
        });
        // Two are in the queue of one, and another one waits outside.
        let waiting = peer.inside(|| {
            let connect = |_| TcpStream::connect("192.0.2.1:5002").unwrap();
            (0..2).map(connect).collect()
        });
        let traffic = peer.inside(|| TcpStream::connect("192.0.2.1:5001").unwrap());
        let (mut accepted, _) = sink.accept().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 1 << 14];
            while accepted.read(&mut bytes).is_ok_and(|count| count > 0) {}
        });
        let directory = Directory::new();
        let lease = format!("4000000000 02:00:00:00:00:01 192.0.2.2 {CLIENT} *\n");
        fs::write(directory.0.join("leases"), lease).unwrap();
        Ok(Self {
            host,
            _peer: peer,
            traffic,
            _held: (held, waiting),
            directory,
        })
    }

    fn weir(&self, arguments: &[&str]) -> Weir {
        let mut command = self.host.command(WEIR);
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .args(arguments);
        Weir::launch(&mut command)
    }

    /// With names of peers from the lease, and a tick a second.
    fn watched(&self) -> Weir {
        let leases = format!(
            "--collector.dhcp.leases=dnsmasq:{}/leases",
            self.directory.0.display()
        );
        self.weir(&[
            "--collect.interval=1s",
            "--collector.connections.hostnames=dns",
            "--collector.connections",
            "--collector.dns.resolver=127.0.0.1:9",
            "--collector.dhcp.pool=lan=192.0.2.1-192.0.2.2",
            &leases,
        ])
    }

    fn get(&self, weir: &Weir, path: &str) -> (u16, String) {
        let answer = self
            .host
            .connect(&weir.address)
            .unwrap()
            .get(path, "")
            .unwrap();
        (answer.status, answer.text().unwrap().to_string())
    }

    fn metrics(&self, weir: &Weir) -> Page {
        Page::parse(&self.get(weir, "/metrics").1).unwrap()
    }

    fn now(&self, weir: &Weir) -> Value {
        let (status, text) = self.get(weir, "/api/now");
        assert_eq!(status, 200);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Sends some 400 kB a second until the owner of what this gives lets go.
    fn send(&self) -> Sending {
        let going = Arc::new(AtomicBool::new(true));
        let (mut stream, goes) = (self.traffic.try_clone().unwrap(), Arc::clone(&going));
        let sender = thread::spawn(move || {
            while goes.load(Ordering::Relaxed) && stream.write_all(&[0; 20_000]).is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        Sending(going, Some(sender))
    }
}

struct Sending(Arc<AtomicBool>, Option<thread::JoinHandle<()>>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        let _ = self.1.take().map(thread::JoinHandle::join);
    }
}

fn scene() -> Option<Scene> {
    if !installed("chromium") {
        skip("chromium is not installed");
        return None;
    }
    match Scene::new() {
        Ok(scene) => Some(scene),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

fn pictures() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"))
        .join("ci")
}

/// As the page should write a rate; not the program's own code.
fn bits(bytes_per_second: f64) -> String {
    let (mut value, mut prefix) = (bytes_per_second * 8.0, 0);
    while value >= 999.5 {
        (value, prefix) = (value / 1000.0, prefix + 1);
    }
    let decimals = match (prefix, value) {
        (0, _) => 0,
        (_, 99.95..) => 0,
        (_, 9.995..) => 1,
        _ => 2,
    };
    let prefix = ["", "k", "M", "G"][prefix];
    format!("{value:.decimals$}\u{a0}{prefix}bit/s")
}

/// The place of a device in the JSON.
fn place(now: &Value, name: &str) -> usize {
    let rows = now["interfaces"].as_array().unwrap();
    let found = rows.iter().position(|row| row["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {now}"))
}

#[test]
fn in_a_browser() {
    let Some(scene) = scene() else { return };
    let mut weir = scene.watched();
    let url = format!("http://{}/", weir.address);
    let mut browser = Browser::start(&scene.host);
    browser.look(1280, false);
    browser.open(&url);
    wait_until("a live page", || browser.text("#live") == "live");

    shows_the_numbers(&scene, &weir, &mut browser);
    moves_with_the_traffic(&scene, &weir, &mut browser);
    shows_names_as_text(&mut browser);
    rests_while_hidden(&mut browser);
    fits_every_screen(&mut browser);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    // How often it asks depends on what a look costs: it is waited for.
    wait_until("more than three answers", || {
        let asked = browser.requests();
        asked
            .iter()
            .filter(|found| found.ends_with("/api/now"))
            .count()
            > 3
    });

    // What was true once is not shown as if it were now.
    weir.process.0.kill().unwrap();
    wait_until("the end to be told", || {
        browser.text("#live").starts_with("no answer")
    });
    let requests = browser.requests();
    let elsewhere = |found: &&String| !found.starts_with(&url) && !found.starts_with("data:");
    assert_eq!(requests.iter().find(elsewhere), None);
    let logged = browser.end(url.trim_end_matches('/'));
    assert!(logged.contains(&format!("{url}api/now")), "{logged:?}");
    assert_eq!(logged.iter().find(elsewhere), None);
}

fn shows_the_numbers(scene: &Scene, weir: &Weir, browser: &mut Browser) {
    // What stands still in this namespace.
    for (selector, family, labels) in [
        ("[data-n='ports.total']", "ephemeral_ports_total", vec![]),
        (
            "[data-n='tcp.states.listen']",
            "node_tcp_connection_states",
            vec![("state", "listen")],
        ),
        ("[data-n='dhcp.0.leases']", "dhcp_lease_count", vec![]),
        (
            "[data-n='listeners.0.backlog']",
            "weir_listener_backlog",
            vec![("address", "192.0.2.1"), ("port", "5002")],
        ),
        (
            "[data-n='listeners.0.limit']",
            "weir_listener_backlog_limit",
            vec![("address", "192.0.2.1"), ("port", "5002")],
        ),
    ] {
        let shown = browser.text(selector).replace('\u{202f}', "");
        let exported = scene.metrics(weir).value(family, &labels);
        assert_eq!(shown.parse().ok(), exported, "{selector}");
    }
    let full = "The accept queue of 192.0.2.1:5002 is full: 2 connections wait, 1 may.";
    assert_eq!(browser.text(".wrong .critical"), full);
    assert!(
        browser
            .evaluate("document.title")
            .as_str()
            .unwrap()
            .starts_with("(")
    );
}

fn moves_with_the_traffic(scene: &Scene, weir: &Weir, browser: &mut Browser) {
    let wan = place(&scene.now(weir), "wan0");
    let rate = format!("[data-b='interfaces.{wan}.receive_bytes_per_second']");
    let line = format!(
        "document.querySelector(\"[data-h='interfaces.{wan}.history.receive']\").getAttribute('d')"
    );
    let before = browser.evaluate(&line);
    let sending = scene.send();
    wait_until("the picture to change", || {
        browser.evaluate(&line) != before
    });
    // Read by the script's code and by the server's, of one and the same tick.
    wait_until("the rate of /metrics", || {
        let exported = scene.metrics(weir);
        let labels = [("device", "wan0")];
        let exported = exported.value("weir_network_receive_bytes_per_second", &labels);
        let shown = browser.text(&rate);
        exported.is_some_and(|exported| exported > 1e5 && bits(exported) == shown)
    });
    drop(sending);
    // The script and the server write the same, number by number and line by line.
    let both = "(async () => {
        const page = new DOMParser().parseFromString(await (await fetch('./')).text(), 'text/html');
        const time = (of) => of.querySelector('time').textContent;
        if (time(page) != time(document)) return null;
        const of = (page) => [...page.querySelectorAll('b,path,rect')].map(
            (place) => [place.textContent, place.getAttribute('d'), place.getAttribute('width'), place.className.baseVal ?? place.className].join());
        return [of(document).join('\\n'), of(page).join('\\n')];
    })()";
    wait_until("the script and the server at the same second", || {
        let found = browser.evaluate(both);
        if let Some(found) = found.as_array() {
            assert_eq!(found[0], found[1]);
        }
        found.is_array()
    });
}

fn shows_names_as_text(browser: &mut Browser) {
    let text = browser.text("main");
    for name in [DEVICE, CLIENT] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert_eq!(browser.evaluate("document.scripts.length"), 1);
    assert_eq!(
        browser.evaluate("document.querySelectorAll('.ifs span b').length"),
        0
    );
}

fn rests_while_hidden(browser: &mut Browser) {
    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});
             document.dispatchEvent(new Event('visibilitychange'))"
        )
    };
    browser.evaluate(&hide(true));
    // One may be on its way; a page that does not rest never keeps quiet for so many of its intervals.
    let mut before = 0;
    wait_until("rest", || {
        before = browser.requests().len();
        thread::sleep(MOMENTS);
        browser.requests().len() == before
    });
    browser.evaluate(&hide(false));
    wait_until("the next request", || browser.requests().len() > before);
}

fn fits_every_screen(browser: &mut Browser) {
    for (width, dark, name) in [
        (360, false, "narrow-light"),
        (390, true, "narrow-dark"),
        (1280, false, "wide-light"),
        (1280, true, "wide-dark"),
    ] {
        browser.look(width, dark);
        let found = browser.evaluate("document.documentElement.scrollWidth");
        assert_eq!(found, width, "{name}");
        browser.picture(&pictures().join(format!("page-{name}.png")));
    }
}

#[test]
fn without_a_script() {
    let Some(scene) = scene() else { return };
    let weir = scene.watched();
    let mut browser = Browser::start(&scene.host);
    let off = serde_json::json!({"value": true});
    browser.call("Emulation.setScriptExecutionDisabled", &off);
    browser.open(&format!("http://{}/", weir.address));
    assert_eq!(browser.text("#live"), "");
    shows_the_numbers(&scene, &weir, &mut browser);
    shows_names_as_text(&mut browser);
    browser.end("");
}

/// What is switched off or fails shows no number, and every number of the JSON is that of /metrics.
#[test]
fn what_is_not_measured_is_not_shown() {
    let Some(scene) = scene() else { return };
    let weir = scene.weir(&["--collector.disable-defaults", "--collector.uname"]);
    let now = scene.now(&weir);
    for key in ["tcp", "ports", "listeners", "conntrack"] {
        assert!(now[key].is_null(), "{key}: {now}");
    }
    // Peers are counted while somebody looks, and not for /metrics.
    assert_eq!(now["interfaces"], serde_json::json!([]));
    assert_eq!(now["peers"]["input"][0]["address"], "192.0.2.2");
    assert!(
        !scene
            .get(&weir, "/metrics")
            .1
            .contains("network_connections")
    );
    let html = scene.get(&weir, "/").1;
    assert!(
        !html.contains("Interfaces") && !html.contains("Ephemeral"),
        "{html}"
    );

    let weir = scene.weir(&["--companion"]);
    let other = scene.weir(&[]);
    for (key, family) in [
        ("receive_bytes", "node_network_receive_bytes_total"),
        ("mtu_bytes", "node_network_mtu_bytes"),
        ("carrier", "node_network_carrier"),
        ("speed_bytes_per_second", "node_network_speed_bytes"),
    ] {
        // Counters are those of the last tick.
        wait_until(key, || {
            let (now, exported) = (scene.now(&weir), scene.metrics(&other));
            let shown = now["interfaces"][place(&now, DEVICE)][key].as_f64();
            shown.is_some() && shown == exported.value(family, &[("device", DEVICE)])
        });
    }
}
