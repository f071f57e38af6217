//! What time it is, in which zone, and by which hardware the kernel tells it.
//!
//! The time and the zone are this machine's, whatever tree is read: a scrape happens now. The zone is what TZ says (a name
//! below `/usr/share/zoneinfo`, a path, or a rule), else `/etc/localtime`, else `/etc/TZ`, where OpenWrt has a rule, else
//! UTC, and UTC too when none of them can be understood. Clock sources are from `/sys/devices/system/clocksource`.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::files::FileError;
use crate::files::Files;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::clocksource;
use crate::parse::tz_rule;
use crate::parse::tz_rule::Zone;
use crate::parse::tzfile;

/// The collector `time`.
pub static SPEC: Spec = Spec {
    name: "time",
    help: "what time it is, in which zone, and by which clock source",
    on_by_default: true,
    families: &[
        &SECONDS,
        &ZONE_OFFSET,
        &AVAILABLE_CLOCKSOURCE,
        &CURRENT_CLOCKSOURCE,
    ],
    patterns: &[],
    verdict: None,
    make: |_| {
        Box::new(Time {
            tz: std::env::var("TZ").ok(),
        })
    },
};

static SECONDS: Desc = Desc::gauge(
    "node_time_seconds",
    &[],
    "The machine's time, in seconds since 1970.",
);
static ZONE_OFFSET: Desc = Desc::gauge(
    "node_time_zone_offset_seconds",
    &["time_zone"],
    "How far local time is ahead of UTC in seconds, from TZ, /etc/localtime or /etc/TZ.",
);
static AVAILABLE_CLOCKSOURCE: Desc = Desc::gauge(
    "node_time_clocksource_available_info",
    &["device", "clocksource"],
    "What the kernel could tell the time by, from /sys/devices/system/clocksource. Always 1.",
);
static CURRENT_CLOCKSOURCE: Desc = Desc::gauge(
    "node_time_clocksource_current_info",
    &["device", "clocksource"],
    "What the kernel tells the time by, from /sys/devices/system/clocksource. Always 1.",
);

struct Time {
    tz: Option<String>,
}

impl Collector for Time {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        batch.push(&SECONDS, NO_LABELS, now.as_secs_f64());
        let seconds = i64::try_from(now.as_secs()).unwrap_or(0);
        let zone = zone(context.files, self.tz.as_deref(), seconds);
        let labels = batch.labels(&[("time_zone", &zone.name)]);
        // An offset is less than a day or two.
        let offset = f64::from(i32::try_from(zone.offset).unwrap_or(0));
        batch.push(&ZONE_OFFSET, labels, offset);
        push_clocksources(context.files, batch)?;
        Ok(())
    }
}

fn push_clocksources(files: &Files, batch: &mut Batch) -> Result<(), FileError> {
    const FOLDER: &str = "devices/system/clocksource";
    let entries = files.sys_entries(FOLDER)?;
    for entry in entries.iter().flatten().filter_map(|name| name.to_str()) {
        let Some(device) = entry.strip_prefix("clocksource") else {
            continue;
        };
        let Some(attributes) = files.sys_directory(format!("{FOLDER}/{entry}"))? else {
            continue;
        };
        for (desc, attribute) in [
            (&AVAILABLE_CLOCKSOURCE, "available_clocksource"),
            (&CURRENT_CLOCKSOURCE, "current_clocksource"),
        ] {
            let names = attributes.read(attribute, |bytes| clocksource::names(bytes, attribute))?;
            for name in names.into_iter().flatten() {
                let labels = batch.labels(&[("device", device), ("clocksource", &name)]);
                batch.push(desc, labels, 1.0);
            }
        }
    }
    Ok(())
}

fn zone(files: &Files, tz: Option<&str>, now: i64) -> Zone {
    let file = |path: &str| {
        let read = files.root(path.trim_start_matches('/'), |bytes| tzfile::at(bytes, now));
        read.ok().flatten()
    };
    let found = match tz.map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
        None => file("etc/localtime").or_else(|| {
            let rule = files.root("etc/TZ", |bytes| tz_rule::at(bytes, now));
            rule.ok().flatten()
        }),
        Some("") => None,
        Some(path) if path.starts_with('/') => file(path),
        Some(text) => tz_rule::at(text.as_bytes(), now)
            .ok()
            .or_else(|| file(&format!("usr/share/zoneinfo/{text}"))),
    };
    found.unwrap_or_else(|| Zone {
        name: "UTC".to_string(),
        offset: 0,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn the_time_and_the_clock_sources() {
        let tree = Tree::new("time");
        let folder = "sys/devices/system/clocksource/clocksource0";
        tree.write(
            format!("{folder}/available_clocksource"),
            "tsc kvm-clock \n",
        )
        .write(format!("{folder}/current_clocksource"), "tsc\n")
        .write("sys/devices/system/clocksource/power/control", "auto\n");
        let page = tree.once(&SPEC).expect("a scrape");
        let (head, rest) = page
            .split_once("node_time_clocksource")
            .expect("clock sources");
        assert_eq!(
            rest,
            "_available_info{device=\"0\",clocksource=\"tsc\"} 1\n\
            node_time_clocksource_available_info{device=\"0\",clocksource=\"kvm-clock\"} 1\n\
            node_time_clocksource_current_info{device=\"0\",clocksource=\"tsc\"} 1\n"
        );
        let seconds = head
            .strip_prefix("node_time_seconds ")
            .and_then(|rest| rest.lines().next()?.parse::<f64>().ok());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        assert!(seconds.is_some_and(|seconds| (now.as_secs_f64() - seconds).abs() < 60.0));
        assert!(head.contains("\nnode_time_zone_offset_seconds{time_zone=\""));
    }

    #[test]
    fn the_zone_is_that_of_tz_or_of_a_file_or_utc() {
        let tree = Tree::new("time-zone");
        let root = std::env::temp_dir().join(format!("weir-{}-time-zone", std::process::id()));
        let files = Files::open(Path::new("/proc"), Path::new("/sys"))
            .expect("this machine has both")
            .with_rootfs(&root);
        let name = |tz| zone(&files, tz, 1_774_746_000).name;
        assert_eq!(name(None), "UTC");
        tree.write("etc/TZ", "CET-1CEST,M3.5.0,M10.5.0/3\n");
        assert_eq!(name(None), "CEST");
        assert_eq!(name(Some("")), "UTC");
        assert_eq!(name(Some("EST5")), "EST");
        assert_eq!(name(Some(":Nowhere/At_All")), "UTC");
        let file = b"TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x04\0\0\x0e\x10\0\0XYZ\0";
        tree.write("etc/localtime", file)
            .write("usr/share/zoneinfo/A/B", file);
        assert_eq!(
            [None, Some("A/B"), Some(":A/B"), Some("/etc/localtime")].map(name),
            ["XYZ"; 4]
        );
    }
}
