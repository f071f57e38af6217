//! What each fuzz target does with its bytes. tests/it/fuzzed.rs runs the same over fuzz/corpus, so that what was found
//! once is tried in every test run.
//!
//! All of it must return, whatever the bytes; where there is more to say than that nothing panics, it is asserted.

use weir::config::dns::RecordType;
use weir::dns;
use weir::http;
use weir::links;
use weir::netlink;
use weir::nl80211;
use weir::parse;
use weir::parse::ByteOrder;
use weir::rtnetlink;
use weir::sockets;

/// Every parser of a file in /proc or /sys, or of what a machine is configured by, over the same bytes.
pub(crate) fn kernel_files(bytes: &[u8]) {
    const FIELD: &str = "field";
    let _ = parse::arp::entries(bytes).map(Iterator::count);
    let _ = parse::bonding::names(bytes).map(Iterator::count);
    let _ = parse::bonding::is_up(bytes);
    let _ = parse::class_net::number(bytes, FIELD);
    let _ = parse::class_net::devtype(bytes);
    let _ = parse::clocksource::names(bytes, FIELD);
    let _ = parse::dev::rows(bytes).map(Iterator::count);
    let _ = parse::file_nr::parse(bytes);
    parse::hosts::read(bytes, |_, _| {});
    if let Ok(range) = parse::ip_local_port_range::parse(bytes) {
        assert!(range.total() <= 1 << 16);
        let _ = parse::ip_local_reserved_ports::parse(bytes, range);
    }
    let whole = parse::ip_local_port_range::parse(b"0\t65535\n").expect("the whole range");
    if let Ok(reserved) = parse::ip_local_reserved_ports::parse(bytes, whole) {
        assert!(reserved <= whole.total());
    }
    let _ = parse::ip_vs::stats(bytes);
    let _ = parse::ip_vs::backends(bytes).map(Iterator::count);
    parse::ipv6_route::routes(bytes).for_each(drop);
    let _ = parse::loadavg::parse(bytes);
    let _ = parse::meminfo::entries(bytes).map(Iterator::count);
    if let Ok(mounts) = parse::mountinfo::mounts(bytes) {
        mounts.for_each(drop);
    }
    assert!(parse::mountinfo::unescape(bytes).len() <= bytes.len());
    if let Ok(mut table) = parse::net_stat::table(bytes) {
        let mut values = Vec::new();
        while let Ok(true) = table.next_cpu(&mut values) {}
    }
    let _ = parse::netstat::sections(bytes).map(Iterator::count);
    let _ = parse::nf_conntrack::stat(bytes);
    let _ = parse::nf_conntrack::number(bytes, FIELD);
    let _ = parse::ns_net::parse(bytes);
    let _ = parse::random::bits(bytes, FIELD);
    let _ = parse::resolv_conf::read(bytes);
    let _ = parse::snmp6::counters(bytes).map(Iterator::count);
    let _ = parse::sockstat::protocols(bytes).map(Iterator::count);
    let _ = parse::softnet_stat::rows(bytes).map(Iterator::count);
    let _ = parse::stat::entries(bytes).map(Iterator::count);
    let _ = parse::tz_rule::at(bytes, 1_700_000_000);
    let _ = parse::tzfile::at(bytes, 1_700_000_000);
    let _ = parse::uptime::parse(bytes);
    let _ = parse::uts::name(bytes, FIELD);
    let _ = parse::xfrm_stat::counters(bytes).map(Iterator::count);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let _ = parse::route::routes(bytes, order).map(Iterator::count);
        sockets_in_pieces(bytes, order);
    }
}

/// A table of sockets gives the same in one piece and in two, wherever it is cut.
fn sockets_in_pieces(bytes: &[u8], order: ByteOrder) {
    let read = |pieces: &[&[u8]]| {
        let mut table = parse::net_tcp::Table::new(order);
        let mut found = Vec::new();
        let mut pending = Vec::new();
        for piece in pieces {
            pending.extend_from_slice(piece);
            let used = table.piece(&pending, |socket| found.push(format!("{socket:?}")));
            match used {
                Ok(used) => pending.drain(..used),
                Err(error) => return (found, Some(error.to_string())),
            };
        }
        let end = table.end(&pending);
        (found, end.err().map(|error| error.to_string()))
    };
    let whole = read(&[bytes]);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(whole, read(&[first, second]));
}

/// Every reader of a netlink message, over each message of a datagram and over the bytes as they are.
pub(crate) fn netlink(bytes: &[u8]) {
    let readers = |payload: &[u8]| {
        let _ = links::link::link(payload);
        let _ = links::linkmodes::modes(payload);
        let _ = rtnetlink::addresses::address(payload);
        let _ = rtnetlink::filters::read(payload);
        let _ = rtnetlink::qdiscs::qdisc(payload);
        let _ = rtnetlink::routes::message(payload, &mut |_, _| {});
        let _ = nl80211::interface(payload);
        let _ = nl80211::station(payload);
        let _ = nl80211::bss(payload);
        let _ = sockets::netlink::socket(payload);
        let _ = netlink::generic::message(payload);
        netlink::attributes::attributes(payload).for_each(drop);
    };
    readers(bytes);
    for message in netlink::messages::messages(bytes) {
        let Ok(message) = message else { break };
        let _ = links::events::event(&message);
        readers(message.payload);
    }
}

/// Lease files and the configurations of DHCP servers, in every format.
pub(crate) fn leases(bytes: &[u8]) {
    use parse::leases::whole;
    use parse::pools::Setting;

    let mut each = |entry: Result<parse::leases::Lease<'_>, parse::ParseError>| {
        if let Ok(lease) = entry {
            assert!(lease.prefix <= whole(lease.address), "{lease:?}");
        }
    };
    let _ = parse::leases_dnsmasq::leases(bytes, &mut each);
    let _ = parse::leases_isc::leases(bytes, &mut each);
    let _ = parse::leases_json::leases(bytes, &mut each);
    let _ = parse::leases_kea::leases(bytes, &mut each);
    let _ = parse::leases_networkd::leases(bytes, &mut each);
    let _ = parse::leases_odhcpd::leases(bytes, &mut each);
    let _ = parse::leases_udhcpd::leases(bytes, &mut each);

    let mut each = |setting: Result<Setting<'_>, parse::ParseError>| {
        if let Ok(Setting::Range { first, last, .. }) = setting {
            assert!(first <= last && first.is_ipv4() == last.is_ipv4());
        }
    };
    parse::dhcpd_conf::settings(bytes, &mut each);
    parse::dnsmasq_conf::settings(bytes, &mut each);
    parse::kea_conf::settings(bytes, &mut each);
    parse::udhcpd_conf::settings(bytes, &mut each);
}

/// Files with numbers in them, as the section `sources` reads them. What comes out is a number that can be exported.
pub(crate) fn sources(bytes: &[u8]) {
    use parse::table::Column;

    let finite = |number: f64| assert!(number.is_finite(), "{number}");
    for all in [false, true] {
        let last = if all { "*" } else { "a" };
        let pointer = ["a".to_string(), last.to_string()];
        let wanted = parse::json_pointer::Wanted {
            pointer: &pointer,
            all,
            text_numbers: all,
        };
        let _ = parse::json_pointer::numbers(bytes, &wanted, &mut |_, number| finite(number));
    }
    for (delimiter, header) in [(Some(b','), true), (Some(b';'), false), (None, false)] {
        let wanted = parse::table::Wanted {
            delimiter,
            header,
            column: if header {
                Column::Name("used")
            } else {
                Column::Number(2)
            },
            only: vec![(Column::Number(1), "a")],
            also: vec![Column::Number(1), Column::Number(3)],
        };
        let _ = parse::table::rows(bytes, &wanted, &mut |_, number| finite(number));
    }
    for separator in [None, Some(b'=')] {
        if let Ok(number) = parse::key_values::value(bytes, "key", separator) {
            finite(number);
        }
    }
    if let Ok(number) = parse::measure::value(bytes) {
        finite(number);
    }
}

/// An answer of a name server to each of three questions. The first two bytes are its id, so that it is none of another's.
pub(crate) fn dns(bytes: &[u8]) {
    use dns::message::Read;

    let id = match bytes {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    for (name, kind) in [
        ("example.org", RecordType::A),
        ("example.org", RecordType::Mx),
        ("1.0.0.127.in-addr.arpa", RecordType::Ptr),
        ("example.org", RecordType::Txt),
        ("example.org", RecordType::Soa),
    ] {
        if let Read::Answer(answer) = dns::message::read(bytes, id, name, kind)
            && let Ok(values) = answer.values
        {
            assert!(!values.is_empty());
        }
        assert_eq!(
            dns::message::read(bytes, id.wrapping_add(1), name, kind),
            Read::Foreign
        );
    }
    if let Ok(name) = std::str::from_utf8(bytes)
        && let Some(question) = dns::message::question(7, name, RecordType::A, true)
    {
        assert!(question.len() <= 300, "{name:?}");
    }
}

/// The head of a request: whether it is whole does not depend on what follows it, and a part of it is never refused for
/// being a part.
pub(crate) fn http(bytes: &[u8]) {
    use http::head::Head;

    const LIMIT: usize = 8192;
    let Head::Complete(request, length) = http::head::parse(bytes, LIMIT, 1) else {
        return;
    };
    assert!(length <= bytes.len().min(LIMIT));
    let alone = http::head::parse(&bytes[..length], LIMIT, 1);
    let Head::Complete(again, same) = alone else {
        panic!("{alone:?}");
    };
    assert_eq!(
        (format!("{request:?}"), length),
        (format!("{again:?}"), same)
    );
    for cut in 0..length {
        let part = http::head::parse(&bytes[..cut], LIMIT, 1);
        assert!(matches!(part, Head::Partial), "{cut}: {part:?}");
    }
}

/// A configuration file: sound, or lines that name a place in it.
pub(crate) fn config(bytes: &[u8]) {
    let path = std::env::temp_dir().join(format!("weir-fuzz-{}.yml", std::process::id()));
    std::fs::write(&path, bytes).expect("a file in the temporary directory");
    let flag = format!("--config.file={}", path.display());
    if let Err(error) = weir::cli::parse(&[flag.into()]) {
        let place = format!("{}:", path.display());
        for line in error.lines() {
            assert!(line.starts_with(&place), "{line}");
        }
    }
}

/// A text file of another program: what is taken is told in the text format, and that is taken again.
pub(crate) fn textfile(bytes: &[u8]) {
    let Ok(families) = parse::textfile::families(bytes) else {
        return;
    };
    for family in families {
        assert!(!family.name.is_empty());
        for sample in family.samples {
            let mut names: Vec<_> = sample.labels.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), sample.labels.len(), "a label twice");
        }
    }
}
