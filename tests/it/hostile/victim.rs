//! A captured host whose files are spoilt one by one.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use weir::collectors::ALL;

use crate::tree::Copy;
use crate::tree::Host;
use crate::tree::files_below;
use crate::tree::fixtures;
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

/// A copy of a captured host, and what each collector says of it as it is.
pub(super) struct Victim {
    pub(super) copy: Copy,
    pub(super) pages: Vec<(&'static str, String)>,
}

impl Victim {
    pub(super) fn new(name: &str) -> Self {
        Self::of(Copy::of(&fixtures().join("hosts").join(name)))
    }

    pub(super) fn of(copy: Copy) -> Self {
        let mut host = Host::open(&copy.root);
        let pages = ALL
            .iter()
            .map(|spec| (spec.name, host.page(&[spec.name])))
            .collect();
        Self { copy, pages }
    }

    pub(super) fn files(&self, root: &str) -> Vec<PathBuf> {
        let mut found = files_below(&self.copy.root);
        found.retain(|path| path.starts_with(root));
        found
    }

    pub(super) fn cut(&self, path: &Path) {
        let whole = fs::read(self.copy.root.join(path)).unwrap();
        self.attack(
            path,
            &whole,
            positions(whole.len()).map(|end| whole[..end].to_vec()),
        );
    }

    pub(super) fn garble(&self, path: &Path) {
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

    pub(super) fn reorder(&self, path: &Path) {
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
    pub(super) fn strike(&self, path: &Path) {
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
    pub(super) fn attack(&self, path: &Path, whole: &[u8], texts: impl Iterator<Item = Vec<u8>>) {
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
    pub(super) fn readers(&self, path: &Path, host: &mut Host) -> Vec<&'static str> {
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

    pub(super) fn judge(
        &self,
        path: &Path,
        text: &[u8],
        host: &mut Host,
        run: &[&str],
        readers: &[&str],
    ) {
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

pub(super) fn positions(length: usize) -> impl Iterator<Item = usize> {
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
