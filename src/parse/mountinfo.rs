//! `/proc/PID/mountinfo`: what is mounted where, as that process sees it.
//!
//! Documented in proc_pid_mountinfo(5); written by `show_mountinfo` in the kernel's fs/proc_namespace.c, since 2.6.26.
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt\0402 rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
//! ```
//!
//! Number, parent, device, the mounted directory of the file system, the mount point, the mount's options, any number of
//! tags, a dash, the type, the source and the file system's options. In the names blank, tab, line feed, backslash and `#`
//! stand as three octal digits behind a backslash.
//!
//! Traps: one mount point may stand there several times, the last one being what is seen; the source may be empty; read-only
//! may be the mount or the file system.

use std::borrow::Cow;

use super::Line;
use super::Lines;
use super::ParseError;
use super::lines;

/// One mount, its names as they stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount<'a> {
    /// The device's major number.
    pub major: u64,
    /// The device's minor number.
    pub minor: u64,
    /// The directory or file of the file system that is mounted; of a namespace `net:[4026532281]`.
    pub root: &'a [u8],
    /// The mount point; [`unescape`] gives the path.
    pub point: &'a [u8],
    /// The type, with the subtype of FUSE behind a point.
    pub kind: &'a [u8],
    /// What is mounted.
    pub source: &'a [u8],
    /// Whether the mount or the file system is read-only.
    pub read_only: bool,
}

/// The mounts of one file, in the order in which they were mounted.
pub struct Mounts<'a> {
    lines: Lines<'a>,
}

/// Reads the file line by line.
///
/// # Errors
/// When it is empty: there is always a root.
pub fn mounts(bytes: &[u8]) -> Result<Mounts<'_>, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(1, "number", "a mount", bytes));
    }
    Ok(Mounts {
        lines: lines(bytes),
    })
}

impl<'a> Iterator for Mounts<'a> {
    type Item = Result<Mount<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(mount))
    }
}

fn mount(mut line: Line<'_>) -> Result<Mount<'_>, ParseError> {
    const DEVICE: &str = "two numbers and a colon between them";
    line.expect_decimal("number")?;
    line.expect_decimal("parent")?;
    let device = line.expect_word("device", DEVICE)?;
    let mut pair = device.splitn(2, |byte| *byte == b':');
    let mut number = || pair.next().and_then(super::decimal);
    let (Some(major), Some(minor)) = (number(), number()) else {
        return Err(line.error("device", DEVICE, device));
    };
    let root = line.expect_word("root", "a path")?;
    let point = line.expect_word("mount point", "a path")?;
    if !point.starts_with(b"/") {
        return Err(line.error("mount point", "a path that begins with /", point));
    }
    let options = line.expect_word("options", "rw or ro among others")?;
    while line.expect_word("tags", "a dash at their end")? != b"-" {}
    let kind = line.expect_word("type", "a word")?;
    // The source may be empty, so that blanks count from here on.
    let rest = line.rest().strip_prefix(b" ").unwrap_or_default();
    let mut rest = rest.splitn(2, |byte| *byte == b' ');
    let source = rest.next().unwrap_or_default();
    let Some(of_file_system) = rest.next() else {
        return Err(line.error("source", "a source and options", line.rest()));
    };
    Ok(Mount {
        major,
        minor,
        root,
        point,
        kind,
        source,
        read_only: is_read_only(options) || is_read_only(of_file_system.trim_ascii_end()),
    })
}

fn is_read_only(options: &[u8]) -> bool {
    options
        .split(|byte| *byte == b',')
        .any(|option| option == b"ro")
}

/// The name without its escapes.
#[must_use]
pub fn unescape(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'\\') {
        return Cow::Borrowed(name);
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        match tail.split_at_checked(3) {
            Some((digits, after)) if *first == b'\\' && octal(digits).is_some() => {
                plain.extend(octal(digits));
                rest = after;
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(plain)
}

fn octal(digits: &[u8]) -> Option<u8> {
    super::digits(digits, 8).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// x86_64 virtual machine, kernel 6.18, 2026-11, without most of its lines; the second is proc(5)'s.
    const SAMPLE: &[u8] = b"\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict
36 27 98:0 /mnt1 /mnt\\0402 rw,noatime shared:1 master:2 - ext3 /dev/root ro,errors=continue
43 42 0:4 net:[4026532306] /run/netns/a ro shared:2 - nsfs nsfs rw
44 27 0:40 / /x rw - tmpfs  rw,size=4k
";

    fn read(bytes: &[u8]) -> Result<Vec<Mount<'_>>, ParseError> {
        mounts(bytes)?.collect()
    }

    fn error(bytes: &[u8]) -> String {
        read(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        let found = read(SAMPLE).expect("the sample");
        let expected = Mount {
            major: 98,
            minor: 0,
            root: b"/mnt1",
            point: b"/mnt\\0402",
            kind: b"ext3",
            source: b"/dev/root",
            read_only: true,
        };
        assert_eq!(found[1], expected);
        assert_eq!(
            found
                .iter()
                .map(|mount| mount.read_only)
                .collect::<Vec<_>>(),
            [false, true, true, false]
        );
        assert_eq!(found[2].root, b"net:[4026532306]");
        assert_eq!((found[3].kind, found[3].source), (&b"tmpfs"[..], &b""[..]));
        hostile::survive(SAMPLE, |bytes| read(bytes).map(|found| found.len()));
    }

    #[test]
    fn short() {
        for (text, expected) in [
            (
                "27 1 254:0 / / rw shared:1\n",
                "1: tags: expected a dash at their end, found \"\"",
            ),
            (
                "27 1 254:0 / / rw - ext4\n",
                "1: source: expected a source and options, found \"\"",
            ),
            (
                "27 1 254 / / rw - ext4 a rw\n",
                "1: device: expected two numbers and a colon between them, found \"254\"",
            ),
            (
                "27 1 0:1 / x rw - ext4 a rw\n",
                "1: mount point: expected a path that begins with /, found \"x\"",
            ),
        ] {
            assert_eq!(error(text.as_bytes()), expected);
        }
    }

    #[test]
    fn empty() {
        assert_eq!(error(b""), "1: number: expected a mount, found \"\"");
    }

    #[test]
    fn ends_abruptly() {
        assert!(error(&SAMPLE[..SAMPLE.len() - 1]).contains("a line feed at its end"));
    }

    #[test]
    fn escapes_are_three_octal_digits() {
        for (name, plain) in [
            ("/a", "/a"),
            ("/a\\040b\\011c\\012d\\134e\\043f", "/a b\tc\nd\\e#f"),
            ("/\\134040", "/\\040"),
            ("/a\\04", "/a\\04"),
            ("/a\\", "/a\\"),
            ("/a\\09x", "/a\\09x"),
            ("/a\\777", "/a\\777"),
        ] {
            assert_eq!(&*unescape(name.as_bytes()), plain.as_bytes(), "{name}");
        }
    }
}
