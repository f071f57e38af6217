//! One network device in the kernel's list of them: RTM_GETLINK.
//!
//! rtnetlink(7), include/uapi/linux/if_link.h (`rtnl_fill_ifinfo` in net/core/rtnetlink.c), since Linux 2.2; attributes
//! came later one by one, and one that this kernel lacks is `None`.
//!
//! ```text
//! struct ifinfomsg  0 family  2 type be ARPHRD_  4 index  8 flags  12 change  16 attributes (IFLA_*)
//! ```
//!
//! Traps:
//! - The flags are not those of sysfs: IFF_RUNNING, IFF_LOWER_UP and IFF_DORMANT are put in, IFF_PROMISC and IFF_ALLMULTI
//!   are only what somebody asked for by hand (`dev_get_flags`). Whether the device really is in those modes stands in
//!   IFLA_PROMISCUITY and, since Linux 6.0, IFLA_ALLMULTI.
//! - IFLA_CARRIER is there for a device that is down too, where sysfs answers EINVAL.
//! - IFLA_LINK is left out where it is the device's own index.
//! - IFLA_STATS64 comes whatever is asked; RTEXT_FILTER_SKIP_STATS (since Linux 4.4, older kernels pass over it) leaves
//!   out the counters of IPv6, which nobody reads and each of which is a sum over all processors.
//! - Numbers that sysfs prints with %d are unsigned here (an MTU may be 4294967295, which sysfs shows as -1).

use crate::links::Modes;
use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::Attribute;
use crate::netlink::attributes::attributes;
use crate::netlink::attributes::push;
use crate::netlink::half;
use crate::netlink::word;

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_TXQLEN: u16 = 13;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKMODE: u16 = 17;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_STATS64: u16 = 23;
const IFLA_GROUP: u16 = 27;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_CARRIER: u16 = 33;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_CARRIER_UP_COUNT: u16 = 47;
const IFLA_CARRIER_DOWN_COUNT: u16 = 48;
const IFLA_ALLMULTI: u16 = 61;

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;

const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 1 << 6;
const IFF_PROMISC: u32 = 1 << 8;
const IFF_ALLMULTI: u32 = 1 << 9;
const IFF_LOWER_UP: u32 = 1 << 16;
const IFF_DORMANT: u32 = 1 << 17;

/// `struct ifinfomsg`.
const HEADER: usize = 16;
/// Where `struct rtnl_link_stats64` has rx_nohandler, since Linux 4.6.
const NOHANDLER: usize = 23 * 8;

/// A network device, in the kernel's words and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub ifindex: u32,
    /// Its name, any bytes but `/` and white space.
    pub name: Vec<u8>,
    /// ARPHRD_ of linux/if_arp.h: what kind of addresses it has.
    pub hardware_type: u16,
    /// IFF_ of linux/if.h, as netlink has them.
    pub flags: u32,
    /// Its hardware address; empty where it has none.
    pub address: Vec<u8>,
    /// The hardware address that reaches all; empty where it has none.
    pub broadcast: Vec<u8>,
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
    /// IF_OPER_ of linux/if.h (RFC 2863).
    pub operstate: Option<u8>,
    /// IF_LINK_MODE_ of linux/if.h.
    pub link_mode: Option<u8>,
    /// The most packets in its transmit queue.
    pub transmit_queue_length: Option<u32>,
    /// The group that somebody put it in.
    pub group: Option<u32>,
    /// The index of the device below, where that is another one; it may be in another namespace.
    pub link: Option<u32>,
    /// Whether it has a carrier, told also of a device that is down.
    pub carrier: Option<bool>,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u32>,
    /// How often the carrier came.
    pub carrier_up_count: Option<u32>,
    /// How often the carrier went.
    pub carrier_down_count: Option<u32>,
    /// How many want it to take all packets.
    pub promiscuity: Option<u32>,
    /// How many want it to take all multicast packets.
    pub allmulti: Option<u32>,
    /// What somebody called it; empty by default.
    pub alias: Vec<u8>,
    /// What kind of virtual device it is (`veth`, `bridge`); empty for hardware and loopback.
    pub kind: Vec<u8>,
    /// What kind of device it is a port of (`bridge`, `bond`); empty when it is none.
    pub slave_kind: Vec<u8>,
    /// Packets that arrived and that nobody wanted, on a port that is not in use.
    pub receive_nohandler: Option<u64>,
    /// Speed and duplex.
    pub modes: Modes,
}

impl Link {
    /// Whether it is switched on.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// Whether it is up and waits for something such as 802.1X.
    #[must_use]
    pub fn is_dormant(&self) -> bool {
        self.flags & IFF_DORMANT != 0
    }

    /// The flags as sysfs has them; `None` where this kernel does not tell all of them over netlink.
    #[must_use]
    pub fn own_flags(&self) -> Option<u32> {
        const NOT_ITS_OWN: u32 =
            IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT | IFF_PROMISC | IFF_ALLMULTI;
        let set = |flag, count: u32| if count > 0 { flag } else { 0 };
        let promisc = set(IFF_PROMISC, self.promiscuity?);
        let allmulti = set(IFF_ALLMULTI, self.allmulti?);
        Some(self.flags & !NOT_ITS_OWN | promisc | allmulti)
    }
}

/// Asks for all devices of this thread's network namespace and gives each to `each`; says whether the dump was
/// interrupted and had better be repeated.
///
/// # Errors
/// When a call fails, the kernel refuses, or what it sends breaks the format.
pub fn dump(mut each: impl FnMut(Link)) -> Result<bool, NetlinkError> {
    request(&body()).ask(|payload| {
        each(link(payload)?);
        Ok(())
    })
}

fn request(body: &[u8]) -> Request<'_> {
    Request {
        name: "RTM_GETLINK",
        protocol: None,
        kind: RTM_GETLINK,
        answer: RTM_NEWLINK,
        dump: true,
        body,
    }
}

fn body() -> Vec<u8> {
    let mut body = vec![0; HEADER];
    push(
        &mut body,
        IFLA_EXT_MASK,
        &RTEXT_FILTER_SKIP_STATS.to_ne_bytes(),
    );
    body
}

/// One device.
///
/// # Errors
/// When the message is too short, an attribute goes past its end or is shorter than its kind of value, or the name is
/// missing.
pub fn link(payload: &[u8]) -> Result<Link, Cause> {
    let Some((header, rest)) = payload.split_first_chunk::<HEADER>() else {
        let expected = "an ifinfomsg of 16 bytes";
        return Err(Cause::Malformed(expected, payload.len()));
    };
    let mut link = Link {
        ifindex: word(header, 4),
        hardware_type: half(header, 2),
        flags: word(header, 8),
        ..Link::default()
    };
    for attribute in attributes(rest) {
        link.take(&attribute?)?;
    }
    if link.name.is_empty() {
        return Err(Cause::Malformed("an IFLA_IFNAME", 0));
    }
    Ok(link)
}

impl Link {
    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), Cause> {
        const BYTE: &str = "an attribute of 1 byte";
        const WORD: &str = "an attribute of 4 bytes";
        let byte = || attribute.u8(BYTE).map(Some);
        let word = || attribute.u32(WORD).map(Some);
        match attribute.kind {
            IFLA_IFNAME => self.name = attribute.text().to_vec(),
            IFLA_IFALIAS => self.alias = attribute.text().to_vec(),
            IFLA_ADDRESS => self.address = attribute.value.to_vec(),
            IFLA_BROADCAST => self.broadcast = attribute.value.to_vec(),
            IFLA_MTU => self.mtu = word()?,
            IFLA_LINK => self.link = word()?,
            IFLA_TXQLEN => self.transmit_queue_length = word()?,
            IFLA_OPERSTATE => self.operstate = byte()?,
            IFLA_LINKMODE => self.link_mode = byte()?,
            IFLA_GROUP => self.group = word()?,
            IFLA_PROMISCUITY => self.promiscuity = word()?,
            IFLA_ALLMULTI => self.allmulti = word()?,
            IFLA_CARRIER => self.carrier = byte()?.map(|byte| byte != 0),
            IFLA_CARRIER_CHANGES => self.carrier_changes = word()?,
            IFLA_CARRIER_UP_COUNT => self.carrier_up_count = word()?,
            IFLA_CARRIER_DOWN_COUNT => self.carrier_down_count = word()?,
            IFLA_STATS64 => {
                let counter = attribute.value.get(NOHANDLER..);
                let counter = counter.and_then(<[u8]>::first_chunk).copied();
                self.receive_nohandler = counter.map(u64::from_ne_bytes);
            }
            IFLA_LINKINFO => {
                for inner in attribute.nested() {
                    let inner = inner?;
                    match inner.kind {
                        IFLA_INFO_KIND => self.kind = inner.text().to_vec(),
                        IFLA_INFO_SLAVE_KIND => self.slave_kind = inner.text().to_vec(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
