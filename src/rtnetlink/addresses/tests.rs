use super::*;
use crate::netlink::Progress;
use crate::netlink::attributes::push;
use crate::netlink::tests::message;

const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;

fn ifaddrmsg(family: u8, length: u8, index: u32) -> Vec<u8> {
    let mut bytes = vec![family, length, 0x80, 0];
    bytes.extend_from_slice(&index.to_ne_bytes());
    bytes
}

/// 192.0.2.1/24 dev 2 brd 192.0.2.255, as 6.18 sends it.
fn of_ethernet() -> Vec<u8> {
    let mut bytes = ifaddrmsg(2, 24, 2);
    push(&mut bytes, IFA_ADDRESS, &[192, 0, 2, 1]);
    push(&mut bytes, IFA_LOCAL, &[192, 0, 2, 1]);
    push(&mut bytes, 4, &[192, 0, 2, 255]);
    push(&mut bytes, 3, b"eth0\0");
    push(&mut bytes, 8, &0x80u32.to_ne_bytes());
    push(&mut bytes, 6, &[0xff; 16]);
    bytes
}

/// fe80::1/64 dev 3
fn link_local() -> Vec<u8> {
    let mut bytes = ifaddrmsg(10, 64, 3);
    let mut address = [0; 16];
    (address[0], address[1], address[15]) = (0xfe, 0x80, 1);
    push(&mut bytes, IFA_ADDRESS, &address);
    push(&mut bytes, 6, &[0xff; 16]);
    push(&mut bytes, 8, &0x80u32.to_ne_bytes());
    bytes
}

fn found(index: u32, address: &str, length: u8) -> Result<Option<Address>, Cause> {
    Ok(Some(Address {
        index,
        address: address.parse().expect("an address"),
        length,
    }))
}

#[test]
fn parses() {
    assert_eq!(address(&of_ethernet()), found(2, "192.0.2.1", 24));
    assert_eq!(address(&link_local()), found(3, "fe80::1", 64));
}

/// Whichever comes first.
#[test]
fn the_devices_own_address_is_told_and_not_the_other_ends() {
    for order in [[IFA_ADDRESS, IFA_LOCAL], [IFA_LOCAL, IFA_ADDRESS]] {
        let mut bytes = ifaddrmsg(2, 32, 4);
        for kind in order {
            let last = if kind == IFA_LOCAL { 1 } else { 2 };
            push(&mut bytes, kind, &[192, 0, 2, last]);
        }
        assert_eq!(address(&bytes), found(4, "192.0.2.1", 32));
    }
}

#[test]
fn other_families_and_messages_without_an_address_are_passed_over() {
    let mut mctp = ifaddrmsg(45, 0, 2);
    push(&mut mctp, IFA_LOCAL, &[8]);
    for bytes in [mctp, ifaddrmsg(2, 24, 2), ifaddrmsg(10, 64, 2)] {
        assert_eq!(address(&bytes), Ok(None));
    }
}

#[test]
fn short() {
    assert_eq!(
        address(&of_ethernet()[..7]),
        Err(Cause::Malformed("an ifaddrmsg of 8 bytes", 7))
    );
    for (family, length) in [(2, 3), (2, 16), (10, 4), (10, 17)] {
        let mut bytes = ifaddrmsg(family, 24, 2);
        push(&mut bytes, IFA_LOCAL, &vec![1; length]);
        let expected = "an address as long as those of its family";
        assert_eq!(address(&bytes), Err(Cause::Malformed(expected, length)));
    }
    for (family, length) in [(2, 33), (10, 129)] {
        let expected = "a length of the prefix within the address";
        let error = Err(Cause::Malformed(expected, usize::from(length)));
        assert_eq!(address(&ifaddrmsg(family, length, 2)), error);
    }
}

#[test]
fn empty() {
    let expected = "an ifaddrmsg of 8 bytes";
    assert_eq!(address(&[]), Err(Cause::Malformed(expected, 0)));
}

#[test]
fn ends_abruptly() {
    let whole = of_ethernet();
    let fine: Vec<_> = (8..whole.len())
        .filter(|end| address(&whole[..*end]).is_ok())
        .collect();
    // Between two attributes, and in the padding behind the label.
    assert_eq!(fine, [8, 16, 24, 32, 41, 42, 43, 44, 52]);
}

#[test]
fn an_attribute_past_the_end() {
    for length in [0u16, 3, 200, u16::MAX] {
        let mut bytes = of_ethernet();
        bytes[8..10].copy_from_slice(&length.to_ne_bytes());
        let expected = "an attribute that ends inside its message";
        let error = Err(Cause::Malformed(expected, usize::from(length)));
        assert_eq!(address(&bytes), error);
    }
}

const REQUEST: Request<'static> = Request {
    name: "RTM_GETADDR",
    protocol: None,
    kind: RTM_GETADDR,
    answer: RTM_NEWADDR,
    dump: true,
    body: &[0; IFADDRMSG],
};

fn read(datagram: &[u8]) -> Result<Progress, Cause> {
    REQUEST.read(datagram, |payload| address(payload).map(|_| ()))
}

#[test]
fn an_interrupted_dump_says_so() {
    let end = 0i32.to_ne_bytes();
    for (flags, interrupted) in [(0, false), (NLM_F_DUMP_INTR, true)] {
        let datagram = [
            message(RTM_NEWADDR, flags, &of_ethernet()),
            message(NLMSG_DONE, 0, &end),
        ]
        .concat();
        let done = true;
        assert_eq!(read(&datagram), Ok(Progress { done, interrupted }));
    }
}

#[test]
fn a_message_of_another_type_is_refused() {
    let expected = "messages of the type that answers";
    let links = message(16, 0, &of_ethernet());
    assert_eq!(read(&links), Err(Cause::Malformed(expected, 16)));
}

#[test]
fn garbling_never_panics() {
    for whole in [of_ethernet(), link_local()] {
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let _ = address(&bytes);
            }
        }
    }
}

#[test]
fn the_kernel_tells_the_address_of_loopback() {
    let mut loopback = false;
    match addresses(|found| loopback |= found.address.is_loopback()) {
        // A namespace whose lo is down has none.
        Ok(_) => assert!(loopback || !up()),
        // Emulators do not know the question.
        Err(error) => assert!(crate::rtnetlink::is_absent(&error), "{error}"),
    }
}

fn up() -> bool {
    std::net::TcpListener::bind("127.0.0.1:0").is_ok()
}
