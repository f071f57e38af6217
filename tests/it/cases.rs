//! One defect or oddity for each file in fixtures/cases: the error, or the values, stand beside it in `NAME.expected`.
//!
//! A directory is named after the kernel's file; each case in it takes that file's place in a captured host without IPv6,
//! and the collectors that read it are run. Whole trees of what cannot be captured here are in fixtures/cases/hosts, and
//! are measured as captured hosts are, but may fail.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use weir::parse::ParseError;
use weir::parse::tz_rule;
use weir::parse::tz_rule::Zone;
use weir::parse::tzfile;

use crate::tree::Copy;
use crate::tree::Host;
use crate::tree::directories;
use crate::tree::entries;
use crate::tree::fixtures;
use crate::tree::golden;
use crate::tree::name;
use crate::tree::well_formed;

/// The directory, the file it is about, and who reads it.
pub(crate) const FORMATS: &[(&str, &str, &[&str])] = &[
    ("arp", "proc/net/arp", &["arp"]),
    (
        "bonding_masters",
        "sys/class/net/bonding_masters",
        &["bonding"],
    ),
    (
        "bonding_slaves",
        "sys/class/net/bond0/bonding/slaves",
        &["bonding"],
    ),
    ("dev", "proc/net/dev", &["netdev"]),
    (
        "entropy_avail",
        "proc/sys/kernel/random/entropy_avail",
        &["entropy"],
    ),
    ("etc_hosts", "root/etc/hosts", &["connections"]),
    ("file-nr", "proc/sys/fs/file-nr", &["filefd"]),
    ("hostname", "proc/sys/kernel/hostname", &["uname"]),
    (
        "ip_local_port_range",
        "proc/sys/net/ipv4/ip_local_port_range",
        &["ephemeral_ports", "connections"],
    ),
    (
        "ip_local_reserved_ports",
        "proc/sys/net/ipv4/ip_local_reserved_ports",
        &["ephemeral_ports"],
    ),
    ("loadavg", "proc/loadavg", &["loadavg"]),
    (
        "mii_status",
        "sys/class/net/eth0/bonding_slave/mii_status",
        &["bonding"],
    ),
    ("meminfo", "proc/meminfo", &["meminfo"]),
    ("mountinfo", "proc/1/mountinfo", &["filesystem"]),
    ("ip_vs", "proc/net/ip_vs", &["ipvs"]),
    ("ip_vs_stats", "proc/net/ip_vs_stats", &["ipvs"]),
    ("ipv6_route", "proc/net/ipv6_route", &["network_route"]),
    ("netstat", "proc/net/netstat", &["netstat"]),
    ("nf_conntrack", "proc/net/stat/nf_conntrack", &["conntrack"]),
    (
        "nf_conntrack_count",
        "proc/sys/net/netfilter/nf_conntrack_count",
        &["conntrack"],
    ),
    (
        "nf_conntrack_max",
        "proc/sys/net/netfilter/nf_conntrack_max",
        &["conntrack"],
    ),
    ("route", "proc/net/route", &["network_route"]),
    ("rt_cache", "proc/net/stat/rt_cache", &["lnstat"]),
    ("snmp", "proc/net/snmp", &["netstat"]),
    ("snmp6", "proc/net/snmp6", &["netstat"]),
    ("sockstat", "proc/net/sockstat", &["sockstat"]),
    ("sockstat6", "proc/net/sockstat6", &["sockstat"]),
    ("softnet_stat", "proc/net/softnet_stat", &["softnet"]),
    ("stat", "proc/stat", &["cpu", "stat"]),
    (
        "tcp",
        "proc/net/tcp",
        &["tcpstat", "ephemeral_ports", "listeners", "connections"],
    ),
    (
        "tcp6",
        "proc/net/tcp6",
        &["tcpstat", "ephemeral_ports", "listeners", "connections"],
    ),
    ("textfile", "textfile/case.prom", &["textfile"]),
    ("udp", "proc/net/udp", &["udp_queues"]),
    ("udp6", "proc/net/udp6", &["udp_queues"]),
    ("uptime", "proc/uptime", &["uptime"]),
    ("xfrm_stat", "proc/net/xfrm_stat", &["xfrm"]),
];

/// The same for attributes of sysfs that are read without the white space around them: a page in one piece, of which a cut
/// cannot be seen.
pub(crate) const ATTRIBUTES: &[(&str, &str, &[&str])] = &[
    (
        "available_clocksource",
        "sys/devices/system/clocksource/clocksource0/available_clocksource",
        &["time"],
    ),
    (
        "current_clocksource",
        "sys/devices/system/clocksource/clocksource0/current_clocksource",
        &["time"],
    ),
    (
        "cooling_device_cur_state",
        "sys/class/thermal/cooling_device0/cur_state",
        &["thermal_zone"],
    ),
    (
        "thermal_zone_temp",
        "sys/class/thermal/thermal_zone0/temp",
        &["thermal_zone"],
    ),
    (
        "thermal_zone_type",
        "sys/class/thermal/thermal_zone0/type",
        &["thermal_zone"],
    ),
];

/// What else must be there for a format's file to be looked for.
const BESIDE: &[(&str, &str, &str)] = &[
    ("bonding_slaves", "sys/class/net/bonding_masters", "bond0\n"),
    (
        "bonding_slaves",
        "sys/class/net/eth0/bonding_slave/mii_status",
        "up\n",
    ),
    ("mii_status", "sys/class/net/bonding_masters", "bond0\n"),
    ("mii_status", "sys/class/net/bond0/bonding/slaves", "eth0\n"),
    (
        "cooling_device_cur_state",
        "sys/class/thermal/cooling_device0/type",
        "pwm-fan\n",
    ),
    (
        "thermal_zone_temp",
        "sys/class/thermal/thermal_zone0/type",
        "cpu-thermal\n",
    ),
    (
        "thermal_zone_type",
        "sys/class/thermal/thermal_zone0/temp",
        "46850\n",
    ),
];

/// Puts that there.
pub(crate) fn write_beside(copy: &Copy, format: &str) {
    for (_, path, content) in BESIDE.iter().filter(|(known, _, _)| *known == format) {
        copy.write(Path::new(path), content.as_bytes());
    }
}

/// The same for files that daemons and people write, below the root file system. They may end anywhere.
pub(crate) const LEASES: &[(&str, &str, &[&str])] = &[
    ("dnsmasq.leases", "leases/dnsmasq.leases", &["dhcp"]),
    ("dnsmasq.conf", "leases/dnsmasq.conf", &["dhcp"]),
    ("odhcpd.leases", "leases/odhcpd.leases", &["dhcp"]),
    ("kea-leases4.csv", "leases/kea-leases4.csv", &["dhcp"]),
    ("kea-leases6.csv", "leases/kea-leases6.csv", &["dhcp"]),
    ("dhcpd.leases", "leases/dhcpd.leases", &["dhcp"]),
    ("dhcpd6.leases", "leases/dhcpd6.leases", &["dhcp"]),
    ("udhcpd.leases", "leases/udhcpd.leases", &["dhcp"]),
    ("networkd.json", "leases/networkd.json", &["dhcp"]),
    ("leases.json", "leases/leases.json", &["dhcp"]),
    ("kea-dhcp4.conf", "leases/kea-dhcp4.conf", &["dhcp"]),
    ("kea-dhcp6.conf", "leases/kea-dhcp6.conf", &["dhcp"]),
    ("dhcpd.conf", "leases/dhcpd.conf", &["dhcp"]),
    ("dhcpd6.conf", "leases/dhcpd6.conf", &["dhcp"]),
    ("udhcpd.conf", "leases/udhcpd.conf", &["dhcp"]),
];

/// Whose leases a file of settings is about: pools are of no use without them.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("dnsmasq.conf", "dnsmasq.leases"),
    ("kea-dhcp4.conf", "kea-leases4.csv"),
    ("kea-dhcp6.conf", "kea-leases6.csv"),
    ("dhcpd.conf", "dhcpd.leases"),
    ("dhcpd6.conf", "dhcpd6.leases"),
    ("udhcpd.conf", "udhcpd.leases"),
];

#[test]
fn each_defect_gives_the_text_beside_it() {
    let mut wrong = Vec::new();
    for (format, file, collectors) in FORMATS.iter().chain(ATTRIBUTES).chain(LEASES) {
        let copy = Copy::of(&fixtures().join("hosts/no-ipv6"));
        write_beside(&copy, format);
        if let Some((_, leases)) = SETTINGS.iter().find(|(settings, _)| settings == format) {
            let plain = fs::read(fixtures().join("cases").join(leases).join("plain")).unwrap();
            copy.write(&Path::new("leases").join(leases), &plain);
        }
        for case in inputs(format) {
            copy.write(Path::new(file), &fs::read(&case).unwrap());
            let report = without_heads(&Host::open(&copy.root).report(collectors));
            wrong.extend(golden(&expected(&case), &report).err());
            wrong.extend(malformed(&case, &report));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a zone is read from: `TZ` or `/etc/TZ`, and `/etc/localtime`.
type Zones = fn(&[u8], i64) -> Result<Zone, ParseError>;

const ZONES: [(&str, Zones); 2] = [("TZ", tz_rule::at), ("localtime", tzfile::at)];

/// The collector goes on with UTC where a zone cannot be understood, so that its error is on no page: each case has that of
/// the parser, or the zone in the winter and in the summer of 2026.
#[test]
fn each_defect_of_a_time_zone_gives_the_text_beside_it() {
    const TIMES: [i64; 2] = [1_768_435_200, 1_784_073_600];
    let mut wrong = Vec::new();
    for (format, read) in ZONES {
        for case in inputs(format) {
            let bytes = fs::read(&case).unwrap();
            let report: String = TIMES
                .into_iter()
                .map(|now| match read(&bytes, now) {
                    Ok(zone) => format!("{} {}\n", zone.name, zone.offset),
                    Err(error) => format!("error: {format}:{error}\n"),
                })
                .collect();
            wrong.extend(golden(&expected(&case), &report).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn hosts_that_cannot_be_captured_give_the_page_beside_them() {
    let mut wrong = Vec::new();
    for host in directories("cases/hosts") {
        let report = without_heads(&Host::open(&host).report(&[]));
        wrong.extend(golden(&host.join("expected"), &report).err());
        wrong.extend(malformed(&host, &report));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// OpenWrt's kernels for small flash: what they do not count is no zero.
#[test]
fn a_stripped_kernel_gives_no_family_rather_than_zeros() {
    let mut host = Host::open(&fixtures().join("cases/hosts/stripped"));
    let page = host.page(&[]);
    assert_eq!(host.errors(), []);
    for absent in ["node_netstat_", "node_sockstat_", "node_softnet_"] {
        assert!(!page.contains(absent), "{absent}");
    }
    for present in [
        "node_network_receive_bytes_total{",
        "node_tcp_connection_states{",
        "node_nf_conntrack_entries ",
        "node_arp_entries{",
    ] {
        assert!(page.contains(present), "{present}");
    }
}

#[test]
fn every_directory_of_cases_is_read() {
    for directory in directories("cases") {
        let format = name(&directory);
        // tests/it/config.rs reads the second.
        let known = matches!(format, "hosts" | "config")
            || ZONES.iter().any(|(known, _)| *known == format)
            || FORMATS
                .iter()
                .chain(ATTRIBUTES)
                .chain(LEASES)
                .any(|(known, _, _)| *known == format);
        assert!(known, "fixtures/cases/{format}: no test reads it");
    }
}

/// The cases of a format, sorted.
fn inputs(format: &str) -> Vec<PathBuf> {
    let of_expected = |path: &Path| path.extension().is_some_and(|end| end == "expected");
    let mut found = entries(&fixtures().join("cases").join(format));
    for text in found.iter().filter(|path| of_expected(path)) {
        let input = text.with_extension("");
        assert!(input.exists(), "{}: of no case", text.display());
    }
    found.retain(|path| !of_expected(path));
    found
}

/// Where the text of a case stands.
fn expected(case: &Path) -> PathBuf {
    let mut expected = case.as_os_str().to_os_string();
    expected.push(".expected");
    PathBuf::from(expected)
}

fn malformed(case: &Path, report: &str) -> Option<String> {
    let page: Vec<_> = report
        .lines()
        .filter(|line| !line.starts_with("error: ") && !line.starts_with("refused: "))
        .collect();
    let why = well_formed(&page.join("\n")).err()?;
    Some(format!("{}: {why}", case.display()))
}

/// HELP and TYPE are the same in every case; the captured hosts' pages show them.
fn without_heads(report: &str) -> String {
    report
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect()
}
