//! What stays after SIGKILL and what does not, and that what others put on an interface is left as it was.

use std::io;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::Errno;

use crate::running::Namespace;
use crate::running::WEIR;
use crate::support::skip;

use super::setup::Meter;
use super::setup::ifindex;
use super::setup::joined;
use super::setup::ping;

const CLSACT: &str = "--collector.tc.attach=clsact";

/// What `tc` shows of a device's disciplines and filters, without what it counted.
fn shown(namespace: &Namespace) -> [String; 3] {
    let run = |words: &str| {
        let text = namespace.run("tc", words.split(' '));
        String::from_utf8(text).unwrap()
    };
    [
        run("qdisc show dev near0"),
        run("filter show dev near0 ingress"),
        run("filter show dev near0 egress"),
    ]
}

/// How many filters of ours stand on each side.
fn ours(namespace: &Namespace) -> [usize; 2] {
    let [_, ingress, egress] = shown(namespace);
    [ingress, egress].map(|text| text.matches("handle 0x77656972 weir").count())
}

/// How many programs are attached by TCX to each side of a device: bpf(2) BPF_PROG_QUERY.
#[expect(unsafe_code, reason = "no tool that is installed everywhere can tell")]
fn tcx(namespace: &Namespace, device: &str) -> io::Result<[u32; 2]> {
    const BPF_PROG_QUERY: libc::c_int = 16;
    let index = u32::try_from(ifindex(namespace, device)).unwrap();
    namespace.inside(|| {
        let mut counts = [0; 2];
        for (count, attach_type) in counts.iter_mut().zip([46, 47]) {
            // Index, type, two kinds of flags, where to put identifiers, how many of those, and what is not asked for.
            let mut attributes = [0u32; 16];
            (attributes[0], attributes[1]) = (index, attach_type);
            // SAFETY: the kernel reads and writes 64 bytes, which the array has; the pointers in it are null.
            let answer = unsafe {
                libc::syscall(
                    libc::SYS_bpf,
                    BPF_PROG_QUERY,
                    attributes.as_mut_ptr(),
                    64usize,
                )
            };
            if answer < 0 {
                return Err(io::Error::last_os_error());
            }
            if answer > 0 {
                // SAFETY: this command never gives a descriptor; should one come, it is ours to close.
                drop(unsafe { OwnedFd::from_raw_fd(answer.try_into().unwrap()) });
            }
            *count = attributes[6];
        }
        Ok(counts)
    })
}

/// Has bpf(2) BPF_LINK_CREATE fail with this number in what the command starts, as a kernel without it answers: seccomp(2).
#[expect(
    unsafe_code,
    reason = "what a kernel answers cannot be had from another program"
)]
fn refuse_links(command: &mut Command, errno: Errno) {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const BPF_LINK_CREATE: u32 = 28;
    // Of `struct seccomp_data` the call's number, and the lower half of its first argument.
    const NUMBER: u32 = 0;
    const COMMAND: u32 = if cfg!(target_endian = "big") { 20 } else { 16 };
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let refuse = libc::SECCOMP_RET_ERRNO | errno.raw_os_error().cast_unsigned();
    let mut filter = [
        step(LOAD, 0, 0, NUMBER),
        step(JUMP_IF_EQUAL, 0, 3, u32::try_from(libc::SYS_bpf).unwrap()),
        step(LOAD, 0, 0, COMMAND),
        step(JUMP_IF_EQUAL, 0, 1, BPF_LINK_CREATE),
        step(RETURN, 0, 0, refuse),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let program = libc::sock_fprog {
            len: 6,
            filter: filter.as_mut_ptr(),
        };
        // SAFETY: both only change this process, which has no other thread yet; the program is as long as it says.
        let answers = unsafe {
            [
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program),
            ]
        };
        match answers {
            [0, 0] => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it calls prctl alone, and takes no memory.
    unsafe { command.pre_exec(install) };
}

/// Before Linux 6.6 a link of TCX is an unknown type to the kernel, which says EINVAL.
#[test]
fn a_kernel_without_tcx_is_served_by_clsact() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let near = &pair[0];
    let before = shown(near);
    let start = |errno, attach: &str| {
        let mut command = near.command(WEIR);
        refuse_links(&mut command, errno);
        let attach = format!("--collector.tc.attach={attach}");
        let words = [
            "--collector.disable-defaults",
            "--collector.tc.device-include=.",
            &attach,
        ];
        Meter::launch(&mut command, &words)
    };
    let meter = start(Errno::INVAL, "auto");
    let index = meter.attached(near, "near0");
    assert_eq!(tcx(near, "near0").unwrap(), [0, 0]);
    assert_eq!(ours(near), [1, 1]);
    // Said once, though each interface was attached to.
    meter.attached(near, "lo");
    let fell_back = "no TCX before Linux 6.6: attaching with clsact";
    assert_eq!(meter.log().matches(fell_back).count(), 1, "{}", meter.log());
    let by = |source| {
        let labels = [("collector", "tc"), ("source", source)];
        meter.scrape().value("weir_source_info", &labels)
    };
    assert_eq!(["clsact", "tcx"].map(by), [Some(1.0), None]);
    let sent = ping(near, 5, 100);
    let counted = meter.counted("near0", index).unwrap();
    assert_eq!((counted.ingress, counted.egress), (sent, sent));
    meter.stop();
    assert_eq!(shown(near), before);

    // Who asks for TCX gets nothing else, and no other refusal is taken for an old kernel.
    for (errno, attach) in [(Errno::INVAL, "tcx"), (Errno::PERM, "auto")] {
        let meter = start(errno, attach);
        meter.wait("it fails", || {
            let page = meter.scrape();
            page.value("node_scrape_collector_success", &[("collector", "tc")]) == Some(0.0)
        });
        let log = meter.log();
        assert!(
            log.contains("BPF_LINK_CREATE") && !log.contains(fell_back),
            "{log}"
        );
        assert_eq!(shown(near), before);
        meter.stop();
    }
}

#[test]
fn after_sigkill_nothing_is_left_of_tcx() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let before = shown(&pair[0]);
    assert_eq!(tcx(&pair[0], "near0").unwrap(), [0, 0]);
    let meter = Meter::start(&pair[0], &["--collector.tc.attach=tcx"]);
    meter.attached(&pair[0], "near0");
    assert_eq!(tcx(&pair[0], "near0").unwrap(), [1, 1]);
    meter.kill();
    // The links are closed when the process is gone, which it is.
    assert_eq!(tcx(&pair[0], "near0").unwrap(), [0, 0]);
    assert_eq!(shown(&pair[0]), before);
    let meter = Meter::start(&pair[0], &[]);
    meter.attached(&pair[0], "near0");
    meter.stop();
    assert_eq!(tcx(&pair[0], "near0").unwrap(), [0, 0]);
}

#[test]
fn after_sigkill_the_next_start_takes_clsact_over() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let near = &pair[0];
    let before = shown(near);
    let meter = Meter::start(near, &[CLSACT]);
    meter.attached(near, "near0");
    assert_eq!(ours(near), [1, 1]);
    meter.kill();
    assert_eq!(ours(near), [1, 1], "they stay");
    assert!(shown(near)[0].contains("clsact"));

    let meter = Meter::start(near, &[CLSACT]);
    let index = meter.attached(near, "near0");
    assert_eq!(ours(near), [1, 1], "in their place");
    let sent = ping(near, 5, 100);
    let counted = meter.counted("near0", index).unwrap();
    assert_eq!((counted.ingress, counted.egress), (sent, sent));
    meter.stop();
    assert_eq!(shown(near), before, "and all of it is removed in the end");

    // One that attaches in another way, or elsewhere, removes it too.
    for words in [
        ["--collector.tc.attach=tcx", "--collector.tc.protocols"],
        [CLSACT, "--collector.tc.device-exclude=^near0$"],
    ] {
        let meter = Meter::start(near, &[CLSACT]);
        meter.attached(near, "near0");
        meter.kill();
        assert_eq!(ours(near), [1, 1]);
        let meter = Meter::start(near, &words);
        meter.attached(near, "lo");
        meter.wait("what was left is gone", || shown(near) == before);
        meter.stop();
    }
}

#[test]
fn a_foreign_filter_stays_as_it_was() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let near = &pair[0];
    let tc = |words: &str| drop(near.run("tc", words.split(' ')));
    let foreign =
        "filter add dev near0 ingress pref 100 protocol all u32 match u32 0 0 classid 1:1";
    tc("qdisc add dev near0 clsact");
    tc(foreign);
    tc(&foreign.replace("ingress", "egress"));
    let before = shown(near);
    for end in [Meter::stop as fn(Meter), Meter::kill, Meter::stop] {
        let meter = Meter::start(near, &[CLSACT]);
        let index = meter.attached(near, "near0");
        assert_eq!(ours(near), [1, 1]);
        let sent = ping(near, 5, 100);
        let counted = meter.counted("near0", index).unwrap();
        assert_eq!((counted.ingress, counted.egress), (sent, sent));
        end(meter);
    }
    assert_eq!(shown(near), before);

    // On a discipline of ours: what came later keeps it.
    tc("qdisc del dev near0 clsact");
    let meter = Meter::start(near, &[CLSACT]);
    meter.attached(near, "near0");
    tc(foreign);
    meter.stop();
    assert_eq!(ours(near), [0, 0]);
    let [qdiscs, ingress, _] = shown(near);
    assert!(
        qdiscs.contains("clsact") && ingress.contains("pref 100"),
        "{ingress}"
    );
}

#[test]
fn tcx_sees_what_a_foreign_filter_takes_and_clsact_does_not() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let near = &pair[0];
    let tc = |words: &str| drop(near.run("tc", words.split(' ')));
    tc("qdisc add dev near0 clsact");
    // It matches everything and lets it pass, which ends the walk.
    tc("filter add dev near0 ingress pref 5 protocol all u32 match u32 0 0 classid 1:1");
    for (method, seen) in [("auto", 5), ("clsact", 0)] {
        let attach = format!("--collector.tc.attach={method}");
        let meter = Meter::start(near, &[&attach]);
        let index = meter.attached(near, "near0");
        ping(near, 5, 100);
        let counted = meter.counted("near0", index).unwrap();
        let packets = (counted.ingress.packets, counted.egress.packets);
        assert_eq!(packets, (seen, 5), "{method}");
        meter.stop();
    }
}

#[test]
fn what_is_in_the_way_is_told_and_left_alone() {
    let pair = match joined() {
        Ok(pair) => pair,
        Err(reason) => return skip(&reason),
    };
    let near = &pair[0];
    let tc = |words: &str| drop(near.run("tc", words.split(' ')));
    let only = "--collector.tc.device-exclude=^lo$";
    for (foreign, told) in [
        (&["qdisc add dev near0 ingress"][..], "found ingress"),
        (
            &[
                "qdisc add dev near0 clsact",
                "filter add dev near0 egress pref 27 protocol all u32 match u32 0 0 classid 1:1",
            ],
            "found another program's",
        ),
    ] {
        foreign.iter().for_each(|words| tc(words));
        let before = shown(near);
        let meter = Meter::start(near, &[CLSACT, only]);
        let success = [("collector", "tc")];
        meter.wait("it fails", || {
            let page = meter.scrape();
            page.value("node_scrape_collector_success", &success) == Some(0.0)
        });
        assert_eq!(meter.scrape().value("netprobe_up", &[]), Some(0.0));
        assert!(meter.log().contains(told), "{}", meter.log());
        assert_eq!(shown(near), before);
        meter.stop();
        assert_eq!(shown(near), before);
        // TCX does not mind.
        let meter = Meter::start(near, &[only]);
        meter.attached(near, "near0");
        meter.stop();
        assert_eq!(shown(near), before);
        let kind = if told.contains("ingress") {
            "ingress"
        } else {
            "clsact"
        };
        tc(&format!("qdisc del dev near0 {kind}"));
    }
}
