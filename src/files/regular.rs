//! Files that people and programs write, outside the kernel's trees: found by a pattern, and read only when they are
//! regular files, so that a FIFO never blocks the loop.

use std::fs;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use super::Cause;
use super::FileError;
use super::entries;
use super::errno;

/// Reads a regular file of at most `limit` bytes, and tells when it was last written.
///
/// # Errors
/// When it is not there, no regular file, or too large.
pub fn read(path: &Path, limit: usize) -> Result<(Vec<u8>, SystemTime), FileError> {
    let failed = |cause| FileError {
        path: path.display().to_string(),
        cause,
    };
    let io = |error: io::Error| failed(Cause::Io(errno(&error)));
    // Opening a FIFO waits for its writer otherwise, and a terminal could become ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty());
    let file = fs::File::from(file.map_err(|errno| failed(Cause::Io(errno)))?);
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(failed(Cause::NotRegular));
    }
    let modified = metadata.modified().map_err(io)?;
    let mut bytes = Vec::new();
    let bound = limit as u64 + 1;
    file.take(bound).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > limit {
        return Err(failed(Cause::TooLarge(limit)));
    }
    Ok((bytes, modified))
}

/// The files in a directory whose names end in `suffix`, sorted by their names.
///
/// # Errors
/// When the directory is not there or cannot be listed.
pub fn with_suffix(directory: &Path, suffix: &str) -> Result<Vec<PathBuf>, FileError> {
    let names = entries(directory)?.ok_or_else(|| FileError {
        path: directory.display().to_string(),
        cause: Cause::Io(rustix::io::Errno::NOENT),
    })?;
    let ends = names
        .iter()
        .filter(|name| name.as_encoded_bytes().ends_with(suffix.as_bytes()));
    Ok(ends.map(|name| directory.join(name)).collect())
}

/// Whether a path leads to a directory.
#[must_use]
pub fn is_directory(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_dir())
}

/// What tells a file from every other, whatever leads to it: its device and inode. `None` where there is no such file.
#[must_use]
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The most paths that a pattern stands for, and the most that are kept on the way to them.
const WAYS: usize = 10_000;

/// The paths that a pattern stands for, sorted, and how many others there was no room for: `*` is any number of bytes and `?`
/// one byte, never a `/`. A pattern without either, and one that nothing fits, stands for itself, as in node_exporter.
#[must_use]
pub fn matching(pattern: &Path) -> (Vec<PathBuf>, usize) {
    let mut found = vec![PathBuf::new()];
    let mut left_out = 0;
    let (mut is_pattern, mut exists) = (false, true);
    for component in pattern.components() {
        let wild = component.as_os_str().as_encoded_bytes();
        let is_wild = wild.iter().any(|byte| matches!(byte, b'*' | b'?'));
        if !is_wild {
            found.iter_mut().for_each(|path| path.push(component));
            // What a `*` stands for need not hold what comes behind it.
            exists = !is_pattern;
            continue;
        }
        (is_pattern, exists) = (true, true);
        let mut next = Vec::new();
        for path in &found {
            // A directory that is not looked at counts for one.
            left_out += if next.len() < WAYS {
                fitting(path, wild, &mut next)
            } else {
                1
            };
        }
        found = next;
    }
    if !exists {
        found.retain(|path| !is_missing(path));
    }
    if found.is_empty() {
        (vec![pattern.to_path_buf()], 0)
    } else {
        (found, left_out)
    }
}

/// Adds what fits in a directory, and gives how much found no room.
fn fitting(directory: &Path, wild: &[u8], found: &mut Vec<PathBuf>) -> usize {
    let here = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    // One that cannot be listed holds nothing that fits.
    let entries = fs::read_dir(here).into_iter().flatten().flatten();
    let mut room = WAYS.saturating_sub(found.len());
    let (mut names, mut left_out) = (Vec::new(), 0);
    for name in entries.map(|entry| entry.file_name()) {
        if !fits(wild, name.as_encoded_bytes()) {
            continue;
        }
        if room == 0 {
            left_out += 1;
            continue;
        }
        room -= 1;
        names.push(name);
    }
    names.sort_unstable();
    found.extend(names.into_iter().map(|name| directory.join(name)));
    left_out
}

fn is_missing(path: &Path) -> bool {
    use rustix::io::Errno;
    let looked = fs::symlink_metadata(path);
    looked.is_err_and(|error| matches!(errno(&error), Errno::NOENT | Errno::NOTDIR))
}

/// Steps back to the last `*` only, so the time is the product of the lengths at worst.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star = None;
    while let Some(byte) = name.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, place));
                at += 1;
            }
            Some(b'?') => (at, place) = (at + 1, place + 1),
            Some(wanted) if wanted == byte => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((after, taken)) = star else {
                    return false;
                };
                star = Some((after, taken + 1));
                (at, place) = (after, taken + 1);
            }
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.d", "x.d", true),
            ("*.d", "x.dd", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c2b", false),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn a_pattern_stands_for_what_fits_or_for_itself() {
        let text = |pattern: &str| {
            let (found, left_out) = matching(Path::new(pattern));
            assert_eq!(left_out, 0);
            found
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(text("/proc/se?f/n*t"), ["/proc/self/net"]);
        assert_eq!(text("/proc/nonesuch*"), ["/proc/nonesuch*"]);
        assert_eq!(text("some/where"), ["some/where"]);
        assert_eq!(text("/proc/self/*/nonesuch"), ["/proc/self/*/nonesuch"]);
        assert_eq!(
            text("/proc/s*s/net/so*t/nonesuch/.."),
            ["/proc/s*s/net/so*t/nonesuch/.."]
        );
        // Of all that is there only what has the rest.
        assert_eq!(text("/proc/*/kernel/ostype"), ["/proc/sys/kernel/ostype"]);
    }

    #[test]
    fn what_a_pattern_stands_for_is_bounded() {
        let root = std::env::temp_dir().join(format!("weir-{}-matching", std::process::id()));
        // Each of 101 directories is there 101 times: through the links in one of them.
        fs::create_dir_all(&root).expect("a directory");
        for number in 0..=100 {
            let link = root.join(format!("d{number:03}"));
            std::os::unix::fs::symlink(".", link).expect("a link");
        }
        let (found, left_out) = matching(&root.join("d*/d*"));
        // The hundredth directory has room for one of its 101, and the last is not looked at.
        assert_eq!((found.len(), left_out), (WAYS, 100 + 1));
        assert_eq!(found.first(), Some(&root.join("d000/d000")));
        let (found, left_out) = matching(&root.join("*/*/*/*/d000"));
        assert_eq!(found.len(), WAYS);
        assert!(left_out > WAYS, "{left_out}");
        fs::remove_dir_all(&root).expect("ours");
    }
}
