//! Who goes when there is no room: the bounds on the number of connections and on the memory of answers.

use std::rc::Rc;
use std::time::Instant;

use rustix::process::Resource;

use super::connection::Connection;

/// The most connections that may be open: what the settings say, and at most half of the descriptors this process may
/// have now, since the collectors need the others. The limit can be lowered under a running program (prlimit(1)).
pub(super) fn connection_limit(max_connections: usize) -> usize {
    let descriptors = rustix::process::getrlimit(Resource::Nofile).current;
    let half = descriptors.map_or(usize::MAX, |limit| {
        usize::try_from(limit / 2).unwrap_or(usize::MAX)
    });
    max_connections.min(half).max(1)
}

/// Whether a connection could be cut to make room.
pub(super) fn can_evict(connections: &[Connection]) -> bool {
    connections
        .iter()
        .any(|connection| connection.worth().is_some())
}

/// Cuts the least valuable connection, but none that came after `spared` and has said nothing yet. Says whether there
/// was one.
pub(super) fn evict(connections: &mut Vec<Connection>, spared: Option<Instant>) -> bool {
    let least = connections
        .iter()
        .enumerate()
        .filter(|(_, connection)| {
            !spared.is_some_and(|spared| connection.is_new_and_silent(spared))
        })
        .filter_map(|(index, connection)| Some((connection.worth()?, index)))
        .min();
    if let Some((_, index)) = least {
        connections.remove(index);
    }
    least.is_some()
}

/// Cuts the slowest readers until the bodies they keep alive fit into `budget` bytes. Those that read the newest body
/// stay. A body counts once, however many read it. Says how many were cut.
pub(super) fn keep_budget(
    connections: &mut Vec<Connection>,
    newest: &Rc<Vec<u8>>,
    budget: usize,
) -> usize {
    let mut cut = 0;
    while held(connections) > budget {
        let oldest = connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| {
                connection
                    .body()
                    .is_some_and(|body| !body.is_empty() && !Rc::ptr_eq(body, newest))
            })
            .filter_map(|(index, connection)| Some((connection.worth()?, index)))
            .min();
        let Some((_, index)) = oldest else {
            break;
        };
        connections.remove(index);
        cut += 1;
    }
    cut
}

/// What the bodies of all answers not taken yet hold together, in bytes.
fn held(connections: &[Connection]) -> usize {
    let mut bodies: Vec<(*const Vec<u8>, usize)> = connections
        .iter()
        .filter_map(Connection::body)
        .map(|body| (Rc::as_ptr(body), body.len()))
        .collect();
    bodies.sort_unstable();
    bodies.dedup();
    bodies.iter().map(|(_, length)| length).sum()
}
