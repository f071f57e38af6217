//! A file system whose server does not answer, and then does: this test is the server, over the protocol of fuse(4). The
//! mount is in a namespace of its own, and hangs for nobody else.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::running::Directory;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

/// Mounts what standard input serves, and becomes weir.
const SCRIPT: &str = r#"
set -e
mount -i -t fuse -o fd=0,rootmode=40000,user_id=0,group_id=0 remote "$1/remote"
exec "$2" --web.listen-address=127.0.0.1:0 --collector.disable-defaults --collector.filesystem --collector.textfile \
    --collector.textfile.directory="$1/remote" --collector.textfile.directory="$1/local"
"#;

/// What hangs hangs for ever; whatever is below this was not held up by it.
const AT_ONCE: Duration = Duration::from_secs(3);

fn launch(server: &File, root: &str) -> Weir {
    let mut command = Command::new("unshare");
    command
        .args(["-m", "-p", "-f", "--mount-proc", "--kill-child"])
        .args(["sh", "-c", SCRIPT, "sh", root, WEIR]);
    Weir::launch_with(&mut command, Stdio::from(server.try_clone().unwrap()))
}

fn weirs_threads(weir: &Weir) -> usize {
    let unshare = weir.process.0.id();
    let children = format!("/proc/{unshare}/task/{unshare}/children");
    let child = std::fs::read_to_string(children).unwrap();
    let tasks = format!("/proc/{}/task", child.trim());
    std::fs::read_dir(tasks).unwrap().count()
}

fn scrape_at_once(weir: &Weir) -> Page {
    let begun = Instant::now();
    let page = weir.scrape();
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    page
}

fn remote(page: &Page, family: &str, root: &str, error: &str) -> Option<f64> {
    let point = format!("{root}/remote");
    let labels = [
        ("device", "remote"),
        ("mountpoint", &point),
        ("fstype", "fuse"),
        ("device_error", error),
    ];
    page.value(family, &labels)
}

#[test]
fn what_hangs_costs_two_threads_and_comes_back() {
    let directory = Directory::new();
    let root = directory.0.display().to_string();
    for name in ["remote", "local"] {
        std::fs::create_dir(directory.0.join(name)).unwrap();
    }
    let local = "# HELP local_file Whether the other directory is read.\nlocal_file 1\n";
    std::fs::write(directory.0.join("local/a.prom"), local).unwrap();
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let Ok(server) = device else {
        return skip("no /dev/fuse");
    };
    let may = Command::new("unshare")
        .args(["-m", "-p", "-f", "true"])
        .status();
    if !may.is_ok_and(|status| status.success()) {
        return skip("no mount namespace");
    }
    let weir = launch(&server, &root);

    // Nothing is known yet: no sizes, no errors, and everything else.
    let page = scrape_at_once(&weir);
    assert_eq!(
        remote(&page, "node_filesystem_readonly", &root, ""),
        Some(0.0)
    );
    assert_eq!(
        remote(&page, "node_filesystem_device_error", &root, ""),
        None
    );
    assert_eq!(remote(&page, "node_filesystem_size_bytes", &root, ""), None);
    for _ in 0..20 {
        let page = scrape_at_once(&weir);
        assert_eq!(page.value("local_file", &[]), Some(1.0));
    }
    let threads = weirs_threads(&weir);
    assert_eq!(threads, 4, "the loop, the mount, and two directories");

    let hangs = "mountpoint timeout";
    wait_until("an error", || {
        let page = scrape_at_once(&weir);
        remote(&page, "node_filesystem_device_error", &root, hangs) == Some(1.0)
            && page.value("node_textfile_scrape_error", &[]) == Some(1.0)
    });
    let page = scrape_at_once(&weir);
    assert_eq!(page.value("local_file", &[]), Some(1.0));
    assert_eq!(
        remote(&page, "node_filesystem_size_bytes", &root, hangs),
        None
    );
    assert_eq!(weirs_threads(&weir), 4);

    let serving = server.try_clone().unwrap();
    thread::spawn(move || serve(serving));
    wait_until("an answer", || {
        let page = scrape_at_once(&weir);
        remote(&page, "node_filesystem_device_error", &root, "") == Some(0.0)
            && page.value("node_textfile_scrape_error", &[]) == Some(0.0)
    });
    let page = scrape_at_once(&weir);
    for (family, value) in [
        ("node_filesystem_size_bytes", 1000.0 * 4096.0),
        ("node_filesystem_free_bytes", 300.0 * 4096.0),
        ("node_filesystem_avail_bytes", 200.0 * 4096.0),
        ("node_filesystem_files", 50.0),
        ("node_filesystem_files_free", 40.0),
    ] {
        assert_eq!(remote(&page, family, &root, ""), Some(value), "{family}");
    }
    assert_eq!(weirs_threads(&weir), 4);
}

/// Answers until the mount is gone: an empty directory, and how full it is (struct fuse_kstatfs).
fn serve(mut device: File) {
    let mut request = vec![0; 1 << 20];
    while let Ok(length) = device.read(&mut request) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        assert!(length >= 40, "a struct fuse_in_header");
        let (opcode, unique) = (word(4), &request[8..16]);
        let longs = |values: &[u64]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_ne_bytes())
                .collect()
        };
        let words = |values: &[u32]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_ne_bytes())
                .collect()
        };
        const ENOSYS: i32 = 38;
        let (error, body) = match opcode {
            // INIT: version 7.31, nothing optional; max_write is the sixth word.
            26 => (
                0,
                words(&[7, 31, 0, 0, 0, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
            // STATFS: five longs, then the block's size, the longest name, the fragment's size.
            17 => (
                0,
                [
                    longs(&[1000, 300, 200, 50, 40]),
                    words(&[4096, 255, 4096, 0, 0, 0, 0, 0, 0, 0]),
                ]
                .concat(),
            ),
            // GETATTR: for how long it holds, then struct fuse_attr: a directory with all permissions and two links.
            3 => (
                0,
                [
                    longs(&[0, 0, 1, 0, 0, 0, 0, 0]),
                    words(&[0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0]),
                ]
                .concat(),
            ),
            // OPENDIR: a handle and flags.
            27 => (0, longs(&[1, 0])),
            // READDIR, at its end; RELEASEDIR; FORGET, which nobody answers.
            28 | 29 => (0, Vec::new()),
            2 => continue,
            _ => (-ENOSYS, Vec::new()),
        };
        let total = u32::try_from(16 + body.len()).unwrap();
        let header = [&total.to_ne_bytes()[..], &error.to_ne_bytes(), unique].concat();
        // The request may have been given up meanwhile.
        let _ = device.write(&[header, body].concat());
    }
}
