//! netclass from files: some twenty attributes for each device.
//!
//! Entries that are no devices (`bonding_masters` is a file) are passed over, and so is a device that goes away while it is
//! read: `ifindex`, which every device has, is read last and tells whether it is still there.

use std::ffi::OsString;
use std::path::Path;

use super::Device;
use super::NUMBERS;
use super::Netclass;
use crate::collectors::CollectError;
use crate::collectors::Context;
use crate::devices::ifindex;
use crate::devices::keep_lowest;
use crate::devices::kinds::Excluded;
use crate::files::Attributes;
use crate::files::FileError;
use crate::metric::Batch;
use crate::parse::class_net;
use crate::parse::printable;

impl Netclass {
    pub(super) fn collect_sysfs(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let files = context.files;
        let Some(mut entries) = files.sys_entries("class/net")? else {
            return Ok(());
        };
        let excluded = Excluded::new(self.kinds, &[], files);
        entries.retain(|entry| {
            let name = entry.as_encoded_bytes();
            !self.ignored.is_match(&printable(name)) && !excluded.has(name)
        });
        let index = |entry: &OsString| ifindex(files, entry.as_encoded_bytes());
        if entries.len() > self.limit {
            entries.retain(|entry| index(entry).is_some());
        }
        context.left_out = Some(keep_lowest(&mut entries, self.limit, index));
        for entry in entries {
            let name = printable(entry.as_encoded_bytes());
            let path = Path::new("class/net").join(&entry);
            let Some(attributes) = files.sys_directory(path)? else {
                continue;
            };
            if self.device.read(&attributes)? {
                self.device.push(batch, &name, self.ignore_invalid_speed);
            }
        }
        Ok(())
    }
}

impl Device {
    /// Reads the attributes; false when the device has gone away meanwhile.
    fn read(&mut self, attributes: &Attributes<'_>) -> Result<bool, FileError> {
        for (name, text) in [
            ("address", &mut self.address),
            ("broadcast", &mut self.broadcast),
            ("operstate", &mut self.operstate),
            ("ifalias", &mut self.ifalias),
        ] {
            read_text(attributes, name, text)?;
        }
        for ((name, _), value) in NUMBERS.iter().zip(&mut self.numbers) {
            *value = number(attributes, name)?;
        }
        self.flags = number(attributes, "flags")?;
        self.read_modes(attributes)?;
        self.ifindex = number(attributes, "ifindex")?;
        Ok(self.ifindex.is_some())
    }

    /// Reads speed and duplex.
    pub(super) fn read_modes(&mut self, attributes: &Attributes<'_>) -> Result<(), FileError> {
        self.speed = number(attributes, "speed")?;
        read_text(attributes, "duplex", &mut self.duplex)
    }
}

/// A text as it is exported; empty where there is none.
pub(super) fn read_text(
    attributes: &Attributes<'_>,
    name: &'static str,
    text: &mut String,
) -> Result<(), FileError> {
    text.clear();
    attributes.read(name, |bytes| {
        text.push_str(&printable(bytes));
        Ok(())
    })?;
    Ok(())
}

pub(super) fn number(
    attributes: &Attributes<'_>,
    name: &'static str,
) -> Result<Option<i64>, FileError> {
    attributes.read(name, |bytes| class_net::number(bytes, name))
}
