//! Tests of what a walk over the sockets finds.

use super::*;

const RANGE: PortRange = PortRange {
    low: 32768,
    high: 60999,
};

fn socket(state: u8, local_port: u16, remote_port: u16) -> Socket {
    Socket {
        family: Family::V4,
        state: State(state),
        local: Address::v4([10, 0, 0, 1]),
        local_port,
        remote: Address::v4([10, 0, 0, 2]),
        remote_port,
        send_queue: 5,
        receive_queue: 7,
    }
}

fn survey(source: Source, sockets: &[Socket]) -> Survey {
    let mut survey = Survey::default();
    survey.restart(source, Some(RANGE));
    sockets.iter().for_each(|socket| survey.add(socket));
    survey.finish();
    survey
}

#[test]
fn every_state_has_its_place() {
    let sockets: Vec<_> = (0..=13).map(|state| socket(state, 1, 1)).collect();
    let found = survey(Source::Proc, &sockets);
    assert_eq!(found.states(), &[1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(found.unknown_states(), 2);
}

#[test]
fn queues_leave_the_listeners_limit_out() {
    let found = survey(Source::Netlink, &[socket(10, 80, 0), socket(1, 80, 40000)]);
    assert_eq!((found.send_queue(), found.receive_queue()), (5, 14));
}

#[test]
fn listeners_of_one_address_and_port_are_summed() {
    let sockets = [socket(10, 80, 0), socket(10, 80, 0), socket(10, 81, 0)];
    let found = survey(Source::Netlink, &sockets);
    let at = |port| found.listeners()[&(Address::v4([10, 0, 0, 1]), port)];
    assert_eq!((at(80).backlog, at(80).limit), (14, Some(10)));
    assert_eq!((at(81).backlog, at(81).limit), (7, Some(5)));
    let found = survey(Source::Proc, &sockets);
    assert_eq!(found.listeners().values().next().unwrap().limit, None);
}

#[test]
fn the_table_of_listeners_is_bounded() {
    let mut sockets: Vec<_> = (0..2000).map(|port| socket(10, port, 0)).collect();
    sockets.push(socket(10, 5, 0));
    let found = survey(Source::Netlink, &sockets);
    assert_eq!(found.listeners().len(), LISTENERS);
    assert_eq!(found.listeners_without_room(), 2000 - LISTENERS as u64);
    assert_eq!(found.states()[9], 2001);
}

#[test]
fn destinations_are_of_picked_ports_only() {
    let mut v6 = socket(1, 50000, 443);
    v6.family = Family::V6;
    let found = survey(
        Source::Netlink,
        &[
            socket(10, 50000, 0),
            socket(1, 50000, 443),
            v6,
            socket(6, 40000, 443),
            socket(2, 40001, 443),
            socket(1, 1000, 443),
            socket(1, 40002, 0),
            socket(1, 40003, 80),
        ],
    );
    let top = found.destinations().top(10);
    let told: Vec<_> = top
        .iter()
        .map(|(key, count)| {
            (
                key.source().ip().to_string(),
                key.destination().ip().to_string(),
                key.port(),
                *count,
            )
        })
        .collect();
    let expected = |port, count| ("10.0.0.1".to_string(), "10.0.0.2".to_string(), port, count);
    assert_eq!(told, [expected(443, 3), expected(80, 1)]);
    assert_eq!(found.ports().count_in(RANGE), 5);
}

#[test]
fn a_restart_forgets() {
    let mut found = survey(
        Source::Netlink,
        &[socket(10, 50000, 0), socket(1, 40000, 1)],
    );
    found.restart(Source::Proc, None);
    found.finish();
    assert_eq!(
        (found.states().iter().sum::<u64>(), found.receive_queue()),
        (0, 0)
    );
    assert!(found.listeners().is_empty() && found.destinations().top(1).is_empty());
    assert!(!found.ports().contains(40000) && !found.has_listener(&socket(1, 50000, 1)));
}
