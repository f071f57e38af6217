//! The three messages, each one a function over its bytes.

use crate::netlink::Cause;
use crate::netlink::attributes::Attribute;
use crate::netlink::generic;

const NL80211_CMD_NEW_INTERFACE: u8 = 7;
const NL80211_CMD_NEW_STATION: u8 = 19;
const NL80211_CMD_NEW_SCAN_RESULTS: u8 = 34;

const NL80211_ATTR_IFINDEX: u16 = 3;
const NL80211_ATTR_IFNAME: u16 = 4;
const NL80211_ATTR_MAC: u16 = 6;
const NL80211_ATTR_STA_INFO: u16 = 21;
const NL80211_ATTR_WIPHY_FREQ: u16 = 38;
const NL80211_ATTR_BSS: u16 = 47;

const NL80211_STA_INFO_INACTIVE_TIME: u16 = 1;
const NL80211_STA_INFO_RX_BYTES: u16 = 2;
const NL80211_STA_INFO_TX_BYTES: u16 = 3;
const NL80211_STA_INFO_SIGNAL: u16 = 7;
const NL80211_STA_INFO_TX_BITRATE: u16 = 8;
const NL80211_STA_INFO_RX_PACKETS: u16 = 9;
const NL80211_STA_INFO_TX_PACKETS: u16 = 10;
const NL80211_STA_INFO_TX_RETRIES: u16 = 11;
const NL80211_STA_INFO_TX_FAILED: u16 = 12;
const NL80211_STA_INFO_RX_BITRATE: u16 = 14;
const NL80211_STA_INFO_CONNECTED_TIME: u16 = 16;
const NL80211_STA_INFO_BEACON_LOSS: u16 = 18;
const NL80211_STA_INFO_RX_BYTES64: u16 = 23;
const NL80211_STA_INFO_TX_BYTES64: u16 = 24;

const NL80211_RATE_INFO_BITRATE: u16 = 1;
const NL80211_RATE_INFO_BITRATE32: u16 = 5;

const NL80211_BSS_BSSID: u16 = 1;
const NL80211_BSS_INFORMATION_ELEMENTS: u16 = 6;
const NL80211_BSS_STATUS: u16 = 9;

const NL80211_BSS_STATUS_AUTHENTICATED: u32 = 0;
const NL80211_BSS_STATUS_ASSOCIATED: u32 = 1;
const NL80211_BSS_STATUS_IBSS_JOINED: u32 = 2;

/// The element that holds the SSID.
const WLAN_EID_SSID: u8 = 0;

/// A wireless device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface<'a> {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: &'a [u8],
    /// Where its channel is, in MHz; 0 while it is on none.
    pub frequency: u32,
}

/// What a device knows of a station that it talks with. What the driver does not tell is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Station {
    /// The station's address.
    pub address: [u8; 6],
    /// Since it connected, in seconds.
    pub connected: u32,
    /// Since it last did anything, in milliseconds.
    pub inactive: u32,
    /// How fast it was last received, in units of 100 kbit/s.
    pub receive_rate: u32,
    /// How fast it is sent to, in units of 100 kbit/s.
    pub transmit_rate: u32,
    /// Bytes from it.
    pub received_bytes: u64,
    /// Bytes to it.
    pub transmitted_bytes: u64,
    /// Packets from it.
    pub received_packets: u32,
    /// Packets to it.
    pub transmitted_packets: u32,
    /// How strong it was last received, in dBm; 0 would be a value, so this one may be missing.
    pub signal: Option<i8>,
    /// Times that something had to be sent to it again.
    pub retries: u32,
    /// What could not be sent to it.
    pub failed: u32,
    /// Times that its beacons stayed away.
    pub beacon_loss: u32,
}

/// A BSS that the device uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bss<'a> {
    /// The BSS's number: the address of its access point.
    pub bssid: [u8; 6],
    /// The network's name, any bytes; empty when it is hidden.
    pub ssid: &'a [u8],
    /// How the device uses it.
    pub status: Status,
}

/// How a device uses a BSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As a client of an access point: associated, or on older kernels authenticated.
    Client,
    /// As one of several that talk with each other.
    AdHoc,
    /// Otherwise.
    Unknown,
}

/// The device in one message; `None` for one without a network interface.
///
/// # Errors
/// When something is shorter than its structure, or an attribute ends behind the message.
pub fn interface(payload: &[u8]) -> Result<Option<Interface<'_>>, Cause> {
    let (command, attributes) = generic::message(payload)?;
    let (mut index, mut name, mut frequency) = (None, &b""[..], 0);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            NL80211_ATTR_IFINDEX => {
                index = Some(attribute.u32("an NL80211_ATTR_IFINDEX of 4 bytes")?);
            }
            NL80211_ATTR_IFNAME => name = attribute.text(),
            NL80211_ATTR_WIPHY_FREQ => {
                frequency = attribute.u32("an NL80211_ATTR_WIPHY_FREQ of 4 bytes")?;
            }
            _ => {}
        }
    }
    let named = command == NL80211_CMD_NEW_INTERFACE && !name.is_empty();
    let index = index.filter(|_| named);
    Ok(index.map(|index| Interface {
        index,
        name,
        frequency,
    }))
}

/// The station in one message; `None` for one without an address or without anything about it.
///
/// # Errors
/// When something is shorter than its structure, or an attribute ends behind the message.
pub fn station(payload: &[u8]) -> Result<Option<Station>, Cause> {
    let (command, attributes) = generic::message(payload)?;
    let (mut address, mut info) = (None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            NL80211_ATTR_MAC => {
                address = Some(attribute.array("an NL80211_ATTR_MAC of 6 bytes")?);
            }
            NL80211_ATTR_STA_INFO => info = Some(station_info(&attribute)?),
            _ => {}
        }
    }
    if command != NL80211_CMD_NEW_STATION {
        return Ok(None);
    }
    let both = address.zip(info);
    Ok(both.map(|(address, info)| Station { address, ..info }))
}

fn station_info(nest: &Attribute<'_>) -> Result<Station, Cause> {
    const FOUR: &str = "a number of a station of 4 bytes";
    const EIGHT: &str = "a number of a station of 8 bytes";
    let mut station = Station::default();
    let (mut received, mut transmitted) = (None, None);
    for attribute in nest.nested() {
        let attribute = attribute?;
        match attribute.kind {
            NL80211_STA_INFO_INACTIVE_TIME => station.inactive = attribute.u32(FOUR)?,
            NL80211_STA_INFO_CONNECTED_TIME => station.connected = attribute.u32(FOUR)?,
            NL80211_STA_INFO_RX_BYTES => station.received_bytes = attribute.u32(FOUR)?.into(),
            NL80211_STA_INFO_TX_BYTES => station.transmitted_bytes = attribute.u32(FOUR)?.into(),
            NL80211_STA_INFO_RX_BYTES64 => received = Some(attribute.array(EIGHT)?),
            NL80211_STA_INFO_TX_BYTES64 => transmitted = Some(attribute.array(EIGHT)?),
            NL80211_STA_INFO_SIGNAL => {
                let byte = attribute.array("an NL80211_STA_INFO_SIGNAL of 1 byte")?;
                station.signal = Some(i8::from_ne_bytes(byte));
            }
            NL80211_STA_INFO_RX_BITRATE => station.receive_rate = rate(&attribute)?,
            NL80211_STA_INFO_TX_BITRATE => station.transmit_rate = rate(&attribute)?,
            NL80211_STA_INFO_RX_PACKETS => station.received_packets = attribute.u32(FOUR)?,
            NL80211_STA_INFO_TX_PACKETS => station.transmitted_packets = attribute.u32(FOUR)?,
            NL80211_STA_INFO_TX_RETRIES => station.retries = attribute.u32(FOUR)?,
            NL80211_STA_INFO_TX_FAILED => station.failed = attribute.u32(FOUR)?,
            NL80211_STA_INFO_BEACON_LOSS => station.beacon_loss = attribute.u32(FOUR)?,
            _ => {}
        }
    }
    // The order of the two widths is the kernel's business.
    station.received_bytes = received.map_or(station.received_bytes, u64::from_ne_bytes);
    station.transmitted_bytes = transmitted.map_or(station.transmitted_bytes, u64::from_ne_bytes);
    Ok(station)
}

/// A rate in units of 100 kbit/s.
fn rate(nest: &Attribute<'_>) -> Result<u32, Cause> {
    let (mut narrow, mut wide) = (0, None);
    for attribute in nest.nested() {
        let attribute = attribute?;
        match attribute.kind {
            NL80211_RATE_INFO_BITRATE => {
                narrow = attribute.u16("an NL80211_RATE_INFO_BITRATE of 2 bytes")?;
            }
            NL80211_RATE_INFO_BITRATE32 => {
                wide = Some(attribute.u32("an NL80211_RATE_INFO_BITRATE32 of 4 bytes")?);
            }
            _ => {}
        }
    }
    Ok(wide.unwrap_or(u32::from(narrow)))
}

/// The BSS in one message; `None` for one that the device does not use.
///
/// # Errors
/// When something is shorter than its structure, or an attribute ends behind the message.
pub fn bss(payload: &[u8]) -> Result<Option<Bss<'_>>, Cause> {
    let (command, attributes) = generic::message(payload)?;
    let mut found = None;
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind == NL80211_ATTR_BSS {
            found = used_bss(&attribute)?;
        }
    }
    Ok(found.filter(|_| command == NL80211_CMD_NEW_SCAN_RESULTS))
}

fn used_bss<'a>(nest: &Attribute<'a>) -> Result<Option<Bss<'a>>, Cause> {
    let (mut bssid, mut elements, mut status) = (None, &b""[..], None);
    for attribute in nest.nested() {
        let attribute = attribute?;
        match attribute.kind {
            NL80211_BSS_BSSID => bssid = Some(attribute.array("an NL80211_BSS_BSSID of 6 bytes")?),
            NL80211_BSS_INFORMATION_ELEMENTS => elements = attribute.value,
            NL80211_BSS_STATUS => {
                status = Some(attribute.u32("an NL80211_BSS_STATUS of 4 bytes")?);
            }
            _ => {}
        }
    }
    let ssid = ssid(elements);
    let both = bssid.zip(status);
    Ok(both.map(|(bssid, status)| Bss {
        bssid,
        ssid,
        status: match status {
            NL80211_BSS_STATUS_AUTHENTICATED | NL80211_BSS_STATUS_ASSOCIATED => Status::Client,
            NL80211_BSS_STATUS_IBSS_JOINED => Status::AdHoc,
            _ => Status::Unknown,
        },
    }))
}

/// The SSID among the elements of a beacon; empty when there is none before the first element that was cut short.
fn ssid(elements: &[u8]) -> &[u8] {
    let mut rest = elements;
    while let Some(([number, length], behind)) = rest.split_first_chunk::<2>() {
        let Some((data, next)) = behind.split_at_checked(usize::from(*length)) else {
            break;
        };
        if *number == WLAN_EID_SSID {
            return data;
        }
        rest = next;
    }
    &[]
}
