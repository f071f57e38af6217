//! Which devices are shown when there are more than `--limit.devices`: those with the lowest indexes.
//!
//! The kernel hands indexes out upwards, so the oldest devices stay and their counters never leave the page for a newer
//! device. The order of /proc/net/dev does not tell: since 6.9 (`dev_seq_start` over an xarray) it is that of the indexes,
//! before that of a hash of the name. Below the limit no index is read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::files::Files;
use crate::parse::decimal;

/// The device's index, by which a device that was made anew under the same name is told from the old one. A device that
/// vanished since its name was read has none.
#[must_use]
pub fn ifindex(files: &Files, name: &[u8]) -> Option<u64> {
    let directory = files
        .sys_directory(Path::new("class/net").join(OsStr::from_bytes(name)))
        .ok()??;
    directory
        .read("ifindex", |bytes| Ok(decimal(bytes)))
        .ok()??
}

/// Keeps the `limit` devices with the lowest indexes, in the order in which they stand, and says how many went. Those
/// without an index go first, the last of them before the others.
pub fn keep_lowest<T>(
    devices: &mut Vec<T>,
    limit: usize,
    index: impl Fn(&T) -> Option<u64>,
) -> usize {
    let left_out = devices.len().saturating_sub(limit);
    if left_out == 0 {
        return 0;
    }
    let key = |(position, device)| (index(device).unwrap_or(u64::MAX), position);
    let keys: Vec<(u64, usize)> = (0..).zip(devices.iter()).map(key).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    let first_gone = sorted.get(limit).copied();
    let mut keys = keys.into_iter();
    devices.retain(|_| keys.next() < first_gone);
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limit: usize) -> (Vec<&'static str>, usize) {
        let mut devices = vec![
            ("veth9", Some(90)),
            ("gone1", None),
            ("lo", Some(1)),
            ("gone2", None),
            ("eth0", Some(2)),
        ];
        let left_out = keep_lowest(&mut devices, limit, |(_, index)| *index);
        (devices.iter().map(|(name, _)| *name).collect(), left_out)
    }

    #[test]
    fn the_lowest_indexes_stay_in_their_order() {
        assert_eq!(kept(2), (vec!["lo", "eth0"], 3));
        assert_eq!(kept(3), (vec!["veth9", "lo", "eth0"], 2));
        assert_eq!(kept(4), (vec!["veth9", "gone1", "lo", "eth0"], 1));
        assert_eq!(kept(5).1, 0);
        assert_eq!(kept(0), (vec![], 5));
    }
}
