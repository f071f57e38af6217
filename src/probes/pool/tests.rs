use super::*;
use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::thread::ThreadId;

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

type Questions = Vec<(PathBuf, Ask<ThreadId>)>;

fn quick(directory: &str, count: usize) -> Questions {
    let paths = (0..count).map(|number| PathBuf::from(format!("{directory}/{number}")));
    paths
        .map(|path| (path, Box::new(|| thread::current().id()) as Ask<ThreadId>))
        .collect()
}

/// Questions that hang until the sender is dropped.
fn hanging(directory: &str, count: usize) -> (Questions, mpsc::Sender<()>) {
    let (release, hang) = mpsc::channel();
    let hang = Arc::new(Mutex::new(hang));
    let mut questions = quick(directory, count);
    for (_, ask) in &mut questions {
        let hang = Arc::clone(&hang);
        *ask = Box::new(move || {
            // Whoever comes second hangs with the lock.
            let _ = hang.lock().map(|hang| hang.recv());
            thread::current().id()
        });
    }
    (questions, release)
}

fn pool(questions: Questions, hold: Duration) -> Pool<ThreadId> {
    let mut pool = Pool::new("test", questions);
    pool.hold = hold;
    pool
}

fn answered(pool: &Pool<ThreadId>, at: usize) -> bool {
    pool.answer(at).value().is_some()
}

/// Asks again and again until it is so.
fn until(pool: &Pool<ThreadId>, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONG, "never came to be");
        pool.ask(Duration::from_millis(5));
    }
}

fn threads(pool: &Pool<ThreadId>) -> usize {
    pool.shared.state().threads
}

#[test]
fn a_hundred_quick_questions_need_one_thread() {
    let pool = pool(quick("/quick", 100), LONG);
    assert_eq!((threads(&pool), answered(&pool, 0)), (0, false));
    let mut asked = HashSet::new();
    for _ in 0..3 {
        pool.ask(LONG);
        for at in 0..100 {
            let answer = pool.answer(at);
            assert!(answer.pending.is_none() && pool.lacks_thread(at).is_none());
            asked.extend(answer.value().copied());
        }
    }
    assert_eq!((asked.len(), threads(&pool)), (1, 1));
}

#[test]
fn what_hangs_holds_up_no_other() {
    let (mut questions, release) = hanging("/dead", 3);
    questions.extend(quick("/good", 50));
    let pool = pool(questions, Duration::from_millis(1));
    until(&pool, || (3..53).all(|at| answered(&pool, at)));
    assert!((0..3).all(|at| !answered(&pool, at)));
    // They are not waited for.
    until(&pool, || {
        (0..3).all(|at| pool.shared.state().questions[at].begun.is_some())
    });
    let begun = Instant::now();
    for _ in 0..5 {
        pool.ask(LONG);
    }
    assert!(begun.elapsed() < LONG / 2, "waited");
    drop(release);
    until(&pool, || (0..3).all(|at| answered(&pool, at)));
    // What is too many ends, one stays.
    until(&pool, || threads(&pool) == 1);
}

#[test]
fn threads_are_bounded_and_what_is_elsewhere_goes_first() {
    let (mut questions, release) = hanging("/mnt/dead", 3 * MOST);
    questions.extend(quick("/mnt/good", 20));
    let last = questions.len() - 1;
    let pool = pool(questions, Duration::from_millis(1));
    until(&pool, || (3 * MOST..=last).all(|at| answered(&pool, at)));
    until(&pool, || threads(&pool) == MOST);
    pool.ask(Duration::ZERO);
    assert_eq!(threads(&pool), MOST);
    let lacking = (0..3 * MOST).filter_map(|at| pool.lacks_thread(at));
    let lacking: Vec<_> = lacking.collect();
    let said = format!("expected a thread to read it, found all {MOST} waiting for others");
    assert!(lacking.len() >= 2 * MOST, "{}", lacking.len());
    assert!(lacking.iter().all(|text| *text == said), "{lacking:?}");
    drop(release);
    until(&pool, || (0..=last).all(|at| answered(&pool, at)));
    until(&pool, || threads(&pool) == 1);
}

#[test]
fn a_slow_answer_is_not_waited_for_the_next_time() {
    let (mut questions, release) = hanging("/slow", 1);
    questions.extend(quick("/quick", 1));
    let pool = pool(questions, Duration::from_millis(1));
    until(&pool, || answered(&pool, 1));
    drop(release);
    until(&pool, || answered(&pool, 0));
    pool.shared.state().questions[0].took = PATIENCE * 2;
    pool.shared.state().questions[1].took = Duration::ZERO;
    let patient = || pool.shared.state().questions[0].patient;
    pool.ask(LONG);
    assert!(!patient());
}

#[test]
fn dropping_it_ends_its_threads() {
    let (release, hang) = mpsc::channel::<()>();
    let (ended, end) = mpsc::channel::<()>();
    let ask: Ask<ThreadId> = Box::new(move || {
        let _ = (hang.recv(), &ended);
        thread::current().id()
    });
    let pool = pool(vec![(PathBuf::from("/dead"), ask)], LONG);
    pool.ask(Duration::ZERO);
    drop(pool);
    drop(release);
    assert!(end.recv_timeout(LONG).is_err_and(|error| {
        // The thread ended and dropped its sender.
        error == mpsc::RecvTimeoutError::Disconnected
    }));
}
