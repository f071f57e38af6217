//! How full the file systems are, from `/proc/1/mountinfo` (`self` where that of process 1 is hidden) and statvfs(3).
//!
//! A file system whose server is gone answers statvfs(3) never: network, cluster and FUSE file systems, and what is mounted
//! below one of them, are asked by a thread of their own each (remote.rs), local ones here. Of a captured tree only
//! `node_filesystem_mount_info` and `_readonly` are told, since sizes are in no file.
//!
//! Mount points and types are left out as in node_exporter, with one exception: OpenWrt's root is an overlay over a squashfs at
//! `/rom`, both of which the default leaves out. Where `/` or `/rom` is a squashfs and the default is in force, those two
//! mount points are shown whatever their types. A mount that stands in the table twice with equal labels is told once, with
//! the last one's options.

mod remote;

use std::borrow::Cow;
use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::FS_TYPES_EXCLUDE;
use crate::files::Files;
use crate::files::Space;
use crate::files::answers_at_once;
use crate::files::errno_words;
use crate::files::space;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::parse::mountinfo;
use crate::parse::mountinfo::Mount;
use crate::parse::printable;
use crate::probes::PATIENCE;
use crate::probes::STUCK;

use self::remote::Remote;

/// The collector `filesystem`.
pub static SPEC: Spec = Spec {
    name: "filesystem",
    help: "how full the file systems are",
    on_by_default: true,
    families: &[
        &DEVICE_ERROR,
        &READONLY,
        &SIZE,
        &FREE,
        &AVAIL,
        &FILES,
        &FILES_FREE,
        &MOUNT_INFO,
    ],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Filesystem {
            points: config.filesystem_mount_points_exclude.clone(),
            types: config.filesystem_types_exclude.clone(),
            // Nobody else waits for the loop of --once.
            remote: Remote::new(if config.once { STUCK } else { PATIENCE }),
        })
    },
};

const LABELS: &[&str] = &["device", "mountpoint", "fstype", "device_error"];

static DEVICE_ERROR: Desc = Desc::gauge(
    "node_filesystem_device_error",
    LABELS,
    "Whether the file system could not be asked (1) or could (0), and why, from statvfs(3).",
);
static READONLY: Desc = Desc::gauge(
    "node_filesystem_readonly",
    LABELS,
    "Whether the file system is mounted read-only (1) or not (0), from /proc/1/mountinfo.",
);
static SIZE: Desc = Desc::gauge(
    "node_filesystem_size_bytes",
    LABELS,
    "Size of the file system in bytes, from statvfs(3).",
);
static FREE: Desc = Desc::gauge(
    "node_filesystem_free_bytes",
    LABELS,
    "Free space of the file system in bytes, what is reserved for root included, from statvfs(3).",
);
static AVAIL: Desc = Desc::gauge(
    "node_filesystem_avail_bytes",
    LABELS,
    "Free space of the file system in bytes that every user may fill, from statvfs(3).",
);
static FILES: Desc = Desc::gauge(
    "node_filesystem_files",
    LABELS,
    "How many files the file system can hold, 0 where nothing limits them, from statvfs(3).",
);
static FILES_FREE: Desc = Desc::gauge(
    "node_filesystem_files_free",
    LABELS,
    "How many more files the file system can hold, from statvfs(3).",
);
static MOUNT_INFO: Desc = Desc::gauge(
    "node_filesystem_mount_info",
    &["device", "major", "minor", "mountpoint"],
    "What is mounted where, with the numbers of its device, from /proc/1/mountinfo. Always 1.",
);

/// The most mounts that are told, the first of the table; a machine full of containers has thousands.
const MOST: usize = 256;

struct Filesystem {
    points: Option<Regex>,
    types: Option<Regex>,
    remote: Remote,
}

impl Collector for Filesystem {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let files = context.files;
        for path in ["1/mountinfo", "self/mountinfo"] {
            let left_out = files.proc(path, |bytes| {
                let mounts: Vec<_> = mountinfo::mounts(bytes)?.collect::<Result<_, _>>()?;
                Ok(self.push(files, &mounts, batch))
            })?;
            if left_out.is_some() {
                context.left_out = left_out;
                break;
            }
        }
        Ok(())
    }
}

/// A mount that is told, its labels as they are exported.
struct Shown<'a> {
    mount: &'a Mount<'a>,
    path: Cow<'a, [u8]>,
    device: Cow<'a, str>,
    point: String,
    kind: Cow<'a, str>,
    /// Whether nobody but this kernel is asked.
    local: bool,
}

/// What a file system answered, or why it did not, in node_exporter's words.
type Answer = Result<Space, String>;

impl Filesystem {
    /// Writes the mounts, and says how many were left out.
    fn push(&mut self, files: &Files, mounts: &[Mount<'_>], batch: &mut Batch) -> usize {
        let default = self
            .types
            .as_ref()
            .is_some_and(|types| types.as_str() == FS_TYPES_EXCLUDE);
        let openwrt = default && mounts.iter().any(is_squashed_root);
        let mut shown: Vec<_> = mounts
            .iter()
            .filter_map(|mount| self.show(files, mount, openwrt))
            .collect();
        // The last of several with equal labels stays, in its place.
        let mut series = BTreeSet::new();
        shown.reverse();
        shown.retain(|shown| {
            series.insert((
                shown.device.to_string(),
                shown.point.clone(),
                shown.kind.to_string(),
            ))
        });
        shown.reverse();
        let left_out = shown.len().saturating_sub(MOST);
        shown.truncate(MOST);
        let table = mounts.iter().map(|mount| (mount.point, mount.kind));
        for shown in &mut shown {
            shown.local = answers_at_once(table.clone(), shown.mount.point);
        }
        let far = shown.iter().filter(|shown| !shown.local);
        self.remote.ask(files, far);
        let mut told = BTreeSet::new();
        for shown in &shown {
            let answer = if shown.local {
                let asked = files.below_root(&shown.path).map(|path| space(&path));
                asked.map(|answer| answer.map_err(errno_words))
            } else {
                self.remote.answer(shown)
            };
            push_space(shown, answer.as_ref(), batch);
            let (major, minor) = (shown.mount.major, shown.mount.minor);
            if told.insert((&*shown.device, major, minor, &*shown.point)) {
                let labels = batch.labels(&[
                    ("device", &shown.device),
                    ("major", &major.to_string()),
                    ("minor", &minor.to_string()),
                    ("mountpoint", &shown.point),
                ]);
                batch.push(&MOUNT_INFO, labels, 1.0);
            }
        }
        left_out
    }

    fn show<'a>(&self, files: &Files, mount: &'a Mount<'a>, openwrt: bool) -> Option<Shown<'a>> {
        let excluded = |pattern: &Option<Regex>, text: &str| {
            pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(text))
        };
        let kind = printable(mount.kind);
        let path = mountinfo::unescape(mount.point);
        let point = files.strip_rootfs(&path);
        let kept = openwrt && matches!(point, b"/" | b"/rom");
        let point = printable(point).into_owned();
        if excluded(&self.points, &point) || excluded(&self.types, &kind) && !kept {
            return None;
        }
        // In /proc/1/mountinfo of the host the points are the host's; in that of the container they begin with the root.
        let path = match path {
            Cow::Borrowed(path) => Cow::Borrowed(files.strip_rootfs(path)),
            Cow::Owned(path) => Cow::Owned(files.strip_rootfs(&path).to_vec()),
        };
        Some(Shown {
            mount,
            path,
            device: printable(mount.source),
            point,
            kind,
            local: false,
        })
    }
}

/// Writes a mount; without an answer what the table tells of it.
fn push_space(shown: &Shown<'_>, answer: Option<&Answer>, batch: &mut Batch) {
    let error = match answer {
        Some(Err(words)) => words,
        _ => "",
    };
    let labels = batch.labels(&[
        ("device", &shown.device),
        ("mountpoint", &shown.point),
        ("fstype", &shown.kind),
        ("device_error", error),
    ]);
    let flag = |set: bool| if set { 1.0 } else { 0.0 };
    if let Some(answer) = answer {
        batch.push(&DEVICE_ERROR, labels, flag(answer.is_err()));
    }
    batch.push(&READONLY, labels, flag(shown.mount.read_only));
    if let Some(Ok(space)) = answer {
        let bytes = |blocks: u64| float(blocks) * float(space.block);
        for (desc, value) in [
            (&SIZE, bytes(space.blocks)),
            (&FREE, bytes(space.free)),
            (&AVAIL, bytes(space.available)),
            (&FILES, float(space.files)),
            (&FILES_FREE, float(space.files_free)),
        ] {
            batch.push(desc, labels, value);
        }
    }
}

fn is_squashed_root(mount: &Mount<'_>) -> bool {
    matches!(mount.point, b"/" | b"/rom") && matches!(mount.kind, b"squashfs" | b"erofs")
}

#[cfg(test)]
mod tests;
