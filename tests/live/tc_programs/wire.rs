//! Packets as this kernel makes them and sends them over a veth pair: fragments, tags, and what stands for many. They are
//! taken with AF_PACKET, with what the kernel says of their segments (`struct virtio_net_hdr`), and run through the programs.
//!
//! A tag is in the packet only where another one stands before it, beside the packet: a program that pushes two gives that
//! on kernels without VLAN devices (CONFIG_VLAN_8021Q) and actions (CONFIG_NET_ACT_VLAN).

use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use rustix::net::AddressFamily;
use rustix::net::Protocol;
use rustix::net::RecvFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::sockopt::Timeout;
use rustix::net::sockopt::set_socket_timeout;
use weir::sys::bpf::TcxAttach;
use weir::sys::bpf::link_create_tcx;
use weir::sys::bpf::prog_load;

use super::Case;
use super::ETHERNET;
use super::check;
use super::one;
use super::packets::Context;
use super::packets::Packet;
use super::packets::Row;
use super::packets::Row::*;
use super::programs;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::support::skip;
use crate::tc::setup::ifindex;
use crate::tc::setup::joined;

/// What near0's packets have behind the other end's address.
const NEAR: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Both ends' addresses, far's first.
const ADDRESSES: [[&str; 2]; 2] = [
    ["192.0.2.2", "192.0.2.1"],
    ["[2001:db8::2]", "[2001:db8::1]"],
];
const UDP: u8 = 17;
const TCP: u8 = 6;
/// Bytes of a tag.
const TAG: usize = 4;

/// Hears every packet of a namespace.
struct Tap(OwnedFd);

/// A packet, and the payload of each that it stands for; 0 for one that is itself.
struct Heard {
    packet: Packet,
    gso_size: u32,
}

impl Tap {
    fn open(namespace: &Namespace) -> Self {
        const EVERY: u16 = 3;
        const PACKET_VNET_HDR: libc::c_int = 15;
        let every = NonZeroU32::new(EVERY.to_be().into()).map(Protocol::from_raw);
        let (family, kind) = (AddressFamily::PACKET, SocketType::RAW);
        let socket = namespace
            .inside(|| rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, every))
            .unwrap();
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).unwrap();
        set_option(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1);
        Self(socket)
    }

    /// The next packets that near0 sent, as many as asked for, of those that are `wanted`.
    fn sent(&self, count: usize, wanted: impl Fn(&[u8]) -> bool) -> Vec<Heard> {
        const HEAD: usize = 10;
        let mut found = Vec::new();
        let mut buffer = vec![0; 1 << 17];
        while found.len() < count {
            let (length, _) = rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::empty())
                .unwrap_or_else(|error| panic!("{} of {count} packets: {error}", found.len()));
            let (head, bytes) = buffer[..length].split_at(HEAD);
            let is_gso = head[1] != 0;
            let gso_size = u16::from_ne_bytes([head[4], head[5]]);
            if bytes[6..12] == NEAR && wanted(bytes) {
                found.push(Heard {
                    packet: Packet(bytes.to_vec()),
                    gso_size: if is_gso { gso_size.into() } else { 0 },
                });
            }
        }
        found
    }
}

#[expect(unsafe_code, reason = "options that no crate knows")]
fn set_option(socket: &impl AsRawFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) {
    // SAFETY: the value is a number that lives until the call is over, as long as it is said to be.
    let answer = unsafe {
        let value = (&raw const value).cast();
        libc::setsockopt(socket.as_raw_fd(), level, name, value, 4)
    };
    assert_eq!(
        answer,
        0,
        "{level} {name}: {}",
        std::io::Error::last_os_error()
    );
}

/// The length of all headers of IP without extensions but that of a fragment, and its protocol.
fn headers(bytes: &[u8], tags: usize) -> (usize, u8) {
    let begin = 14 + tags * TAG;
    let (end, protocol) = match bytes[begin] >> 4 {
        4 => (begin + usize::from(bytes[begin] & 15) * 4, bytes[begin + 9]),
        _ if bytes[begin + 6] == 44 => (begin + 48, bytes[begin + 40]),
        _ => (begin + 40, bytes[begin + 6]),
    };
    match protocol {
        TCP => (end + usize::from(bytes[end + 12] >> 4) * 4, protocol),
        UDP => (end + 8, protocol),
        _ => (end, protocol),
    }
}

/// What must be counted of it.
fn case(name: &'static str, heard: Heard, row: Row) -> Case {
    let case = one(name, heard.packet, row);
    if heard.gso_size == 0 {
        return case;
    }
    let (header, _) = headers(&case.packet.0, 0);
    let payload = u32::try_from(case.packet.0.len() - header).unwrap();
    let packets = payload.div_ceil(heard.gso_size);
    let bytes = case.bytes + u64::from(packets - 1) * header as u64;
    let context = Context {
        gso_segs: packets,
        gso_size: heard.gso_size,
        wire_len: u32::try_from(bytes).unwrap(),
    };
    Case {
        context,
        packets: packets.into(),
        bytes,
        ..case
    }
}

/// near0 and far0 with addresses of both versions.
fn pair() -> Result<[Namespace; 2], String> {
    let pair = joined()?;
    for (namespace, device, own, other) in [(&pair[0], "near0", 1, 2), (&pair[1], "far0", 2, 1)] {
        let enable = format!("net.ipv6.conf.{device}.disable_ipv6=0");
        namespace.run("sysctl", ["-qw", &enable]);
        namespace.ip(&format!("addr add 2001:db8::{own}/64 dev {device} nodad"));
        namespace.ip(&format!(
            "neigh replace 2001:db8::{other} lladdr 02:00:00:00:00:0{other} dev {device} nud permanent"
        ));
    }
    Ok(pair)
}

/// Sends one datagram, in pieces where `segment` is not 0.
fn datagram([near, far]: &[Namespace; 2], [to, from]: [&str; 2], length: usize, segment: u16) {
    const UDP_SEGMENT: libc::c_int = 103;
    let bind = |namespace: &Namespace, host| {
        namespace.inside(|| UdpSocket::bind(format!("{host}:0")).unwrap())
    };
    let (receiver, sender) = (bind(far, to), bind(near, from));
    if segment > 0 {
        set_option(&sender, UDP.into(), UDP_SEGMENT, segment.into());
    }
    let sent = sender.send_to(&vec![7; length], receiver.local_addr().unwrap());
    assert_eq!(sent.unwrap(), length);
}

#[test]
fn fragments_of_this_kernel() {
    let (programs, pair) = match (programs(), pair()) {
        (Ok(programs), Ok(pair)) => (programs, pair),
        (Err(reason), _) | (_, Err(reason)) => return skip(&reason),
    };
    let tap = Tap::open(&pair[0]);
    for (addresses, row, name) in [
        (ADDRESSES[0], Ipv4(1), "fragment of IPv4"),
        (ADDRESSES[1], Ipv6(1), "fragment of IPv6"),
    ] {
        datagram(&pair, addresses, 4000, 0);
        let heard = tap.sent(3, |bytes| headers(bytes, 0).1 == UDP);
        for heard in heard {
            let bytes = &heard.packet.0;
            let is_fragment = match row {
                Ipv6(_) => bytes[20] == 44,
                // More of them follow, or this one is none of the first.
                _ => bytes[20] & 0x3f != 0 || bytes[21] != 0,
            };
            assert!(is_fragment && heard.gso_size == 0, "{:?}", heard.packet);
            check(&programs, ETHERNET, &case(name, heard, row));
        }
    }
}

#[test]
fn what_stands_for_many_of_this_kernel() {
    let (programs, pair) = match (programs(), pair()) {
        (Ok(programs), Ok(pair)) => (programs, pair),
        (Err(reason), _) | (_, Err(reason)) => return skip(&reason),
    };
    let [near, far] = &pair;
    let tap = Tap::open(near);
    for (addresses, tcp, udp) in [
        (ADDRESSES[0], Ipv4(0), Ipv4(1)),
        (ADDRESSES[1], Ipv6(0), Ipv6(1)),
    ] {
        let listener = far.inside(|| TcpListener::bind(format!("{}:0", addresses[0])).unwrap());
        let address = listener.local_addr().unwrap();
        let mut stream = near.inside(|| TcpStream::connect(address).unwrap());
        stream.set_nodelay(true).unwrap();
        // As much as BPF_PROG_TEST_RUN takes, which wants a packet in one page.
        stream.write_all(&[7; 3000]).unwrap();
        let is_many = |bytes: &[u8]| headers(bytes, 0).1 == TCP && bytes.len() > 1514;
        for heard in tap.sent(1, is_many) {
            let case = case("many of TCP", heard, tcp);
            assert!(case.packets > 1, "{:?}", case.context);
            check(&programs, ETHERNET, &case);
        }
        datagram(&pair, addresses, 1300, 500);
        for heard in tap.sent(1, |bytes| headers(bytes, 0).1 == UDP) {
            let case = case("many of UDP", heard, udp);
            assert_eq!((case.packets, case.context.gso_size), (3, 500));
            check(&programs, ETHERNET, &case);
        }
    }
}

/// A program that pushes two tags: `bpf_skb_vlan_push` (helper 18) with 802.1Q and then with 802.1ad.
fn pushes_tags() -> Vec<[u8; 8]> {
    let step = |operation: u8, registers: u8, value: i32| {
        let [a, b, c, d] = value.to_ne_bytes();
        [operation, registers, 0, 0, a, b, c, d]
    };
    let (low, high) = if cfg!(target_endian = "big") {
        (4, 0)
    } else {
        (0, 4)
    };
    let pair = |to: u8, from: u8| to << low | from << high;
    // r6 = r1
    let mut steps = vec![step(0xbf, pair(6, 1), 0)];
    for (ether_type, id) in [(0x8100u16, 7), (0x88a8, 8)] {
        steps.extend([
            // r1 = r6; r2 = the type as the wire has it; r3 = the identifier; call
            step(0xbf, pair(1, 6), 0),
            step(0xb7, pair(2, 0), ether_type.to_be().into()),
            step(0xb7, pair(3, 0), id),
            step(0x85, 0, 18),
        ]);
    }
    // r0 = -1; exit
    steps.extend([step(0xb7, 0, -1), step(0x95, 0, 0)]);
    steps
}

#[test]
fn tags_of_this_kernel() {
    let (programs, pair) = match (programs(), pair()) {
        (Ok(programs), Ok(pair)) => (programs, pair),
        (Err(reason), _) | (_, Err(reason)) => return skip(&reason),
    };
    let near = &pair[0];
    let index = u32::try_from(ifindex(near, "near0")).unwrap();
    let pushing = prog_load("pushing", &pushes_tags(), c"MIT").unwrap();
    let link = near.inside(|| link_create_tcx(pushing.as_fd(), index, TcxAttach::Egress).unwrap());
    let tap = Tap::open(near);
    for (addresses, row) in [(ADDRESSES[0], Ipv4(1)), (ADDRESSES[1], Ipv6(1))] {
        // One that is whole, and one in three fragments.
        for (length, packets) in [(100, 1), (4000, 3)] {
            datagram(&pair, addresses, length, 0);
            let is_tagged = |bytes: &[u8]| bytes[12..16] == [0x81, 0, 0, 7];
            let heard = tap.sent(packets, |bytes| {
                assert!(is_tagged(bytes), "{bytes:02x?}");
                headers(bytes, 1).1 == UDP
            });
            for heard in heard {
                check(&programs, ETHERNET, &case("tagged", heard, row));
            }
        }
    }
    drop(link);
}
