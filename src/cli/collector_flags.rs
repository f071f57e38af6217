//! The flags of collectors: the second part of the table in flags.rs.

use std::path::PathBuf;

use regex_lite::Regex;

use crate::cidr::Cidr;
use crate::cidr::Grouping;
use crate::config;
use crate::config::Hostnames;
use crate::config::TcAttach;
use crate::config::dhcp::Format;
use crate::config::dhcp::Pool;
use crate::config::dhcp::Range;
use crate::config::dhcp::Server;

use super::flag::Flag;
use super::flag::Set;
use super::flag::asked;
use super::flag::commas;
use super::flag::one;
use super::flag::switch;
use super::values::number;
use super::values::refused;

pub(super) const ONLY_NAMED: &str = "--collector.disable-defaults";

pub(super) static FLAGS: &[Flag] = &[
    asked(
        ONLY_NAMED,
        "Run only the collectors that are named by --collector.NAME.",
    ),
    one(
        "--collector.netdev.device-include",
        "REGEXP",
        "",
        "Devices of netdev and throughput; empty: all.",
        |config, text| {
            config.netdev_devices.include = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.netdev.device-exclude",
        "REGEXP",
        "",
        "Devices that netdev and throughput leave out; wins over include.",
        |config, text| {
            config.netdev_devices.exclude = pattern(text)?;
            Ok(())
        },
    ),
    switch(
        "--collector.netdev.address-info",
        "Export the addresses of netdev's devices too (node_network_address_info).",
        |config| config.netdev_address_info = true,
    ),
    switch(
        "--collector.netdev.label-ifalias",
        "Give netdev's families the label ifalias: what somebody called the device.",
        |config| config.netdev_label_ifalias = true,
    ),
    one(
        "--collector.netclass.ignored-devices",
        "REGEXP",
        "^$",
        "Devices that netclass leaves out.",
        |config, text| {
            config.netclass_ignored = pattern(if text.is_empty() { "^$" } else { text })?
                .ok_or_else(|| refused("a regular expression", text))?;
            Ok(())
        },
    ),
    switch(
        "--collector.netclass.ignore-invalid-speed",
        "Leave out speeds below zero instead of exporting them.",
        |config| {
            config.netclass_ignore_invalid_speed = true;
        },
    ),
    one(
        "--collector.arp.device-include",
        "REGEXP",
        "",
        "Devices of arp; empty: all.",
        |config, text| {
            config.arp_devices.include = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.arp.device-exclude",
        "REGEXP",
        "",
        "Devices that arp leaves out; wins over include.",
        |config, text| {
            config.arp_devices.exclude = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.netstat.fields",
        "REGEXP",
        "",
        "Fields of netstat, as Proto_Field; node_exporter's default and Tcp_MaxConn.",
        |config, text| {
            config.netstat_fields = pattern(if text.is_empty() { ".*" } else { text })?
                .ok_or_else(|| refused("a regular expression", text))?;
            Ok(())
        },
    ),
    Flag {
        name: "--collector.textfile.directory",
        value: "DIR",
        default: "",
        help: "Where textfile reads *.prom files; * and ? stand for parts of names; repeatable.",
        set: Set::Many(|config, values| {
            config.textfile_directories = values.iter().map(PathBuf::from).collect();
            Ok(())
        }),
    },
    one(
        "--collector.filesystem.mount-points-exclude",
        "REGEXP",
        config::MOUNT_POINTS_EXCLUDE,
        "Mount points that filesystem leaves out.",
        |config, text| {
            config.filesystem_mount_points_exclude = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.filesystem.fs-types-exclude",
        "REGEXP",
        config::FS_TYPES_EXCLUDE,
        "Types that filesystem leaves out; by default not at / and /rom where one of them is a squashfs, as on OpenWrt.",
        |config, text| {
            config.filesystem_types_exclude = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.qdisc.device-include",
        "REGEXP",
        "",
        "Devices of qdisc; empty: all.",
        |config, text| {
            config.qdisc_devices.include = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.qdisc.device-exclude",
        "REGEXP",
        "",
        "Devices that qdisc leaves out; wins over include.",
        |config, text| {
            config.qdisc_devices.exclude = pattern(text)?;
            Ok(())
        },
    ),
    Flag {
        name: "--collector.dhcp.leases",
        value: "[NAME=]FORMAT:PATH",
        default: "",
        help: "Lease file of a DHCP server, below --path.rootfs; FORMAT is auto, dnsmasq, odhcpd, kea, isc, udhcpd, networkd or json; repeatable. Without it the usual places are looked at.",
        set: Set::Many(|config, values| {
            config.dhcp.servers = dhcp_servers(values)?;
            Ok(())
        }),
    },
    Flag {
        name: "--collector.dhcp.pool",
        value: "NAME=FIRST-LAST",
        default: "",
        help: "Addresses of a pool, or NAME=NETWORK/LENGTH; repeatable. dnsmasq's are known from its dhcp-range.",
        set: Set::Many(|config, values| {
            config.dhcp.pools = values
                .iter()
                .map(|text| dhcp_pool(text))
                .collect::<Result<_, _>>()?;
            Ok(())
        }),
    },
    switch(
        "--collector.dhcp.per-lease",
        "A series for every current lease, with its address, hardware address and name.",
        |config| config.dhcp.per_lease = true,
    ),
    one(
        "--collector.dhcp.per-lease-limit",
        "N",
        "1000",
        "The most leases that have a series of their own.",
        |config, text| {
            config.dhcp.per_lease_limit = number(text, 1, 1_000_000)?;
            Ok(())
        },
    ),
    commas(
        "--collector.ipvs.backend-labels",
        "LABELS",
        "local_address,local_port,remote_address,remote_port,proto,local_mark",
        "What ipvs tells servers apart by, separated by commas; servers that share it are summed.",
        |config, text| {
            config.ipvs_backend_labels = ipvs_labels(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.connections.max-series",
        "N",
        "1000",
        "The most pairs of hosts that connections shows, 1 to 10000; the largest stay, the rest is summed as other.",
        |config, text| {
            config.connections.max_series = number(text, 1, config::CONNECTIONS_MOST_SERIES)?;
            Ok(())
        },
    ),
    commas(
        "--collector.connections.exclude",
        "CIDR,...",
        config::CONNECTIONS_EXCLUDE,
        "Peers whose connections are not counted; wins over include; empty: none.",
        |config, text| {
            config.connections.exclude = cidrs(text)?;
            Ok(())
        },
    ),
    commas(
        "--collector.connections.include",
        "CIDR,...",
        "",
        "The only peers whose connections are counted; empty: all.",
        |config, text| {
            config.connections.include = cidrs(text)?;
            Ok(())
        },
    ),
    commas(
        "--collector.connections.group",
        "/N,/N",
        "",
        "Count peers by prefix, such as /24,/64 for IPv4 and IPv6; empty: each for itself.",
        |config, text| {
            let group = Grouping::parse(text);
            config.connections.group = group.map_err(|expected| refused(expected, text))?;
            Ok(())
        },
    ),
    switch(
        "--collector.connections.tcp-info",
        "Round-trip times and retransmissions by group of peers (/24,/64 without --collector.connections.group); netlink only.",
        |config| config.connections.tcp_info = true,
    ),
    one(
        "--collector.connections.hostnames",
        "SOURCE",
        "off",
        "Where peer_hostname comes from: off, hosts (/etc/hosts below --path.rootfs), or dns (hosts first, then leases of dhcp, then reverse DNS).",
        |config, text| {
            config.connections.hostnames = match text {
                "off" => Hostnames::Off,
                "hosts" => Hostnames::Hosts,
                "dns" => Hostnames::Dns,
                _ => return Err(refused("off, hosts or dns", text)),
            };
            Ok(())
        },
    ),
    one(
        "--collector.tc.device-include",
        "REGEXP",
        "",
        "Interfaces of tc; empty: all but loopback and veth, which a pattern brings in.",
        |config, text| {
            config.tc_devices.include = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.tc.device-exclude",
        "REGEXP",
        "",
        "Interfaces that tc leaves out; wins over include.",
        |config, text| {
            config.tc_devices.exclude = pattern(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.tc.attach",
        "METHOD",
        "auto",
        "How tc attaches its programs: tcx (Linux 6.6), clsact, or auto for the first that works.",
        |config, text| {
            config.tc_attach = match text {
                "auto" => TcAttach::Auto,
                "tcx" => TcAttach::Tcx,
                "clsact" => TcAttach::Clsact,
                _ => return Err(refused("auto, tcx or clsact", text)),
            };
            Ok(())
        },
    ),
    switch(
        "--collector.tc.active-only",
        "Show only interfaces of tc over which more than 0.1 packets a second went in the last interval.",
        |config| config.tc_active_only = true,
    ),
    switch(
        "--collector.tc.protocols",
        "Count bytes and packets of tc by IP version and protocol too.",
        |config| config.tc_protocols = true,
    ),
];

fn cidrs(text: &str) -> Result<Vec<Cidr>, String> {
    config::cidrs(text).map_err(|(expected, found)| refused(expected, found))
}

/// An empty list is one too: everything is summed.
fn ipvs_labels(text: &str) -> Result<Vec<&'static str>, String> {
    let all = config::IPVS_BACKEND_LABELS;
    let names = text.split(',').filter(|name| !name.is_empty());
    let known = |name| all.into_iter().find(|label| *label == name);
    let picked = names.map(|name| {
        known(name).ok_or_else(|| refused(&format!("some of {}", all.join(",")), text))
    });
    picked.collect()
}

/// Files that are given the same name are one server's, in this order.
fn dhcp_servers(values: &[String]) -> Result<Vec<Server>, String> {
    const EXPECTED: &str =
        "[NAME=]FORMAT:PATH with an absolute path, such as dnsmasq:/tmp/dhcp.leases";
    let mut servers: Vec<Server> = Vec::new();
    for text in values {
        let (head, path) = text
            .split_once(':')
            .ok_or_else(|| refused(EXPECTED, text))?;
        let (name, word) = head.split_once('=').unwrap_or((head, head));
        let format = Format::parse(word).map_err(|expected| refused(expected, text))?;
        if format == Some(Format::Sqlite) {
            let expected =
                "another format: a query is written in the section dhcp of --config.file";
            return Err(refused(expected, text));
        }
        if name.is_empty() || !path.starts_with('/') {
            return Err(refused(EXPECTED, text));
        }
        let path = PathBuf::from(path);
        match servers.iter_mut().find(|server| server.name == name) {
            Some(server) if server.format == format => server.leases.push(path),
            Some(_) => return Err(refused("one format for one name", text)),
            None => servers.push(Server {
                name: name.to_string(),
                format,
                leases: vec![path],
                ..Server::default()
            }),
        }
    }
    Ok(servers)
}

fn dhcp_pool(text: &str) -> Result<Pool, String> {
    const EXPECTED: &str = "NAME=FIRST-LAST or NAME=NETWORK/LENGTH";
    let (name, range) = text
        .split_once('=')
        .ok_or_else(|| refused(EXPECTED, text))?;
    if name.is_empty() {
        return Err(refused(EXPECTED, text));
    }
    let range = Range::parse(range).map_err(|expected| refused(expected, text))?;
    let name = name.to_string();
    Ok(Pool { name, range })
}

/// An empty pattern is none.
fn pattern(text: &str) -> Result<Option<Regex>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Regex::new(text).map(Some).map_err(|error| {
        format!("expected a regular expression, found {text:?}: {error}").replace('\n', " ")
    })
}
