//! Who goes when there is no room: the bounds on the number of connections and on the memory of answers.

use std::time::Duration;
use std::time::Instant;

use rustix::process::Resource;

use super::connection::Connection;

/// How long a connection that has said nothing yet is spared.
const GRACE: Duration = Duration::from_millis(50);

/// Within this time an honest client gets its answer, whoever wants one before it and reads none: most of a second, the rest
/// of which is for its own reading.
pub(super) const TURN: Duration = Duration::from_millis(700);

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
/// sends whole. Says how many. Those whose request is ready stay and do not count: they are few, and keep little
/// (rounds.rs, connection/reading.rs).
pub(super) fn cut_longest(connections: &mut Vec<Connection>, goal: usize) -> u64 {
    let counts = |connection: &&Connection| connection.worth().is_some();
    let kept = connections.iter().filter(counts).map(Connection::kept);
    let mut kept: usize = kept.sum();
    let mut cut = 0;
    while kept > goal {
        let longest = connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.kept() > 0 && counts(connection))
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

/// Somebody who has not taken all of an answer yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) id: u64,
    /// The same for all who share a body.
    pub(super) body: usize,
    /// How much memory the body takes, in bytes.
    pub(super) length: usize,
    /// When some of it was taken last; at first, when it was given.
    pub(super) moved: Instant,
}

/// What is held in memory for readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// How many bodies. One counts once, however many read it.
    pub(super) bodies: usize,
    /// All of them together, in bytes.
    pub(super) bytes: usize,
    /// The longest, in bytes.
    pub(super) longest: usize,
}

/// What these hold together.
pub(super) fn held(readers: &[Reader]) -> Held {
    let mut bodies: Vec<(usize, usize)> = readers
        .iter()
        .map(|reader| (reader.body, reader.length))
        .collect();
    bodies.sort_unstable();
    bodies.dedup();
    let lengths = bodies.iter().map(|(_, length)| *length);
    Held {
        bodies: bodies.len(),
        bytes: lengths.clone().sum(),
        longest: lengths.max().unwrap_or(0),
    }
}

/// How long a reader may take nothing while others wait for the memory that it holds. All who are connected may want to
/// be answered before an honest client that comes last, and so many at a time as there are bodies now: if each of them
/// takes no longer than this, that one is answered within [`TURN`].
pub(super) fn patience(bodies: usize, connections: usize) -> Duration {
    let bodies = u32::try_from(bodies).unwrap_or(u32::MAX);
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    TURN.saturating_mul(bodies) / connections.max(1)
}

/// Takes those out of the readers who have taken nothing for `patience`, the longest first, until what the others hold fits
/// into `goal` bytes; says who they are.
///
/// Who takes something stays: how much it is says nothing, since the kernel's buffers take the first of an answer in one go,
/// for those who never read, too.
pub(super) fn too_slow(
    readers: &mut Vec<Reader>,
    goal: usize,
    patience: Duration,
    now: Instant,
) -> Vec<u64> {
    let mut gone = Vec::new();
    while held(readers).bytes > goal {
        let slowest = readers
            .iter()
            .enumerate()
            .filter(|(_, reader)| reader.moved + patience <= now)
            .map(|(index, reader)| (reader.moved, index))
            .min();
        let Some((_, index)) = slowest else {
            break;
        };
        gone.push(readers.remove(index).id);
    }
    gone
}

#[cfg(test)]
mod tests;
