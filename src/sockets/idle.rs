//! Network namespaces in which nothing happens: told by a few counters, so that the tables of connections are not walked.
//!
//! Those tables are the whole machine's. A walk for one namespace visits every place of them, 0.5 ms of CPU through netlink and
//! 1.5 ms for each of tcp and tcp6, and much more while another namespace has many connections. /proc/net/sockstat and
//! sockstat6 tell for next to nothing how many sockets a namespace has in the tables, listeners among them (`sock_prot_inuse_add`
//! in `inet_hash`), and how many are in TIME_WAIT.
//!
//! Connections in the handshake (SYN_RECV) are in none of these numbers. Each began with a segment that was received, and those
//! are counted (`Tcp: InSegs` of /proc/net/snmp, both families together): where a whole walk found nothing but listeners and
//! no segment came since before it, or none came ever, there is no handshake either.
//!
//! So an idle survey is equal to that of a walk. A namespace that was not idle is walked.
//!
//! Through /proc listeners cannot be had without the rest: a table is read whole. Where none of the numbers has changed since
//! a walk that found listeners only, what it found stands, but that one listener may have closed and another opened; what
//! is told of such a namespace, from outside of it and so without its port range, are the numbers of sockets by state, which
//! are the same.

use crate::files::Files;
use crate::parse::ParseError;
use crate::parse::ip_local_port_range::PortRange;
use crate::parse::netstat;
use crate::parse::sockstat;

use super::Source;
use super::netlink;
use super::peers::Peers;
use super::proc;
use super::survey::Survey;

/// What tells whether there can be a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Signs {
    /// Sockets of IPv4 in the tables.
    v4: u64,
    /// Sockets of IPv6 in the tables.
    v6: u64,
    /// In TIME_WAIT, of both.
    time_wait: u64,
    /// Segments received so far.
    segments: f64,
}

/// What is remembered from scrape to scrape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// What was told before the last survey, if that found nothing but listeners.
    quiet: Option<Signs>,
}

impl Memory {
    /// Whether there can be listeners only.
    pub(super) fn is_idle(self, signs: &Signs) -> bool {
        let never = signs.segments == 0.0;
        let quiet = self.quiet.map(|quiet| quiet.segments);
        signs.time_wait == 0 && (never || quiet == Some(signs.segments))
    }

    /// Whether the last survey found as many listeners as there are sockets now, and nothing came since.
    pub(super) fn is_unchanged(self, signs: &Signs, survey: &Survey) -> bool {
        self.quiet == Some(*signs) && survey.listening() == signs.v4 + signs.v6
    }

    /// Keeps what the survey says that came after these signs; `None` where it failed.
    pub(super) fn remember(&mut self, signs: Option<Signs>, survey: Option<&Survey>) {
        let quiet = survey.is_some_and(only_listeners);
        self.quiet = signs.filter(|_| quiet);
    }
}

fn only_listeners(survey: &Survey) -> bool {
    let all: u64 = survey.states().iter().sum();
    survey.unknown_states() == 0 && all == survey.listening()
}

/// Reads them. `None` where this kernel does not tell all of them: then only a walk does. So it is with a file that is broken,
/// which the collector that exports it tells.
pub(super) fn signs(files: &Files) -> Option<Signs> {
    let mut time_wait = None;
    let mut v4 = None;
    let sockstat = |file, protocol: &[u8], inuse: &mut Option<u64>, tw: &mut Option<u64>| {
        let read = files.net(file, |bytes| numbers(bytes, protocol, inuse, tw));
        read.ok().flatten()
    };
    sockstat("sockstat", b"TCP", &mut v4, &mut time_wait)?;
    let mut v6 = None;
    // A kernel without IPv6 has no such file and no such sockets.
    if sockstat("sockstat6", b"TCP6", &mut v6, &mut None).is_none() {
        v6 = Some(0);
    }
    let segments = files.net("snmp", segments_received);
    Some(Signs {
        v4: v4?,
        v6: v6?,
        time_wait: time_wait?,
        segments: segments.ok().flatten().flatten()?,
    })
}

fn numbers(
    bytes: &[u8],
    protocol: &[u8],
    inuse: &mut Option<u64>,
    tw: &mut Option<u64>,
) -> Result<(), ParseError> {
    for line in sockstat::protocols(bytes)? {
        let line = line?;
        if line.name != protocol {
            continue;
        }
        for pair in line.pairs() {
            let (key, value) = pair?;
            // Below zero, as older kernels may tell, is no number to go by.
            let value = u64::try_from(value).ok();
            match key {
                b"inuse" => *inuse = value,
                b"tw" => *tw = value,
                _ => {}
            }
        }
    }
    Ok(())
}

fn segments_received(bytes: &[u8]) -> Result<Option<f64>, ParseError> {
    for section in netstat::sections(bytes)? {
        let section = section?;
        if section.protocol() != b"Tcp" {
            continue;
        }
        for (name, value) in section.names().zip(section.values()) {
            if name == b"InSegs" {
                return value.map(Some);
            }
        }
    }
    Ok(None)
}

/// Makes the survey of an idle namespace from its listeners; says whether it is one after all.
pub(super) fn survey(
    survey: &mut Survey,
    source: Source,
    range: Option<PortRange>,
    files: &Files,
    (memory, signs): (Memory, &Signs),
) -> bool {
    let same = survey.source() == source && memory.is_unchanged(signs, survey);
    // Who counts peers tells the ports of listeners too.
    let states_only = range.is_none() && survey.peers().is_none();
    if source == Source::Proc && states_only && same {
        return true;
    }
    survey.restart(source, range);
    let found = match source {
        Source::Absent => false,
        _ if signs.v4 + signs.v6 == 0 => true,
        // The second of two dumps counts, as in a walk; both are of a few sockets.
        Source::Netlink => match netlink::dump_listeners(|socket| survey.add(socket)) {
            Ok(interrupted) => !interrupted && survey.listening() == signs.v4 + signs.v6,
            Err(_) => false,
        },
        Source::Proc => {
            // A table cannot be read in part, but a family without sockets has none to read.
            let mut table = |name, sockets| {
                sockets == 0
                    || proc::stream(files, name, |socket| survey.add(socket))
                        .is_ok_and(|found| found.is_some())
            };
            table("tcp", signs.v4) && table("tcp6", signs.v6)
        }
    };
    survey.finish();
    // What the last walk measured of connections is over with them.
    let quality = survey.peers.as_mut().and_then(Peers::quality_mut);
    if let Some(quality) = quality.filter(|_| source == Source::Netlink) {
        quality.restart();
        quality.finish(Ok(()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::path::PathBuf;

    use crate::config::SocketsSource;
    use crate::sockets::Sockets;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";
    const LISTEN: &str = "0: 0100007F:1F90 00000000:0000 0A 00000000:00000003\n";
    const HANDSHAKE: &str = "1: 0100007F:1F90 0100007F:C350 03 00000000:00000000\n";

    /// A `net` of its own for each test, gone afterwards.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let root =
                std::env::temp_dir().join(format!("weir-{}-idle-{name}", std::process::id()));
            fs::create_dir_all(root.join("net")).unwrap();
            Self(root)
        }

        fn write(&self, name: &str, text: &str) -> &Self {
            fs::write(self.0.join("net").join(name), text).unwrap();
            self
        }

        fn signs(&self, v4: u64, v6: u64, time_wait: u64, segments: u64) -> &Self {
            self.write(
                "sockstat",
                &format!(
                    "sockets: used 5\nTCP: inuse {v4} orphan 0 tw {time_wait} alloc 9 mem 1\n"
                ),
            )
            .write("sockstat6", &format!("TCP6: inuse {v6}\nUDP6: inuse 7\n"))
            .write(
                "snmp",
                &format!("Ip: Forwarding\nIp: 1\nTcp: MaxConn InSegs\nTcp: -1 {segments}\n"),
            )
        }

        fn files(&self) -> Files {
            Files::open(&self.0, Path::new("/")).unwrap()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The states that a scrape finds: listening, all.
    fn scrape(sockets: &mut Sockets, files: &Files) -> (u64, u64) {
        sockets.begin();
        let survey = sockets.survey(files).unwrap();
        assert_eq!(survey.source(), Source::Proc);
        (survey.listening(), survey.states().iter().sum())
    }

    #[test]
    fn signs_are_read_from_three_files() {
        let tree = Tree::new("signs");
        assert_eq!(signs(&tree.files()), None);
        tree.signs(1, 2, 3, 4);
        let expected = Signs {
            v4: 1,
            v6: 2,
            time_wait: 3,
            segments: 4.0,
        };
        assert_eq!(signs(&tree.files()), Some(expected));
        fs::remove_file(tree.0.join("net/sockstat6")).unwrap();
        assert_eq!(signs(&tree.files()), Some(Signs { v6: 0, ..expected }));
        tree.write("sockstat", "TCP: inuse -1 tw 0\n");
        assert_eq!(signs(&tree.files()), None);
        tree.signs(1, 2, 3, 4)
            .write("snmp", "Ip: Forwarding\nIp: 1\n");
        assert_eq!(signs(&tree.files()), None);
    }

    #[test]
    fn without_sockets_no_table_is_read() {
        let tree = Tree::new("none");
        // Were they read, they would show.
        tree.signs(0, 0, 0, 0)
            .write("tcp", &[HEAD, HANDSHAKE].concat())
            .write("tcp6", "broken");
        let own = Sockets::new(SocketsSource::Auto, None);
        let mut other = own.of_another_namespace(None);
        assert_eq!(scrape(&mut other, &tree.files()), (0, 0));
        tree.signs(0, 0, 1, 0).write("tcp6", HEAD);
        assert_eq!(scrape(&mut other, &tree.files()), (0, 1));
        // The own namespace is always walked.
        tree.signs(0, 0, 0, 0);
        assert_eq!(
            scrape(&mut Sockets::new(SocketsSource::Auto, None), &tree.files()),
            (0, 1)
        );
    }

    #[test]
    fn a_family_without_sockets_is_passed_over() {
        let tree = Tree::new("family");
        tree.signs(1, 0, 0, 0)
            .write("tcp", &[HEAD, LISTEN].concat())
            .write("tcp6", "broken");
        let mut other = Sockets::new(SocketsSource::Auto, None).of_another_namespace(None);
        assert_eq!(scrape(&mut other, &tree.files()), (1, 1));
    }

    #[test]
    fn tables_of_listeners_are_read_again_only_after_a_change() {
        let tree = Tree::new("again");
        let mut other = Sockets::new(SocketsSource::Auto, None).of_another_namespace(None);
        let files = tree.files();
        tree.signs(1, 0, 0, 3)
            .write("tcp", &[HEAD, LISTEN].concat())
            .write("tcp6", HEAD);
        assert_eq!(scrape(&mut other, &files), (1, 1));
        tree.write("tcp", "broken");
        for _ in 0..3 {
            assert_eq!(scrape(&mut other, &files), (1, 1));
        }
        for (v4, v6, time_wait, segments) in
            [(2, 0, 0, 3), (1, 1, 0, 3), (1, 0, 1, 3), (1, 0, 0, 4)]
        {
            tree.signs(v4, v6, time_wait, segments);
            other.begin();
            assert!(other.survey(&files).is_err());
            tree.signs(1, 0, 0, 3)
                .write("tcp", &[HEAD, LISTEN].concat());
            assert_eq!(scrape(&mut other, &files), (1, 1));
            tree.write("tcp", "broken");
        }
        // With a known range the listeners' ports count.
        fs::create_dir_all(tree.0.join("sys/net/ipv4")).unwrap();
        fs::write(tree.0.join("sys/net/ipv4/ip_local_port_range"), "1 2\n").unwrap();
        other.begin();
        assert!(other.survey(&files).is_err());
    }

    #[test]
    fn a_segment_that_came_means_a_walk_until_nothing_is_found() {
        let tree = Tree::new("segments");
        let mut other = Sockets::new(SocketsSource::Auto, None).of_another_namespace(None);
        let files = tree.files();
        tree.signs(0, 0, 0, 3)
            .write("tcp", &[HEAD, HANDSHAKE].concat())
            .write("tcp6", HEAD);
        // A handshake outlives its listener, and is in none of the numbers.
        assert_eq!(scrape(&mut other, &files), (0, 1));
        assert_eq!(scrape(&mut other, &files), (0, 1));
        tree.write("tcp", HEAD);
        assert_eq!(scrape(&mut other, &files), (0, 0));
        // From here on it is known to be quiet.
        tree.write("tcp", "broken");
        assert_eq!(scrape(&mut other, &files), (0, 0));
        tree.signs(0, 0, 0, 4);
        other.begin();
        assert!(other.survey(&files).is_err());
        // A walk that failed says nothing.
        tree.write("tcp", &[HEAD, HANDSHAKE].concat());
        assert_eq!(scrape(&mut other, &files), (0, 1));
    }
}
