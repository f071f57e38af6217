//! Kernel files as they never are: each file of a captured host is cut at every byte, each of its words replaced, each of
//! its lines doubled, dropped and put in another place; and what stands there is too large or no file at all.
//!
//! Whatever stands in a file, no collector panics, an error names that file, the page stays well formed, and collectors
//! that do not read the file say what they said before.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use weir::collectors::ALL;

use crate::cases::FORMATS;
use crate::cases::SETTINGS;
use crate::cases::write_beside;
use crate::tree::Copy;
use crate::tree::Host;
use crate::tree::entries;
use crate::tree::files_below;
use crate::tree::fixtures;
use crate::tree::name;
use crate::tree::well_formed;

/// What a word is replaced by: nothing, signs, what is too large for every integer, bytes that are no text, what other
/// formats separate fields with.
const JUNK: [&[u8]; 9] = [
    b"",
    b"-1",
    b"+1",
    b"18446744073709551616",
    b"ffffffffffffffffffffffff",
    b"\0",
    b"\xff\xfe",
    b":",
    b"::::x y z",
];

/// Goes on telling a counter that went back, until it has passed what it was.
const HOLDS: &str = "cpu";

/// Of a long file every byte of its ends is tried, and between them every so many: a prime, to fall on all columns.
const EVERY_BYTE: usize = 1200;
const STRIDE: usize = 7;

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

/// A copy of a captured host, and what each collector says of it as it is.
struct Victim {
    copy: Copy,
    pages: Vec<(&'static str, String)>,
}

impl Victim {
    fn new(name: &str) -> Self {
        Self::of(Copy::of(&fixtures().join("hosts").join(name)))
    }

    fn of(copy: Copy) -> Self {
        let mut host = Host::open(&copy.root);
        let pages = ALL
            .iter()
            .map(|spec| (spec.name, host.page(&[spec.name])))
            .collect();
        Self { copy, pages }
    }

    fn files(&self, root: &str) -> Vec<PathBuf> {
        let mut found = files_below(&self.copy.root);
        found.retain(|path| path.starts_with(root));
        found
    }

    fn cut(&self, path: &Path) {
        let whole = fs::read(self.copy.root.join(path)).unwrap();
        self.attack(
            path,
            &whole,
            positions(whole.len()).map(|end| whole[..end].to_vec()),
        );
    }

    fn garble(&self, path: &Path) {
        let whole = fs::read(self.copy.root.join(path)).unwrap();
        let words = words(&whole);
        let step = words.len().div_ceil(EVERY_BYTE / 4).max(1);
        let spoilt = words
            .iter()
            .step_by(step)
            .enumerate()
            .flat_map(|(number, (start, end))| {
                let junk = JUNK
                    .iter()
                    .skip(if words.len() < 100 { 0 } else { number % 3 });
                let junk = junk.step_by(if words.len() < 100 { 1 } else { 3 });
                let (head, tail) = (&whole[..*start], &whole[*end..]);
                junk.map(move |junk| [head, junk, tail].concat())
            });
        self.attack(path, &whole, spoilt);
    }

    fn reorder(&self, path: &Path) {
        let whole = fs::read(self.copy.root.join(path)).unwrap();
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let step = lines.len().div_ceil(100).max(1);
        let texts = (0..lines.len()).step_by(step).flat_map(|at| {
            let (head, tail) = lines.split_at(at);
            let (line, rest) = (tail[0], &tail[1..]);
            let next = rest.first().copied().unwrap_or_default();
            let after = rest.get(1..).unwrap_or_default();
            let join = |middle: &[&[u8]], rest: &[&[u8]]| [head, middle, rest].concat().concat();
            [
                join(&[line, line], rest),
                join(&[], rest),
                join(&[next, line], after),
                [whole.as_slice(), line].concat(),
            ]
        });
        self.attack(path, &whole, texts);
    }

    /// One to eight bytes replaced by others, most of them bytes that the file has elsewhere; the same in every run.
    fn strike(&self, path: &Path) {
        let whole = fs::read(self.copy.root.join(path)).unwrap();
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below.max(1)
        };
        let texts = (0..200).map(|_| {
            let mut text = whole.clone();
            for _ in 0..=random(8) {
                let (at, from) = (random(text.len()), random(text.len()));
                let other = if random(4) == 0 {
                    u8::try_from(random(256)).unwrap()
                } else {
                    whole.get(from).copied().unwrap_or_default()
                };
                if let Some(byte) = text.get_mut(at) {
                    *byte = other;
                }
            }
            text
        });
        self.attack(path, &whole, texts.collect::<Vec<_>>().into_iter());
    }

    /// Puts each text in the file's place. All collectors are run on the first and on one of a hundred, the file's readers
    /// on every one.
    fn attack(&self, path: &Path, whole: &[u8], texts: impl Iterator<Item = Vec<u8>>) {
        let mut host = Host::open(&self.copy.root);
        let readers = self.readers(path, &mut host);
        let mut texts = texts.peekable();
        if readers.is_empty() {
            return;
        }
        let mut number = 0;
        while let Some(text) = texts.next() {
            self.copy.write(path, &text);
            let all = number % 100 == 0 || texts.peek().is_none();
            let run: &[&str] = if all { &[] } else { &readers };
            self.judge(path, &text, &mut host, run, &readers);
            number += 1;
        }
        self.copy.write(path, whole);
        for (name, page) in self.pages.iter().filter(|(name, _)| *name != HOLDS) {
            assert_eq!(
                &host.page(&[name]),
                page,
                "{}: {name} does not heal",
                path.display()
            );
        }
    }

    /// The collectors whose page changes when the file is spoilt or missing.
    fn readers(&self, path: &Path, host: &mut Host) -> Vec<&'static str> {
        let file = self.copy.root.join(path);
        let whole = fs::read(&file).unwrap();
        let mut readers = Vec::new();
        for text in [Some(&b"\xff:\xff \xff"[..]), Some(b"7\n"), None] {
            match text {
                Some(text) => self.copy.write(path, text),
                None => fs::remove_file(&file).unwrap(),
            }
            for (name, page) in &self.pages {
                if !readers.contains(name) && host.page(&[name]) != *page {
                    readers.push(name);
                }
            }
        }
        self.copy.write(path, &whole);
        readers
    }

    fn judge(&self, path: &Path, text: &[u8], host: &mut Host, run: &[&str], readers: &[&str]) {
        let page = host.page(run);
        let shown = || format!("{} as {:?}", path.display(), String::from_utf8_lossy(text));
        if let Err(why) = well_formed(&page) {
            panic!("{}: {why}", shown());
        }
        let ran = |name: &&str| run.is_empty() || run.contains(name);
        for (name, error) in host.errors().iter().filter(|(name, _)| ran(name)) {
            assert!(
                readers.contains(name),
                "{}: {name} failed: {error}",
                shown()
            );
            // A name that is not UTF-8 is shown in another way than it is stored.
            let named = error.starts_with(&path.display().to_string());
            assert!(named, "{}: the error does not name it: {error}", shown());
        }
        if run.is_empty() {
            for (name, before) in self
                .pages
                .iter()
                .filter(|(name, _)| !readers.contains(name))
            {
                assert_eq!(&host.page(&[name]), before, "{}: {name} changed", shown());
            }
        }
    }
}

fn positions(length: usize) -> impl Iterator<Item = usize> {
    let middle = EVERY_BYTE / 2..length.saturating_sub(EVERY_BYTE / 2);
    (0..length).filter(move |at| !middle.contains(at) || at % STRIDE == 0)
}

/// Where the words of a text begin and end. Colons separate too: half of the formats use them.
fn words(text: &[u8]) -> Vec<(usize, usize)> {
    let separates = |byte: u8| byte.is_ascii_whitespace() || byte == b':';
    let mut found = Vec::new();
    let mut start = None;
    for (at, byte) in text.iter().enumerate() {
        match (separates(*byte), start) {
            (false, None) => start = Some(at),
            (true, Some(begun)) => {
                found.push((begun, at));
                start = None;
            }
            _ => {}
        }
    }
    found.extend(start.map(|begun| (begun, text.len())));
    found
}
