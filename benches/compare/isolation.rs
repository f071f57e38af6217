//! A machine of its own to measure in: namespaces where nothing happens but what is measured.
//!
//! All namespaces share the kernel's table of TCP sockets, and each walk over the sockets passes those of everybody else.
//! Since Linux 6.1 a namespace can be given a table of its own (`tcp_child_ehash_entries`, told to its parent); it gets
//! one of the machine's own size here, so that a walk costs what it costs on a machine without other connections.

use std::env;
use std::fs;
use std::io;
use std::process::Command;
use std::process::ExitStatus;

const TABLE_SIZE: &str = "/proc/sys/net/ipv4/tcp_ehash_entries";

/// The devices of the idle machine, with lo: about those of a small router.
const DEVICES: &[&str] = &[
    "link set lo up",
    "link add name wan0 type veth peer name modem0",
    "link add name lan0 type veth peer name switch0",
    "address add 192.0.2.1/24 dev wan0",
    "address add 198.51.100.1/24 dev lan0",
    "link set up dev wan0",
    "link set up dev modem0",
    "link set up dev lan0",
    "link set up dev switch0",
];

/// A command that runs this program, with these arguments, in namespaces of its own, which end with its last process.
pub(crate) fn command(arguments: &[&str]) -> io::Result<Command> {
    command_with(&[], arguments)
}

/// The same where no other processes can be seen either; those in it end with it.
pub(crate) fn command_alone(arguments: &[&str]) -> io::Result<Command> {
    command_with(
        &["--pid", "--fork", "--mount-proc", "--kill-child"],
        arguments,
    )
}

fn command_with(flags: &[&str], arguments: &[&str]) -> io::Result<Command> {
    let size = fs::read_to_string(TABLE_SIZE)?;
    // A table that is shared is told as a negative number.
    let size = size.trim().trim_start_matches('-');
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--net", "sh", "-ec"])
        .arg("echo $0 >/proc/sys/net/ipv4/tcp_child_ehash_entries; exec unshare --net --mount \"$@\"")
        .arg(size)
        .args(flags)
        .arg(env::current_exe()?)
        .args(arguments);
    Ok(unshare)
}

/// Whether namespaces can be made here.
pub(crate) fn possible() -> bool {
    let probe = command(&["--nothing"]).and_then(|mut command| command.output());
    probe.is_ok_and(|output| output.status.success())
}

/// Inside: devices, and the view of /sys that belongs to them.
pub(crate) fn furnish() -> io::Result<()> {
    run("mount", "-t sysfs none /sys")?;
    for words in DEVICES {
        run("ip", words)?;
    }
    Ok(())
}

pub(crate) fn run(program: &str, words: &str) -> io::Result<()> {
    let ended = Command::new(program).args(words.split(' ')).status();
    match ended.as_ref().map(ExitStatus::success) {
        Ok(true) => Ok(()),
        _ => Err(io::Error::other(format!("{program} {words}: {ended:?}"))),
    }
}
