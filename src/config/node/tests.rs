//! Tests of the typed readings.

use super::*;
use crate::config::yaml;

fn value(text: &str) -> Node {
    let document = yaml::read(format!("key: {text}\n").as_bytes()).expect("YAML");
    let fields = document.fields(&["key"]).expect("a mapping");
    fields.needed("key").expect("there").clone()
}

fn refused<T: fmt::Debug>(result: Result<T, Wrong>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn texts_are_texts_only_when_they_cannot_be_anything_else() {
    for (text, expected) in [
        ("/run/x", "/run/x"),
        ("5", "5"),
        ("\"no\"", "no"),
        ("'null'", "null"),
        ("\"\"", ""),
        (">-\n  a\n  b", "a b"),
    ] {
        assert_eq!(value(text).text("DIR"), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("", "1:1: key: expected DIR, found nothing"),
        ("~", "1:6: key: expected DIR, found ~ without quotes"),
        ("Yes", "1:6: key: expected DIR, found Yes without quotes"),
        ("[a]", "1:6: key: expected DIR, found a list"),
        ("{a: b}", "1:6: key: expected DIR, found a mapping"),
        (
            "|\n  a",
            "2:3: key: expected DIR, found a line end or control character in \"a\\n\"",
        ),
    ] {
        assert_eq!(refused(value(text).text("DIR")), expected, "{text}");
    }
}

#[test]
fn switches_are_true_or_false() {
    assert_eq!(value("true").switch(), Ok(true));
    assert_eq!(value("false").switch(), Ok(false));
    for (text, column, found) in [
        ("yes", 6, "\"yes\""),
        ("True", 6, "\"True\""),
        ("1", 6, "\"1\""),
        ("", 1, "nothing"),
        ("'true'", 6, "\"true\" in quotes"),
        ("[true]", 6, "a list"),
    ] {
        let expected = format!("1:{column}: key: expected true or false, found {found}");
        assert_eq!(refused(value(text).switch()), expected);
    }
}

#[test]
fn numbers_durations_words_and_lists() {
    assert_eq!(value("0010").number(1, 10), Ok(10));
    for bad in [
        "0",
        "11",
        "+5",
        "1.5",
        "0x1",
        "99999999999999999999",
        "''",
        "-1",
    ] {
        let error = refused(value(bad).number(1, 10));
        assert!(
            error.contains("expected a number from 1 to 10, found \""),
            "{error}"
        );
    }
    assert_eq!(value("1m30s").duration(), Ok(Duration::from_secs(90)));
    let error = refused(value("90").duration());
    assert!(
        error.starts_with("1:6: key: expected a duration such as 500ms"),
        "{error}"
    );
    let words = [("a", 1), ("b", 2)];
    assert_eq!(value("b").one_of(&words), Ok(2));
    assert_eq!(
        refused(value("c").one_of(&words)),
        "1:6: key: expected a or b, found \"c\""
    );
    assert_eq!(value("[a, b]").items("a list").map(<[Node]>::len), Ok(2));
    assert_eq!(
        refused(value("a").items("a list of names")),
        "1:6: key: expected a list of names, found \"a\""
    );
    assert_eq!(value("a").one_or_more().len(), 1);
    assert_eq!(value("[a, b]").one_or_more().len(), 2);
    let long = "x".repeat(500);
    assert!(refused(value(&long).switch()).len() < 200);
}

#[test]
fn unknown_and_missing_keys_are_told() {
    let document = yaml::read(b"server:\n  nam: a\n  pools: []\n  zzz: 1\n").expect("YAML");
    let server = document.fields(&["server"]).expect("a mapping");
    let server = server.needed("server").expect("there");
    let known = ["name", "pools"];
    let fields = server.fields(&known).expect("a mapping");
    assert!(fields.get("pools").is_some() && fields.get("name").is_none());
    assert_eq!(
        refused(fields.needed("name")),
        "2:3: server: expected the key name, found none"
    );
    let mut wrong = Vec::new();
    fields.unknown(&mut wrong);
    let told: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "2:3: nam: expected name or pools, found an unknown key; did you mean name?",
            "4:3: zzz: expected name or pools, found an unknown key",
        ]
    );
    assert_eq!(
        refused(value("a").fields(&known).map(|_| ())),
        "1:6: key: expected a mapping with name or pools, found \"a\""
    );
    assert!(keep(server.switch(), &mut wrong).is_none());
    assert_eq!(wrong.len(), 3);
}

#[test]
fn errors_stay_in_one_line() {
    let document = yaml::read(b"\"a\\nb\\e\": 1").expect("YAML");
    let mut wrong = Vec::new();
    let fields = document.fields(&[]).expect("a mapping");
    fields.unknown(&mut wrong);
    assert_eq!(
        wrong[0].to_string(),
        "1:1: a\\nb\\u{1b}: expected nothing, found an unknown key"
    );
}
