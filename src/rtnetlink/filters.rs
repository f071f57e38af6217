//! The discipline clsact, and BPF programs as filters on it: what `tc qdisc add dev DEV clsact` and
//! `tc filter add dev DEV ingress bpf direct-action` do.
//!
//! ```text
//! struct tcmsg  0 family  4 index i32  8 handle  12 parent  16 info  20 attributes
//! ```
//!
//! tc-bpf(8), include/uapi/linux/pkt_sched.h and pkt_cls.h; `tc_modify_qdisc` in net/sched/sch_api.c, `tc_new_tfilter` in
//! cls_api.c, `cls_bpf_change` in cls_bpf.c; clsact is there since Linux 4.5. A filter's `info` is its preference and, in
//! network byte order, the protocol that it sees. Changing anything wants CAP_NET_ADMIN.
//!
//! Traps:
//! - A device has one discipline for what comes in: clsact, or the older ingress. An ingress takes a filter meant for
//!   egress and runs it on ingress (`ingress_tcf_block` does not look at the class), so its kind is to be looked up
//!   first: in a dump, since the kernel tells one discipline to everybody who listens (NLM_F_ECHO) or to nobody.
//! - A dump shows each preference in use with the handle 0, and then each of its filters.
//! - A direct-action program that answers TC_ACT_UNSPEC lets the next filter decide; one that answers TC_ACT_OK ends
//!   the walk, and what stands behind it sees nothing.

use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::netlink::Cause;
use crate::netlink::NLM_F_CREATE;
use crate::netlink::NLM_F_EXCL;
use crate::netlink::NLM_F_REPLACE;
use crate::netlink::NetlinkError;
use crate::netlink::Request;
use crate::netlink::attributes::attributes;
use crate::netlink::attributes::push;
use crate::netlink::attributes::push_nested;
use crate::netlink::word;

const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_GETQDISC: u16 = 38;
const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;

const TCMSG: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_FLAGS_GEN: u16 = 9;
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
/// No network card gets to see the program.
const TCA_CLS_FLAGS_SKIP_HW: u32 = 1;

const CLSACT: &[u8] = b"clsact\0";
const BPF: &[u8] = b"bpf\0";
/// `ffff:`, the handle of clsact and ingress alike.
const HANDLE: u32 = 0xffff_0000;
/// TC_H_CLSACT, which is TC_H_INGRESS: where they stand.
const PARENT: u32 = 0xffff_fff1;
const ETH_P_ALL: u16 = 3;

/// Where on a device a filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// What comes in.
    Ingress,
    /// What goes out.
    Egress,
}

impl Hook {
    fn parent(self) -> u32 {
        match self {
            Self::Ingress => 0xffff_fff2,
            Self::Egress => 0xffff_fff3,
        }
    }
}

/// A filter's place: which comes first, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The preference; lower ones run first.
    pub preference: u16,
    /// The filter's own number.
    pub handle: u32,
}

/// A filter in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Where it stands; the handle 0 is the preference as such.
    pub place: Place,
    /// The classifier: `bpf`, `flower`.
    pub kind: &'a [u8],
    /// What somebody called a BPF filter; empty for others.
    pub name: &'a [u8],
}

/// Gives the device a clsact. False when it has a clsact or an ingress already.
///
/// # Errors
/// When the kernel refuses for another reason: ENOENT where it has no clsact, EPERM without CAP_NET_ADMIN.
pub fn add_clsact(index: u32) -> Result<bool, NetlinkError> {
    let mut body = tcmsg(index, HANDLE, PARENT, 0);
    push(&mut body, TCA_KIND, CLSACT);
    match request("RTM_NEWQDISC", RTM_NEWQDISC, &body).change(NLM_F_CREATE | NLM_F_EXCL) {
        Ok(()) => Ok(true),
        Err(error) if error.cause == Cause::Refused(Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the device's clsact away, and with it every filter on it.
///
/// # Errors
/// When the kernel refuses.
pub fn remove_clsact(index: u32) -> Result<(), NetlinkError> {
    let mut body = tcmsg(index, HANDLE, PARENT, 0);
    push(&mut body, TCA_KIND, CLSACT);
    request("RTM_DELQDISC", RTM_DELQDISC, &body).change(0)
}

/// Gives the index of each device that has a clsact to `each`; says whether the dump was interrupted.
///
/// # Errors
/// When the kernel refuses or sends what breaks the format.
pub fn with_clsact(mut each: impl FnMut(u32)) -> Result<bool, NetlinkError> {
    let request = Request {
        name: "RTM_GETQDISC",
        protocol: None,
        kind: RTM_GETQDISC,
        answer: RTM_NEWQDISC,
        dump: true,
        body: &[0; TCMSG],
    };
    request.ask(|payload| {
        let (header, rest) = header(payload)?;
        if word(header, 12) == PARENT && is_kind(rest, CLSACT)? {
            each(word(header, 4));
        }
        Ok(())
    })
}

/// Puts a program in this place, or in that of the filter that stands there. `name` is what `tc filter show` calls it.
///
/// # Errors
/// When the kernel refuses.
pub fn set(
    index: u32,
    hook: Hook,
    place: Place,
    name: &str,
    program: BorrowedFd<'_>,
) -> Result<(), NetlinkError> {
    let body = filter(index, hook, place, name, program.as_raw_fd());
    request("RTM_NEWTFILTER", RTM_NEWTFILTER, &body).change(NLM_F_CREATE | NLM_F_REPLACE)
}

/// Takes the filter in this place away.
///
/// # Errors
/// When the kernel refuses: ENOENT where there is none.
pub fn remove(index: u32, hook: Hook, place: Place) -> Result<(), NetlinkError> {
    let mut body = tcmsg(index, place.handle, hook.parent(), info(place));
    push(&mut body, TCA_KIND, BPF);
    request("RTM_DELTFILTER", RTM_DELTFILTER, &body).change(0)
}

/// Gives each filter that stands on this side of the device to `each`; says whether the dump was interrupted. A device
/// without a discipline for filters has none.
///
/// # Errors
/// When the kernel refuses or sends what breaks the format.
pub fn filters(
    index: u32,
    hook: Hook,
    mut each: impl FnMut(&Filter<'_>),
) -> Result<bool, NetlinkError> {
    let body = tcmsg(index, 0, hook.parent(), 0);
    let request = Request {
        dump: true,
        ..request("RTM_GETTFILTER", RTM_GETTFILTER, &body)
    };
    request.ask(|payload| {
        each(&read(payload)?);
        Ok(())
    })
}

/// One filter of a dump.
///
/// # Errors
/// When the message is too short, or an attribute ends behind it.
pub fn read(payload: &[u8]) -> Result<Filter<'_>, Cause> {
    let (header, rest) = header(payload)?;
    let [high, low, ..] = word(header, 16).to_be_bytes();
    let mut filter = Filter {
        place: Place {
            preference: u16::from_be_bytes([high, low]),
            handle: word(header, 8),
        },
        kind: &[],
        name: &[],
    };
    let mut options = None;
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            TCA_KIND => filter.kind = attribute.text(),
            TCA_OPTIONS => options = Some(attribute),
            _ => {}
        }
    }
    // What other classifiers have under this number is something else.
    if let Some(options) = options.filter(|_| filter.kind == b"bpf") {
        for attribute in options.nested() {
            let attribute = attribute?;
            if attribute.kind == TCA_BPF_NAME {
                filter.name = attribute.text();
            }
        }
    }
    Ok(filter)
}

fn filter(index: u32, hook: Hook, place: Place, name: &str, program: i32) -> Vec<u8> {
    let mut options = Vec::new();
    push(&mut options, TCA_BPF_FD, &program.to_ne_bytes());
    push(
        &mut options,
        TCA_BPF_NAME,
        &[name.as_bytes(), b"\0"].concat(),
    );
    for (kind, flag) in [
        (TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
        (TCA_BPF_FLAGS_GEN, TCA_CLS_FLAGS_SKIP_HW),
    ] {
        push(&mut options, kind, &flag.to_ne_bytes());
    }
    let mut body = tcmsg(index, place.handle, hook.parent(), info(place));
    push(&mut body, TCA_KIND, BPF);
    push_nested(&mut body, TCA_OPTIONS, &options);
    body
}

fn tcmsg(index: u32, handle: u32, parent: u32, info: u32) -> Vec<u8> {
    let words = [0, index, handle, parent, info];
    words.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// Preference and protocol: all of them, VLAN tags and what is not IP included.
fn info(place: Place) -> u32 {
    u32::from(place.preference) << 16 | u32::from(ETH_P_ALL.to_be())
}

fn request<'a>(name: &'static str, kind: u16, body: &'a [u8]) -> Request<'a> {
    Request {
        name,
        protocol: None,
        kind,
        answer: RTM_NEWTFILTER,
        dump: false,
        body,
    }
}

fn header(payload: &[u8]) -> Result<(&[u8; TCMSG], &[u8]), Cause> {
    let expected = "a tcmsg of 20 bytes";
    let split = payload.split_first_chunk::<TCMSG>();
    split.ok_or(Cause::Malformed(expected, payload.len()))
}

fn is_kind(rest: &[u8], kind: &[u8]) -> Result<bool, Cause> {
    for attribute in attributes(rest) {
        let attribute = attribute?;
        if attribute.kind == TCA_KIND {
            return Ok(Some(attribute.text()) == kind.strip_suffix(b"\0"));
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        preference: 27,
        handle: 0x7765_6972,
    };

    #[test]
    fn parses() {
        let body = filter(5, Hook::Egress, PLACE, "weir", 9);
        let expected = Filter {
            place: PLACE,
            kind: b"bpf",
            name: b"weir",
        };
        assert_eq!(read(&body), Ok(expected));
        let mut other = tcmsg(5, 1, Hook::Ingress.parent(), 0xc000_0000);
        push(&mut other, TCA_KIND, b"u32\0");
        push(&mut other, TCA_OPTIONS, &[9; 7]);
        let found = read(&other).unwrap();
        assert_eq!(found.place.preference, 0xc000);
        assert_eq!((found.kind, found.name), (&b"u32"[..], &b""[..]));
        assert_eq!(is_kind(&other[TCMSG..], b"u32\0"), Ok(true));
        assert_eq!(is_kind(&other[TCMSG..], CLSACT), Ok(false));
    }

    #[test]
    fn a_filter_as_the_kernel_reads_it() {
        let body = filter(5, Hook::Ingress, PLACE, "w", 9);
        let protocol = u32::from(3u16.to_be());
        let mut expected: Vec<u8> = [0, 5, PLACE.handle, 0xffff_fff2, 27 << 16 | protocol]
            .into_iter()
            .flat_map(u32::to_ne_bytes)
            .collect();
        let attribute = |length: u16, kind: u16, value: &[u8]| {
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
        };
        expected.extend(attribute(8, 1, b"bpf\0"));
        expected.extend(attribute(4 + 32, 0x8002, &[]));
        expected.extend(attribute(8, 6, &9u32.to_ne_bytes()));
        expected.extend(attribute(6, 7, b"w\0\0\0"));
        expected.extend(attribute(8, 8, &1u32.to_ne_bytes()));
        expected.extend(attribute(8, 9, &1u32.to_ne_bytes()));
        assert_eq!(body, expected);
    }

    #[test]
    fn short_and_empty() {
        let error = |found| Err(Cause::Malformed("a tcmsg of 20 bytes", found));
        assert_eq!(read(&[0; 19]), error(19));
        assert_eq!(read(&[]), error(0));
        assert_eq!(is_kind(&[], CLSACT), Ok(false));
    }

    #[test]
    fn ends_abruptly() {
        let body = filter(5, Hook::Ingress, PLACE, "weir", 9);
        for end in 0..body.len() {
            // Between two attributes a message is whole.
            assert_eq!(read(&body[..end]).is_ok(), [20, 28].contains(&end), "{end}");
        }
    }
}
