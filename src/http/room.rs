//! Who goes when there is no room: the bounds on the number of connections and on the memory of answers.

use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Resource;

use super::connection::Connection;

/// How long a connection that has said nothing yet is spared.
const GRACE: Duration = Duration::from_millis(50);

/// The most connections that may be open: what the settings say, and at most half of the descriptors this process may
/// have now, since the collectors need the others. The limit can be lowered under a running program (prlimit(1)).
pub(super) fn connection_limit(max_connections: usize) -> usize {
    let descriptors = rustix::process::getrlimit(Resource::Nofile).current;
    let half = descriptors.map_or(usize::MAX, |limit| {
        usize::try_from(limit / 2).unwrap_or(usize::MAX)
    });
    max_connections.min(half).max(1)
}

/// The least valuable connection. One that has just been accepted and has not said a word is spared for a moment: in a
/// crowd, each newcomer would else be cut for the next before it can speak.
fn least(connections: &[Connection], now: Instant) -> Option<usize> {
    let spared = now.checked_sub(GRACE);
    let least = connections
        .iter()
        .enumerate()
        .filter(|(_, connection)| {
            !spared.is_some_and(|spared| connection.is_new_and_silent(spared))
        })
        .filter_map(|(index, connection)| Some((connection.worth()?, index)))
        .min();
    least.map(|(_, index)| index)
}

/// Whether a connection could be cut to make room.
pub(super) fn can_evict(connections: &[Connection], now: Instant) -> bool {
    least(connections, now).is_some()
}

/// Cuts the least valuable connection. Says whether there was one.
pub(super) fn evict(connections: &mut Vec<Connection>, now: Instant) -> bool {
    let least = least(connections, now);
    if let Some(index) = least {
        connections.remove(index);
    }
    least.is_some()
}

/// Cuts connections until what was read of heads fits into `goal` bytes: those with the longest first, which an honest client
/// sends whole. Says how many. Those whose request is ready stay, and keep less than a piece each.
pub(super) fn cut_longest(connections: &mut Vec<Connection>, goal: usize) -> u64 {
    let mut kept: usize = connections.iter().map(Connection::kept).sum();
    let mut cut = 0;
    while kept > goal {
        let longest = connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.kept() > 0 && connection.worth().is_some())
            .map(|(index, connection)| (connection.kept(), index))
            .max();
        let Some((length, index)) = longest else {
            break;
        };
        connections.remove(index);
        kept = kept.saturating_sub(length);
        cut += 1;
    }
    cut
}

/// What the bodies of all answers not taken yet hold together, in bytes; a body counts once, however many read it. And
/// the length of the longest.
pub(super) fn held(connections: &[Connection], now: Instant) -> (usize, usize) {
    let mut bodies: Vec<(*const Vec<u8>, usize)> = connections
        .iter()
        .filter_map(|connection| connection.held(now))
        .map(|(body, _)| (Rc::as_ptr(body), body.len()))
        .collect();
    bodies.sort_unstable();
    bodies.dedup();
    let lengths = bodies.iter().map(|(_, length)| *length);
    (lengths.clone().sum(), lengths.max().unwrap_or(0))
}

/// Cuts the slowest readers until the bodies fit into `goal` bytes. Says how many. How fast one has been altogether says
/// more than its last moment, in which an honest one may not have been scheduled.
pub(super) fn cut_slowest(connections: &mut Vec<Connection>, goal: usize, now: Instant) -> u64 {
    let mut cut = 0;
    while held(connections, now).0 > goal {
        let slowest = connections
            .iter()
            .enumerate()
            .filter_map(|(index, connection)| Some((connection.held(now)?.1, index)))
            .max();
        let Some((_, index)) = slowest else {
            break;
        };
        connections.remove(index);
        cut += 1;
    }
    cut
}
