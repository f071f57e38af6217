//! How warm the machine's zones are and how hard its fans work, from `/sys/class/thermal`.
//!
//! Documented in the kernel's Documentation/driver-api/thermal/sysfs-api.rst, since 2.6.26. Temperatures are in thousandths
//! of a degree Celsius, below zero too. A zone whose sensor cannot be read now (EINVAL while its device sleeps, ENODATA,
//! EAGAIN, EIO, ETIMEDOUT) is left out, and the others are told.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::files::Attributes;
use crate::files::Cause;
use crate::files::FileError;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::class_net::number;
use crate::parse::printable;

/// The collector `thermal_zone`.
pub static SPEC: Spec = Spec {
    name: "thermal_zone",
    help: "temperatures, and the state of fans and throttles",
    on_by_default: true,
    families: &[&TEMPERATURE, &CURRENT_STATE, &HIGHEST_STATE],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(ThermalZone),
};

static TEMPERATURE: Desc = Desc::gauge(
    "node_thermal_zone_temp",
    &["zone", "type"],
    "Temperature of the zone in degrees Celsius, from /sys/class/thermal.",
);
static CURRENT_STATE: Desc = Desc::gauge(
    "node_cooling_device_cur_state",
    &["name", "type"],
    "How hard the cooling device works now, 0 for not at all, from /sys/class/thermal.",
);
static HIGHEST_STATE: Desc = Desc::gauge(
    "node_cooling_device_max_state",
    &["name", "type"],
    "How hard the cooling device can work, from /sys/class/thermal.",
);

struct ThermalZone;

impl Collector for ThermalZone {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let entries = context.files.sys_entries("class/thermal")?;
        for entry in entries.iter().flatten().filter_map(|name| name.to_str()) {
            let zone = entry.strip_prefix("thermal_zone");
            let device = entry.strip_prefix("cooling_device");
            let path = format!("class/thermal/{entry}");
            let Some(number) = zone.or(device) else {
                continue;
            };
            let Some(attributes) = context.files.sys_directory(path)? else {
                continue;
            };
            if zone.is_some() {
                push_zone(batch, &attributes, number)?;
            } else {
                push_device(batch, &attributes, number)?;
            }
        }
        Ok(())
    }
}

fn push_zone(batch: &mut Batch, zone: &Attributes<'_>, number: &str) -> Result<(), FileError> {
    if let (Some(kind), Some(temperature)) = (kind(zone)?, value(zone, "temp")?) {
        let labels = batch.labels(&[("zone", number), ("type", &kind)]);
        batch.push(&TEMPERATURE, labels, temperature / 1000.0);
    }
    Ok(())
}

fn push_device(batch: &mut Batch, device: &Attributes<'_>, number: &str) -> Result<(), FileError> {
    let Some(kind) = kind(device)? else {
        return Ok(());
    };
    let labels = batch.labels(&[("name", number), ("type", &kind)]);
    for (desc, attribute) in [(&CURRENT_STATE, "cur_state"), (&HIGHEST_STATE, "max_state")] {
        if let Some(state) = value(device, attribute)? {
            batch.push(desc, labels, state);
        }
    }
    Ok(())
}

fn kind(attributes: &Attributes<'_>) -> Result<Option<String>, FileError> {
    let kind = attributes.read("type", |bytes| Ok(printable(bytes).into_owned()));
    quiet(kind)
}

fn value(attributes: &Attributes<'_>, name: &'static str) -> Result<Option<f64>, FileError> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "thousandths of degrees are far below 2^53"
    )]
    let float = |value: i64| value as f64;
    quiet(attributes.read(name, |bytes| number(bytes, name).map(float)))
}

/// A sensor that does not answer is no error of this program's.
fn quiet<T>(read: Result<Option<T>, FileError>) -> Result<Option<T>, FileError> {
    match read {
        Err(FileError {
            cause: Cause::Io(_),
            ..
        }) => Ok(None),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn zone(tree: &Tree, number: usize, kind: &str, temperature: &str) {
        let path = format!("sys/class/thermal/thermal_zone{number}");
        tree.write(format!("{path}/type"), kind)
            .write(format!("{path}/temp"), temperature);
    }

    #[test]
    fn zones_and_cooling_devices() {
        let tree = Tree::new("thermal-both");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        zone(&tree, 0, "cpu-thermal\n", "46850\n");
        zone(&tree, 1, "outside\n", "-12500\n");
        zone(&tree, 10, "wifi \"5\"\n", "0\n");
        tree.write("sys/class/thermal/cooling_device0/type", "pwm-fan\n")
            .write("sys/class/thermal/cooling_device0/cur_state", "2\n")
            .write("sys/class/thermal/cooling_device0/max_state", "4\n");
        let expected = "node_cooling_device_cur_state{name=\"0\",type=\"pwm-fan\"} 2\n\
            node_cooling_device_max_state{name=\"0\",type=\"pwm-fan\"} 4\n\
            node_thermal_zone_temp{zone=\"0\",type=\"cpu-thermal\"} 46.85\n\
            node_thermal_zone_temp{zone=\"1\",type=\"outside\"} -12.5\n\
            node_thermal_zone_temp{zone=\"10\",type=\"wifi \\\"5\\\"\"} 0\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn a_sensor_that_cannot_be_read_is_left_out() {
        let tree = Tree::new("thermal-unread");
        zone(&tree, 0, "cpu\n", "1000\n");
        tree.write("sys/class/thermal/thermal_zone1/type", "gone\n");
        // A directory answers EISDIR, as an errno that no list names.
        tree.write("sys/class/thermal/thermal_zone2/type", "odd\n")
            .write("sys/class/thermal/thermal_zone2/temp/x", "");
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("node_thermal_zone_temp{zone=\"0\",type=\"cpu\"} 1\n")
        );
    }

    #[test]
    fn a_temperature_that_is_no_number_is_an_error() {
        let tree = Tree::new("thermal-broken");
        zone(&tree, 0, "cpu\n", "warm\n");
        assert_eq!(
            tree.once(&SPEC),
            Err("sys/class/thermal/thermal_zone0/temp:1: temp: expected a number, decimal or after 0x, found \"warm\"".to_string())
        );
    }
}
