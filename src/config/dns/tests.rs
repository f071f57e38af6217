use super::*;

#[test]
fn servers_with_and_without_ports() {
    let read = |text: &str| {
        Server::parse(text).map(|server| (server.address.to_string(), server.scope, server.port))
    };
    for (text, address, scope, port) in [
        ("192.0.2.1", "192.0.2.1", "", 53),
        ("192.0.2.1:5353", "192.0.2.1", "", 5353),
        ("::1", "::1", "", 53),
        ("[::1]:54", "::1", "", 54),
        ("fe80::1%eth0", "fe80::1", "eth0", 53),
        ("[fe80::1%2]:5", "fe80::1", "2", 5),
    ] {
        let expected = (address.to_string(), scope.to_string(), port);
        assert_eq!(read(text), Ok(expected), "{text}");
    }
    for bad in [
        "",
        "localhost",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:+5",
        "[::1]",
        "[::1]:",
        "[::1]x:5",
        "[::1:5",
        "::1%",
        "192.0.2.1%eth0",
        "[192.0.2.1]:53",
        "192.0.2.1 ",
    ] {
        assert!(read(bad).is_err(), "{bad}: {:?}", read(bad));
    }
}

#[test]
fn expectations_have_one_spelling() {
    for (kind, text, expected) in [
        (RecordType::A, "192.0.2.1", "192.0.2.1"),
        (RecordType::Aaaa, "2001:DB8:0::1", "2001:db8::1"),
        (RecordType::Cname, "WWW.Example.", "www.example"),
        (RecordType::Ns, ".", "."),
        (RecordType::Mx, "010  Mail.example.", "10 mail.example"),
        (RecordType::Srv, "0 5 443 host.", "0 5 443 host"),
        (RecordType::Soa, "2024010101", "2024010101"),
        (RecordType::Txt, "v=spf1 -all", "v=spf1 -all"),
        (
            RecordType::Ptr,
            r"My\032Printer._ipp._tcp.lan.",
            r"my\032printer._ipp._tcp.lan",
        ),
    ] {
        assert_eq!(kind.expected(text).as_deref(), Ok(expected), "{kind}");
    }
    for (kind, bad) in [
        (RecordType::A, "192.0.2"),
        (RecordType::A, "::1"),
        (RecordType::Aaaa, "192.0.2.1"),
        (RecordType::Cname, "a..b"),
        (RecordType::Cname, ""),
        (RecordType::Ptr, "büro"),
        (RecordType::Ptr, r"a\32.lan"),
        (RecordType::Ptr, r"a\256.lan"),
        (RecordType::Ptr, r"a.lan\"),
        (RecordType::Mx, "mail.example"),
        (RecordType::Mx, "65536 mail"),
        (RecordType::Mx, "10 mail more"),
        (RecordType::Srv, "0 5 host"),
        (RecordType::Soa, "+1"),
        (RecordType::Soa, "4294967296"),
    ] {
        assert!(kind.expected(bad).is_err(), "{kind} {bad}");
    }
}

#[test]
fn a_record_in_one_word() {
    let record = Record::parse("Router.LAN.,a,192.0.2.1,192.0.2.2").expect("valid");
    assert_eq!(
        (record.name.as_str(), record.kind),
        ("Router.LAN.", RecordType::A)
    );
    assert_eq!(
        (record.question.as_str(), record.expect.len()),
        ("router.lan", 2)
    );
    let text = Record::parse(r"x,TXT,a\,b,c\d").expect("valid");
    assert_eq!(text.expect, ["a,b", r"c\d"]);
    let reverse = Record::parse("192.0.2.7,PTR,nas.lan").expect("valid");
    assert_eq!(reverse.question, "7.2.0.192.in-addr.arpa");
    let six = Record::parse("2001:db8::1,PTR").expect("valid").question;
    assert_eq!(
        six,
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    );
    for (bad, said) in [
        ("", "expected NAME,TYPE[,EXPECT…], found \"\""),
        ("a", "expected NAME,TYPE[,EXPECT…], found \"a\""),
        (
            "a,B",
            "expected one of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, found \"B\"",
        ),
        ("a,A,", "expected an IPv4 address, found \"\""),
        ("a,A,x", "expected an IPv4 address, found \"x\""),
        (
            "a b,A",
            "expected a domain name of at most 253 bytes in labels of 1 to 63 letters, digits or signs, \
             international ones as xn--…, found \"a b\"",
        ),
    ] {
        assert_eq!(Record::parse(bad), Err(said.to_string()), "{bad}");
    }
    assert!(Record::parse(&format!("{}.example,A", "a".repeat(64))).is_err());
    assert!(Record::parse(&format!("{}a,A", "a.".repeat(127))).is_err());
}

#[test]
fn records_are_told_apart_and_bounded() {
    let mut dns = Dns::default();
    let record = |text: &str| Record::parse(text).expect("valid");
    assert_eq!(dns.add(record("a.example,A")), Ok(()));
    assert_eq!(dns.add(record("a.example,AAAA")), Ok(()));
    assert_eq!(
        dns.add(record("A.example.,A,192.0.2.1")),
        Err("expected each name and type once, found A.example. A twice".to_string())
    );
    for number in dns.records.len()..RECORDS {
        assert_eq!(dns.add(record(&format!("n{number}.example,A"))), Ok(()));
    }
    assert_eq!(
        dns.add(record("z.example,A")),
        Err("expected at most 1000 records, found more".to_string())
    );
}

#[test]
fn pointers_are_asked_of_addresses_and_services() {
    for (name, question) in [
        ("7.2.0.192.in-addr.arpa.", "7.2.0.192.in-addr.arpa"),
        ("0.0.2.ip6.ARPA", "0.0.2.ip6.arpa"),
        ("1.0/25.2.0.192.in-addr.arpa", "1.0/25.2.0.192.in-addr.arpa"),
        ("_http._tcp.example.org", "_http._tcp.example.org"),
        ("b._dns-sd._udp.example.org", "b._dns-sd._udp.example.org"),
    ] {
        let record = Record::new(name, RecordType::Ptr, []).map(|record| record.question);
        assert_eq!(record.as_deref(), Ok(question));
    }
    for bad in ["1.2.3", "192.0.2", "nas.lan", "xin-addr.arpa", "."] {
        let said = format!(
            "expected an address, a name below in-addr.arpa or ip6.arpa, or a service such as \
             _http._tcp.example.org, found {bad:?}"
        );
        assert_eq!(Record::new(bad, RecordType::Ptr, []), Err(said), "{bad}");
    }
    for (address, kind) in [("192.0.2.1", RecordType::A), ("::1", RecordType::Aaaa)] {
        let said = format!("expected a domain name, found {address:?}");
        assert_eq!(Record::new(address, kind, []), Err(said));
    }
}
