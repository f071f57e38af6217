//! DNS checks against Debian's dnsmasq and knot, and against a server of the test's own for what they do not do: it breaks off,
//! and it forges. All of it on 127.0.0.1, at ports that the system gave, or in namespaces of the test's own.

mod knot;
mod reverse;
mod server;

use std::net::TcpStream;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::client::Client;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::free_address;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

use server::Server;

const ONLY: [&str; 2] = ["--collector.disable-defaults", "--collector.dns"];

/// A dnsmasq that reads no file and asks nobody.
fn begin(command: &mut Command, more: &[&str]) -> Process {
    let quiet = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
        "--pid-file=",
        "--log-facility=-",
        "--user=root",
        "--local=/lan/",
    ];
    let child = command
        .args(quiet)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Process(child.unwrap())
}

fn dnsmasq(address: &str, records: &[&str]) -> Process {
    let port = format!("--port={}", address.rsplit_once(':').unwrap().1);
    let here = [&["--listen-address=127.0.0.1", &port], records].concat();
    let process = begin(&mut Command::new("dnsmasq"), &here);
    // It answers over TCP as soon as it does over UDP.
    wait_until("dnsmasq", || TcpStream::connect(address).is_ok());
    process
}

fn once_by(command: &mut Command, address: &str, arguments: &[&str]) -> Page {
    let output = command
        .args(["--once", "--web.disable-exporter-metrics"])
        .args(ONLY)
        .arg(format!("--collector.dns.resolver={address}"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let collector = [("collector", "dns")];
    let success = page.value("node_scrape_collector_success", &collector);
    assert_eq!(success, Some(1.0), "{output:?}");
    page
}

/// `valid`, or the reason, of which there must be one.
fn verdict(page: &Page, name: &str, kind: &str) -> String {
    let record = [("name", name), ("type", kind)];
    let valid = page.value("weir_dns_record_valid", &record);
    let Some(valid) = valid else {
        return "unchecked".to_string();
    };
    let status = &page.families["weir_dns_record_status"].samples;
    let mut reasons = Vec::new();
    let mut listed = 0;
    for ((_, labels), value) in status {
        if labels["name"] == name && labels["type"] == kind {
            listed += 1;
            if *value == 1.0 {
                reasons.push(labels["reason"].clone());
            }
        }
    }
    assert_eq!(listed, 11, "{name} {kind}");
    assert_eq!(reasons.len(), usize::from(valid == 0.0), "{name} {kind}");
    reasons.pop().unwrap_or_else(|| "valid".to_string())
}

/// Checks records that are given as flags have them, each with its verdict.
fn judge(command: &mut Command, address: &str, cases: &[(&str, &str)], more: &[&str]) -> Page {
    let flags = cases
        .iter()
        .map(|(record, _)| format!("--collector.dns.record={record}"));
    let flags: Vec<String> = flags.collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let page = once_by(command, address, &[&flags, more].concat());
    for (record, expected) in cases {
        let mut parts = record.split(',');
        let (name, kind) = (parts.next().unwrap(), parts.next().unwrap());
        assert_eq!(verdict(&page, name, kind), *expected, "{record}");
    }
    page
}

fn total(page: &Page, status: &str) -> f64 {
    let labels = [("status", status)];
    page.value("dns_record_validation_total", &labels).unwrap()
}

#[test]
fn dnsmasq_answers_every_type() {
    if !installed("dnsmasq") {
        return skip("dnsmasq is not installed");
    }
    let address = free_address();
    let long: Vec<String> = (0..12)
        .map(|number| format!("--txt-record=big.lan,{number:02}{}", "x".repeat(200)))
        .collect();
    let mut records = vec![
        "--host-record=router.lan,192.168.1.1,fd00::1,300",
        "--host-record=pool.lan,192.168.1.7",
        "--host-record=pool.lan,192.168.1.8",
        "--cname=www.lan,router.lan,120",
        "--mx-host=lan,mail.lan,10",
        "--txt-record=lan,v=spf1 ip4:192.0.2.1 -all",
        "--txt-record=odd.lan,one,two",
        "--ptr-record=1.1.168.192.in-addr.arpa,router.lan",
        "--srv-host=_https._tcp.lan,router.lan,443,0,5",
    ];
    records.extend(long.iter().map(String::as_str));
    let _server = dnsmasq(&address, &records);
    let big: Vec<String> = (0..12)
        .rev()
        .map(|number| format!("{number:02}{}", "x".repeat(200)))
        .collect();
    let big = format!("big.lan,TXT,{}", big.join(","));
    let cases = [
        ("router.lan,A,192.168.1.1", "valid"),
        ("ROUTER.lan.,AAAA,FD00:0::1", "valid"),
        ("pool.lan,A,192.168.1.8,192.168.1.7", "valid"),
        ("pool.lan.,AAAA", "nodata"),
        ("www.lan,A,192.168.1.1", "valid"),
        ("www.lan,CNAME,Router.LAN.", "valid"),
        ("lan,MX,10 mail.lan.", "valid"),
        ("lan,TXT,v=spf1 ip4:192.0.2.1 -all", "valid"),
        ("odd.lan,TXT,onetwo", "valid"),
        ("192.168.1.1,PTR,router.lan", "valid"),
        ("_https._tcp.lan,SRV,0 5 443 router.lan", "valid"),
        (big.as_str(), "valid"),
        ("www.lan,AAAA,fd00::2", "mismatch"),
        ("missing.lan,A", "nxdomain"),
        ("elsewhere.example,A", "refused"),
    ];
    let page = judge(&mut Command::new(WEIR), &address, &cases, &[]);
    assert_eq!(
        (total(&page, "valid"), total(&page, "invalid")),
        (11.0, 4.0)
    );
    let ttl = |name: &str, kind: &str| {
        let record = [("name", name), ("type", kind)];
        page.value("weir_dns_record_ttl_seconds", &record)
    };
    assert_eq!(ttl("router.lan", "A"), Some(300.0));
    assert_eq!(ttl("www.lan", "A"), Some(120.0));
    assert_eq!(ttl("missing.lan", "A"), None);
    let lookups = &page.families["weir_dns_lookup_duration_seconds"];
    let count = lookups
        .samples
        .iter()
        .find(|((name, _), _)| name.ends_with("_count"));
    assert_eq!(count.map(|(_, value)| *value), Some(15.0));
    assert!(page.value("weir_dns_check_timestamp_seconds", &[]).unwrap() > 1.7e9);
}

#[test]
fn answers_of_all_sorts() {
    let server = Server::start();
    let cases = [
        ("fine.test,A,192.0.2.1", "valid"),
        ("fine.test,SOA,2024010101", "valid"),
        ("fine.test,NS,ns1.test,ns2.test", "valid"),
        ("servfail.test,A", "servfail"),
        ("refused.test,A", "refused"),
        ("nxdomain.test,A", "nxdomain"),
        ("formerr.test,A", "formerr"),
        ("notimp.test,A", "rcode"),
        ("noedns.test,A,192.0.2.1", "valid"),
        ("garbage.test,A", "malformed"),
        ("silent.test,A", "timeout"),
        ("late.test,A,192.0.2.1", "timeout"),
        ("lost.test,A,192.0.2.1", "valid"),
        ("truncated.test,A,192.0.2.2", "valid"),
        ("tcp-silent.test,A", "timeout"),
        ("tcp-close.test,A", "unreachable"),
        ("tcp-forged.test,A", "malformed"),
        ("tcp-pieces.test,A,192.0.2.2", "valid"),
        ("forged-id.test,A,192.0.2.1", "valid"),
        ("forged-question.test,A,192.0.2.1", "valid"),
        ("forged-address.test,A,192.0.2.1", "valid"),
        ("forged-only.test,A", "timeout"),
    ];
    let timeout = ["--collector.dns.timeout=1500ms"];
    let page = judge(&mut Command::new(WEIR), &server.address, &cases, &timeout);
    let ignored = page.value("weir_dns_answers_ignored_total", &[]).unwrap();
    assert!(ignored >= 4.0, "{ignored}");
    let found = server.told();
    let mut ids: Vec<_> = found.iter().map(|(id, _)| *id).collect();
    let mut ports: Vec<_> = found.iter().map(|(_, port)| *port).collect();
    assert!(ids.len() >= cases.len());
    for drawn in [&mut ids, &mut ports] {
        let all = drawn.len();
        let steps: Vec<_> = drawn
            .windows(2)
            .map(|two| two[1].wrapping_sub(two[0]))
            .collect();
        drawn.sort_unstable();
        drawn.dedup();
        // Two may be alike by chance; a counter would have equal steps.
        assert!(drawn.len() + 3 >= all, "{drawn:?}");
        let same = steps.iter().filter(|step| **step == steps[0]).count();
        assert!(same < steps.len() / 2, "{steps:?}");
    }
}

#[test]
fn the_systems_servers_are_asked_in_order() {
    // Port 53 is not to be had here: in a namespace of the test's own it is.
    if !installed("dnsmasq") {
        return skip("dnsmasq is not installed");
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let records = [
        "--listen-address=127.0.0.2",
        "--host-record=router.lan,192.168.1.1",
    ];
    let _server = begin(&mut namespace.command("dnsmasq"), &records);
    wait_until("dnsmasq", || namespace.connect("127.0.0.2:53").is_ok());
    let root = Directory::new();
    std::fs::create_dir(root.0.join("etc")).unwrap();
    // Nothing listens at the first.
    let text = "search lan\nnameserver 127.0.0.9\nnameserver 127.0.0.2\noptions rotate timeout:1\n";
    std::fs::write(root.0.join("etc/resolv.conf"), text).unwrap();
    let output = namespace
        .command(WEIR)
        .args(["--once", "--web.disable-exporter-metrics"])
        .args(ONLY)
        .arg(format!("--path.rootfs={}", root.0.display()))
        .arg("--collector.dns.record=router.lan,A,192.168.1.1")
        .output()
        .unwrap();
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(verdict(&page, "router.lan", "A"), "valid", "{output:?}");
}

#[test]
fn a_server_that_vanishes_and_comes_back() {
    if !installed("dnsmasq") {
        return skip("dnsmasq is not installed");
    }
    let address = free_address();
    let records = ["--host-record=router.lan,192.168.1.1"];
    let server = dnsmasq(&address, &records);
    let resolver = format!("--collector.dns.resolver={address}");
    let record = "--collector.dns.record=router.lan,A,192.168.1.1";
    let often = "--collector.dns.interval=1s";
    let weir = Weir::start(&[&ONLY[..], &[&resolver, record, often]].concat());
    let is = |expected: &str| verdict(&weir.scrape(), "router.lan", "A") == expected;
    wait_until("the first check", || is("valid"));
    drop(server);
    wait_until("unreachable", || is("unreachable"));
    let _server = dnsmasq(&address, &records);
    wait_until("valid again", || is("valid"));
    let page = weir.scrape();
    assert!(total(&page, "valid") >= 2.0 && total(&page, "invalid") >= 1.0);
    let told: Vec<_> = weir
        .log
        .try_iter()
        .filter(|line| line.contains("DNS record"))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains(" name=router.lan type=A reason=unreachable expected=192.168.1.1"));
    assert!(told[1].contains("valid again"));
}

#[test]
fn a_record_that_flaps_is_logged_now_and_then() {
    let server = Server::start();
    let resolver = format!("--collector.dns.resolver={}", server.address);
    let record = "--collector.dns.record=flap.test,A,192.0.2.1";
    let often = "--collector.dns.interval=1s";
    let weir = Weir::start(&[&ONLY[..], &[&resolver, record, often]].concat());
    let begun = Instant::now();
    wait_until("checks of both kinds", || {
        let page = weir.scrape();
        total(&page, "valid") >= 6.0 && total(&page, "invalid") >= 6.0
    });
    let told = weir.log.try_iter();
    let told: Vec<_> = told.filter(|line| line.contains("DNS record")).collect();
    // Four at once, and one a minute.
    let most = 4 + usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    assert!((1..=most).contains(&told.len()), "{told:#?}");
}

#[test]
fn scrapes_do_not_wait_for_a_server_that_hangs() {
    let server = Server::start();
    let resolver = format!("--collector.dns.resolver={}", server.address);
    let records: Vec<String> = (0..100)
        .map(|number| format!("--collector.dns.record=silent.n{number}.test,A"))
        .collect();
    let mut flags = ONLY.to_vec();
    flags.push(&resolver);
    flags.extend(records.iter().map(String::as_str));
    let weir = Weir::start(&flags);
    let mut client = Client::connect(&weir.address).unwrap();
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..1000 {
        let begun = Instant::now();
        assert_eq!(client.get("/metrics", "").unwrap().status, 200);
        longest = longest.max(begun.elapsed());
    }
    // The page has 1,200 series here at most, in a build without optimisation on a machine that does other things too;
    // a scrape that waited for one answer would take three seconds.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn without_records_there_is_neither_thread_nor_family() {
    let weir = Weir::start(&ONLY);
    let page = weir.scrape();
    assert!(page.families.keys().all(|name| !name.contains("dns_")));
    let collector = [("collector", "dns")];
    let success = page.value("node_scrape_collector_success", &collector);
    assert_eq!(success, Some(1.0));
    let tasks = format!("/proc/{}/task", weir.process.0.id());
    assert_eq!(std::fs::read_dir(tasks).unwrap().count(), 1);
}
