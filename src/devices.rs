//! Which devices are shown: which kinds (kinds.rs), and of more than `--limit.devices` those with the lowest indexes.
//!
//! The kernel hands indexes out upwards, so the oldest devices stay and their counters never leave the page for a newer
//! device. The order of /proc/net/dev does not tell: since 6.9 (`dev_seq_start` over an xarray) it is that of the indexes,
//! before that of a hash of the name. Below the limit no index is read.

pub mod kinds;

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netdevice;

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

/// The indexes of devices whose indexes were read before, by one system call each where the kernel can be asked.
///
/// SIOCGIFNAME (netdevice(7)) tells whether an index still bears the name. The question the other way round, SIOCGIFINDEX,
/// makes the kernel look for a module of that name when the device is gone. Measured with 3 and 500 devices (Linux 6.18,
/// x86_64, time of the processor): 6 µs and 0.25 ms; the five system calls a device of reading sysfs 30 µs and 6.2 ms, a
/// RTM_GETLINK dump 21 µs and 2.1 ms.
pub struct Indexes<'a> {
    files: &'a Files,
    socket: Option<OwnedFd>,
}

impl<'a> Indexes<'a> {
    /// Asks the kernel where `files` are the running one's, and reads sysfs elsewhere.
    #[must_use]
    pub fn new(files: &'a Files) -> Self {
        // Any socket will do; where there is none sysfs answers.
        let socket = || {
            rustix::net::socket_with(
                AddressFamily::UNIX,
                SocketType::DGRAM,
                SocketFlags::CLOEXEC,
                None,
            )
        };
        let socket = files.live().then(socket).and_then(Result::ok);
        Self { files, socket }
    }

    /// The device's index, which was `before`.
    #[must_use]
    pub fn of(&self, name: &[u8], before: Option<u64>) -> Option<u64> {
        if before.is_some_and(|index| self.bears(index, name)) {
            before
        } else {
            ifindex(self.files, name)
        }
    }

    fn bears(&self, index: u64, name: &[u8]) -> bool {
        let asked = self.socket.as_ref().zip(u32::try_from(index).ok());
        // A name that is not UTF-8 is an error, and sysfs answers.
        let found = asked.map(|(socket, index)| netdevice::index_to_name_inlined(socket, index));
        found.is_some_and(|found| found.is_ok_and(|found| found.as_bytes() == name))
    }
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

    #[test]
    fn an_index_is_believed_while_it_bears_the_name() {
        let files = Files::open(Path::new("/proc"), Path::new("/sys")).expect("a kernel");
        let indexes = Indexes::new(&files);
        let lo = ifindex(&files, b"lo");
        for before in [None, lo, Some(u64::from(u32::MAX)), Some(u64::MAX), Some(0)] {
            assert_eq!(indexes.of(b"lo", before), lo, "{before:?}");
            assert_eq!(indexes.of(b"no such", before), None, "{before:?}");
        }
        // An emulator may not know the question, and sysfs is read.
        if cfg!(target_arch = "x86_64") {
            assert_eq!(lo.map(|lo| indexes.bears(lo, b"lo")), Some(true));
        }
    }

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
