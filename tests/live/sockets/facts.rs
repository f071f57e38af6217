//! What is compared: the facts of a survey, and the same facts as `ss` tells them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use weir::config::SocketsSource;
use weir::files::Files;
use weir::sockets::Sockets;
use weir::sockets::Source;
use weir::sockets::survey::STATES;

/// What a survey, or `ss`, says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) states: BTreeMap<String, u64>,
    pub(super) receive_queue: u64,
    pub(super) send_queue: u64,
    pub(super) ports: BTreeSet<u16>,
    pub(super) destinations: BTreeMap<(IpAddr, IpAddr, u16), u64>,
    pub(super) backlogs: BTreeMap<(IpAddr, u16), u64>,
    pub(super) limits: BTreeMap<(IpAddr, u16), u64>,
}

/// A survey of the namespace that this thread is in.
pub(super) fn survey(source: SocketsSource, procfs: &Path) -> (Source, Facts) {
    let files = Files::open(procfs, Path::new("/sys")).unwrap();
    let mut sockets = Sockets::new(source, None);
    let survey = sockets.survey(&files).unwrap();
    assert_eq!(survey.unknown_states(), 0);
    let states = STATES
        .into_iter()
        .map(String::from)
        .zip(survey.states().iter().copied());
    let destinations = survey.destinations().top(usize::MAX).into_iter();
    let listeners = survey.listeners().iter();
    let limits = listeners
        .clone()
        .filter_map(|((address, port), listener)| Some(((address.ip(), *port), listener.limit?)));
    let facts = Facts {
        states: states.filter(|(_, count)| *count > 0).collect(),
        receive_queue: survey.receive_queue(),
        send_queue: survey.send_queue(),
        ports: (0..=u16::MAX)
            .filter(|port| survey.ports().contains(*port))
            .collect(),
        destinations: destinations
            .map(|(key, count)| {
                (
                    (key.source().ip(), key.destination().ip(), key.port()),
                    count,
                )
            })
            .collect(),
        limits: limits.collect(),
        backlogs: listeners
            .map(|((address, port), listener)| ((address.ip(), *port), listener.backlog))
            .collect(),
    };
    (survey.source(), facts)
}

/// What `ss` says of the namespace that this thread is in.
pub(super) fn ss() -> Facts {
    let told = Command::new("ss")
        .args(["-H", "-t", "-a", "-n"])
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let mut facts = Facts::default();
    for row in &rows {
        let state = match row[0] {
            "ESTAB" => "established".to_string(),
            "FIN-WAIT-1" => "fin_wait1".to_string(),
            "FIN-WAIT-2" => "fin_wait2".to_string(),
            other => other.to_lowercase().replace('-', "_"),
        };
        let (local, port) = end(row[3]);
        facts.ports.insert(port);
        let queues = [row[1], row[2]].map(|queue| queue.parse::<u64>().unwrap());
        facts.receive_queue += queues[0];
        if state == "listen" {
            *facts.backlogs.entry((local, port)).or_default() += queues[0];
            *facts.limits.entry((local, port)).or_default() += queues[1];
        } else {
            facts.send_queue += queues[1];
        }
        *facts.states.entry(state).or_default() += 1;
    }
    let listening: BTreeSet<u16> = facts.backlogs.keys().map(|(_, port)| *port).collect();
    for row in rows.iter().filter(|row| row[0] != "LISTEN") {
        let ((local, local_port), (remote, remote_port)) = (end(row[3]), end(row[4]));
        if (30000..=30999).contains(&local_port) && !listening.contains(&local_port) {
            *facts
                .destinations
                .entry((local, remote, remote_port))
                .or_default() += 1;
        }
    }
    facts
}

/// `10.0.0.1:80`, `[::1]:80`, `*:80` (an IPv6 socket that takes both families), `0.0.0.0:*`.
fn end(text: &str) -> (IpAddr, u16) {
    let (address, port) = text.rsplit_once(':').unwrap();
    let address = match address.trim_matches(['[', ']']) {
        "*" => "::",
        address => address,
    };
    let address: IpAddr = address.parse().unwrap();
    (address.to_canonical(), port.parse().unwrap_or(0))
}
