use super::*;

fn link(ifindex: u32, name: &str) -> Link {
    Link {
        ifindex,
        name: name.as_bytes().to_vec(),
        hardware_type: ARPHRD_ETHER,
        address: vec![2, 0, 0, 0, 0, ifindex as u8],
        ..Link::default()
    }
}

fn veth(ifindex: u32, name: &str) -> Link {
    Link {
        kind: b"veth".to_vec(),
        ..link(ifindex, name)
    }
}

fn lo() -> Link {
    Link {
        flags: IFF_LOOPBACK | 1,
        hardware_type: ARPHRD_LOOPBACK,
        address: vec![0; 6],
        ..link(1, "lo")
    }
}

fn filter(include: &str, exclude: &str) -> DeviceFilter {
    let pattern = |text: &str| (!text.is_empty()).then(|| regex_lite::Regex::new(text).unwrap());
    DeviceFilter {
        include: pattern(include),
        exclude: pattern(exclude),
    }
}

/// Attaches all that is to be attached, and gives what was attached and what was detached.
fn settle(interfaces: &mut Interfaces<u32>) -> (Vec<u32>, Vec<u32>) {
    let (mut attached, mut detached) = (Vec::new(), Vec::new());
    loop {
        match interfaces.step(Instant::now()) {
            Step::Attach(ifindex, _) => {
                interfaces.attached(ifindex, ifindex);
                attached.push(ifindex);
            }
            Step::Detach(ifindex) => {
                assert_eq!(interfaces.detached(ifindex), Some(ifindex));
                detached.push(ifindex);
            }
            Step::Rest(_) => return (attached, detached),
        }
    }
}

fn names(interfaces: &Interfaces<u32>) -> Vec<String> {
    let (shown, _) = interfaces.report();
    shown.iter().map(|shown| shown.name.to_string()).collect()
}

#[test]
fn loopback_and_veth_are_left_out_unless_asked_for() {
    let links = [
        lo(),
        link(2, "eth0"),
        veth(3, "veth0"),
        link(4, "veth-named"),
    ];
    let mut interfaces = Interfaces::new(filter("", "^none$"), 100);
    interfaces.scanned(&links);
    assert_eq!(settle(&mut interfaces).0, [2, 4]);
    let mut interfaces = Interfaces::new(filter(".*", "^eth0$"), 100);
    interfaces.scanned(&links);
    assert_eq!(settle(&mut interfaces).0, [1, 3, 4]);
}

#[test]
fn the_link_header_is_that_of_the_kind_of_device() {
    let mut tunnel = link(2, "wg0");
    tunnel.hardware_type = 65534;
    let mut interfaces = Interfaces::<u32>::new(filter(".*", ""), 100);
    interfaces.scanned(&[tunnel]);
    assert_eq!(interfaces.step(Instant::now()), Step::Attach(2, 0));
    interfaces.scanned(&[lo()]);
    assert_eq!(interfaces.step(Instant::now()), Step::Attach(1, 14));
}

#[test]
fn the_lowest_indexes_stay_and_the_rest_is_counted() {
    let mut interfaces = Interfaces::new(filter("", ""), 2);
    interfaces.scanned(&[link(5, "c"), link(4, "b"), link(9, "d")]);
    assert_eq!(settle(&mut interfaces), (vec![4, 5], vec![]));
    assert_eq!(interfaces.report().1, 1);
    // A lower index takes the place of the highest.
    interfaces.there(&link(3, "a"));
    assert_eq!(settle(&mut interfaces), (vec![3], vec![5]));
    assert_eq!(interfaces.report().1, 2);
    // Where one goes, the next comes back.
    assert_eq!(interfaces.gone(3), Some(3));
    assert_eq!(settle(&mut interfaces), (vec![5], vec![]));
    assert_eq!(names(&interfaces), ["b", "c"]);
}

#[test]
fn a_rename_keeps_the_attachment() {
    let mut interfaces = Interfaces::new(filter("", "^hidden"), 100);
    interfaces.scanned(&[link(2, "eth0")]);
    settle(&mut interfaces);
    interfaces.there(&link(2, "wan0"));
    assert_eq!(settle(&mut interfaces), (vec![], vec![]));
    assert_eq!(names(&interfaces), ["wan0"]);
    assert_eq!(interfaces.name(2), "wan0");
    // But not under a name that is excluded.
    interfaces.there(&link(2, "hidden0"));
    assert_eq!(settle(&mut interfaces), (vec![], vec![2]));
    assert_eq!(names(&interfaces), [""; 0]);
}

#[test]
fn a_device_made_anew_starts_anew() {
    let mut interfaces = Interfaces::new(filter("", ""), 100);
    interfaces.scanned(&[link(2, "eth0"), link(3, "eth1")]);
    settle(&mut interfaces);
    assert_eq!(interfaces.gone(2), Some(2));
    interfaces.there(&link(2, "eth0"));
    assert_eq!(settle(&mut interfaces).0, [2]);
    // Nobody told: the address does.
    let mut anew = link(2, "eth0");
    anew.address = vec![2, 0, 0, 0, 0, 77];
    assert_eq!(interfaces.scanned(&[anew.clone()]), [(2, 2), (3, 3)]);
    assert_eq!(settle(&mut interfaces).0, [2]);
    // An address that changed in front of our eyes is the same device's.
    let mut changed = anew;
    changed.address = vec![2, 0, 0, 0, 0, 78];
    interfaces.there(&changed);
    assert_eq!(interfaces.scanned(&[changed]), []);
    assert_eq!(interfaces.gone(7), None);
}

#[test]
fn what_failed_is_tried_again_later() {
    let mut interfaces = Interfaces::<u32>::new(filter("", ""), 100);
    interfaces.scanned(&[link(2, "eth0"), link(3, "eth1")]);
    let now = Instant::now();
    let error = || Arc::new(AttachError::Ingress);
    assert!(interfaces.failed(2, now, error()));
    assert!(!interfaces.failed(2, now, error()), "the same once more");
    assert_eq!(interfaces.step(now), Step::Attach(3, 14));
    interfaces.attached(3, 3);
    assert_eq!(interfaces.step(now), Step::Rest(Some(RETRY)));
    assert_eq!(interfaces.step(now + RETRY), Step::Attach(2, 14));
    assert!(interfaces.is_attached(3) && !interfaces.is_attached(2));
    let (shown, _) = interfaces.report();
    assert!(shown[0].error.is_some() && !shown[0].attached && shown[1].attached);
    interfaces.attached(2, 2);
    assert!(interfaces.report().0[0].error.is_none());
    assert_eq!(interfaces.clear().count(), 2);
    assert_eq!(interfaces.step(now), Step::Rest(None));
}
