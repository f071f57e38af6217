use super::*;

const MS: Duration = Duration::from_millis(1);

/// Readers of bodies of 100 bytes each, who took something so many milliseconds before now.
fn readers(now: Instant, ago: &[u32]) -> Vec<Reader> {
    let reader = |(index, ago): (usize, &u32)| Reader {
        id: index as u64,
        body: index,
        length: 100,
        moved: now - *ago * MS,
    };
    ago.iter().enumerate().map(reader).collect()
}

/// A time that lies late enough for others before it.
fn now() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[test]
fn a_shared_body_counts_once() {
    let mut readers = readers(now(), &[0, 0, 0]);
    readers[1].body = 0;
    readers[2].length = 250;
    let expected = Held {
        bodies: 2,
        bytes: 350,
        longest: 250,
    };
    assert_eq!(held(&readers), expected);
    assert_eq!(held(&[]).bytes, 0);
}

#[test]
fn who_has_taken_nothing_for_the_longest_time_goes_first_and_no_more_than_must() {
    let now = now();
    let mut readers = readers(now, &[50, 90, 10, 70, 80]);
    assert_eq!(too_slow(&mut readers, 300, 40 * MS, now), [1, 4]);
    let left: Vec<u64> = readers.iter().map(|reader| reader.id).collect();
    assert_eq!(left, [0, 2, 3]);
    assert_eq!(too_slow(&mut readers, 300, 40 * MS, now), []);
}

#[test]
fn who_takes_something_stays_however_little_room_there_is() {
    let now = now();
    let mut readers = readers(now, &[39, 40, 5]);
    assert_eq!(too_slow(&mut readers, 0, 40 * MS, now), [1]);
    assert_eq!(readers.len(), 2);
    assert_eq!(too_slow(&mut readers, 0, Duration::ZERO, now), [0, 2]);
}

#[test]
fn an_honest_reader_outlives_those_who_never_read() {
    // It came among them, and took something after a while in which it was not scheduled.
    let now = now();
    let mut readers = readers(now, &[60, 59, 2, 57, 56]);
    assert_eq!(too_slow(&mut readers, 100, 50 * MS, now), [0, 1, 3, 4]);
    assert_eq!(readers[0].id, 2);
}

#[test]
fn the_more_wait_the_shorter_is_the_patience() {
    assert_eq!(patience(30, 30), TURN);
    assert_eq!(patience(32, 256), TURN / 8);
    // As many turns as there may be before the last: together no longer than one may wait.
    for (bodies, connections) in [(4, 64), (13, 256), (30, 256), (4, 256)] {
        let turns = u32::try_from(connections / bodies).unwrap_or(0);
        let all = patience(bodies, connections) * turns;
        assert!(all <= TURN && all >= TURN / 2, "{all:?}");
    }
}
