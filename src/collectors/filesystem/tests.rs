//! The mount table and what is asked of whom.

use std::path::Path;

use super::super::tree::Tree;
use super::*;
use crate::config::Config;

fn mount<'a>(point: &'a str, kind: &'a str) -> Mount<'a> {
    Mount {
        major: 0,
        minor: 1,
        root: b"/",
        point: point.as_bytes(),
        kind: kind.as_bytes(),
        source: b"none",
        read_only: false,
    }
}

#[test]
fn a_captured_tree_tells_mounts_and_no_sizes() {
    let tree = Tree::new("filesystem-captured");
    assert_eq!(tree.once(&SPEC), Ok(String::new()));
    tree.write(
        "proc/self/mountinfo",
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /my\\040disk ro - xfs /dev/sdb rw\n3 1 0:5 / /proc rw - proc proc rw\n",
    );
    let expected = "node_filesystem_readonly{device=\"/dev/sda1\",mountpoint=\"/\",fstype=\"ext4\",device_error=\"\"} 0\n\
        node_filesystem_readonly{device=\"/dev/sdb\",mountpoint=\"/my disk\",fstype=\"xfs\",device_error=\"\"} 1\n\
        node_filesystem_mount_info{device=\"/dev/sda1\",major=\"8\",minor=\"1\",mountpoint=\"/\"} 1\n\
        node_filesystem_mount_info{device=\"/dev/sdb\",major=\"8\",minor=\"2\",mountpoint=\"/my disk\"} 1\n";
    assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
}

const OPENWRT: &str = "1 0 31:4 / /rom ro - squashfs /dev/root ro\n2 1 0:6 / /proc rw - proc proc rw\n\
    3 1 31:5 / /overlay rw - jffs2 /dev/mtdblock5 rw\n4 0 0:12 / / rw - overlay overlayfs:/overlay rw\n\
    5 4 0:13 / /opt/docker/overlay2/x rw - overlay overlay rw\n";

fn points(page: &str) -> Vec<&str> {
    let lines = page
        .lines()
        .filter(|line| line.starts_with("node_filesystem_readonly"));
    lines
        .filter_map(|line| line.split("mountpoint=\"").nth(1)?.split('"').next())
        .collect()
}

#[test]
fn the_root_of_an_openwrt_system_is_shown() {
    let tree = Tree::new("filesystem-openwrt");
    tree.write("proc/1/mountinfo", OPENWRT);
    let page = tree.once(&SPEC).expect("a scrape");
    assert_eq!(points(&page), ["/rom", "/overlay", "/"]);
    // Whoever gives the flag gets what it says.
    let exact = |config: &mut Config| {
        config.filesystem_types_exclude = Regex::new("^(proc|overlay|squashfs)$").ok();
    };
    let page = tree.scrape(&SPEC, &mut *Tree::make(&SPEC, exact));
    assert_eq!(points(&page.expect("a scrape")), ["/overlay"]);
    // A container's root is an overlay too, and is not shown.
    tree.write("proc/1/mountinfo", "4 0 0:12 / / rw - overlay overlay rw\n");
    assert_eq!(tree.once(&SPEC), Ok(String::new()));
}

#[test]
fn exclusions_are_regular_expressions_and_may_be_none() {
    let tree = Tree::new("filesystem-exclusions");
    tree.write("proc/1/mountinfo", OPENWRT);
    let none = |config: &mut Config| {
        config.filesystem_types_exclude = None;
        config.filesystem_mount_points_exclude = Regex::new("^/o").ok();
    };
    let page = tree.scrape(&SPEC, &mut *Tree::make(&SPEC, none));
    assert_eq!(points(&page.expect("a scrape")), ["/rom", "/proc", "/"]);
}

#[test]
fn equal_mounts_are_told_once_and_too_many_are_counted() {
    let tree = Tree::new("filesystem-many");
    tree.write(
        "proc/1/mountinfo",
        "1 0 8:1 / /a rw - ext4 /dev/sda1 rw\n2 1 8:1 / /a ro - ext4 /dev/sda1 rw\n3 1 8:2 / /a rw - xfs /dev/sda2 rw\n",
    );
    let page = tree.once(&SPEC).expect("a scrape");
    let read_only: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("node_filesystem_readonly"))
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(read_only, ["1", "0"]);
    let lines: String = (0..MOST + 44)
        .map(|number| format!("{number} 0 8:1 / /m{number} rw - ext4 /dev/sda rw\n"))
        .collect();
    tree.write("proc/1/mountinfo", &lines);
    let page = tree.once(&SPEC).expect("a scrape");
    assert_eq!(points(&page).len(), MOST);
}

#[test]
fn below_another_root_paths_are_stripped_and_errors_told() {
    let files = Files::open(Path::new("/proc"), Path::new("/sys"))
        .expect("this machine has both")
        .with_rootfs(Path::new("/host"));
    let mounts = [
        mount("/host/no such place", "ext4"),
        mount("/host/nfs", "nfs"),
    ];
    let text = pushed(&mut collector(), &files, &mounts);
    for labels in [
        "mountpoint=\"/no such place\",fstype=\"ext4\"",
        "mountpoint=\"/nfs\",fstype=\"nfs\"",
    ] {
        let error = format!(
            "node_filesystem_device_error{{device=\"none\",{labels},device_error=\"no such file or directory\"}} 1\n"
        );
        assert!(text.contains(&error), "{error}{text}");
    }
    assert!(!text.contains("node_filesystem_size_bytes"));
}

/// Answers of other threads are waited for.
fn collector() -> Filesystem {
    let config = Config::default();
    Filesystem {
        points: config.filesystem_mount_points_exclude,
        types: config.filesystem_types_exclude,
        remote: Remote::new(STUCK),
    }
}

fn pushed(collector: &mut Filesystem, files: &Files, mounts: &[Mount<'_>]) -> String {
    let mut batch = Batch::default();
    collector.push(files, mounts, &mut batch);
    let mut text = Vec::new();
    crate::exposition::encode(&batch, &mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// How many remote mounts a page tells the size of; a mount is a directory of this machine's /proc.
fn asked_remotely(collector: &mut Filesystem, mounts: &[Mount<'_>]) -> usize {
    let files = Files::open(Path::new("/proc"), Path::new("/sys"))
        .expect("this machine has both")
        .with_rootfs(Path::new("/proc"));
    let page = pushed(collector, &files, mounts);
    page.matches("node_filesystem_size_bytes{").count()
}

#[test]
fn remote_mounts_are_asked_by_threads_which_are_few_and_end() {
    let mut collector = collector();
    let nfs = mount("/self", "nfs");
    assert_eq!(
        asked_remotely(&mut collector, &[nfs, mount("/tty", "autofs")]),
        1
    );
    assert_eq!(collector.remote.threads(), 1);
    assert_eq!(asked_remotely(&mut collector, &[nfs]), 1);
    assert_eq!(collector.remote.threads(), 1, "the same thread");
    // Under another name it is told once more, and asked once.
    let other = Mount {
        source: b"other",
        ..nfs
    };
    assert_eq!(asked_remotely(&mut collector, &[nfs, other]), 2);
    assert_eq!(collector.remote.threads(), 1, "the same thread for both");
    // What is mounted anew at the same place has another device.
    let many = u64::try_from(remote::THREADS).expect("a few") + 3;
    let many: Vec<_> = (10..10 + many)
        .map(|minor| Mount { minor, ..nfs })
        .collect();
    let named: Vec<_> = many
        .iter()
        .map(|mount| format!("server{}", mount.minor))
        .collect();
    let many: Vec<_> = many
        .iter()
        .zip(&named)
        .map(|(mount, name)| Mount {
            source: name.as_bytes(),
            ..*mount
        })
        .collect();
    // The first one's thread may take its time to end, and counts until then.
    let told = asked_remotely(&mut collector, &many);
    assert!(
        (remote::THREADS - 1..=remote::THREADS).contains(&told),
        "{told}"
    );
    assert!(collector.remote.threads() <= remote::THREADS);
    asked_remotely(&mut collector, &[]);
    let begun = std::time::Instant::now();
    while collector.remote.threads() > 0 {
        assert!(
            begun.elapsed() < 4 * STUCK,
            "threads of mounts that are gone"
        );
        std::thread::yield_now();
    }
}
