//! Kernel files as they never are: each file of a captured host is cut at every byte, each of its words replaced, each of
//! its lines doubled, dropped and put in another place; and what stands there is too large or no file at all.
//!
//! Whatever stands in a file, no collector panics, an error names that file, the page stays well formed, and collectors
//! that do not read the file say what they said before.

mod victim;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::cases::FORMATS;
use crate::cases::SETTINGS;
use crate::cases::write_beside;
use crate::tree::Copy;
use crate::tree::Host;
use crate::tree::entries;
use crate::tree::fixtures;
use crate::tree::name;

use self::victim::Victim;
use self::victim::positions;

#[test]
fn proc_files_cut_short() {
    let host = Victim::new("tcp-states");
    for path in host.files("proc") {
        host.cut(&path);
    }
}

#[test]
fn proc_files_with_one_word_garbled() {
    let host = Victim::new("tcp-states");
    for path in host.files("proc") {
        host.garble(&path);
    }
}

#[test]
fn proc_files_with_lines_doubled_dropped_and_swapped() {
    let host = Victim::new("tcp-states");
    for path in host.files("proc") {
        host.reorder(&path);
    }
}

#[test]
fn proc_files_with_bytes_struck_at_random() {
    let host = Victim::new("tcp-states");
    for path in host.files("proc") {
        host.strike(&path);
    }
}

#[test]
fn what_is_too_large_or_no_file() {
    let host = Victim::new("tcp-states");
    for path in host.files("proc") {
        let mut engine = Host::open(&host.copy.root);
        let readers = host.readers(&path, &mut engine);
        let file = host.copy.root.join(&path);
        let whole = fs::read(&file).unwrap();
        // A hole of that size costs no disk. The tables of sockets are streamed: their first line is what is too long.
        let sparse = fs::File::create(&file).unwrap();
        sparse.set_len(weir::files::LIMIT as u64 + 1).unwrap();
        host.judge(&path, b"(too large)", &mut engine, &[], &readers);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        host.judge(&path, b"(a directory)", &mut engine, &[], &readers);
        fs::remove_dir(&file).unwrap();
        for (target, kind) in [
            (file.as_path(), "a loop"),
            (Path::new("gone"), "a dead link"),
        ] {
            std::os::unix::fs::symlink(target, &file).unwrap();
            host.judge(&path, kind.as_bytes(), &mut engine, &[], &readers);
            fs::remove_file(&file).unwrap();
        }
        host.copy.write(&path, &whole);
    }
}

#[test]
fn device_attributes_cut_and_garbled() {
    let host = Victim::new("tcp-states");
    for path in host.files("sys") {
        host.cut(&path);
        host.garble(&path);
    }
}

/// Bonds, thermal zones and the load balancer, which no captured host has.
#[test]
fn files_of_hosts_that_cannot_be_captured_cut_garbled_and_struck() {
    for (name, collector) in [
        ("bonding", "bonding"),
        ("thermal", "thermal_zone"),
        ("ip-vs", "ipvs"),
    ] {
        let mut host = Victim::of(Copy::of(&fixtures().join("cases/hosts").join(name)));
        // Asking all collectors before each attack takes most of the time.
        let bystanders = ["netclass", "netdev", "uname"];
        host.pages
            .retain(|(name, _)| *name == collector || bystanders.contains(name));
        let mut read = 0;
        for path in host.files("proc").into_iter().chain(host.files("sys")) {
            let readers = host.readers(&path, &mut Host::open(&host.copy.root));
            read += usize::from(readers.contains(&collector));
            host.cut(&path);
            host.garble(&path);
            host.reorder(&path);
            host.strike(&path);
        }
        assert!(read > 1, "{name}: {collector} reads {read} files");
    }
}

#[test]
fn lease_files_cut_garbled_and_struck() {
    let tree = fixtures().join("cases/hosts/dhcp");
    let folder = entries(&tree.join("leases"));
    for path in folder
        .iter()
        .map(|path| Path::new("leases").join(name(path)))
    {
        let copy = Copy::of(&tree);
        // A server's leases and settings alone, which are read again for each text.
        let own = name(&path);
        let together = |other: &str| {
            let pair = |(settings, leases): &(&str, &str)| {
                [*settings, *leases].contains(&own) && [*settings, *leases].contains(&other)
            };
            own == other || SETTINGS.iter().any(pair)
        };
        for other in folder.iter().filter(|other| !together(name(other))) {
            fs::remove_file(copy.root.join("leases").join(name(other))).unwrap();
        }
        let mut host = Victim::of(copy);
        // No other collector looks into that folder, and asking all of them before each attack takes most of the time.
        host.pages
            .retain(|(name, _)| matches!(*name, "dhcp" | "uname"));
        let readers = host.readers(&path, &mut Host::open(&host.copy.root));
        assert_eq!(readers, ["dhcp"], "{}", path.display());
        host.cut(&path);
        host.garble(&path);
        host.reorder(&path);
        host.strike(&path);
    }
}

#[test]
fn tables_of_oddly_named_devices() {
    let host = Victim::new("odd-names");
    for path in ["proc/net/dev", "proc/net/arp"].map(PathBuf::from) {
        host.cut(&path);
        host.garble(&path);
        host.reorder(&path);
    }
}

/// A number at the cut would be wrong: a file the kernel writes in lines is never read up to the middle of one.
#[test]
fn a_file_cut_inside_a_line_is_an_error() {
    let host = Victim::new("tcp-states");
    // People end a file as they like.
    let written = FORMATS
        .iter()
        .filter(|(_, file, _)| !file.starts_with("root/"));
    for (format, file, collectors) in written {
        let path = Path::new(file);
        // What this machine does not have is taken from the cases.
        let case = fixtures().join("cases").join(format).join("plain");
        let whole = fs::read(host.copy.root.join(path)).or_else(|_| fs::read(&case));
        let whole = whole.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        write_beside(&host.copy, format);
        // A directory of text files is looked for once.
        host.copy.write(path, &whole);
        let mut engine = Host::open(&host.copy.root);
        for end in positions(whole.len()).filter(|end| *end > 0) {
            if whole[end - 1] == b'\n' {
                continue;
            }
            host.copy.write(path, &whole[..end]);
            let page = engine.page(collectors);
            let errors = engine.errors().into_iter();
            let mut failed: Vec<_> = errors.map(|(name, _)| name).collect();
            // This collector refuses a file and goes on.
            if page.contains("node_textfile_scrape_error 1\n") && !page.contains("backup_bytes") {
                failed.push("textfile");
            }
            for collector in *collectors {
                assert!(
                    failed.contains(collector),
                    "{file} cut at byte {end}: {collector} took it for whole"
                );
            }
        }
        host.copy.write(path, &whole);
    }
}
