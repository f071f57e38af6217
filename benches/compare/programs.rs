//! What the TC programs cost: each run many times in the kernel on one packet (BPF_PROG_TEST_RUN), with everything hot.
//!
//! Measured with weir's own map and an entry for the device. The kernel's loop around the program is in the figures, and
//! is shown by a program that does nothing.

use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use weir::sys::bpf::BpfError;
use weir::sys::bpf::prog_load;
use weir::sys::bpf::prog_test_run;
use weir::tc::Programs;
use weir::tc::TcError;

use crate::report::Goals;

/// The most that a base program may take, in nanoseconds per packet of the wire. A socket buffer that stands for two has
/// time for two.
const CEILING: f64 = 60.0;
/// Runs behind one figure, some 10 ms.
const RUNS: u32 = 200_000;
/// Figures of which the median is taken.
const ROUNDS: usize = 21;
/// Where BPF_PROG_TEST_RUN has packets pass, and what they begin with.
const LOOPBACK: u32 = 1;
const ETHERNET: u32 = 14;
/// `r0 = -1; exit`: what comes next decides.
const NOTHING: [(u8, i32); 2] = [(0xb7, -1), (0x95, 0)];

/// A packet, and what its context says of the packets of the wire that it stands for.
struct Packet {
    name: &'static str,
    bytes: Vec<u8>,
    stands_for: u32,
    gso_segs: u32,
    gso_size: u32,
}

/// Prints the table, and judges the base programs.
pub(crate) fn goals(goals: &mut Goals) {
    if let Err(error) = measure(goals) {
        goals.missing(&format!("TC programs: {error}"));
    }
}

fn measure(goals: &mut Goals) -> Result<(), TcError> {
    let nothing = NOTHING.map(|(operation, value)| {
        let [a, b, c, d] = value.to_ne_bytes();
        [operation, 0, 0, 0, a, b, c, d]
    });
    let nothing = prog_load("nothing", &nothing, c"MIT")?;
    let [base, protocols] = [Programs::load(false)?, Programs::load(true)?];
    for programs in [&base, &protocols] {
        programs.add(LOOPBACK, ETHERNET)?;
    }
    let programs = [
        ("nothing", nothing.as_fd()),
        ("base, ingress", base.ingress()),
        ("base, egress", base.egress()),
        ("protocols, ingress", protocols.ingress()),
        ("protocols, egress", protocols.egress()),
    ];
    let packets = packets();
    let mut figures = vec![Vec::new(); programs.len() * packets.len()];
    // The first round warms up and does not count; what disturbs the machine disturbs all.
    for round in 0..=ROUNDS {
        let pairs = programs
            .iter()
            .flat_map(|program| packets.iter().map(move |packet| (program, packet)));
        for (((_, program), packet), figures) in pairs.zip(&mut figures) {
            let found = nanoseconds(*program, packet)?;
            if round > 0 {
                figures.push(found);
            }
        }
    }
    print!("\n### TC programs: nanoseconds per socket buffer\n\n| program |");
    packets
        .iter()
        .for_each(|packet| print!(" {} |", packet.name));
    println!("\n|---|{}", "---:|".repeat(packets.len()));
    for ((name, _), row) in programs.iter().zip(figures.chunks_mut(packets.len())) {
        let medians: Vec<f64> = row.iter_mut().map(|figures| median(figures)).collect();
        let cells: String = medians
            .iter()
            .map(|found| format!(" {found:.0} |"))
            .collect();
        println!("| {name} |{cells}");
        if name.starts_with("base") {
            for (packet, found) in packets.iter().zip(medians) {
                let what = format!("TC program, {name}, {}, ns a packet", packet.name);
                goals.at_most(&what, CEILING, found / f64::from(packet.stands_for));
            }
        }
    }
    Ok(())
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures
        .get(figures.len() / 2)
        .copied()
        .unwrap_or(f64::INFINITY)
}

fn nanoseconds(program: BorrowedFd<'_>, packet: &Packet) -> Result<f64, BpfError> {
    // Where the two begin in `struct __sk_buff`.
    let mut context = [0; 192];
    for (at, value) in [(164, packet.gso_segs), (176, packet.gso_size)] {
        if let Some(field) = context.get_mut(at..at + 4) {
            field.copy_from_slice(&value.to_ne_bytes());
        }
    }
    let run = prog_test_run(program, &packet.bytes, &context, RUNS)?;
    Ok(f64::from(run.nanoseconds))
}

/// What a network is full of: TCP with timestamps, datagrams and pings over both versions of IP, ARP, a tag in the packet;
/// and what stands for two packets, the fewest of which the headers are parsed. Where the kernel did not count them, it
/// tells the payload of each.
fn packets() -> Vec<Packet> {
    const IPV4: u16 = 0x0800;
    const IPV6: u16 = 0x86dd;
    let ipv4 = |protocol: u8| {
        let mut header = [0; 20];
        (header[0], header[9]) = (0x45, protocol);
        header.to_vec()
    };
    let ipv6 = |protocol: u8| {
        let mut header = [0; 40];
        (header[0], header[6]) = (0x60, protocol);
        header.to_vec()
    };
    let mut tcp = [0; 32];
    tcp[12] = 0x80;
    let packet = |name, ether_types: &[u16], headers: &[&[u8]], stands_for| {
        let mut bytes = vec![0; 12];
        // A tag's number stands between the types.
        let types = ether_types.iter().map(|number| number.to_be_bytes());
        let types: Vec<_> = types.collect();
        bytes.extend(types.join(&[0, 7][..]));
        bytes.extend(headers.concat());
        bytes.resize(1500, 0);
        Packet {
            name,
            bytes,
            stands_for,
            gso_segs: stands_for,
            gso_size: if stands_for > 1 { 1000 } else { 0 },
        }
    };
    let uncounted = Packet {
        gso_segs: 0,
        ..packet("TCP, 2 as one, uncounted", &[IPV4], &[&ipv4(6), &tcp], 2)
    };
    vec![
        uncounted,
        packet("TCP", &[IPV4], &[&ipv4(6), &tcp], 1),
        packet("TCP, 2 as one", &[IPV4], &[&ipv4(6), &tcp], 2),
        packet("TCP6", &[IPV6], &[&ipv6(6), &tcp], 1),
        packet("TCP6, 2 as one", &[IPV6], &[&ipv6(6), &tcp], 2),
        packet("UDP", &[IPV4], &[&ipv4(17)], 1),
        packet("UDP, 2 as one", &[IPV4], &[&ipv4(17)], 2),
        packet("UDP6", &[IPV6], &[&ipv6(17)], 1),
        packet("UDP6, 2 as one", &[IPV6], &[&ipv6(17)], 2),
        packet("ICMP", &[IPV4], &[&ipv4(1)], 1),
        packet("ARP", &[0x0806], &[], 1),
        packet("VLAN", &[0x8100, IPV4], &[&ipv4(6), &tcp], 1),
        packet("VLAN, 2 as one", &[0x8100, IPV4], &[&ipv4(6), &tcp], 2),
    ]
}
