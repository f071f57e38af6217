use super::*;
use crate::netlink::Progress;
use crate::netlink::tests::message;

/// What Linux 6.18 (x86_64) sent for `vp`, one end of a veth pair, a port of a bridge, with an alias; without its
/// IFLA_AF_SPEC.
const PORT: &str = "\
    00000100020000004310010000000000070003007670000008000d00e80300000500100006000000050011000000000005004300\
    0000000008000400dc050000080032004400000008003300ffff000008001b000000000008001e000100000008003d0001000000\
    08001f000200000008002800ffff0000080029000000010008003a000000010008003f0000000100080040000000010008003b00\
    f8ff070008003c00ffff00000800420000000000080020000200000008000a000400000005002100010000000c0014007570226c\
    696e6b00080023000200000008002f00010000000800300001000000060044000000000006004500000000000500270000000000\
    0a000100f6886d7f37f900000a000200ffffffffffff0000cc00170002000000000000000200000000000000b400000000000000\
    b0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    0000000000000000000000000000000000000000640007000200000002000000b4000000b0000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000c002b0005000200000000006c0112000900010076657468000000000b00040062726964\
    67650000500105000500010000000000060002002000000008000300020000000500040000000000050005000000000005000600\
    00000000050007000000000005001c00000000000500080001000000050009000100000005001b000100000005001e0001000000\
    05000a000000000005000c00000000000c000d008000f6886d7f37f90c000e008000f6886d7f37f906000f000180000006001000\
    00000000060011000180000006001200010000000500130000000000050014000000000005001d000000000006001f0000000000\
    05002000000000000500230000000000050024000000000005002100000000000500270000000000050028000000000005002b00\
    000000000c00150000000000000000000c00160000000000000000000c0017000000000000000000050019000100000008002500\
    000200000800260000000000080029000000000008002a000000000008000500030000000c0006006e6f71756575650024000e00\
    000000000000000000000000000000000000000000000000000000000000000004003e8004004180";

fn port() -> Vec<u8> {
    let digits = PORT.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The same in this machine's byte order, with the attributes whose values are short enough to write down.
fn written() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[2..4].copy_from_slice(&1u16.to_ne_bytes());
    bytes[4..8].copy_from_slice(&2u32.to_ne_bytes());
    bytes[8..12].copy_from_slice(&0x11043u32.to_ne_bytes());
    push(&mut bytes, IFLA_IFNAME, b"vp\0");
    for (kind, value) in [
        (IFLA_TXQLEN, 1000u32),
        (IFLA_MTU, 1500),
        (IFLA_GROUP, 0),
        (IFLA_PROMISCUITY, 1),
        (IFLA_ALLMULTI, 1),
        (IFLA_CARRIER_CHANGES, 2),
        (IFLA_CARRIER_UP_COUNT, 1),
        (IFLA_CARRIER_DOWN_COUNT, 1),
        (IFLA_LINK, 3),
    ] {
        push(&mut bytes, kind, &value.to_ne_bytes());
    }
    for (kind, value) in [(IFLA_OPERSTATE, 6), (IFLA_LINKMODE, 0), (IFLA_CARRIER, 1)] {
        push(&mut bytes, kind, &[value]);
    }
    push(&mut bytes, IFLA_IFALIAS, b"up\"link\0");
    push(
        &mut bytes,
        IFLA_ADDRESS,
        &[0xf6, 0x88, 0x6d, 0x7f, 0x37, 0xf9],
    );
    push(&mut bytes, IFLA_BROADCAST, &[0xff; 6]);
    push(&mut bytes, IFLA_STATS64, &[0; 200]);
    let mut kinds = Vec::new();
    push(&mut kinds, IFLA_INFO_KIND, b"veth\0");
    push(&mut kinds, IFLA_INFO_SLAVE_KIND, b"bridge\0");
    push(&mut bytes, IFLA_LINKINFO, &kinds);
    bytes
}

fn expected() -> Link {
    Link {
        ifindex: 2,
        name: b"vp".to_vec(),
        hardware_type: 1,
        flags: 0x11043,
        address: vec![0xf6, 0x88, 0x6d, 0x7f, 0x37, 0xf9],
        broadcast: vec![0xff; 6],
        mtu: Some(1500),
        operstate: Some(6),
        link_mode: Some(0),
        transmit_queue_length: Some(1000),
        group: Some(0),
        link: Some(3),
        carrier: Some(true),
        carrier_changes: Some(2),
        carrier_up_count: Some(1),
        carrier_down_count: Some(1),
        promiscuity: Some(1),
        allmulti: Some(1),
        alias: b"up\"link".to_vec(),
        kind: b"veth".to_vec(),
        slave_kind: b"bridge".to_vec(),
        receive_nohandler: Some(0),
        modes: Modes::Unasked,
    }
}

#[test]
fn parses() {
    assert_eq!(link(&written()), Ok(expected()));
    if cfg!(target_endian = "little") {
        assert_eq!(link(&port()), Ok(expected()));
    }
}

#[test]
fn short() {
    let error = |expected, found| Err(Cause::Malformed(expected, found));
    assert_eq!(link(&[0; 15]), error("an ifinfomsg of 16 bytes", 15));
    for (kind, length, rule) in [
        (IFLA_MTU, 3, "an attribute of 4 bytes"),
        (IFLA_CARRIER, 0, "an attribute of 1 byte"),
    ] {
        let mut bytes = written();
        push(&mut bytes, kind, &[0; 3][..length]);
        assert_eq!(link(&bytes), error(rule, length));
    }
}

#[test]
fn empty() {
    assert!(link(&[]).is_err());
    assert_eq!(link(&[0; 16]), Err(Cause::Malformed("an IFLA_IFNAME", 0)));
}

#[test]
fn an_old_kernel_says_less() {
    let mut bytes = vec![0; HEADER];
    push(&mut bytes, IFLA_IFNAME, b"eth0\0");
    // Before Linux 4.6 the counters end with tx_compressed.
    push(&mut bytes, IFLA_STATS64, &[0; 184]);
    let found = link(&bytes).unwrap();
    assert_eq!(found.receive_nohandler, None);
    assert_eq!((found.carrier, found.own_flags()), (None, None));
}

#[test]
fn flags_are_those_of_sysfs() {
    // UP, BROADCAST, MULTICAST; PROMISC and ALLMULTI because the bridge wants everything.
    assert_eq!(expected().own_flags(), Some(0x1303));
    let by_hand = Link {
        flags: 0x11143,
        promiscuity: Some(0),
        allmulti: Some(0),
        ..expected()
    };
    assert_eq!(by_hand.own_flags(), Some(0x1003));
}

#[test]
fn an_attribute_past_the_end_is_an_error() {
    let mut bytes = written();
    bytes[16..18].copy_from_slice(&2000u16.to_ne_bytes());
    let expected = "an attribute that ends inside its message";
    assert_eq!(link(&bytes), Err(Cause::Malformed(expected, 2000)));
}

#[test]
fn ends_abruptly() {
    for whole in [written(), port()] {
        for end in 0..whole.len() {
            let _ = link(&whole[..end]);
            let datagram = message(RTM_NEWLINK, 2, &whole);
            let result = request(&[]).read(&datagram[..end], |payload| link(payload).map(|_| ()));
            assert!(end == 0 || result.is_err(), "cut at {end}");
        }
    }
}

#[test]
fn garbling_never_panics() {
    for whole in [written(), port()] {
        for at in 0..whole.len() {
            for byte in [0, 1, 3, 4, 5, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let _ = link(&bytes).map(|link| link.own_flags());
            }
        }
    }
}

#[test]
fn another_type_of_message_is_an_error() {
    let datagram = message(RTM_GETLINK, 2, &written());
    let result = request(&[]).read(&datagram, |payload| link(payload).map(|_| ()));
    let expected = "messages of the type that answers";
    assert_eq!(result, Err(Cause::Malformed(expected, 18)));
    let datagram = message(RTM_NEWLINK, 0x12, &written());
    let result = request(&[]).read(&datagram, |payload| link(payload).map(|_| ()));
    let interrupted = Progress {
        done: false,
        interrupted: true,
    };
    assert_eq!(result, Ok(interrupted));
}

#[test]
fn the_request_is_what_the_kernel_reads() {
    let body = body();
    let bytes: [u8; 40] = request(&body).message().try_into().unwrap();
    assert_eq!(
        (word(&bytes, 0), half(&bytes, 4), half(&bytes, 6)),
        (40, 18, 0x301)
    );
    assert_eq!(
        (half(&bytes, 32), half(&bytes, 34), word(&bytes, 36)),
        (8, 29, 8)
    );
}
