//! Which paths can be looked at without waiting for another machine or another program.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::FileError;
use super::Files;
use crate::parse::mountinfo;

/// As many symbolic links as the kernel follows in one path.
const LINKS: usize = 40;

/// The mount table of this process: points and types.
#[derive(Debug, Default)]
pub struct Mounts {
    table: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    /// Reads the mount table as this process sees it; empty where the tree has none, as captured ones.
    ///
    /// # Errors
    /// When it cannot be read or breaks its format.
    pub fn mounts(&self) -> Result<Mounts, FileError> {
        let table = self.proc("self/mountinfo", |bytes| {
            let owned = mountinfo::mounts(bytes)?.map(|mount| {
                let mount = mount?;
                Ok((
                    mountinfo::unescape(mount.point).into_owned(),
                    mount.kind.to_vec(),
                ))
            });
            owned.collect::<Result<_, _>>()
        })?;
        Ok(Mounts {
            table: table.unwrap_or_default(),
        })
    }
}

impl Mounts {
    /// The path below `root` with every symbolic link followed, and absolute ones followed below `root` too, where all of
    /// it is on this machine; `None` where a part is on a file system that somebody else must answer for, which is not
    /// looked at.
    #[must_use]
    pub fn resolve(&self, root: &Path, path: &Path) -> Option<PathBuf> {
        let mut found = root.to_path_buf();
        let mut rest: VecDeque<OsString> = parts(path);
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                if found != root {
                    found.pop();
                }
                continue;
            }
            found.push(part);
            if !self.is_local(&found) {
                return None;
            }
            let Ok(target) = fs::read_link(&found) else {
                continue;
            };
            links += 1;
            if links > LINKS {
                return Some(found);
            }
            found.pop();
            if target.is_absolute() {
                found = root.to_path_buf();
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
        }
        Some(found)
    }

    fn is_local(&self, path: &Path) -> bool {
        let table = self.table.iter();
        let table = table.map(|(point, kind)| (point.as_slice(), kind.as_slice()));
        answers_at_once(table, path.as_os_str().as_encoded_bytes())
    }
}

/// What is never asked because somebody else must answer: another machine, or a program on this one. Types of FUSE apart,
/// which begin with `fuse`.
const REMOTE: &[&str] = &[
    "9p",
    "acfs",
    "afs",
    "autofs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "gfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "mvfs",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "prl_fs",
    "pvfs2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
];

/// Whether looking at a path asks nobody but this kernel: neither what is mounted there nor on the way to it is remote, by
/// mount points and types in the order of the table. Of several mounts at one point the last is what is seen.
#[must_use]
pub fn answers_at_once<'m>(
    mounts: impl Iterator<Item = (&'m [u8], &'m [u8])> + Clone,
    path: &[u8],
) -> bool {
    let mut rest = mounts;
    while let Some((point, kind)) = rest.next() {
        if !is_on_the_way(point, path) || !is_remote(kind) {
            continue;
        }
        // What automounts has mounted already what is mounted below it.
        if kind == b"autofs" && point != path {
            continue;
        }
        if !rest.clone().any(|(later, _)| later == point) {
            return false;
        }
    }
    true
}

/// Whether `point` is `path` or a directory above it.
fn is_on_the_way(point: &[u8], path: &[u8]) -> bool {
    let point = point.strip_suffix(b"/").unwrap_or(point);
    path.strip_prefix(point)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn is_remote(kind: &[u8]) -> bool {
    kind.starts_with(b"fuse") && kind != b"fusectl"
        || REMOTE.iter().any(|remote| remote.as_bytes() == kind)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir));
    named
        .map(|component| component.as_os_str().to_os_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_below_the_root_and_remote_mounts_are_not_looked_at() {
        let root = std::env::temp_dir().join(format!("weir-{}-mounts", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("data/far")).expect("a temporary directory");
        for (target, link) in [
            ("/data", "var"),
            ("../data/far", "data/near"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).expect("a link");
        }
        let point = root.join("data/far").into_os_string().into_encoded_bytes();
        let mounts = Mounts {
            table: vec![(b"/".to_vec(), b"ext4".to_vec()), (point, b"nfs4".to_vec())],
        };
        let found = |path: &str| mounts.resolve(&root, Path::new(path));
        assert_eq!(found("/var/leases"), Some(root.join("data/leases")));
        assert_eq!(found("/var/none/such"), Some(root.join("data/none/such")));
        assert_eq!(found("/../../data/x"), Some(root.join("data/x")));
        assert_eq!(found("/var/near/leases"), None);
        assert_eq!(found("/data/far"), None);
        assert_eq!(found("/loop"), Some(root.join("loop")));
        assert_eq!(
            Mounts::default().resolve(&root, Path::new("/data/far")),
            Some(root.join("data/far"))
        );
        fs::remove_dir_all(&root).expect("removed");
    }

    fn asked(table: &[(&str, &str)], path: &str) -> bool {
        let table = table
            .iter()
            .map(|(point, kind)| (point.as_bytes(), kind.as_bytes()));
        answers_at_once(table, path.as_bytes())
    }

    #[test]
    fn remote_mounts_and_what_is_below_them_are_not_asked() {
        let table = [
            ("/", "ext4"),
            ("/home", "nfs4"),
            ("/home/disk", "ext4"),
            ("/homework", "xfs"),
            ("/mnt", "fuse.sshfs"),
            ("/media", "autofs"),
            ("/media/usb", "vfat"),
            ("/ctl", "fusectl"),
        ];
        for (path, expected) in [
            ("/", true),
            ("/home", false),
            ("/home/disk", false),
            ("/homework", true),
            ("/mnt", false),
            ("/media", false),
            ("/media/usb", true),
            ("/ctl", true),
        ] {
            assert_eq!(asked(&table, path), expected, "{path}");
        }
        assert!(!asked(&[("/", "nfs"), ("/tmp", "tmpfs")], "/tmp"));
    }

    #[test]
    fn what_is_mounted_last_is_what_is_asked() {
        assert!(asked(&[("/a", "nfs"), ("/a", "ext4")], "/a"));
        assert!(!asked(&[("/a", "ext4"), ("/a", "nfs")], "/a"));
        assert!(asked(&[("/a", "autofs"), ("/a", "ext4")], "/a"));
        assert!(asked(
            &[("/a", "nfs"), ("/a", "ext4"), ("/a/b", "xfs")],
            "/a/b"
        ));
    }

    #[test]
    fn the_list_of_remote_types_is_sorted_and_covers_the_common_ones() {
        assert!(REMOTE.is_sorted());
        for kind in [
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "ceph",
            "fuse.sshfs",
            "fuseblk",
            "9p",
            "afs",
        ] {
            assert!(is_remote(kind.as_bytes()), "{kind}");
        }
        for kind in [
            "ext4", "tmpfs", "overlay", "squashfs", "ubifs", "nsfs", "rootfs",
        ] {
            assert!(!is_remote(kind.as_bytes()), "{kind}");
        }
    }
}
