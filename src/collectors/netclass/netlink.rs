//! netclass from the kernel's list of devices, in the words and numbers of sysfs (net/core/net-sysfs.c).
//!
//! Three attributes are in no list: `addr_assign_type`, `dev_id` and `name_assign_type`. They are read from sysfs and kept
//! while the device has the same index, name and hardware address: the first changes when somebody sets the address, the
//! last when the device is renamed, the second never. Setting the address that the device already has, or a new name and
//! the old one again between two scrapes, changes them without a trace in the list, so they are kept for [`KEPT`] at most.
//!
//! /sys may be another namespace's (a process that entered one without mounting /sys anew): a device there that has not
//! the same index and address is another device, and nothing is read from it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::Device;
use super::NUMBERS;
use super::Netclass;
use super::sysfs::number;
use super::sysfs::read_text;
use crate::collectors::CollectError;
use crate::collectors::Context;
use crate::devices::keep_lowest;
use crate::devices::kinds::has_link;
use crate::files::Attributes;
use crate::files::FileError;
use crate::files::Files;
use crate::links::Link;
use crate::links::Modes;
use crate::metric::Batch;
use crate::parse::printable;

/// How long what nothing tells to have changed is believed.
const KEPT: Duration = Duration::from_secs(300);

/// RFC 2863's states as the kernel numbers and sysfs writes them.
const OPERSTATES: [&str; 7] = [
    "unknown",
    "notpresent",
    "down",
    "lowerlayerdown",
    "testing",
    "dormant",
    "up",
];

/// What the last scrape read from sysfs.
#[derive(Default)]
pub(super) struct Settled {
    /// Sorted by name, as the list is.
    devices: Vec<Attributed>,
}

/// One device's attributes that are in no list.
struct Attributed {
    ifindex: u32,
    name: Vec<u8>,
    address: Vec<u8>,
    read: Instant,
    /// Whether /sys shows this very device.
    shown: bool,
    address_assign_type: Option<i64>,
    device_id: Option<i64>,
    name_assign_type: Option<i64>,
}

impl Netclass {
    /// False where there is no list.
    pub(super) fn collect_netlink(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<bool, CollectError> {
        let files = context.files;
        // Whoever names another sysfs wants its devices.
        if !files.live_sysfs() {
            return Ok(false);
        }
        let Some(links) = context.links.with_modes(files)? else {
            return Ok(false);
        };
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.settled.devices)
            .into_iter()
            .peekable();
        let mut shown: Vec<&Link> = links.iter().collect();
        shown.retain(|link| {
            !self.ignored.is_match(&printable(&link.name)) && !has_link(self.kinds, link)
        });
        let index = |link: &&Link| Some(u64::from(link.ifindex));
        context.left_out = Some(keep_lowest(&mut shown, self.limit, index));
        for link in shown {
            let name = printable(&link.name);
            while before.next_if(|known| known.name < link.name).is_some() {}
            let known = before.next_if(|known| known.name == link.name);
            let known = match known.filter(|known| known.is_of(link, now)) {
                Some(known) => known,
                None => Attributed::read(link, files, now)?,
            };
            self.device.take(link, &known, files)?;
            self.device.push(batch, &name, self.ignore_invalid_speed);
            self.settled.devices.push(known);
        }
        Ok(true)
    }
}

impl Attributed {
    fn is_of(&self, link: &Link, now: Instant) -> bool {
        self.ifindex == link.ifindex
            && self.address == link.address
            && now.saturating_duration_since(self.read) < KEPT
    }

    fn read(link: &Link, files: &Files, now: Instant) -> Result<Self, FileError> {
        let mut new = Self {
            ifindex: link.ifindex,
            name: link.name.clone(),
            address: link.address.clone(),
            read: now,
            shown: false,
            address_assign_type: None,
            device_id: None,
            name_assign_type: None,
        };
        if let Some(attributes) = directory(link, files)? {
            let (mut address, mut listed) = (String::new(), String::new());
            read_text(&attributes, "address", &mut address)?;
            write_address(&link.address, &mut listed);
            let ifindex = number(&attributes, "ifindex")?;
            new.shown = ifindex == Some(i64::from(link.ifindex)) && address == listed;
            if new.shown {
                new.address_assign_type = number(&attributes, "addr_assign_type")?;
                new.device_id = number(&attributes, "dev_id")?;
                new.name_assign_type = number(&attributes, "name_assign_type")?;
            }
        }
        Ok(new)
    }
}

fn directory<'a>(link: &Link, files: &'a Files) -> Result<Option<Attributes<'a>>, FileError> {
    files.sys_directory(Path::new("class/net").join(OsStr::from_bytes(&link.name)))
}

impl Device {
    fn take(&mut self, link: &Link, known: &Attributed, files: &Files) -> Result<(), FileError> {
        for (text, address) in [
            (&mut self.address, &link.address),
            (&mut self.broadcast, &link.broadcast),
        ] {
            text.clear();
            write_address(address, text);
        }
        let operstate = link.operstate.map_or(0, usize::from);
        let operstate = OPERSTATES.get(operstate).copied().unwrap_or_default();
        self.operstate.clear();
        self.operstate.push_str(operstate);
        self.ifalias.clear();
        self.ifalias.push_str(&printable(link.alias.trim_ascii()));
        self.ifindex = Some(i64::from(link.ifindex));
        for ((name, _), value) in NUMBERS.iter().zip(&mut self.numbers) {
            *value = told(name, link, known);
        }
        self.flags = link.own_flags().map(i64::from);
        self.speed = None;
        self.duplex.clear();
        let modes = if link.is_up() {
            link.modes
        } else {
            Modes::Absent
        };
        if let Modes::Told(speed, duplex) = modes {
            self.speed = Some(i64::from(speed));
            self.duplex.push_str(match duplex {
                0 => "half",
                1 => "full",
                _ => "unknown",
            });
        }
        let wanted = self.flags.is_none() || modes == Modes::Unasked;
        if wanted
            && known.shown
            && let Some(attributes) = directory(link, files)?
        {
            if self.flags.is_none() {
                self.flags = number(&attributes, "flags")?;
            }
            if modes == Modes::Unasked {
                self.read_modes(&attributes)?;
            }
        }
        Ok(())
    }
}

/// The number that sysfs has in the file `attribute`.
fn told(attribute: &str, link: &Link, known: &Attributed) -> Option<i64> {
    // The kernel prints these with %d.
    let signed = |number: u32| i64::from(number.cast_signed());
    let when_up = |number: Option<bool>| number.filter(|_| link.is_up()).map(i64::from);
    match attribute {
        "addr_assign_type" => known.address_assign_type,
        "dev_id" => known.device_id,
        "name_assign_type" => known.name_assign_type,
        "carrier" => when_up(link.carrier),
        "dormant" => when_up(Some(link.is_dormant())),
        "carrier_changes" => link.carrier_changes.map(signed),
        "carrier_up_count" => link.carrier_up_count.map(signed),
        "carrier_down_count" => link.carrier_down_count.map(signed),
        "iflink" => Some(signed(link.link.unwrap_or(link.ifindex))),
        "link_mode" => link.link_mode.map(i64::from),
        "mtu" => link.mtu.map(signed),
        "netdev_group" => link.group.map(signed),
        "tx_queue_len" => link.transmit_queue_length.map(signed),
        "type" => Some(i64::from(link.hardware_type)),
        _ => None,
    }
}

/// Two hexadecimal digits for each byte, colons between them.
fn write_address(address: &[u8], text: &mut String) {
    for (at, byte) in address.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        // Writing into a String cannot fail.
        let _ = write!(text, "{colon}{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_told() {
        let link = Link {
            flags: 1,
            carrier: Some(true),
            carrier_changes: Some(u32::MAX),
            carrier_up_count: Some(1),
            carrier_down_count: Some(1),
            link_mode: Some(1),
            mtu: Some(1500),
            group: Some(0),
            transmit_queue_length: Some(1000),
            ifindex: 7,
            ..Link::default()
        };
        let known = Attributed {
            ifindex: 7,
            name: Vec::new(),
            address: Vec::new(),
            read: Instant::now(),
            shown: true,
            address_assign_type: Some(3),
            device_id: Some(2),
            name_assign_type: Some(4),
        };
        let found = NUMBERS.map(|(name, _)| told(name, &link, &known));
        assert!(found.iter().all(Option::is_some), "{found:?}");
        assert_eq!(told("iflink", &link, &known), Some(7));
        assert_eq!(told("carrier_changes", &link, &known), Some(-1));
        let down = Link { flags: 0, ..link };
        assert_eq!(told("carrier", &down, &known), None);
        assert_eq!(told("dormant", &down, &known), None);
    }

    #[test]
    fn what_sysfs_said_is_believed_of_the_same_device_for_a_while() {
        let link = Link {
            ifindex: 7,
            address: vec![2, 0, 0, 0, 0, 1],
            ..Link::default()
        };
        let read = Instant::now();
        let known = |link: &Link| Attributed {
            ifindex: link.ifindex,
            name: link.name.clone(),
            address: link.address.clone(),
            read,
            shown: true,
            address_assign_type: None,
            device_id: None,
            name_assign_type: None,
        };
        assert!(known(&link).is_of(&link, read + KEPT / 2));
        assert!(!known(&link).is_of(&link, read + KEPT));
        let mut anew = link.clone();
        anew.ifindex = 8;
        assert!(!known(&link).is_of(&anew, read));
        let mut moved = link.clone();
        moved.address[5] = 2;
        assert!(!known(&link).is_of(&moved, read));
    }

    #[test]
    fn what_an_old_kernel_does_not_list_is_read_from_sysfs() {
        let files = Files::open(Path::new("/proc"), Path::new("/sys")).unwrap();
        let mut links = crate::links::Links::default();
        let Some(links) = links.with_modes(&files).unwrap() else {
            return;
        };
        let told = |link: &Link| {
            let known = Attributed::read(link, &files, Instant::now()).unwrap();
            let mut device = Device::default();
            device.take(link, &known, &files).unwrap();
            (device.flags, device.speed, device.duplex, known.shown)
        };
        for link in links {
            // Before Linux 6.0, and before 5.6.
            let old = Link {
                allmulti: None,
                modes: Modes::Unasked,
                ..link.clone()
            };
            let (new, old) = (told(link), told(&old));
            // Another namespace's /sys says nothing of this one's devices.
            assert!(!new.3 || new == old, "{link:?}: {new:?} {old:?}");
        }
    }

    #[test]
    fn addresses_as_sysfs_writes_them() {
        let text = |address: &[u8]| {
            let mut text = String::new();
            write_address(address, &mut text);
            text
        };
        assert_eq!(text(&[]), "");
        assert_eq!(text(&[0, 0xab, 5]), "00:ab:05");
    }
}
