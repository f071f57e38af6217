//! The programs as filters of the discipline clsact, for kernels before 6.6, which have no TCX links.
//!
//! Unlike links, discipline and filters stay when the process is killed, and the next start finds them. So everything that
//! is made here can be known again: the filters by a place and a name of their own, and a discipline that was made here by
//! the filters' other name. What is taken over is replaced in one step, and nothing is removed but what was made here:
//! the discipline only when no foreign filter is on it.
//!
//! Traps:
//! - A foreign filter with a lower preference that answers TC_ACT_OK or drops ends the walk: what it takes is not seen on
//!   ingress. On egress the same is true, and what it drops never leaves.
//! - Two weirs in one network namespace would take each other's place.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::netlink::Cause;
use crate::netlink::NetlinkError;
use crate::netlink::settled;
use crate::rtnetlink::filters;
use crate::rtnetlink::filters::Filter;
use crate::rtnetlink::filters::Hook;
use crate::rtnetlink::filters::Place;

use crate::tc::attach::AttachError;

/// Before what people add without a preference (49152 and below), and not where others put themselves (1).
const PLACE: Place = Place {
    preference: 27,
    // "weir" in ASCII.
    handle: 0x7765_6972,
};

/// What the filters are called on a discipline that was there already.
const GUEST: &str = "weir";
/// What they are called on one that was made for them.
const OWNER: &str = "weir-made-clsact";

const HOOKS: [Hook; 2] = [Hook::Ingress, Hook::Egress];

/// What stands on a device's clsact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// Ours, ingress and egress.
    ours: [bool; 2],
    /// Ours say that the discipline was made for them.
    made: bool,
    /// There are others.
    foreign: bool,
    /// One of the others stands in our place.
    taken: bool,
}

impl Standing {
    fn take(&mut self, hook: usize, filter: &Filter<'_>) {
        let named = |name: &str| filter.kind == b"bpf" && filter.name == name.as_bytes();
        let own_preference = filter.place.preference == PLACE.preference;
        if filter.place == PLACE && (named(GUEST) || named(OWNER)) {
            if let Some(ours) = self.ours.get_mut(hook) {
                *ours = true;
            }
            self.made |= named(OWNER);
        } else if !(own_preference && filter.place.handle == 0 && filter.kind == b"bpf") {
            // What is excepted is our preference as such; its filters follow.
            self.foreign = true;
            // A preference is of one classifier only.
            self.taken |= filter.place == PLACE || own_preference && filter.kind != b"bpf";
        }
    }
}

/// Attaches the programs, or puts them in the place of those that an earlier process left.
///
/// # Errors
/// When the kernel refuses, or something foreign is in the way.
pub(super) fn attach(index: u32, programs: [BorrowedFd<'_>; 2]) -> Result<(), AttachError> {
    let mut made = filters::add_clsact(index)?;
    if !made {
        if !devices()?.contains(&index) {
            return Err(AttachError::Ingress);
        }
        let standing = standing(index)?;
        if standing.taken {
            return Err(AttachError::PlaceTaken);
        }
        made = standing.made;
    }
    let name = if made { OWNER } else { GUEST };
    for (hook, program) in HOOKS.into_iter().zip(programs) {
        if let Err(error) = filters::set(index, hook, PLACE, name, program) {
            // Half of it is worth nothing. That the kernel refuses this too changes nothing about the reason.
            let _ = if made {
                remove_clsact(index)
            } else {
                detach(index)
            };
            return Err(error.into());
        }
    }
    Ok(())
}

/// Removes what [`attach`] made, in this process or in an earlier one.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn detach(index: u32) -> Result<(), AttachError> {
    let standing = match standing(index) {
        Err(error) if is_gone(&error) => return Ok(()),
        result => result?,
    };
    if standing.made && !standing.foreign {
        return gone_is_fine(filters::remove_clsact(index));
    }
    for (hook, ours) in HOOKS.into_iter().zip(standing.ours) {
        if ours {
            gone_is_fine(filters::remove(index, hook, PLACE))?;
        }
    }
    Ok(())
}

/// Removes a discipline that was made here, unless somebody uses it meanwhile.
fn remove_clsact(index: u32) -> Result<(), AttachError> {
    if standing(index)?.foreign {
        return Ok(());
    }
    gone_is_fine(filters::remove_clsact(index))
}

/// The devices that have a clsact, whoever made it.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn devices() -> Result<Vec<u32>, AttachError> {
    let mut found = Vec::new();
    settled(|| {
        found.clear();
        filters::with_clsact(|index| found.push(index))
    })?;
    Ok(found)
}

fn standing(index: u32) -> Result<Standing, NetlinkError> {
    let mut found = Standing::default();
    for (at, hook) in HOOKS.into_iter().enumerate() {
        settled(|| filters::filters(index, hook, |filter| found.take(at, filter)))?;
    }
    Ok(found)
}

/// The device, the discipline or the filter went by itself.
fn is_gone(error: &NetlinkError) -> bool {
    let Cause::Refused(errno) = error.cause else {
        return false;
    };
    matches!(errno, Errno::NODEV | Errno::NOENT | Errno::INVAL)
}

fn gone_is_fine(result: Result<(), NetlinkError>) -> Result<(), AttachError> {
    match result {
        Err(error) if !is_gone(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(filters: &[(u16, u32, &[u8], &[u8])]) -> Standing {
        let mut found = Standing::default();
        for (preference, handle, kind, name) in filters {
            let place = Place {
                preference: *preference,
                handle: *handle,
            };
            found.take(1, &Filter { place, kind, name });
        }
        found
    }

    #[test]
    fn ours_are_known_by_place_and_name() {
        let own = [
            (27, 0, &b"bpf"[..], &b""[..]),
            (27, PLACE.handle, b"bpf", b"weir"),
        ];
        let expected = Standing {
            ours: [false, true],
            ..Standing::default()
        };
        assert_eq!(standing(&own), expected);
        let made = (27, PLACE.handle, &b"bpf"[..], OWNER.as_bytes());
        assert!(standing(&[made]).made && !standing(&[made]).foreign);
        assert_eq!(standing(&[]), Standing::default());
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        for filter in [
            (1, 0, &b"bpf"[..], &b""[..]),
            (27, 1, b"bpf", b"weir"),
            (28, PLACE.handle, b"bpf", b"weir"),
        ] {
            let found = standing(&[filter]);
            assert!(found.foreign && !found.taken && found.ours == [false; 2]);
        }
        for filter in [
            (27, PLACE.handle, &b"bpf"[..], &b"other"[..]),
            (27, 0, b"flower", b""),
        ] {
            assert!(standing(&[filter]).taken);
        }
    }
}
