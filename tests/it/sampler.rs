//! The tick: rates over the time that really passed, on small trees that change between two samples.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use weir::config::Config;
use weir::files::Files;
use weir::sampler::Sampler;

/// A proc and sys tree of this test's own, removed when it ends.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("weir-sampler-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("proc/net")).expect("a temporary directory");
        fs::create_dir_all(root.join("sys")).expect("a temporary directory");
        Self(root)
    }

    /// Devices as (name, ifindex, bytes received, bytes sent).
    fn devices(&self, devices: &[(&str, u64, u64, u64)]) {
        let mut text = String::from(
            "Inter-|   Receive                                                |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
        );
        for (name, ifindex, received, sent) in devices {
            text.push_str(&format!(
                "{name}: {received} {} 0 0 0 0 0 0 {sent} 0 0 0 0 0 0 0\n",
                received / 100
            ));
            let directory = self.0.join("sys/class/net").join(name);
            fs::create_dir_all(&directory).expect("a temporary directory");
            fs::write(directory.join("ifindex"), format!("{ifindex}\n")).expect("a temporary file");
        }
        fs::write(self.0.join("proc/net/dev"), text).expect("a temporary file");
    }

    fn segments(&self, sent: u64, retransmitted: u64) {
        let text = format!("Tcp: OutSegs RetransSegs\nTcp: {sent} {retransmitted}\n");
        fs::write(self.0.join("proc/net/snmp"), text).expect("a temporary file");
    }

    fn files(&self) -> Files {
        Files::open(&self.0.join("proc"), &self.0.join("sys")).expect("the tree is there")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn received(sampler: &Sampler) -> Vec<(String, Option<f64>, f64)> {
    let of = |device: &weir::sampler::Device| {
        (
            device.label.clone(),
            device.rates.map(|rates| rates.receive_bytes),
            device.peak().0,
        )
    };
    sampler.devices().iter().map(of).collect()
}

#[test]
fn rates_are_over_the_time_that_really_passed() {
    let tree = Tree::new("rates");
    let files = tree.files();
    let mut sampler = Sampler::new(&Config::default());
    let start = Instant::now();
    tree.devices(&[("lo", 1, 0, 0), ("eth0", 2, 1000, 50)]);
    sampler.tick(&files, start);
    assert_eq!(
        received(&sampler),
        [("lo".into(), None, 0.0), ("eth0".into(), None, 0.0)]
    );
    tree.devices(&[("lo", 1, 0, 0), ("eth0", 2, 9000, 50)]);
    sampler.tick(&files, start + Duration::from_secs(8));
    assert_eq!(
        received(&sampler),
        [
            ("lo".into(), Some(0.0), 0.0),
            ("eth0".into(), Some(1000.0), 1000.0)
        ]
    );
    let rates = sampler.devices()[1].rates.expect("two samples");
    assert_eq!((rates.receive_packets, rates.transmit_bytes), (10.0, 0.0));
}

#[test]
fn a_reset_or_a_new_device_of_the_same_name_starts_anew() {
    let tree = Tree::new("reset");
    let files = tree.files();
    let mut sampler = Sampler::new(&Config::default());
    let start = Instant::now();
    tree.devices(&[
        ("ppp0", 2, 1000, 0),
        ("eth0", 3, 1000, 0),
        ("eth1", 4, 0, 0),
    ]);
    sampler.tick(&files, start);
    tree.devices(&[
        ("ppp0", 9, 5000, 0),
        ("eth0", 3, 10, 0),
        ("eth1", 4, 500, 0),
    ]);
    sampler.tick(&files, start + Duration::from_secs(5));
    assert_eq!(
        received(&sampler),
        [
            ("ppp0".into(), None, 0.0),
            ("eth0".into(), None, 0.0),
            ("eth1".into(), Some(100.0), 100.0)
        ]
    );
    tree.devices(&[("eth1", 4, 1000, 0), ("ppp0", 9, 5500, 0)]);
    sampler.tick(&files, start + Duration::from_secs(10));
    assert_eq!(
        received(&sampler),
        [
            ("eth1".into(), Some(100.0), 100.0),
            ("ppp0".into(), Some(100.0), 100.0)
        ]
    );
}

#[test]
fn the_peak_is_remembered_for_a_minute() {
    let tree = Tree::new("peak");
    let files = tree.files();
    let mut sampler = Sampler::new(&Config::default());
    let start = Instant::now();
    for tick in 0..=13 {
        tree.devices(&[("eth0", 2, if tick < 2 { 0 } else { 50_000 }, 0)]);
        sampler.tick(&files, start + Duration::from_secs(5 * tick));
        let expected = if (2..14).contains(&tick) {
            10_000.0
        } else {
            0.0
        };
        assert_eq!(sampler.devices()[0].peak().0, expected, "tick {tick}");
    }
    sampler.tick(&files, start + Duration::from_secs(5 * 14));
    assert_eq!(sampler.devices()[0].peak().0, 0.0);
}

#[test]
fn the_retransmission_ratio_is_of_the_last_tick() {
    let tree = Tree::new("segments");
    let files = tree.files();
    let mut sampler = Sampler::new(&Config::default());
    let start = Instant::now();
    tree.devices(&[]);
    for (tick, sent, retransmitted, expected) in [
        (0, 100, 50, None),
        (1, 200, 55, Some(0.05)),
        (2, 200, 55, None),
        (3, 210, 55, Some(0.0)),
        (4, 10, 0, None),
        (5, 20, 1, Some(0.1)),
    ] {
        tree.segments(sent, retransmitted);
        sampler.tick(&files, start + Duration::from_secs(5 * tick));
        assert_eq!(sampler.retransmission_ratio(), expected, "tick {tick}");
    }
}

#[test]
fn a_broken_file_ends_the_rates_and_a_whole_one_begins_them_anew() {
    let tree = Tree::new("broken");
    let files = tree.files();
    let mut sampler = Sampler::new(&Config::default());
    let start = Instant::now();
    tree.devices(&[("eth0", 2, 0, 0)]);
    sampler.tick(&files, start);
    assert!(sampler.error().is_none() && sampler.last_success().is_some());
    fs::write(tree.0.join("proc/net/dev"), "nonsense\n").expect("a temporary file");
    sampler.tick(&files, start + Duration::from_secs(5));
    let error = sampler.error().expect("an error").to_string();
    assert!(
        error.contains("proc/net/dev:1: header: expected"),
        "{error}"
    );
    assert!(sampler.devices().is_empty());
    assert_eq!(
        sampler.last_success().map(|(instant, _)| instant),
        Some(start)
    );
    for (tick, rate) in [(2, None), (3, Some(20.0))] {
        tree.devices(&[("eth0", 2, tick * 100, 0)]);
        sampler.tick(&files, start + Duration::from_secs(5 * tick));
        assert_eq!(received(&sampler)[0].1, rate);
    }
}

#[test]
fn a_kernel_without_these_files_is_no_error() {
    let tree = Tree::new("absent");
    let files = tree.files();
    let mut sampler = Sampler::new(&Config::default());
    sampler.tick(&files, Instant::now());
    assert!(sampler.error().is_none());
    assert_eq!((sampler.devices().len(), sampler.ticks()), (0, 1));
}
