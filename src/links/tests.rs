use std::path::Path;

use super::*;

fn own_kernel() -> Files {
    Files::open(Path::new("/proc"), Path::new("/sys")).unwrap()
}

fn named(name: &str, ifindex: u32) -> Link {
    Link {
        name: name.as_bytes().to_vec(),
        ifindex,
        ..Link::default()
    }
}

#[test]
fn the_kernel_lists_its_devices_or_sysfs_is_read() {
    let files = own_kernel();
    let mut links = Links::default();
    // An emulator may not know the question.
    if let Some(found) = links.all(&files).unwrap() {
        assert!(found.is_sorted_by(|one, other| one.name < other.name));
        let lo = find(found, b"lo").expect("every namespace has a lo");
        assert_eq!((lo.hardware_type, lo.mtu.is_some()), (772, true));
        assert_eq!(lo.modes, Modes::Unasked);
        assert!(find(found, b"no such device").is_none());
    }
    // lo has no speed: where the kernel answers it is left out.
    if let Some(found) = links.with_modes(&files).unwrap() {
        let modes = find(found, b"lo").map(|lo| lo.modes);
        assert!(
            matches!(modes, Some(Modes::Absent | Modes::Unasked)),
            "{modes:?}"
        );
    }
}

#[test]
fn one_dump_a_scrape() {
    let files = own_kernel();
    let mut links = Links::default();
    if links.all(&files).unwrap().is_none() {
        return;
    }
    links.links.push(named("~", 9));
    let kept = links.all(&files).unwrap().unwrap();
    assert!(find(kept, b"~").is_some());
    links.begin();
    let anew = links.all(&files).unwrap().unwrap();
    assert!(find(anew, b"~").is_none());
}

#[test]
fn files_of_another_tree_are_never_mixed_with_the_running_kernel() {
    let tree = std::env::temp_dir().join(format!("weir-{}-links", std::process::id()));
    std::fs::create_dir_all(tree.join("net")).unwrap();
    let files = Files::open(&tree, Path::new("/sys")).unwrap();
    assert_eq!(Links::default().with_modes(&files), Ok(None));
    assert_eq!(Links::default().names(&files), Ok(None));
    std::fs::remove_dir_all(tree).unwrap();
    assert_eq!(Links::never().all(&own_kernel()), Ok(None));
}

#[test]
fn a_device_that_a_dump_shows_twice_is_shown_as_it_was_last() {
    let mut links = [named("b", 1), named("a", 2), named("b", 3)].to_vec();
    once_each(&mut links);
    let found: Vec<_> = links.iter().map(|link| link.ifindex).collect();
    assert_eq!(found, [2, 3]);
}
