//! The mount table of this kernel, in a namespace of the test's own: a mount whose server never answers, and a local one; and
//! the time zone, as `date` has it.

use std::process::Command;

use crate::dead;
use crate::running::Directory;
use crate::running::WEIR;
use crate::running::installed;
use crate::support::skip;

#[test]
fn a_dead_mount_is_an_error_in_the_end() {
    let directory = Directory::new();
    let root = directory.0.display().to_string();
    std::fs::create_dir(directory.0.join("local disk")).unwrap();
    let before = r#"mount -t tmpfs -o size=64k,nr_inodes=100 'a source' "$1/local disk""#;
    let flags = [
        "--once",
        "--collector.disable-defaults",
        "--collector.filesystem",
    ];
    let command = [&[WEIR], flags.as_slice()].concat();
    let Some(output) = dead::beside(&directory, before, 20, &command) else {
        return;
    };
    let page = String::from_utf8(output.stdout).unwrap();
    let dead: Vec<_> = page
        .lines()
        .filter(|line| line.contains("device=\"dead\""))
        .filter(|line| !line.starts_with("node_filesystem_mount_info{"))
        .collect();
    let why = format!(
        "{{device=\"dead\",mountpoint=\"{root}/dead\",fstype=\"fuse\",device_error=\"mountpoint timeout\"}}"
    );
    assert_eq!(
        dead,
        [
            format!("node_filesystem_device_error{why} 1"),
            format!("node_filesystem_readonly{why} 0")
        ]
    );
    let labels = format!("mountpoint=\"{root}/local disk\",fstype=\"tmpfs\",device_error=\"\"");
    for (family, value) in [
        ("device_error", 0),
        ("size_bytes", 65_536),
        ("free_bytes", 65_536),
        ("files", 100),
        ("readonly", 0),
    ] {
        // The kernel escapes blanks in sources too; node_exporter leaves those as they are.
        let line =
            format!("node_filesystem_{family}{{device=\"a\\\\040source\",{labels}}} {value}");
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

#[test]
fn the_time_zone_is_that_of_date() {
    if !installed("date") || !std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        return skip("no zone data");
    }
    for zone in [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "America/Sao_Paulo",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "",
    ] {
        let told = |command: &mut Command| {
            let output = command.env("TZ", zone).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let date = told(Command::new("date").arg("+%Z %z"));
        let (name, offset) = date.trim_end().split_once(' ').unwrap();
        let (sign, digits) = offset.split_at(1);
        let digits: i64 = digits.parse().unwrap();
        let seconds = (digits / 100 * 60 + digits % 100) * 60 * if sign == "-" { -1 } else { 1 };
        let expected = format!("node_time_zone_offset_seconds{{time_zone=\"{name}\"}} {seconds}\n");
        let flags = ["--once", "--collector.disable-defaults", "--collector.time"];
        let page = told(Command::new(WEIR).args(flags));
        assert!(page.contains(&expected), "{zone}: {expected}{page}");
    }
}
