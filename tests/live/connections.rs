//! Who talks to whom among three hosts: what weir says on each is what was opened, and what `ss` says there.
//!
//! The hosts are namespaces behind one bridge, with known connections in both directions: over IPv4, IPv6 and IPv4
//! inside IPv6, to listeners on all addresses and on one, on an ephemeral port, and to listeners that are closed while
//! their connections go on.

mod node_graph;
mod quality;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::client::Client;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::success;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

pub(crate) const INPUT: &str = "network_connections_input_total";
pub(crate) const OUTPUT: &str = "network_connections_output_total";

/// Each host's addresses; its number is the last byte.
const A: [&str; 2] = ["10.77.0.1", "fd77::1"];
const B: [&str; 2] = ["10.77.0.2", "fd77::2"];
const C: [&str; 2] = ["10.77.0.3", "fd77::3"];

/// Who asks for metrics in the test with Prometheus: its own connections are no part of the picture.
const HUB: &str = "10.77.0.254";

/// By destination and source.
type Pairs = BTreeMap<(String, String), f64>;

fn pairs<const N: usize>(list: [(&str, &str, u8); N]) -> Pairs {
    let line = |(to, from, count): (&str, &str, u8)| {
        ((to.to_string(), from.to_string()), f64::from(count))
    };
    list.into_iter().map(line).collect()
}

/// The hosts and their bridge.
struct Network {
    hub: Namespace,
    hosts: [Namespace; 3],
}

impl Network {
    fn new() -> Result<Self, String> {
        let hub = Namespace::new()?;
        hub.ip("link add br0 type bridge");
        hub.ip("link set br0 up");
        hub.ip(&format!("addr add {HUB}/24 dev br0"));
        let mut hosts = Vec::new();
        for (number, [v4, v6]) in [A, B, C].into_iter().enumerate() {
            let host = Namespace::new()?;
            host.run("sysctl", ["-qw", "net.ipv6.conf.default.disable_ipv6=0"]);
            host.ip(&format!(
                "link add eth0 type veth peer name port{number} netns {}",
                hub.name
            ));
            hub.ip(&format!("link set port{number} master br0 up"));
            host.ip("link set eth0 up");
            host.ip(&format!("addr add {v4}/24 dev eth0"));
            host.ip(&format!("addr add {v6}/64 dev eth0 nodad"));
            hosts.push(host);
        }
        let hosts = hosts.try_into().map_err(|_| "three hosts".to_string())?;
        Ok(Self { hub, hosts })
    }
}

/// Connections that stay until this goes out of scope, and their listeners.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) listeners: BTreeMap<&'static str, TcpListener>,
    pub(crate) ends: Vec<TcpStream>,
}

impl Held {
    pub(crate) fn listen(&mut self, host: &Namespace, address: &'static str) {
        let listener = host.inside(|| TcpListener::bind(address).unwrap());
        self.listeners.insert(address, listener);
    }

    /// Opens `count` connections to a listener; half of them are left for `accept` to find.
    pub(crate) fn open(&mut self, client: &Namespace, server: &str, listener: &str, count: usize) {
        let server: SocketAddr = server.parse().unwrap();
        for number in 0..count {
            let patience = Duration::from_secs(5);
            let end = client.inside(|| TcpStream::connect_timeout(&server, patience).unwrap());
            self.ends.push(end);
            if number % 2 == 0 {
                self.ends.push(self.listeners[listener].accept().unwrap().0);
            }
        }
    }
}

/// What the header says, before listeners are closed. The hosts are told apart by their addresses.
fn populate(hosts: &[Namespace; 3]) -> Held {
    let [a, b, c] = hosts;
    let mut held = Held::default();
    for address in [
        "0.0.0.0:443",
        "[::]:8080",
        "[fd77::1]:9090",
        "0.0.0.0:40000",
        "10.77.0.1:41000",
        "0.0.0.0:7000",
    ] {
        held.listen(a, address);
    }
    held.listen(b, "[::]:5432");
    held.listen(c, "10.77.0.3:25");
    held.open(b, "10.77.0.1:443", "0.0.0.0:443", 3);
    held.open(c, "10.77.0.1:443", "0.0.0.0:443", 2);
    held.open(b, "10.77.0.1:8080", "[::]:8080", 2);
    held.open(c, "[fd77::1]:8080", "[::]:8080", 1);
    held.open(b, "[fd77::1]:9090", "[fd77::1]:9090", 2);
    held.open(c, "10.77.0.1:40000", "0.0.0.0:40000", 2);
    held.open(c, "10.77.0.1:41000", "10.77.0.1:41000", 1);
    held.open(b, "10.77.0.1:7000", "0.0.0.0:7000", 1);
    held.open(a, "10.77.0.2:5432", "[::]:5432", 4);
    held.open(a, "[::ffff:10.77.0.2]:5432", "[::]:5432", 1);
    held.open(a, "[fd77::2]:5432", "[::]:5432", 1);
    held.open(a, "10.77.0.3:25", "10.77.0.3:25", 1);
    // Within A: by its own address, and on loopback.
    held.open(a, "10.77.0.1:443", "0.0.0.0:443", 1);
    held.open(a, "127.0.0.1:443", "0.0.0.0:443", 1);
    // Half closed, so established at neither end.
    held.open(b, "10.77.0.1:443", "0.0.0.0:443", 1);
    held.ends[held.ends.len() - 2]
        .shutdown(Shutdown::Write)
        .unwrap();
    held
}

fn a_input() -> Pairs {
    pairs([
        (A[0], B[0], 6),
        (A[0], C[0], 5),
        (A[1], B[1], 2),
        (A[1], C[1], 1),
        (A[0], A[0], 1),
    ])
}

fn a_output() -> Pairs {
    pairs([
        (B[0], A[0], 5),
        (B[1], A[1], 1),
        (C[0], A[0], 1),
        (A[0], A[0], 1),
    ])
}

fn told(page: &Page, family: &str) -> Pairs {
    let samples = page.families.get(family).map(|family| &family.samples);
    let samples = samples.into_iter().flatten();
    samples
        .map(|((_, labels), value)| {
            (
                (labels["dest_ip"].clone(), labels["src_ip"].clone()),
                *value,
            )
        })
        .collect()
}

/// The address in `10.0.0.1:80` or `[::1]:80`.
pub(crate) fn end(text: &str) -> IpAddr {
    let address = text.rsplit_once(':').unwrap().0;
    let address: IpAddr = address.trim_matches(['[', ']']).parse().unwrap();
    address.to_canonical()
}

/// Established connections by both ends' addresses, as `ss` lists them; loopback is left out.
fn ss(host: &Namespace) -> Pairs {
    let text = host.run("ss", ["-Htn", "state", "established"]);
    let mut found = Pairs::new();
    for line in String::from_utf8(text).unwrap().lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let (local, peer) = (end(words[2]), end(words[3]));
        if !peer.is_loopback() {
            *found
                .entry((local.to_string(), peer.to_string()))
                .or_default() += 1.0;
        }
    }
    found
}

/// The same of a page, whoever opened them.
fn both_directions(page: &Page) -> Pairs {
    let input = told(page, INPUT).into_iter();
    let output = told(page, OUTPUT)
        .into_iter()
        .map(|((dest, src), count)| ((src, dest), count));
    let mut found = Pairs::new();
    for (ends, count) in input.chain(output) {
        *found.entry(ends).or_default() += count;
    }
    found
}

const FLAGS: [&str; 2] = ["--collector.disable-defaults", "--collector.connections"];

/// One page of a weir that has never seen a listener that is closed now.
fn once(host: &Namespace, more: &[&str]) -> Page {
    let output = host
        .command(WEIR)
        .arg("--once")
        .args(FLAGS)
        .args(more)
        .output()
        .unwrap();
    let text = String::from_utf8(success(output, "weir")).unwrap();
    Page::parse(&text).unwrap()
}

/// A weir inside that listens outside, so that asking it opens no connection inside.
fn start(host: &Namespace, directory: &Directory, more: &str) -> Weir {
    let socket = directory.0.join(format!("weir{more}"));
    let mut command = host.command(WEIR);
    command.args(FLAGS).arg(more);
    Weir::launch(command.arg(format!("--web.listen-address=unix:{}", socket.display())))
}

fn page_of(weir: &Weir) -> Page {
    let path = weir.address.strip_prefix("unix:").unwrap();
    let mut client = Client::over(UnixStream::connect(path).unwrap());
    let answer = client.get("/metrics", "").unwrap();
    Page::parse(answer.text().unwrap()).unwrap()
}

#[test]
fn three_hosts_agree_with_what_was_opened_and_with_ss() {
    if !installed("ss") {
        return skip("ss is not installed");
    }
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => return skip(&why),
    };
    let [a, b, c] = &network.hosts;
    let mut held = populate(&network.hosts);
    let expected_by_ss = {
        let mut sums = a_input();
        for ((dest, src), count) in a_output() {
            *sums.entry((src, dest)).or_default() += count;
        }
        sums
    };
    wait_until("the half closed connection", || ss(a) == expected_by_ss);

    let directory = Directory::new();
    let weirs = ["netlink", "proc"].map(|source| {
        (
            source,
            start(a, &directory, &format!("--sockets.source={source}")),
        )
    });
    let check = |when: &str| {
        for (source, weir) in &weirs {
            let page = page_of(weir);
            assert_eq!(told(&page, INPUT), a_input(), "{when}, {source}");
            assert_eq!(told(&page, OUTPUT), a_output(), "{when}, {source}");
            assert_eq!(both_directions(&page), ss(a), "{when}, {source}");
            let labels = [("collector", "connections"), ("source", *source)];
            assert_eq!(
                page.value("weir_source_info", &labels),
                Some(1.0),
                "{when}, {source}"
            );
            for (port, count) in [
                ("443", 7.0),
                ("8080", 3.0),
                ("9090", 2.0),
                ("40000", 2.0),
                ("41000", 1.0),
                ("7000", 1.0),
            ] {
                let labels = [("local_port", port), ("direction", "input")];
                let found = page.value("weir_connections", &labels);
                assert_eq!(found, Some(count), "{when}, {source}, {port}");
            }
            let labels = [("local_port", ""), ("direction", "output")];
            assert_eq!(
                page.value("weir_connections", &labels),
                Some(9.0),
                "{when}, {source}"
            );
        }
    };
    check("all listeners open");
    held.listeners.remove("10.77.0.1:41000");
    held.listeners.remove("0.0.0.0:7000");
    check("two listeners closed");
    check("two listeners closed, again");

    // The others see the same connections from their end.
    let page = once(b, &[]);
    assert_eq!(
        told(&page, OUTPUT),
        pairs([(A[0], B[0], 6), (A[1], B[1], 2)])
    );
    assert_eq!(
        told(&page, INPUT),
        pairs([(B[0], A[0], 5), (B[1], A[1], 1)])
    );
    assert_eq!(both_directions(&page), ss(b), "on B");
    let page = once(c, &["--sockets.source=proc"]);
    assert_eq!(
        told(&page, OUTPUT),
        pairs([(A[0], C[0], 5), (A[1], C[1], 1)])
    );
    assert_eq!(told(&page, INPUT), pairs([(C[0], A[0], 1)]));
    assert_eq!(both_directions(&page), ss(c), "on C");
    filters(a, b);
    quality::check(a);
}

/// What the flags of ranges make of the same connections, in a weir that starts only now.
fn filters(a: &Namespace, b: &Namespace) {
    let flag = |name: &str, value: &str| format!("--collector.connections.{name}={value}");
    let page = once(b, &[&flag("group", "/24,/64")]);
    assert_eq!(
        told(&page, OUTPUT),
        pairs([("10.77.0.0/24", B[0], 6), ("fd77::/64", B[1], 2)])
    );
    let page = once(b, &[&flag("exclude", "10.77.0.0/24")]);
    assert_eq!(told(&page, OUTPUT), pairs([(A[1], B[1], 2)]));
    let page = once(
        b,
        &[&flag("include", "10.77.0.0/30"), &flag("max-series", "1")],
    );
    assert_eq!(told(&page, OUTPUT), pairs([(A[0], B[0], 6)]));
    assert_eq!(told(&page, INPUT), pairs([("other", "other", 5)]));
    let labels = [("collector", "connections")];
    assert_eq!(page.value("weir_series_left_out", &labels), Some(1.0));
    let page = once(a, &[&flag("exclude", "")]);
    let loopback = ("127.0.0.1".to_string(), "127.0.0.1".to_string());
    for family in [INPUT, OUTPUT] {
        assert_eq!(told(&page, family).get(&loopback), Some(&1.0), "{family}");
    }
    // Of the closed listeners it has seen none: the one inside the range is taken for a port that was picked.
    let back = (C[0].to_string(), A[0].to_string());
    assert_eq!(
        told(&page, INPUT).get(&(A[0].to_string(), B[0].to_string())),
        Some(&6.0)
    );
    assert_eq!(told(&page, OUTPUT).get(&back), Some(&2.0));
}
