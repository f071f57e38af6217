//! Which devices `--devices.exclude-kinds` leaves out: told by what they are, not by what they are called.
//!
//! A container host has a veth device for each container, a virtual machine host a tap device for each guest; their names
//! are anybody's choice (`veth…`, `cali…`, `lxc…`, `vnet…`), so that no regular expression finds them all.
//!
//! `veth` is either end of a pair. `bridge-port` is what containers and guests are plugged into: a veth or a tap device that
//! is a port of a bridge. All other ports stay, because they are the bridge's way to the world: a router's `lan1`, a
//! server's `eth0` or `bond0`, a VLAN or a tunnel is what somebody wants to see. A tap device outside of a bridge is a VPN's,
//! and stays too.
//!
//! The kernel's list of devices says all of it: IFLA_INFO_KIND, and IFLA_INFO_SLAVE_KIND since Linux 3.14. Where files are
//! read, sysfs says:
//!
//! - a port of a bridge has a directory `brport`, a tap device a file `tun_flags`;
//! - veth says nothing of itself. It is what is Ethernet, has neither `device` (hardware) nor a DEVTYPE in `uevent` (VLANs,
//!   DSA's ports and most other virtual kinds) nor `lower_…` (macvlan), and whose `iflink` is another device's index: its
//!   other end's, which may be in another namespace (since Linux 4.1). A gretap that is bound to a device and a macvlan
//!   whose device is in another namespace look the same, and are taken for veth.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::config::ExcludedKinds;
use crate::files::Attributes;
use crate::files::Files;
use crate::links;
use crate::links::Link;
use crate::links::Links;
use crate::parse::class_net;

/// Ethernet, in linux/if_arp.h.
const ARPHRD_ETHER: i64 = 1;

/// The devices that are left out of one scrape.
pub struct Excluded<'a> {
    kinds: ExcludedKinds,
    links: &'a [Link],
    files: &'a Files,
}

impl<'a> Excluded<'a> {
    /// Looks devices up in the list, and what is not in it in sysfs.
    #[must_use]
    pub fn new(kinds: ExcludedKinds, links: &'a [Link], files: &'a Files) -> Self {
        Self {
            kinds,
            links,
            files,
        }
    }

    /// The same with the kernel's list of this scrape, which is asked for only where a kind is to be left out. Where it
    /// cannot be had sysfs is read; netclass tells what is wrong with it.
    #[must_use]
    pub fn ask(kinds: ExcludedKinds, links: &'a mut Links, files: &'a Files) -> Self {
        let links = if kinds == ExcludedKinds::default() {
            None
        } else {
            links.all(files).ok().flatten()
        };
        Self::new(kinds, links.unwrap_or_default(), files)
    }

    /// Whether the device is left out. One that vanished is not.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        if self.kinds == ExcludedKinds::default() {
            return false;
        }
        if let Some(link) = links::find(self.links, name) {
            return has_link(self.kinds, link);
        }
        let path = Path::new("class/net").join(OsStr::from_bytes(name));
        // A device that cannot be looked at is shown: its own collector says what is wrong with it.
        let Some(device) = self.files.sys_directory(&path).ok().flatten() else {
            return false;
        };
        let port = self.kinds.bridge_port && exists(&device, "brport/port_no");
        (port && exists(&device, "tun_flags"))
            || ((port || self.kinds.veth) && self.is_veth(&device, &path))
    }

    fn is_veth(&self, device: &Attributes<'_>, path: &Path) -> bool {
        let number = |name| {
            let read = device.read(name, |bytes| class_net::number(bytes, name));
            read.ok().flatten()
        };
        let iflink = number("iflink").filter(|index| *index > 0);
        if iflink.is_none() || iflink == number("ifindex") || number("type") != Some(ARPHRD_ETHER) {
            return false;
        }
        let named = device.read("uevent", |bytes| Ok(class_net::devtype(bytes).is_some()));
        if matches!(named, Ok(Some(true))) || exists(device, "device/uevent") {
            return false;
        }
        let entries = self.files.sys_entries(path).ok().flatten();
        let lower = |entry: &OsString| entry.as_bytes().starts_with(b"lower_");
        !entries.is_some_and(|entries| entries.iter().any(lower))
    }
}

fn exists(device: &Attributes<'_>, name: &str) -> bool {
    device.read(name, |_| Ok(())).is_ok_and(|is| is.is_some())
}

/// Whether a device of the kernel's list is left out.
#[must_use]
pub fn has_link(kinds: ExcludedKinds, link: &Link) -> bool {
    let port = kinds.bridge_port && link.slave_kind == b"bridge";
    match link.kind.as_slice() {
        b"veth" => kinds.veth || port,
        b"tun" => port,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
