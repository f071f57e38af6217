//! The flags of collectors: the second part of the table in flags.rs.

use std::path::PathBuf;

use regex_lite::Regex;

use crate::cidr::Cidr;
use crate::cidr::Grouping;
use crate::config;
use crate::config::Hostnames;
use crate::config::TcAttach;

use super::flags::Flag;
use super::flags::Set;
use super::flags::asked;
use super::flags::number;
use super::flags::one;
use super::flags::refused;
use super::flags::switch;

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
    one(
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
    one(
        "--collector.connections.exclude",
        "CIDR,...",
        config::CONNECTIONS_EXCLUDE,
        "Peers whose connections are not counted; wins over include; empty: none.",
        |config, text| {
            config.connections.exclude = cidrs(text)?;
            Ok(())
        },
    ),
    one(
        "--collector.connections.include",
        "CIDR,...",
        "",
        "The only peers whose connections are counted; empty: all.",
        |config, text| {
            config.connections.include = cidrs(text)?;
            Ok(())
        },
    ),
    one(
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
        "Where peer_hostname comes from: off, hosts (/etc/hosts below --path.rootfs), or dns (hosts first, then reverse DNS).",
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

/// An empty pattern is none.
fn pattern(text: &str) -> Result<Option<Regex>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Regex::new(text).map(Some).map_err(|error| {
        format!("expected a regular expression, found {text:?}: {error}").replace('\n', " ")
    })
}
