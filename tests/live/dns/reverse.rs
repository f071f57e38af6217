//! Names of peers from reverse DNS.

use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use super::begin;
use super::server::Server;
use crate::client::Client;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

#[test]
fn peers_have_the_names_of_reverse_dns() {
    if !installed("dnsmasq") {
        return skip("dnsmasq is not installed");
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    for address in ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"] {
        namespace.ip(&format!("address add {address} dev lo"));
    }
    let records = [
        "--listen-address=127.0.0.1",
        "--local=/192.in-addr.arpa/",
        "--ptr-record=1.2.0.192.in-addr.arpa,DB.lan",
    ];
    let _server = begin(&mut namespace.command("dnsmasq"), &records);
    wait_until("dnsmasq", || namespace.connect("127.0.0.1:53").is_ok());
    let directory = Directory::new();
    let path = directory.0.join("dnsmasq.leases");
    std::fs::write(&path, "0 02:00:00:00:00:03 192.0.2.3 phone *\n").unwrap();
    let leases = format!("--collector.dhcp.leases=dnsmasq:{}", path.display());
    let flags = [
        leases.as_str(),
        "--collector.dhcp",
        "--web.listen-address=0.0.0.0:2112",
        "--collector.disable-defaults",
        "--collector.connections",
        "--collector.dns",
        "--collector.connections.hostnames=dns",
        "--collector.dns.resolver=127.0.0.1",
    ];
    let weir = Weir::launch(namespace.command(WEIR).args(flags));
    // Each connection to one of this host's addresses comes from that same address.
    let mut named = namespace.connect("192.0.2.1:2112").unwrap();
    let _leased = namespace.connect("192.0.2.3:2112").unwrap();
    let mut nameless = namespace.connect("192.0.2.2:2112").unwrap();
    let page = |client: &mut Client<TcpStream>| {
        let answer = client.get("/metrics", "").unwrap();
        Page::parse(answer.text().unwrap()).unwrap()
    };
    let name = |page: &Page, address: &str| {
        let family = &page.families["network_connections_input_total"];
        let found = family
            .samples
            .keys()
            .find(|(_, labels)| labels["src_ip"] == address);
        found.unwrap().1["peer_hostname"].clone()
    };
    assert_eq!(name(&page(&mut named), "192.0.2.1"), "");
    let state = |page: &Page, state: &str| page.value("weir_reverse_names", &[("state", state)]);
    wait_until("both answers", || {
        let page = page(&mut nameless);
        state(&page, "named") == Some(1.0) && state(&page, "nameless") == Some(1.0)
    });
    let last = page(&mut named);
    assert_eq!(name(&last, "192.0.2.1"), "db.lan");
    assert_eq!(name(&last, "192.0.2.2"), "");
    // A lease says it, so that nobody is asked.
    assert_eq!(name(&last, "192.0.2.3"), "phone");
    assert_eq!(state(&last, "waiting"), Some(0.0));
    let tasks = format!("/proc/{}/task", weir.process.0.id());
    assert_eq!(std::fs::read_dir(tasks).unwrap().count(), 2);
}

/// Five questions a second at most, and no scrape waits for one.
#[test]
fn a_server_that_is_silent_is_asked_seldom_and_never_waited_for() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    // Each name begins with a number; the server says nothing to any but those that it knows.
    let server = namespace.inside(Server::start);
    for number in 1..=40 {
        namespace.ip(&format!("address add 192.0.2.{number}/32 dev lo"));
    }
    let resolver = format!("--collector.dns.resolver={}", server.address);
    let flags = [
        "--web.listen-address=0.0.0.0:2112",
        "--collector.disable-defaults",
        "--collector.connections",
        "--collector.dns",
        "--collector.connections.hostnames=dns",
        "--collector.dns.timeout=1m",
        &resolver,
    ];
    let begun = Instant::now();
    let _weir = Weir::launch(namespace.command(WEIR).args(flags));
    let peers: Vec<_> = (1..=40)
        .map(|number| {
            namespace
                .connect(&format!("192.0.2.{number}:2112"))
                .unwrap()
        })
        .collect();
    let mut client = namespace.connect("192.0.2.1:2112").unwrap();
    let mut longest = Duration::ZERO;
    wait_until("twenty questions", || {
        let begun = Instant::now();
        assert_eq!(client.get("/metrics", "").unwrap().status, 200);
        longest = longest.max(begun.elapsed());
        server.told().len() >= 20
    });
    let (asked, took) = (server.told().len(), begun.elapsed());
    drop(peers);
    assert!(
        asked as f64 <= took.as_secs_f64() * 5.0 + 1.0,
        "{asked} in {took:?}"
    );
    // One that waited for an answer would have taken a minute.
    assert!(longest < PATIENCE, "{longest:?}");
}
