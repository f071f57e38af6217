//! The counters of the network protocols that `--collector.netstat.fields` picks, from `/proc/net/netstat`, `snmp` and
//! `snmp6`.
//!
//! Families are named `node_netstat_<Protocol>_<Field>` and untyped, as node_exporter has them. The names come from the
//! kernel, so the regular expression is asked when a line of names is new and not at every scrape: between two scrapes
//! the names hardly ever change, and then one comparison of bytes says so.
//!
//! OpenWrt's kernels for small flash (CONFIG_PROC_STRIPPED) have neither snmp nor netstat and keep no protocol
//! statistics at all (include/net/snmp.h), yet their snmp6 is there, all zeros. Without both, snmp6 is not read.

use std::borrow::Cow;
use std::sync::Arc;

use regex_lite::Regex;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::Kind;
use crate::metric::NO_LABELS;
use crate::parse::ParseError;
use crate::parse::netstat;
use crate::parse::netstat::Section;
use crate::parse::printable;
use crate::parse::snmp6;
use crate::parse::snmp6::Counter;

/// The collector `netstat`.
pub static SPEC: Spec = Spec {
    name: "netstat",
    help: "counters of IP, ICMP, TCP and UDP",
    on_by_default: true,
    families: &[],
    patterns: &[&PATTERN],
    verdict: None,
    make: |config| {
        Box::new(Netstat {
            fields: config.netstat_fields.clone(),
            netstat: Vec::new(),
            snmp: Vec::new(),
            snmp6: Vec::new(),
        })
    },
};

static PATTERN: Desc = Desc {
    name: Cow::Borrowed("node_netstat_<Field>"),
    kind: Kind::Untyped,
    labels: &[],
    help: Cow::Borrowed(
        "The kernel's counter of that protocol and name, from /proc/net/netstat, snmp or snmp6.",
    ),
};

struct Netstat {
    fields: Regex,
    netstat: Vec<Known<Vec<Family>>>,
    snmp: Vec<Known<Vec<Family>>>,
    snmp6: Vec<Known<Family>>,
}

/// A field's family; `None` where the regular expression does not pick it.
type Family = Option<Arc<Desc>>;

/// What was made of a line of names at a place in a file, for as long as the same line stands there.
struct Known<T> {
    line: Vec<u8>,
    made: T,
}

impl Collector for Netstat {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let fields = &self.fields;
        let mut kept = false;
        for (file, path, known) in [
            ("netstat", "/proc/net/netstat", &mut self.netstat),
            ("snmp", "/proc/net/snmp", &mut self.snmp),
        ] {
            let found = context.files.net(file, |bytes| {
                for (place, section) in netstat::sections(bytes)?.enumerate() {
                    let section = section?;
                    let families = remember(known, place, section.header(), |earlier| {
                        section_families(fields, &section, path, earlier)
                    })?;
                    push(batch, &section, families)?;
                }
                Ok(())
            })?;
            kept |= found.is_some();
        }
        if !kept {
            return Ok(());
        }
        context.files.net("snmp6", |bytes| {
            for (place, counter) in snmp6::counters(bytes)?.enumerate() {
                let counter = counter?;
                let family = remember(&mut self.snmp6, place, counter.name, |earlier| {
                    counter_family(fields, &counter, earlier)
                })?;
                if let Some(desc) = family {
                    batch.push_shared(desc, NO_LABELS, counter.value);
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// What is known of the line at this place of a file, made anew when another line stands there. Where one line is new the
/// ones behind it have moved, so they are forgotten too.
fn remember<'k, T>(
    known: &'k mut Vec<Known<T>>,
    place: usize,
    line: &[u8],
    make: impl FnOnce(&[Known<T>]) -> Result<T, ParseError>,
) -> Result<&'k T, ParseError> {
    if known.get(place).is_none_or(|known| known.line != line) {
        known.truncate(place);
        let made = make(known)?;
        known.push(Known {
            line: line.to_vec(),
            made,
        });
    }
    known
        .get(place)
        .map(|known| &known.made)
        .ok_or_else(|| ParseError::new(place + 1, "line", "the lines before it", line))
}

fn section_families(
    fields: &Regex,
    section: &Section<'_>,
    path: &str,
    earlier: &[Known<Vec<Family>>],
) -> Result<Vec<Family>, ParseError> {
    let mut made: Vec<Family> = Vec::new();
    for (position, name) in section.names().enumerate() {
        let family = family(fields, section.protocol(), name, path);
        let before = earlier.iter().flat_map(|known| &known.made).chain(&made);
        let fault = fault(&family, before);
        if let Some(expected) = fault {
            return Err(section.error(position, expected, name));
        }
        made.push(family);
    }
    Ok(made)
}

fn counter_family(
    fields: &Regex,
    counter: &Counter<'_>,
    earlier: &[Known<Family>],
) -> Result<Family, ParseError> {
    let Some((protocol, name)) = counter.split() else {
        return Ok(None);
    };
    let family = family(fields, protocol, name, "/proc/net/snmp6");
    match fault(&family, earlier.iter().map(|known| &known.made)) {
        Some(expected) => Err(ParseError::new(
            counter.line,
            "name",
            expected,
            counter.name,
        )),
        None => Ok(family),
    }
}

fn family(fields: &Regex, protocol: &[u8], name: &[u8], path: &str) -> Family {
    let (protocol, name) = (printable(protocol), printable(name));
    let key = format!("{protocol}_{name}");
    fields.is_match(&key).then(|| {
        let unit = unit(&name);
        let help = format!("The kernel's counter {name} of {protocol} in {unit}, from {path}.");
        Desc::at_run_time(format!("node_netstat_{key}"), Kind::Untyped, &[], help)
    })
}

/// Why a family must not be exported: its name is none that the text format allows, or it is there already.
fn fault<'a>(
    family: &Family,
    mut before: impl Iterator<Item = &'a Family>,
) -> Option<&'static str> {
    let name = &family.as_ref()?.name;
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Some("letters, digits and _ in the name of a counter");
    }
    before
        .any(|other| other.as_ref().is_some_and(|other| other.name == *name))
        .then_some("each counter once")
}

/// The unit that a counter's name tells.
fn unit(name: &str) -> &'static str {
    const UNITS: [(&str, &str); 13] = [
        ("Octets", "bytes"),
        ("Segs", "segments"),
        ("Datagrams", "datagrams"),
        ("Msgs", "messages"),
        ("Pkts", "packets"),
        ("ActiveOpens", "connections"),
        ("PassiveOpens", "connections"),
        ("CurrEstab", "connections that exist now"),
        ("MaxConn", "connections, -1 for no limit"),
        ("Forwarding", "a code, 1 for on and 2 for off"),
        ("RtoM", "milliseconds"),
        ("ReasmTimeout", "seconds"),
        ("DefaultTTL", "hops"),
    ];
    UNITS
        .iter()
        .find(|(part, _)| name.contains(part))
        .map_or("events", |(_, unit)| unit)
}

fn push(batch: &mut Batch, section: &Section<'_>, families: &[Family]) -> Result<(), ParseError> {
    const PAIRS: &str = "as many values as names";
    let mut values = section.values();
    for (position, family) in families.iter().enumerate() {
        let value = values
            .next()
            .unwrap_or_else(|| Err(section.error(position, PAIRS, b"")))?;
        if let Some(desc) = family {
            batch.push_shared(desc, NO_LABELS, value);
        }
    }
    match values.next() {
        Some(_) => Err(section.error(families.len(), PAIRS, b"more")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    const NETSTAT: &str = "\
TcpExt: SyncookiesSent EmbryonicRsts ListenOverflows ListenDrops TCPTimeouts
TcpExt: 1 2 3 4 5
IpExt: InNoRoutes InOctets OutOctets
IpExt: 6 382687020 394386
";
    const SNMP: &str = "\
Ip: Forwarding DefaultTTL
Ip: 2 64
Tcp: RtoAlgorithm MaxConn CurrEstab InErrs
Tcp: 1 -1 7 8
";
    const SNMP6: &str =
        "Ip6InReceives \t1\nIp6InOctets \t128\nIcmp6InMsgs\t9\nUdpLite6InErrors \t10\n";

    fn tree(name: &str) -> Tree {
        let tree = Tree::new(name);
        tree.write("proc/net/netstat", NETSTAT)
            .write("proc/net/snmp", SNMP)
            .write("proc/net/snmp6", SNMP6);
        tree
    }

    const EXPECTED: &str = "node_netstat_TcpExt_SyncookiesSent 1\n\
        node_netstat_TcpExt_ListenOverflows 3\n\
        node_netstat_TcpExt_ListenDrops 4\n\
        node_netstat_TcpExt_TCPTimeouts 5\n\
        node_netstat_IpExt_InOctets 382687020\n\
        node_netstat_IpExt_OutOctets 394386\n\
        node_netstat_Ip_Forwarding 2\n\
        node_netstat_Tcp_MaxConn -1\n\
        node_netstat_Tcp_CurrEstab 7\n\
        node_netstat_Tcp_InErrs 8\n\
        node_netstat_Ip6_InOctets 128\n\
        node_netstat_Icmp6_InMsgs 9\n\
        node_netstat_UdpLite6_InErrors 10\n";

    #[test]
    fn the_default_fields_of_three_files() {
        let tree = tree("netstat-fields");
        let mut netstat = Tree::make(&SPEC, |_| {});
        for _ in 0..2 {
            assert_eq!(tree.scrape(&SPEC, &mut *netstat).as_deref(), Ok(EXPECTED));
        }
    }

    #[test]
    fn every_field_when_asked_for() {
        let tree = tree("netstat-every");
        let mut netstat = Tree::make(&SPEC, |config| {
            config.netstat_fields = Regex::new("").expect("a pattern");
        });
        let text = tree.scrape(&SPEC, &mut *netstat).expect("a scrape");
        assert_eq!(text.lines().count(), 5 + 3 + 2 + 4 + 4);
    }

    #[test]
    fn names_that_come_and_go_between_scrapes() {
        let tree = tree("netstat-changing");
        let mut netstat = Tree::make(&SPEC, |_| {});
        let mut scrape = || tree.scrape(&SPEC, &mut *netstat);
        assert_eq!(scrape().as_deref(), Ok(EXPECTED));
        let icmp = SNMP.replace(
            "Tcp: Rto",
            "IcmpMsg: InType3 InErrors\nIcmpMsg: 1 11\nTcp: Rto",
        );
        tree.write("proc/net/snmp", &icmp).write(
            "proc/net/snmp6",
            SNMP6.replace("Icmp6In", "Icmp6OutMsgs 12\nIcmp6In"),
        );
        let text = scrape().expect("a scrape");
        assert_eq!(text.lines().count(), EXPECTED.lines().count() + 2);
        assert!(text.contains("node_netstat_IcmpMsg_InErrors 11\nnode_netstat_Tcp_MaxConn -1\n"));
        assert!(text.contains("node_netstat_Icmp6_OutMsgs 12\nnode_netstat_Icmp6_InMsgs 9\n"));
        tree.write("proc/net/snmp", SNMP)
            .write("proc/net/snmp6", SNMP6);
        assert_eq!(scrape().as_deref(), Ok(EXPECTED));
    }

    #[test]
    fn families_are_made_once() {
        let mut known = Vec::new();
        for scrape in 0..3 {
            for (place, line) in [&b"one"[..], b"two"].into_iter().enumerate() {
                let made = remember(&mut known, place, line, |_| Ok(scrape));
                assert_eq!(made, Ok(&0));
            }
        }
    }

    #[test]
    fn missing_files_are_no_families() {
        let tree = Tree::new("netstat-missing");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/snmp", SNMP);
        assert_eq!(tree.once(&SPEC).map(|text| text.lines().count()), Ok(4));
    }

    #[test]
    fn what_contradicts_itself_is_an_error_that_names_the_counter() {
        for (snmp, expected) in [
            (
                "Ip: Forwarding DefaultTTL\nIp: 2\n",
                "2: Ip DefaultTTL: expected as many values as names, found \"\"",
            ),
            (
                "Ip: Forwarding\nIp: 2 64\n",
                "2: Ip: expected as many values as names, found \"more\"",
            ),
            (
                "Ip: Forwarding\nIp: two\n",
                "2: Ip Forwarding: expected a decimal number, found \"two\"",
            ),
            (
                "Ip: Forwarding\nIp: 1\nIp: Forwarding\nIp: 1\n",
                "4: Ip Forwarding: expected each counter once, found \"Forwarding\"",
            ),
            (
                "Udp: In-=_InErrors\nUdp: 1\n",
                "2: Udp In-=_InErrors: expected letters, digits and _ in the name of a counter, found \"In-=_InErrors\"",
            ),
        ] {
            let tree = Tree::new("netstat-broken");
            tree.write("proc/net/snmp", snmp);
            assert_eq!(tree.once(&SPEC), Err(format!("proc/net/snmp:{expected}")));
        }
    }
}
