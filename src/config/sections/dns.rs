//! The section `dns`: what `--collector.dns.*` says, with records that are easier to read.
//!
//! ```yaml
//! dns:
//!   resolver: 192.168.1.1
//!   interval: 1m
//!   timeout: 3s
//!   records:
//!     - {name: nas.lan, type: A, expect: 192.168.1.7}
//!     - name: example.org
//!       type: MX
//!       expect: [10 mail.example.org, 20 backup.example.org]
//! ```
//!
//! Every part may be left out but a record's `name` and `type`. Flags are applied to what the section gives.

use std::time::Duration;

use crate::config::Config;
use crate::config::dns::Record;
use crate::config::dns::RecordType;
use crate::config::dns::Server;
use crate::config::node::Node;
use crate::config::node::Wrong;
use crate::config::node::keep;

pub(super) fn read(section: &Node, config: &mut Config, wrong: &mut Vec<Wrong>) {
    let known = ["resolver", "interval", "timeout", "records"];
    let Some(fields) = keep(section.fields(&known), wrong) else {
        return;
    };
    fields.unknown(wrong);
    let dns = &mut config.dns;
    if let Some(node) = fields.get("resolver") {
        dns.resolver = keep(node.parsed("an IP address", Server::parse), wrong);
    }
    if let Some(node) = fields.get("interval") {
        let least = Duration::from_secs(1);
        let found = keep(within(node, least, Duration::MAX, "at least 1s"), wrong);
        dns.interval = found.unwrap_or(dns.interval);
    }
    if let Some(node) = fields.get("timeout") {
        let (least, most) = (Duration::from_millis(10), Duration::from_secs(60));
        let found = keep(within(node, least, most, "10ms to 1m"), wrong);
        dns.timeout = found.unwrap_or(dns.timeout);
    }
    if let Some(node) = fields.get("records") {
        dns.records.clear();
        for item in keep(node.items("a list of records"), wrong).unwrap_or_default() {
            let added = record(item, wrong).map(|record| dns.add(record));
            if let Some(Err(text)) = added {
                wrong.push(item.wrong(text));
            }
        }
    }
}

fn within(node: &Node, least: Duration, most: Duration, expected: &str) -> Result<Duration, Wrong> {
    let duration = node.duration()?;
    if (least..=most).contains(&duration) {
        Ok(duration)
    } else {
        Err(node.refused(expected))
    }
}

fn record(node: &Node, wrong: &mut Vec<Wrong>) -> Option<Record> {
    let fields = keep(node.fields(&["name", "type", "expect"]), wrong)?;
    fields.unknown(wrong);
    let name = keep(fields.needed("name"), wrong);
    let kind = keep(fields.needed("type"), wrong)?;
    let kind = keep(kind.parsed("a type of record", RecordType::parse), wrong)?;
    let name_node = name?;
    let name = keep(name_node.text("a domain name"), wrong)?;
    let mut record = match Record::new(name, kind, []) {
        Ok(record) => record,
        Err(text) => {
            wrong.push(name_node.wrong(text));
            return None;
        }
    };
    let expected = fields.get("expect").map_or(&[][..], Node::one_or_more);
    let mut values = Vec::new();
    for node in expected {
        let text = keep(node.text("a value of the record"), wrong)?;
        // Each value has a place of its own in errors.
        if let Err(error) = Record::new(name, kind, [text]) {
            wrong.push(node.wrong(error));
            return None;
        }
        values.push(text);
    }
    match Record::new(name, kind, values) {
        Ok(whole) => record = whole,
        Err(text) => wrong.push(node.wrong(text)),
    }
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    fn parsed(text: &str) -> (Config, Vec<String>) {
        let document = yaml::read(text.as_bytes()).expect("YAML");
        let fields = document.fields(&["dns"]).expect("a mapping");
        let (mut config, mut wrong) = (Config::default(), Vec::new());
        let section = fields.needed("dns").expect("the section");
        read(section, &mut config, &mut wrong);
        (config, wrong.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn everything_that_it_may_say() {
        let (config, wrong) = parsed(
            "dns:\n  resolver: \"[fe80::1%eth0]:5353\"\n  interval: 30s\n  timeout: 500ms\n  records:\n    \
             - {name: nas.lan, type: a, expect: 192.168.1.7}\n    - name: example.org\n      type: MX\n      \
             expect: [10 Mail.example.org., 20 b]\n    - {name: 192.168.1.7, type: PTR}\n",
        );
        assert_eq!(wrong, [""; 0]);
        let dns = config.dns;
        assert_eq!(dns.resolver, Server::parse("[fe80::1%eth0]:5353").ok());
        assert_eq!(
            (dns.interval, dns.timeout),
            (Duration::from_secs(30), Duration::from_millis(500))
        );
        let flags = [
            "nas.lan,A,192.168.1.7",
            "example.org,MX,10 mail.example.org,20 b",
            "192.168.1.7,PTR",
        ];
        let expected: Vec<_> = flags
            .iter()
            .filter_map(|text| Record::parse(text).ok())
            .collect();
        assert_eq!(dns.records, expected);
        assert_eq!(parsed("dns: {}").0.dns, crate::config::dns::Dns::default());
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let (config, wrong) = parsed(
            "dns:\n  resolver: router\n  interval: 10ms\n  timeout: 2m\n  color: red\n  records:\n    - {name: a.lan, type: B}\n    \
             - {type: A}\n    - {name: a.lan, type: A, expect: [192.0.2.1, x]}\n    - {name: a b, type: A}\n    \
             - {name: a.lan, type: A}\n    - {name: A.LAN, type: A}\n",
        );
        let told = |words: &str| wrong.iter().any(|text| text.contains(words));
        for words in [
            "found \"router\"",
            "at least 1s",
            "10ms to 1m",
            "color",
            "found \"B\"",
            "name",
            "expected an IPv4 address, found \"x\"",
            "found \"a b\"",
            "expected each name and type once, found A.LAN A twice",
        ] {
            assert!(told(words), "{words}: {wrong:#?}");
        }
        assert_eq!(wrong.len(), 9, "{wrong:#?}");
        assert_eq!(config.dns.records.len(), 1);
    }
}
