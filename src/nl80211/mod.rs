//! What nl80211 tells of wireless devices: the devices, the stations behind each, and the BSS that one belongs to.
//!
//! include/uapi/linux/nl80211.h (`nl80211_send_iface`, `nl80211_send_station`, `nl80211_put_sta_rate` and `nl80211_send_bss`
//! in the kernel's net/wireless/nl80211.c), a family of generic netlink since Linux 2.6.24. No privilege is needed for
//! these three dumps.
//!
//! ```text
//! NL80211_CMD_NEW_INTERFACE     IFINDEX u32  IFNAME text  WIPHY_FREQ u32, MHz, while it is on a channel
//! NL80211_CMD_NEW_STATION       MAC 6 bytes  STA_INFO {INACTIVE_TIME u32, ms  CONNECTED_TIME u32, s  RX_BYTES u32 ...
//!                               TX_BITRATE {BITRATE u16, BITRATE32 u32, both in 100 kbit/s}}
//! NL80211_CMD_NEW_SCAN_RESULTS  BSS {BSSID 6 bytes  INFORMATION_ELEMENTS  STATUS u32, of a BSS in use only}
//! element                       0 number  1 length, of the data alone  2 data; the SSID is number 0
//! ```
//!
//! Traps: a driver fills in what it knows, so nearly everything may be missing. Bytes are there twice, in 32 bits and by later
//! kernels in 64; rates too, and the one of 16 bits is missing when it does not fit. Devices without a network interface (P2P,
//! NAN) have no name. The elements come from the air as somebody sent them, so that nonsense there is no error.

mod messages;

use rustix::io::Errno;
use rustix::net::netlink::GENERIC;

use crate::netlink::Cause;
pub use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::push;
use crate::netlink::generic;
pub use crate::netlink::settled;

pub use self::messages::Bss;
pub use self::messages::Interface;
pub use self::messages::Station;
pub use self::messages::Status;
pub use self::messages::bss;
pub use self::messages::interface;
pub use self::messages::station;

const NL80211_CMD_GET_INTERFACE: u8 = 5;
const NL80211_CMD_GET_STATION: u8 = 17;
const NL80211_CMD_GET_SCAN: u8 = 32;
const NL80211_ATTR_IFINDEX: u16 = 3;

/// nl80211 in this kernel: the number of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nl80211 {
    family: u16,
}

impl Nl80211 {
    /// Finds it; `None` where the kernel has none, or no generic netlink. A kernel that could load it as a module does so.
    ///
    /// # Errors
    /// When the kernel cannot be asked now, or sends what breaks the format.
    pub fn find() -> Result<Option<Self>, NetlinkError> {
        match generic::family("nl80211") {
            Ok(family) => Ok(Some(Self { family })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the wireless devices of this network namespace to `each`, and says whether the dump was interrupted and had
    /// better be repeated.
    ///
    /// # Errors
    /// When the kernel refuses or sends what breaks the format.
    pub fn interfaces(self, mut each: impl FnMut(&Interface<'_>)) -> Result<bool, NetlinkError> {
        let body = generic::body(NL80211_CMD_GET_INTERFACE, 0);
        let request = self.request("NL80211_CMD_GET_INTERFACE", &body);
        request.ask(|payload| {
            if let Some(interface) = interface(payload)? {
                each(&interface);
            }
            Ok(())
        })
    }

    /// Gives the stations of the device `index` to `each`, as [`Self::interfaces`] does.
    ///
    /// # Errors
    /// When the kernel refuses, which [`has_none`] may explain, or sends what breaks the format.
    pub fn stations(
        self,
        index: u32,
        mut each: impl FnMut(&Station),
    ) -> Result<bool, NetlinkError> {
        let body = of_device(NL80211_CMD_GET_STATION, index);
        let request = self.request("NL80211_CMD_GET_STATION", &body);
        request.ask(|payload| {
            if let Some(station) = station(payload)? {
                each(&station);
            }
            Ok(())
        })
    }

    /// Gives each BSS that the device `index` uses to `each`, as [`Self::interfaces`] does. The kernel tells what the last
    /// scans found; it does not scan for this.
    ///
    /// # Errors
    /// When the kernel refuses, which [`has_none`] may explain, or sends what breaks the format.
    pub fn bsses(self, index: u32, mut each: impl FnMut(&Bss<'_>)) -> Result<bool, NetlinkError> {
        let body = of_device(NL80211_CMD_GET_SCAN, index);
        let request = self.request("NL80211_CMD_GET_SCAN", &body);
        request.ask(|payload| {
            if let Some(bss) = bss(payload)? {
                each(&bss);
            }
            Ok(())
        })
    }

    fn request<'a>(self, name: &'static str, body: &'a [u8]) -> Request<'a> {
        Request {
            name,
            protocol: Some(GENERIC),
            kind: self.family,
            answer: self.family,
            dump: true,
            body,
        }
    }
}

/// The body of a request about one device.
fn of_device(command: u8, index: u32) -> Vec<u8> {
    let mut body = generic::body(command, 0);
    push(&mut body, NL80211_ATTR_IFINDEX, &index.to_ne_bytes());
    body
}

/// Whether the search for the family failed because there is none: emulators refuse the socket or the request.
fn is_absent(error: &NetlinkError) -> bool {
    let refused = matches!(error.cause, Cause::Call("socket", _) | Cause::Refused(_));
    refused && !error.is_passing()
}

/// Whether the kernel refused because the device has nothing of the kind: its driver cannot tell, it is down, or it is gone
/// by now.
#[must_use]
pub fn has_none(error: &NetlinkError) -> bool {
    matches!(
        error.cause,
        Cause::Refused(Errno::OPNOTSUPP | Errno::NODEV | Errno::NOENT | Errno::NETDOWN)
    )
}

#[cfg(test)]
mod tests;
