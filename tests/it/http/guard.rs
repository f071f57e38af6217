//! Who is let in by `--web.config.file`, without TLS: passwords, the limit on requests, headers, and the file read again.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use weir::http::Guard;

use super::fake;
use super::harness::connect;
use super::harness::get;
use super::harness::guarded;
use super::harness::reply;
use super::harness::settings;
use super::harness::within;

/// The user `ada` with the password `U*U` (crypt_blowfish's test vector).
const USERS: &str =
    "basic_auth_users:\n  ada: $2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
/// `Basic` for ada:U*U, for ada with another password, and for a name that nobody has.
const ADA: &str = "Authorization: Basic YWRhOlUqVQ==\r\n";
const WRONG: &str = "Authorization: Basic YWRhOnVuZA==\r\n";
const NOBODY: &str = "Authorization: Basic ZXZlOlUqVQ==\r\n";

/// A configuration in a directory of its own, which goes with it.
struct Config(PathBuf);

impl Config {
    fn new(name: &str, text: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("weir-guard-{}-{name}", std::process::id()));
        fs::create_dir(&directory).expect("a new directory");
        let config = Self(directory);
        config.write(text);
        config
    }

    fn path(&self) -> PathBuf {
        self.0.join("web.yml")
    }

    /// Replaces the file as programs do that take care.
    fn write(&self, text: &str) {
        let new = self.0.join("new");
        fs::write(&new, text).expect("written");
        fs::rename(&new, self.path()).expect("renamed");
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn serve(config: &Config, test: impl FnOnce(SocketAddr)) -> super::harness::Done {
    guarded(Some(config.path()), settings(), fake(5000), test)
}

#[test]
fn only_a_right_name_and_password_is_answered() {
    let config = Config::new("users", USERS);
    let done = serve(&config, |address| {
        for lines in ["", WRONG, NOBODY, WRONG, "Authorization: Bearer x\r\n"] {
            let reply = get(address, "/metrics", lines);
            assert_eq!(reply.code, 401, "{lines}");
            assert_eq!(reply.header("www-authenticate"), Some("Basic"));
            assert!(!reply.text().contains("weir_test"), "{}", reply.text());
        }
        for target in ["/metrics", "/health", "/", "/metrics"] {
            assert_eq!(get(address, target, ADA).code, 200, "{target}");
        }
        // A page that does not exist is nobody's business either.
        assert_eq!(get(address, "/none", "").code, 401);
    });
    let guard = done.stats.guard.expect("a guard");
    assert_eq!((guard.unauthorized, done.stats.refused), (6, 6));
    assert_eq!(done.source.rendered, 2);
}

#[test]
fn a_kept_connection_is_asked_each_time_and_pipelined_requests_stay_in_order() {
    let config = Config::new("kept", USERS);
    serve(&config, |address| {
        let mut stream = connect(address);
        let mut all = String::new();
        for lines in [ADA, "", WRONG, ADA, NOBODY, "", ADA] {
            all.push_str(&format!("GET /health HTTP/1.1\r\nHost: x\r\n{lines}\r\n"));
        }
        stream.write_all(all.as_bytes()).expect("sent");
        for expected in [200, 401, 401, 200, 401, 401, 200] {
            let reply = reply(&mut stream, false).expect("an answer");
            assert_eq!(reply.code, expected);
            assert_eq!(reply.header("connection"), Some("keep-alive"));
        }
    });
}

#[test]
fn slow_passwords_hold_up_nobody_else_and_do_not_pile_up() {
    // eve's check takes as long as 512 of ada's.
    let slow = "  eve: $2a$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
    let config = Config::new("slow", &format!("{USERS}{slow}"));
    let done = serve(&config, |address| {
        assert_eq!(get(address, "/health", ADA).code, 200);
        // The last two letters of `eve:` and two bytes in base64: a different password each time.
        let mut streams = Vec::new();
        for last in "wxyz0123456789ghijkl".chars() {
            let mut stream = connect(address);
            let line = format!("Authorization: Basic ZXZlOmF{last}\r\n");
            let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{line}\r\n");
            stream.write_all(request.as_bytes()).expect("sent");
            streams.push(stream);
        }
        // Sixteen wait, and the others are told so at once.
        let mut refused = 0;
        for stream in &mut streams[16..] {
            let reply = reply(stream, false).expect("an answer");
            refused += u32::from(reply.code == 503);
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
        assert_eq!(refused, 4);
        // Who is known is answered all the same, while they wait.
        assert_eq!(get(address, "/metrics", ADA).code, 200);
        let last = &mut streams[15];
        last.set_nonblocking(true).expect("set");
        let nothing = last.read(&mut [0]).expect_err("no answer yet");
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    });
    assert_eq!(done.stats.guard.expect("a guard").busy, 4);
}

#[test]
fn requests_above_the_limit_get_429() {
    let config = Config::new("limit", "rate_limit: {interval: 1h, burst: 3}\n");
    let done = serve(&config, |address| {
        let codes: Vec<_> = (0..5).map(|_| get(address, "/health", "").code).collect();
        assert_eq!(codes, [200, 200, 200, 429, 429]);
    });
    assert_eq!(done.stats.guard.expect("a guard").limited, 2);
}

#[test]
fn headers_are_on_every_answer_and_replace_our_own() {
    let text = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: \"default-src 'none'\"\n";
    let config = Config::new("headers", text);
    serve(&config, |address| {
        for target in ["/", "/metrics", "/none"] {
            let reply = get(address, target, "");
            assert_eq!(reply.header("x-frame-options"), Some("deny"), "{target}");
            assert_eq!(reply.head.matches("Content-Security-Policy").count(), 1);
            assert_eq!(
                reply.header("content-security-policy"),
                Some("default-src 'none'")
            );
        }
        let mut stream = connect(address);
        stream.write_all(b"nonsense\r\n\r\n").expect("sent");
        let refused = reply(&mut stream, false).expect("an answer");
        assert_eq!(
            (refused.code, refused.header("x-frame-options")),
            (400, Some("deny"))
        );
    });
}

#[test]
fn the_file_is_read_again_and_a_broken_one_changes_nothing() {
    let config = Config::new("again", USERS);
    let patience = Duration::from_secs(20);
    let becomes = |address, lines: &str, code| {
        within(patience, || get(address, "/health", lines).code == code)
    };
    let done = serve(&config, |address| {
        assert_eq!(get(address, "/health", ADA).code, 200);
        config.write(&USERS.replace("ada", "eve"));
        assert!(becomes(address, NOBODY, 200), "eve is somebody now");
        assert_eq!(get(address, "/health", ADA).code, 401);
        config.write("basic_auth_users: {eve: nothing}\n");
        // Longer than the file is not looked at.
        std::thread::sleep(Duration::from_millis(1200));
        for _ in 0..3 {
            assert_eq!(get(address, "/health", NOBODY).code, 200);
            assert_eq!(get(address, "/health", "").code, 401, "never open");
        }
        fs::remove_file(config.path()).expect("removed");
        std::thread::sleep(Duration::from_millis(1200));
        assert_eq!(get(address, "/health", "").code, 401, "never open");
    });
    assert!(!done.stats.guard.expect("a guard").successful);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let config = Config::new("wrong", "rate_limit:\n  interval: soon\n  bursts: 1\n");
    let error = Guard::check(&config.path()).expect_err("wrong");
    let path = config.path().display().to_string();
    assert_eq!(
        error.lines(),
        [
            format!(
                "{path}:2:13: interval: expected a duration such as 500ms, 1s or 1m30s, found \"soon\""
            ),
            format!(
                "{path}:3:3: bursts: expected interval or burst, found an unknown key; did you mean burst?"
            ),
        ]
    );
    let error = Guard::check(Path::new("/nonexistent/web.yml")).expect_err("missing");
    assert_eq!(
        error.lines(),
        ["--web.config.file: /nonexistent/web.yml: No such file or directory (os error 2)"]
    );
}
