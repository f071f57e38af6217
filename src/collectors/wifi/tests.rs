use super::super::tree::Tree;
use super::*;
use crate::exposition;

/// The families that each station has a series of.
const OF_STATION: usize = 12;

fn samples(batch: &Batch) -> String {
    let mut text = Vec::new();
    exposition::encode(batch, &mut text);
    let text = String::from_utf8(text).expect("UTF-8");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| format!("{line}\n")).collect()
}

fn station(last: u8) -> Station {
    Station {
        address: [0x02, 0xab, 0, 0, 0, last],
        connected: 30,
        inactive: 400,
        receive_rate: 1280,
        transmit_rate: 1640,
        received_bytes: 5_000_000_000,
        transmitted_bytes: 200,
        received_packets: 4,
        transmitted_packets: 5,
        signal: Some(-52),
        retries: 10,
        failed: 2,
        beacon_loss: 3,
    }
}

#[test]
fn a_device_its_network_and_a_station() {
    let mut batch = Batch::default();
    write_frequency("wlan0", 5180, &mut batch);
    let bss = Bss {
        bssid: [0, 0x11, 0x22, 0x33, 0x44, 0xff],
        ssid: b"caf\xe9 \"free\"",
        status: Status::Client,
    };
    Network::new(&bss).write("wlan0", &mut batch);
    let mut stations = Stations::new(STATIONS);
    stations.add(&station(1));
    assert_eq!(stations.write("wlan0", &mut batch), 0);
    let labels = "{device=\"wlan0\",mac_address=\"02:ab:00:00:00:01\"}";
    let network = "bssid=\"00:11:22:33:44:ff\",ssid=\"caf\\\\xe9 \\\"free\\\"\",mode=\"client\"";
    let expected = format!(
        "node_wifi_interface_frequency_hertz{{device=\"wlan0\"}} 5180000000\n\
        node_wifi_station_info{{device=\"wlan0\",{network}}} 1\n\
        node_wifi_station_connected_seconds_total{labels} 30\n\
        node_wifi_station_inactive_seconds{labels} 0.4\n\
        node_wifi_station_receive_bits_per_second{labels} 128000000\n\
        node_wifi_station_transmit_bits_per_second{labels} 164000000\n\
        node_wifi_station_receive_bytes_total{labels} 5000000000\n\
        node_wifi_station_transmit_bytes_total{labels} 200\n\
        node_wifi_station_signal_dbm{labels} -52\n\
        node_wifi_station_transmit_retries_total{labels} 10\n\
        node_wifi_station_transmit_failed_total{labels} 2\n\
        node_wifi_station_beacon_loss_total{labels} 3\n\
        node_wifi_station_transmitted_packets_total{labels} 5\n\
        node_wifi_station_received_packets_total{labels} 4\n"
    );
    assert_eq!(samples(&batch), expected);
}

#[test]
fn a_signal_that_the_driver_does_not_tell_is_left_out() {
    let mut batch = Batch::default();
    let silent = Station {
        signal: None,
        ..station(1)
    };
    write_station("wlan0", "02:ab:00:00:00:01", &silent, &mut batch);
    assert_eq!(samples(&batch).lines().count(), OF_STATION - 1);
}

#[test]
fn each_mode_has_its_word() {
    let mode = |status| {
        let bss = Bss {
            bssid: [0; 6],
            ssid: b"",
            status,
        };
        Network::new(&bss).mode
    };
    let modes = [Status::Client, Status::AdHoc, Status::Unknown].map(mode);
    assert_eq!(modes, ["client", "ad-hoc", "unknown"]);
}

#[test]
fn the_lowest_addresses_stay_and_one_told_twice_is_there_once() {
    let mut stations = Stations::new(2);
    for last in [9, 1, 1, 5, 7] {
        stations.add(&station(last));
    }
    let mut batch = Batch::default();
    assert_eq!(stations.write("wlan0", &mut batch), 2);
    let text = samples(&batch);
    assert_eq!(text.lines().count(), 2 * OF_STATION);
    assert!(text.contains(":01\"") && text.contains(":05\"") && !text.contains(":07\""));
    let mut full = Stations::new(0);
    full.add(&station(1));
    assert_eq!(full.write("wlan1", &mut Batch::default()), 1);
}

#[test]
fn the_devices_with_the_lowest_indexes_stay() {
    let found = [("wlan0", 9), ("wlan1", 3), ("wlan2", 4)];
    let devices = found.map(|(name, index)| (name.as_bytes().to_vec(), (index, 0)));
    let (kept, left_out) = lowest(devices.into(), 2);
    let names: Vec<_> = kept.iter().map(|(name, _)| printable(name)).collect();
    assert_eq!((names, left_out), (vec!["wlan1".into(), "wlan2".into()], 1));
}

#[test]
fn a_class_that_sysfs_does_not_have_keeps_the_kernel_from_being_asked() {
    let files = |sysfs: &str| {
        let root = std::env::temp_dir().join(format!("weir-{}-wifi-class", std::process::id()));
        Files::open(&root.join("proc"), &root.join(sysfs)).expect("a tree")
    };
    let tree = Tree::new("wifi-class");
    tree.write("sys/class/net/lo/mtu", "65536\n");
    assert!(has_no_class(&files("sys")));
    tree.write("sys/class/ieee80211/phy0/index", "0\n");
    assert!(!has_no_class(&files("sys")));
    // Without classes nothing is known.
    assert!(!has_no_class(&files("proc")));
}

#[test]
fn nothing_of_a_captured_tree() {
    assert_eq!(Tree::new("wifi").once(&SPEC), Ok(String::new()));
}

#[test]
fn the_running_kernel_answers_or_has_none() {
    let mut batch = Batch::default();
    // A kernel without wireless devices has the family or not; an emulator refuses the socket.
    if let Some(kernel) = Nl80211::find().expect("an answer") {
        assert_eq!(from_netlink(kernel, DEVICES, &mut batch), Ok(0));
    } else {
        assert_eq!(samples(&batch), "");
    }
}
