//! Tests of what all parsers share.

use super::*;

#[test]
fn digits_only() {
    assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
    for bad in [
        &b""[..],
        b"+5",
        b"-5",
        b" 5",
        b"5 ",
        b"0x5",
        b"1_0",
        b"18446744073709551616",
    ] {
        assert_eq!(decimal(bad), None, "{bad:?}");
    }
    assert_eq!(
        (hex(b"fF"), hex(b"0xff"), hex(b"g")),
        (Some(255), None, None)
    );
    assert_eq!(
        (
            signed(b"-1"),
            signed(b"-9223372036854775808"),
            signed(b"9223372036854775808")
        ),
        (Some(-1), Some(i64::MIN), None)
    );
}

#[test]
fn lines_are_numbered_and_a_cut_one_is_an_error() {
    let mut read = lines(b"one\n\nthree");
    assert_eq!(
        read.next().map(|line| line.map(|line| line.number())),
        Some(Ok(1))
    );
    assert_eq!(
        read.next().map(|line| line.map(|line| line.text().len())),
        Some(Ok(0))
    );
    let error = read.next().map(|line| line.map(|_| ()));
    assert_eq!(
        error,
        Some(Err(ParseError::new(
            3,
            "line",
            "a line feed at its end",
            b"three"
        )))
    );
    assert!(read.next().is_none());
}

#[test]
fn an_error_says_line_field_rule_and_finding() {
    let mut line = Line::new(7, b" 12 z\xffz");
    assert_eq!(line.expect_decimal("count"), Ok(12));
    let error = line
        .expect_decimal("limit")
        .map_err(|error| error.to_string());
    assert_eq!(
        error,
        Err("7: limit: expected an unsigned decimal number, found \"z\\\\xffz\"".to_string())
    );
}

#[test]
fn a_long_finding_is_cut() {
    let error = ParseError::new(1, "x", "y", &[b'a'; 500]);
    assert_eq!(error.found.chars().count(), 41);
}

#[test]
fn names_that_are_not_utf8_are_escaped() {
    assert_eq!(printable(b"eth0"), "eth0");
    assert_eq!(printable("büro".as_bytes()), "büro");
    assert_eq!(printable(b"a\xffb\xc3"), "a\\xffb\\xc3");
    assert_eq!(printable(b"a\\b"), "a\\b");
    assert_eq!(printable(b"a\\xff"), "a\\x5cxff");
}
