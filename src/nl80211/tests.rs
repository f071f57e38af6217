//! The bytes are put together attribute by attribute with the numbers of include/uapi/linux/nl80211.h: no machine with a
//! wireless device was at hand.

use super::*;
use crate::netlink::attributes::push_nested;

fn u16_(bytes: &mut Vec<u8>, kind: u16, value: u16) {
    push(bytes, kind, &value.to_ne_bytes());
}

fn u32_(bytes: &mut Vec<u8>, kind: u16, value: u32) {
    push(bytes, kind, &value.to_ne_bytes());
}

fn u64_(bytes: &mut Vec<u8>, kind: u16, value: u64) {
    push(bytes, kind, &value.to_ne_bytes());
}

/// What `nl80211_send_iface` sends of an access point's device.
fn access_point() -> Vec<u8> {
    let mut bytes = vec![7, 1, 0, 0]; // NL80211_CMD_NEW_INTERFACE
    u32_(&mut bytes, 3, 5); // NL80211_ATTR_IFINDEX
    push(&mut bytes, 4, b"phy0-ap0\0"); // NL80211_ATTR_IFNAME
    u32_(&mut bytes, 1, 0); // NL80211_ATTR_WIPHY
    u32_(&mut bytes, 5, 3); // NL80211_ATTR_IFTYPE: NL80211_IFTYPE_AP
    u64_(&mut bytes, 153, 2); // NL80211_ATTR_WDEV
    push(&mut bytes, 6, &[2, 0, 0, 0, 0, 1]); // NL80211_ATTR_MAC
    u32_(&mut bytes, 46, 7); // NL80211_ATTR_GENERATION
    u32_(&mut bytes, 38, 5180); // NL80211_ATTR_WIPHY_FREQ
    push(&mut bytes, 52, b"home"); // NL80211_ATTR_SSID
    bytes
}

fn rates(narrow: Option<u16>, wide: Option<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(wide) = wide {
        u32_(&mut bytes, 5, wide); // NL80211_RATE_INFO_BITRATE32
    }
    if let Some(narrow) = narrow {
        u16_(&mut bytes, 1, narrow); // NL80211_RATE_INFO_BITRATE
    }
    push(&mut bytes, 2, &[7]); // NL80211_RATE_INFO_MCS
    bytes
}

fn info(wide: bool) -> Vec<u8> {
    let mut info = Vec::new();
    u32_(&mut info, 16, 3600); // NL80211_STA_INFO_CONNECTED_TIME
    u32_(&mut info, 1, 1500); // NL80211_STA_INFO_INACTIVE_TIME
    if wide {
        u64_(&mut info, 23, 5_000_000_000); // NL80211_STA_INFO_RX_BYTES64
        u64_(&mut info, 24, 6_000_000_000); // NL80211_STA_INFO_TX_BYTES64
    }
    u32_(&mut info, 2, 705_032_704); // NL80211_STA_INFO_RX_BYTES
    u32_(&mut info, 3, 1_705_032_704); // NL80211_STA_INFO_TX_BYTES
    push(&mut info, 7, &(-52i8).to_ne_bytes()); // NL80211_STA_INFO_SIGNAL
    push(&mut info, 13, &(-55i8).to_ne_bytes()); // NL80211_STA_INFO_SIGNAL_AVG
    push_nested(&mut info, 8, &rates(None, Some(96_078))); // NL80211_STA_INFO_TX_BITRATE
    push_nested(&mut info, 14, &rates(Some(60), None)); // NL80211_STA_INFO_RX_BITRATE
    u32_(&mut info, 9, 11); // NL80211_STA_INFO_RX_PACKETS
    u32_(&mut info, 10, 12); // NL80211_STA_INFO_TX_PACKETS
    u32_(&mut info, 11, 13); // NL80211_STA_INFO_TX_RETRIES
    u32_(&mut info, 12, 14); // NL80211_STA_INFO_TX_FAILED
    u32_(&mut info, 18, 15); // NL80211_STA_INFO_BEACON_LOSS
    info
}

/// What `nl80211_send_station` sends.
fn one_station(info: &[u8]) -> Vec<u8> {
    let mut bytes = vec![19, 1, 0, 0]; // NL80211_CMD_NEW_STATION
    u32_(&mut bytes, 3, 5); // NL80211_ATTR_IFINDEX
    push(&mut bytes, 6, &ADDRESS); // NL80211_ATTR_MAC
    u32_(&mut bytes, 46, 7); // NL80211_ATTR_GENERATION
    push_nested(&mut bytes, 21, info); // NL80211_ATTR_STA_INFO
    bytes
}

const ADDRESS: [u8; 6] = [0x02, 0xab, 0, 0, 0, 1];

const STATION: Station = Station {
    address: ADDRESS,
    connected: 3600,
    inactive: 1500,
    receive_rate: 60,
    transmit_rate: 96_078,
    received_bytes: 5_000_000_000,
    transmitted_bytes: 6_000_000_000,
    received_packets: 11,
    transmitted_packets: 12,
    signal: Some(-52),
    retries: 13,
    failed: 14,
    beacon_loss: 15,
};

/// Supported rates (element 1) before the SSID, and a channel (element 3) behind it.
const ELEMENTS: &[u8] = b"\x01\x02\x82\x84\x00\x04home\x03\x01\x24";

/// What `nl80211_send_bss` sends.
fn scanned(status: Option<u32>, elements: &[u8]) -> Vec<u8> {
    let mut nest = Vec::new();
    push(&mut nest, 1, &ADDRESS); // NL80211_BSS_BSSID
    push(&mut nest, 6, elements); // NL80211_BSS_INFORMATION_ELEMENTS
    u16_(&mut nest, 4, 100); // NL80211_BSS_BEACON_INTERVAL
    u32_(&mut nest, 2, 5180); // NL80211_BSS_FREQUENCY
    if let Some(status) = status {
        u32_(&mut nest, 9, status); // NL80211_BSS_STATUS
    }
    let mut bytes = vec![34, 1, 0, 0]; // NL80211_CMD_NEW_SCAN_RESULTS
    u32_(&mut bytes, 46, 7); // NL80211_ATTR_GENERATION
    u32_(&mut bytes, 3, 5); // NL80211_ATTR_IFINDEX
    push_nested(&mut bytes, 47, &nest); // NL80211_ATTR_BSS
    bytes
}

fn ssid_in(elements: &[u8]) -> Vec<u8> {
    let message = scanned(Some(1), elements);
    bss(&message).unwrap().unwrap().ssid.to_vec()
}

#[test]
fn parses() {
    let expected = Interface {
        index: 5,
        name: b"phy0-ap0",
        frequency: 5180,
    };
    assert_eq!(interface(&access_point()), Ok(Some(expected)));
    assert_eq!(station(&one_station(&info(true))), Ok(Some(STATION)));
    for (number, status) in [
        (0, Status::Client),
        (1, Status::Client),
        (2, Status::AdHoc),
        (3, Status::Unknown),
    ] {
        let expected = Bss {
            bssid: ADDRESS,
            ssid: b"home",
            status,
        };
        assert_eq!(bss(&scanned(Some(number), ELEMENTS)), Ok(Some(expected)));
    }
}

#[test]
fn bytes_of_32_bits_where_there_are_no_others() {
    let narrow = Station {
        received_bytes: 705_032_704,
        transmitted_bytes: 1_705_032_704,
        ..STATION
    };
    assert_eq!(station(&one_station(&info(false))), Ok(Some(narrow)));
}

#[test]
fn the_wider_rate_wins_in_whichever_order() {
    let rate = |nest: &[u8]| {
        let mut info = Vec::new();
        push_nested(&mut info, 14, nest);
        station(&one_station(&info)).unwrap().unwrap().receive_rate
    };
    let (wide, narrow) = (rates(None, Some(70_000)), rates(Some(9), None));
    assert_eq!(rate(&[&wide[..], &narrow].concat()), 70_000);
    assert_eq!(rate(&[&narrow[..], &wide].concat()), 70_000);
    assert_eq!((rate(&narrow), rate(&[])), (9, 0));
}

#[test]
fn what_is_not_told_is_zero_and_the_signal_missing() {
    let silent = Station {
        address: ADDRESS,
        ..Station::default()
    };
    assert_eq!(station(&one_station(&[])), Ok(Some(silent)));
    assert_eq!(silent.signal, None);
}

#[test]
fn devices_without_a_name_and_bsses_that_are_not_used_are_passed_over() {
    let mut p2p = vec![7, 1, 0, 0];
    u32_(&mut p2p, 1, 0); // NL80211_ATTR_WIPHY
    u32_(&mut p2p, 5, 10); // NL80211_ATTR_IFTYPE: NL80211_IFTYPE_P2P_DEVICE
    assert_eq!(interface(&p2p), Ok(None));
    u32_(&mut p2p, 3, 5);
    assert_eq!(interface(&p2p), Ok(None));
    assert_eq!(bss(&scanned(None, ELEMENTS)), Ok(None));
    // Another command of the family.
    let others = [access_point(), one_station(&[]), scanned(Some(1), b"")];
    let [first, second, third] = others.map(|mut bytes| {
        bytes[0] = 1;
        bytes
    });
    assert_eq!(interface(&first), Ok(None));
    assert_eq!(station(&second), Ok(None));
    assert_eq!(bss(&third), Ok(None));
}

#[test]
fn a_device_on_no_channel() {
    let mut bytes = vec![7, 1, 0, 0];
    u32_(&mut bytes, 3, 5);
    push(&mut bytes, 4, b"wlan0\0");
    let expected = Interface {
        index: 5,
        name: b"wlan0",
        frequency: 0,
    };
    assert_eq!(interface(&bytes), Ok(Some(expected)));
}

#[test]
fn an_ssid_is_any_bytes_and_nonsense_from_the_air_is_none() {
    assert_eq!(ssid_in(b"\x00\x03\xff\0\n"), b"\xff\0\n");
    assert_eq!(ssid_in(b"\x00\x00\x01\x01\x82"), b"");
    for nonsense in [
        &b""[..],
        b"\x00",
        b"\x00\x05home",
        b"\x01\xff\x00\x04home",
        b"\x01\x01",
    ] {
        assert_eq!(ssid_in(nonsense), b"", "{nonsense:?}");
    }
}

#[test]
fn short() {
    let malformed = |expected, found| Cause::Malformed(expected, found);
    let header = malformed("a genlmsghdr of 4 bytes", 3);
    assert_eq!(interface(&[7, 1, 0]), Err(header));
    assert_eq!(station(&[7, 1, 0]), Err(header));
    assert_eq!(bss(&[7, 1, 0]), Err(header));
    for (kind, length, expected) in [
        (3, 3, "an NL80211_ATTR_IFINDEX of 4 bytes"),
        (38, 2, "an NL80211_ATTR_WIPHY_FREQ of 4 bytes"),
    ] {
        let mut bytes = access_point();
        push(&mut bytes, kind, &vec![1; length]);
        assert_eq!(interface(&bytes), Err(malformed(expected, length)));
    }
    let mut bytes = one_station(&[]);
    push(&mut bytes, 6, &[1; 5]);
    let expected = "an NL80211_ATTR_MAC of 6 bytes";
    assert_eq!(station(&bytes), Err(malformed(expected, 5)));
    for (kind, size) in [1, 2, 3, 9, 10, 11, 12, 16, 18]
        .map(|kind| (kind, 4))
        .into_iter()
        .chain([(7, 1), (23, 8), (24, 8)])
    {
        let mut info = info(true);
        push(&mut info, kind, &vec![1; size - 1]);
        let result = station(&one_station(&info));
        let found = matches!(result, Err(Cause::Malformed(_, found)) if found == size - 1);
        assert!(found, "attribute {kind}: {result:?}");
    }
    for (kind, size) in [(1, 2), (5, 4)] {
        let (mut nest, mut info) = (Vec::new(), Vec::new());
        push(&mut nest, kind, &vec![1; size - 1]);
        push_nested(&mut info, 8, &nest);
        assert!(station(&one_station(&info)).is_err(), "rate {kind}");
    }
    for (kind, size) in [(1, 6), (9, 4)] {
        let (mut nest, mut bytes) = (Vec::new(), vec![34, 1, 0, 0]);
        push(&mut nest, kind, &vec![1; size - 1]);
        push_nested(&mut bytes, 47, &nest);
        assert!(bss(&bytes).is_err(), "BSS {kind}");
    }
}

#[test]
fn empty() {
    assert!(interface(&[]).is_err() && station(&[]).is_err() && bss(&[]).is_err());
    assert_eq!(interface(&[7, 1, 0, 0]), Ok(None));
    assert_eq!(station(&[19, 1, 0, 0]), Ok(None));
    assert_eq!(bss(&[34, 1, 0, 0]), Ok(None));
    let mut bytes = vec![34, 1, 0, 0];
    push_nested(&mut bytes, 47, &[]);
    assert_eq!(bss(&bytes), Ok(None));
}

/// Everything there is, whichever message it is taken for.
fn all(bytes: &[u8]) -> [bool; 3] {
    [
        interface(bytes).is_ok(),
        station(bytes).is_ok(),
        bss(bytes).is_ok(),
    ]
}

/// Where the attributes behind the header begin, and where their values end, padding or not.
fn ends(message: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (4, vec![4]);
    while at < message.len() {
        let length = usize::from(u16::from_ne_bytes([message[at], message[at + 1]]));
        ends.extend(at + length..=(at + length).next_multiple_of(4));
        at = (at + length).next_multiple_of(4);
    }
    ends
}

#[test]
fn ends_abruptly() {
    for (place, message) in messages().iter().enumerate() {
        let ends = ends(message);
        for end in 0..message.len() {
            let whole = ends.contains(&end);
            let result = all(&message[..end])[place];
            assert_eq!(result, whole, "message {place} cut at {end}");
        }
    }
}

fn messages() -> [Vec<u8>; 3] {
    [
        access_point(),
        one_station(&info(true)),
        scanned(Some(1), ELEMENTS),
    ]
}

#[test]
fn an_attribute_past_the_end_is_an_error_in_a_nest_too() {
    for message in [&info(true), &rates(Some(1), None)] {
        let mut nest = message.clone();
        nest[..2].copy_from_slice(&u16::MAX.to_ne_bytes());
        let mut info = nest.clone();
        if message.len() < 40 {
            info.clear();
            push_nested(&mut info, 8, &nest);
        }
        let expected = "an attribute that ends inside its message";
        let error = Cause::Malformed(expected, usize::from(u16::MAX));
        assert_eq!(station(&one_station(&info)), Err(error));
    }
    let mut bytes = scanned(Some(1), ELEMENTS);
    let nest = bytes.len() - 8;
    bytes[nest..nest + 2].copy_from_slice(&100u16.to_ne_bytes());
    assert!(bss(&bytes).is_err());
    let mut bytes = access_point();
    bytes[4..6].copy_from_slice(&1000u16.to_ne_bytes());
    assert!(interface(&bytes).is_err());
}

#[test]
fn garbling_never_panics() {
    for message in messages() {
        for at in 0..message.len() {
            for byte in 0..=255 {
                let mut bytes = message.clone();
                bytes[at] = byte;
                all(&bytes);
            }
            let mut without = message.clone();
            without.remove(at);
            all(&without);
        }
    }
}

#[test]
fn a_request_names_its_device() {
    let body = of_device(NL80211_CMD_GET_STATION, 5);
    let mut expected = vec![17, 0, 0, 0];
    u32_(&mut expected, 3, 5);
    assert_eq!(body, expected);
    let request = Nl80211 { family: 28 }.request("NL80211_CMD_GET_STATION", &body);
    assert!(request.dump && (request.kind, request.answer) == (28, 28));
}

#[test]
fn refusals_that_mean_none() {
    let error = |cause| NetlinkError {
        request: "NL80211_CMD_GET_STATION",
        cause,
    };
    assert!(has_none(&error(Cause::Refused(Errno::OPNOTSUPP))));
    assert!(has_none(&error(Cause::Refused(Errno::NODEV))));
    assert!(!has_none(&error(Cause::Refused(Errno::PERM))));
    assert!(!has_none(&error(Cause::TooLong)));
    assert!(is_absent(&error(Cause::Refused(Errno::NOENT))));
    let refused = Cause::Call("socket", Errno::PROTONOSUPPORT);
    assert!(is_absent(&error(refused)));
    assert!(!is_absent(&error(Cause::Call("socket", Errno::MFILE))));
    assert!(!is_absent(&error(Cause::Malformed("x", 0))));
}
