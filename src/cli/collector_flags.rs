//! The flags of collectors: the second part of the table in flags.rs.

use std::path::PathBuf;

use regex_lite::Regex;

use crate::config;

use super::flags::Flag;
use super::flags::Set;
use super::flags::asked;
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
        name: "--collector.ipvs.backend-labels",
        value: "LABELS",
        default: "local_address,local_port,remote_address,remote_port,proto,local_mark",
        help: "What ipvs tells servers apart by, separated by commas; servers that share it are summed.",
        set: Set::Commas(|config, text| {
            config.ipvs_backend_labels = ipvs_labels(text)?;
            Ok(())
        }),
    },
];

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
