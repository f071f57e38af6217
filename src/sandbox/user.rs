//! `--user`: whom to become, from /etc/passwd and /etc/group, since a static program has no other way to ask.

use std::fmt;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::Gid;
use rustix::process::Uid;

use crate::files::FileError;
use crate::files::regular;

/// The largest file of users, in bytes.
const FILE: usize = 4 << 20;

/// Why there is nobody to become.
#[derive(Debug)]
pub enum UserError {
    /// The file of users.
    File(FileError),
    /// It does not have that name.
    Unknown(String),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Unknown(name) => {
                write!(
                    f,
                    "expected a name in /etc/passwd, or UID[:GID], found {name:?}"
                )
            }
        }
    }
}

/// A user with the groups of the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl User {
    /// Looks a name or numbers up.
    pub(super) fn find(name: &str) -> Result<Self, UserError> {
        let read = |path: &str| regular::read(Path::new(path), FILE).map(|(bytes, _)| bytes);
        let numeric = name.starts_with(|first: char| first.is_ascii_digit());
        let passwd = match read("/etc/passwd") {
            Ok(bytes) => bytes,
            // Numbers need no file; small images have none.
            Err(_) if numeric => Vec::new(),
            Err(error) => return Err(UserError::File(error)),
        };
        // Without the file of groups there are none but the user's own.
        let group = read("/etc/group").unwrap_or_default();
        Self::among(name, &passwd, &group).ok_or_else(|| UserError::Unknown(name.to_string()))
    }

    /// passwd(5) and group(5): fields between colons. Lines that are none are passed over.
    fn among(name: &str, passwd: &[u8], group: &[u8]) -> Option<Self> {
        let (uid, gid) = match name.split_once(':') {
            Some((uid, gid)) => (Some(number(uid.as_bytes())?), Some(number(gid.as_bytes())?)),
            None => (number(name.as_bytes()), None),
        };
        let mut entry = None;
        for line in passwd.split(|byte| *byte == b'\n') {
            let (called, has) = (field(line, 0), number(field(line, 2)));
            let is_it = uid.map_or(called == name.as_bytes(), |uid| has == Some(uid));
            if let (true, Some(has), Some(own)) = (is_it, has, number(field(line, 3))) {
                entry = Some((called, has, own));
                break;
            }
        }
        // A number that nobody has is a user without a name.
        let nameless = uid.map(|uid| (b"".as_slice(), uid, uid));
        let (called, uid, own) = entry.or(nameless)?;
        let gid = gid.unwrap_or(own);
        let mut groups = vec![gid];
        for line in group.split(|byte| *byte == b'\n') {
            let mut members = field(line, 3).split(|byte| *byte == b',');
            let is_in = !called.is_empty() && members.any(|one| one == called);
            let other = number(field(line, 2)).filter(|other| is_in && *other != gid);
            groups.extend(other);
        }
        Some(Self {
            name: name.to_string(),
            uid,
            gid,
            groups,
        })
    }

    /// Becomes the user, and keeps the capabilities that there are for whoever takes them up again. Nothing to do where it
    /// is that user already.
    pub(super) fn enter(&self) -> Result<(), Errno> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let is_now = rustix::process::getuid() == uid && rustix::process::geteuid() == uid;
        if is_now && rustix::process::getegid() == gid {
            return Ok(());
        }
        rustix::thread::set_keep_capabilities(true)?;
        let groups: Vec<_> = self.groups.iter().copied().map(Gid::from_raw).collect();
        // Those of the thread: it is the only one.
        rustix::thread::set_thread_groups(&groups)?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        rustix::thread::set_keep_capabilities(false)
    }
}

/// Empty where a line has none.
fn field(line: &[u8], at: usize) -> &[u8] {
    let mut fields = line.split(|byte| *byte == b':');
    fields.nth(at).unwrap_or_default()
}

/// Digits only; the largest number means nobody to the kernel.
fn number(text: &[u8]) -> Option<u32> {
    let number = crate::parse::decimal(text)?;
    u32::try_from(number)
        .ok()
        .filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\n+::::::\nbroken\nweir:x:990:991::/:/bin/false\n";
    const GROUP: &[u8] = b"adm:x:4:syslog,weir\nweir:x:991:\nno:x:5:weirs\nown:x:991:weir\n";

    fn found(name: &str) -> Option<(u32, u32, Vec<u32>)> {
        let user = User::among(name, PASSWD, GROUP)?;
        Some((user.uid, user.gid, user.groups))
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(found("weir"), Some((990, 991, vec![991, 4])));
        assert_eq!(found("990"), Some((990, 991, vec![991, 4])));
        assert_eq!(found("990:7"), Some((990, 7, vec![7, 4, 991])));
        assert_eq!(found("root"), Some((0, 0, vec![0])));
        // A number that nobody has.
        assert_eq!(found("4242"), Some((4242, 4242, vec![4242])));
        assert_eq!(found("4242:1"), Some((4242, 1, vec![1])));
    }

    #[test]
    fn what_is_nobody() {
        for name in [
            "",
            "wei",
            "broken",
            "+",
            ":",
            "990:",
            ":990",
            "990:weir",
            "weir:991",
            "4294967295",
            "-1",
            "+990",
            "99999999999",
        ] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
