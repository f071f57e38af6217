use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::*;

/// crypt_blowfish's own test vector, at the second-least cost: of the password `U*U`.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

fn users(text: &str) -> Vec<User> {
    let text = format!("basic_auth_users:\n{text}");
    let web = crate::config::web::read(text.as_bytes(), Path::new(""));
    web.map_or_else(|wrong| unreachable!("{}", wrong[0]), |web| web.users)
}

fn passwords() -> Passwords {
    let mut passwords = begun();
    passwords.adopt(&users(&format!("  ada: {HASH}\n  bob: {HASH}\n")));
    passwords
}

/// Waits for the next check.
fn next(passwords: &mut Passwords) -> (Tag, bool) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(checked) = passwords.checked() {
            return checked;
        }
        assert!(Instant::now() < end, "no check is done");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What is known of a name and password in the end.
fn settled(passwords: &mut Passwords, name: &str, password: &[u8]) -> Known {
    match passwords.look_up(name, password) {
        Known::Checking(tag) => {
            assert_eq!(next(passwords).0, tag);
            passwords.look_up(name, password)
        }
        known => known,
    }
}

fn begun() -> Passwords {
    let mut passwords = Passwords::new().expect("a socket");
    passwords.start().expect("a thread");
    passwords
}

#[test]
fn vectors_of_others() {
    for (hash, password) in [
        (HASH, &b"U*U"[..]),
        (
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
            b"U*U*",
        ),
        (
            "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a",
            b"U*U*U",
        ),
        (
            "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            b"",
        ),
    ] {
        let mut passwords = begun();
        passwords.adopt(&users(&format!("  x: {hash}\n")));
        assert_eq!(
            settled(&mut passwords, "x", password),
            Known::Right,
            "{hash}"
        );
        assert_eq!(settled(&mut passwords, "x", b"U*V"), Known::Wrong, "{hash}");
    }
}

#[test]
fn only_the_first_72_bytes_count() {
    let mut passwords = begun();
    // crypt_blowfish's vector of a long password.
    let hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    let long = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored";
    passwords.adopt(&users(&format!("  x: {hash}\n")));
    assert_eq!(settled(&mut passwords, "x", long), Known::Right);
    assert_eq!(settled(&mut passwords, "x", &long[..72]), Known::Right);
    assert_eq!(settled(&mut passwords, "x", &long[..71]), Known::Wrong);
}

#[test]
fn a_name_that_nobody_has_is_checked_too() {
    let mut passwords = passwords();
    assert!(matches!(
        passwords.look_up("eve", b"U*U"),
        Known::Checking(_)
    ));
    assert!(!next(&mut passwords).1);
    assert_eq!(passwords.look_up("eve", b"U*U"), Known::Wrong);
    assert_eq!(passwords.nobody.cost, 5, "as much work as for the others");
}

#[test]
fn the_same_is_checked_once_and_so_many_at_a_time() {
    let mut passwords = passwords();
    let Known::Checking(tag) = passwords.look_up("ada", b"U*U") else {
        unreachable!("nothing is known yet")
    };
    assert_eq!(passwords.look_up("ada", b"U*U"), Known::Checking(tag));
    for number in 1..WAITING {
        let known = passwords.look_up("ada", number.to_string().as_bytes());
        assert!(matches!(known, Known::Checking(_)), "{number}");
    }
    assert_eq!(passwords.look_up("bob", b"U*U"), Known::TooMany);
    assert_eq!(next(&mut passwords), (tag, true));
    assert_eq!(passwords.look_up("ada", b"U*U"), Known::Right);
    for _ in 1..WAITING {
        assert!(!next(&mut passwords).1);
    }
    assert_eq!(settled(&mut passwords, "bob", b"U*U"), Known::Right);
}

#[test]
fn no_stranger_pushes_out_what_is_right() {
    let mut passwords = passwords();
    assert_eq!(settled(&mut passwords, "ada", b"U*U"), Known::Right);
    for number in 0..WRONG + 5 {
        let wrong = number.to_string();
        assert_eq!(
            settled(&mut passwords, "ada", wrong.as_bytes()),
            Known::Wrong
        );
    }
    assert_eq!(passwords.look_up("ada", b"U*U"), Known::Right);
    assert!(
        matches!(passwords.look_up("ada", b"0"), Known::Checking(_)),
        "forgotten"
    );
    assert_eq!(passwords.wrong.len(), WRONG);
}

#[test]
fn another_hash_or_name_is_another_question() {
    let mut passwords = passwords();
    assert_eq!(settled(&mut passwords, "ada", b"U*U"), Known::Right);
    let other = HASH.replace("OeW", "PeW");
    passwords.adopt(&users(&format!("  ada: {other}\n")));
    assert_eq!(settled(&mut passwords, "ada", b"U*U"), Known::Wrong);
    passwords.adopt(&users(&format!("  ada: {HASH}\n")));
    assert_eq!(passwords.look_up("ada", b"U*U"), Known::Right, "remembered");
    passwords.adopt(&users(&format!("  bob: {HASH}\n")));
    assert_eq!(settled(&mut passwords, "ada", b"U*U"), Known::Wrong);
}

#[test]
fn headers_are_taken_apart() {
    let given = |text: &str| {
        let found = credentials(Some(text.as_bytes()));
        found.map(|(name, password)| (name, String::from_utf8_lossy(&password).into_owned()))
    };
    let pair = |name: &str, password: &str| Some((name.to_string(), password.to_string()));
    for (text, expected) in [
        ("Basic YTpi", pair("a", "b")),
        ("bAsIc  YTpi ", pair("a", "b")),
        ("Basic YTo=", pair("a", "")),
        ("Basic OmI6Yw==", pair("", "b:c")),
        ("Basic YQ==", None),
        ("Basic YTp", None),
        ("Basic Y!pi", None),
        ("Bearer YTpi", None),
        ("Basic", None),
        ("", None),
    ] {
        assert_eq!(given(text), expected, "{text}");
    }
    assert_eq!(credentials(None), None);
}
