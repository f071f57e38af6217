use super::*;
use std::net::UdpSocket;

/// The questions that have come to a socket.
fn came(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 512];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
}

/// Nobody answers, so that each of ten questions is asked twice; however they come, there is the pace between two of them.
#[test]
fn repeated_questions_keep_the_pace() {
    let pace = Duration::from_millis(20);
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("a socket");
    let servers = [server.local_addr().expect("bound")];
    let mut asker = Asker::paced(Duration::from_millis(30), pace);
    for token in 0..10 {
        asker.ask(token, &Arc::from("a.test"), RecordType::A);
    }
    let begun = Instant::now();
    let (mut asked, mut ended) = (0, Vec::new());
    while ended.len() < 10 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        ended.extend(asker.turn(&servers, Instant::now() + pace));
        asked += came(&server);
        let most = 1 + begun.elapsed().as_millis() / pace.as_millis();
        assert!(asked as u128 <= most, "{asked} questions, at most {most}");
    }
    assert_eq!(asked, 20);
    assert!(!asker.has_waiting());
    let timeout = |done: &Done| done.answer.values == Err(Reason::Timeout);
    assert!(ended.iter().all(timeout), "{ended:?}");
}

#[test]
fn without_a_server_nothing_is_asked() {
    let mut asker = Asker::new(Duration::from_secs(60));
    asker.ask(7, &Arc::from("a.test"), RecordType::A);
    let ended = asker.turn(&[], Instant::now() + Duration::from_secs(60));
    let tokens: Vec<_> = ended.iter().map(|done| done.token).collect();
    assert_eq!(tokens, [7]);
    assert_eq!(ended[0].answer.values, Err(Reason::Unasked));
}
