//! Tests of what is configured.

use super::*;

#[test]
fn durations_as_prometheus_writes_them() {
    let read = |text| duration(text).ok().map(|duration| duration.as_millis());
    assert_eq!(
        ["500ms", "15s", "1m30s", "2h", "24h"].map(read),
        [
            Some(500),
            Some(15_000),
            Some(90_000),
            Some(7_200_000),
            Some(86_400_000)
        ]
    );
    for bad in [
        "",
        "0s",
        "5",
        "s",
        "-5s",
        "+5s",
        "1.5s",
        "5 s",
        "25h",
        "5sec",
        "99999999999s",
        "4294967295h",
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

#[test]
fn places_to_listen() {
    let read = |text: &str| Listen::parse(text).map(|listen| listen.to_string());
    for good in [
        ":2112",
        ":0",
        "127.0.0.1:80",
        "[::1]:2112",
        "localhost:1",
        "unix:/run/weir.sock",
    ] {
        assert_eq!(read(good), Ok(good.to_string()));
    }
    for bad in [
        "",
        "2112",
        ":65536",
        ":x",
        ":+1",
        "::1:80",
        "[::1:80",
        "[host]:80",
        "unix:",
        "a b:1",
        "127.0.0.1:",
        "http://x:1",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn network_namespaces() {
    assert_eq!(Netns::parse("all"), Ok(Netns::All));
    let named = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string);
        Ok(Netns::Named(names.collect()))
    };
    assert_eq!(Netns::parse("red"), named(&["red"]));
    assert_eq!(
        Netns::parse("red,4026532281,red"),
        named(&["red", "4026532281"])
    );
    for bad in [
        "", ",", "a,", ",a", "all,a", "a,all", "a/b", "..", " a", "a, b",
    ] {
        assert!(Netns::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn exclusion_wins() {
    let filter = DeviceFilter {
        include: Some(constant("^eth")),
        exclude: Some(constant("^eth1$")),
    };
    assert_eq!(
        ["eth0", "eth1", "lo"].map(|device| filter.shows(device)),
        [true, false, false]
    );
    assert!(DeviceFilter::default().shows("anything"));
}
