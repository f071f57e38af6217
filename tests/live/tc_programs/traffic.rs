//! The programs on the loopback device of a network namespace: what goes out comes in, as many bytes of the wire both
//! ways, though the kernel says only on the way out how many there are.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;
use serde_json::Value;
use weir::sys::bpf::TcxAttach;
use weir::sys::bpf::link_create_tcx;
use weir::tc::Counts;
use weir::tc::Direction;
use weir::tc::Programs;
use weir::tc::TcError;

use super::ETHERNET;
use super::IFINDEX;
use crate::running::Namespace;
use crate::running::installed;
use crate::support::skip;

/// Bytes that are sent over a connection.
const BULK: u64 = 20 << 20;

fn attach(programs: &Programs) -> Result<[OwnedFd; 2], TcError> {
    programs.add(IFINDEX, ETHERNET)?;
    Ok([
        link_create_tcx(programs.ingress(), IFINDEX, TcxAttach::Ingress)?,
        link_create_tcx(programs.egress(), IFINDEX, TcxAttach::Egress)?,
    ])
}

/// Sends over TCP what `sum` then finds unchanged at the other end.
fn transfer(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind((address.parse::<IpAddr>().unwrap(), 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let reading = thread::spawn(move || {
        let (mut buffer, mut expected) = (vec![0; 1 << 16], 0u64);
        loop {
            let count = receiver.read(&mut buffer)?;
            for byte in &buffer[..count] {
                assert_eq!(u64::from(*byte), expected % 251);
                expected += 1;
            }
            if count == 0 {
                return Ok(expected);
            }
        }
    });
    let bytes: Vec<u8> = (0..BULK)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    sender.write_all(&bytes)?;
    drop(sender);
    let received: io::Result<u64> = reading.join().unwrap();
    assert_eq!(received?, BULK);
    Ok(())
}

/// The counts of both directions after a transfer in this thread's namespace; `None` where there are no TCX links.
fn counted(protocols: bool, address: &str) -> Result<Option<[Counts; 2]>, TcError> {
    let programs = Programs::load(protocols)?;
    let links = match attach(&programs) {
        Err(TcError::Bpf(error)) if error.errno == Errno::INVAL => return Ok(None),
        links => links?,
    };
    transfer(address).unwrap();
    let read = |direction| Ok::<_, TcError>(programs.read(IFINDEX, direction)?.unwrap());
    let mut counts = [read(Direction::Ingress)?, read(Direction::Egress)?];
    // The last acknowledgements may have been seen on the way out and not yet on the way in, or not at all.
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(50));
        let before = counts;
        counts = [read(Direction::Ingress)?, read(Direction::Egress)?];
        if counts == before && counts[0].packets == counts[1].packets {
            break;
        }
    }
    drop(links);
    Ok(Some(counts))
}

/// Packets and bytes as iproute2 says them.
fn statistics(namespace: &Namespace) -> [u64; 2] {
    let text = namespace.run("ip", ["-s", "-j", "link", "show", "dev", "lo"]);
    let links: Value = serde_json::from_slice(&text).unwrap();
    ["packets", "bytes"].map(|field| links[0]["stats64"]["tx"][field].as_u64().unwrap())
}

#[test]
fn what_goes_out_comes_in() {
    if !installed("ip") {
        return skip("ip is not installed");
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return skip(&reason),
    };
    let file = File::open(format!("/run/netns/{}", namespace.name)).unwrap();
    namespace.run("sysctl", ["-qw", "net.ipv6.conf.lo.disable_ipv6=0"]);
    // Small packets, which pass this device many at a time.
    namespace.ip("link set lo mtu 1500");
    for (version, address) in [(0, "127.0.0.1"), (1, "::1")] {
        for protocols in [false, true] {
            let before = statistics(&namespace);
            let counted = thread::scope(|scope| {
                let inside = scope.spawn(|| {
                    let kind = Some(LinkNameSpaceType::Network);
                    move_into_link_name_space(file.as_fd(), kind).unwrap();
                    counted(protocols, address)
                });
                inside.join().unwrap()
            });
            let [ingress, egress] = match counted {
                Ok(Some(counts)) => counts,
                Ok(None) => return skip("no TCX links in this kernel"),
                Err(error) => return skip(&error.to_string()),
            };
            // Where a socket buffer was split on its way, there are more of them afterwards; but not of what they hold.
            let wire = |counts: &Counts| (counts.packets, counts.bytes, counts.protocols);
            assert_eq!(wire(&ingress), wire(&egress));
            let after = statistics(&namespace);
            let moved = [after[0] - before[0], after[1] - before[1]];
            // The device's own counters are without the header (`loopback_xmit` in drivers/net/loopback.c).
            let bare = ingress.skb_bytes - ingress.skbs * u64::from(ETHERNET);
            assert_eq!([ingress.skbs, bare], moved);
            // There were packets that stood for many, and each has at most what the device takes.
            assert!(ingress.packets > 2 * ingress.skbs, "{ingress:?}");
            assert!(ingress.packets >= BULK / 1448, "{ingress:?}");
            assert!(ingress.bytes <= ingress.packets * 1514, "{ingress:?}");
            if let Some(rows) = egress.protocols {
                let tcp = rows[version][0];
                assert_eq!((tcp.packets, tcp.bytes), (egress.packets, egress.bytes));
            }
            println!("{address}: {egress:?}");
        }
    }
}
