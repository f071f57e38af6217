use super::*;
use crate::parse::hostile::survive;

const SAMPLE: &str = "# HELP backup_bytes Size \\\\ of\\nit.\n\
    # TYPE backup_bytes gauge\n\
    # a comment\n\
    \n\
    backup_bytes{job=\"e\\\"t\\\\c\\n\", host = \"büro\",} 1.2e+09\n\
    backup_bytes NaN\n\
    # TYPE rtt_seconds histogram\n\
    rtt_seconds_bucket{le=\"0.1\"} 1\n\
    rtt_seconds_bucket{le=\"+Inf\"} 2\n\
    rtt_seconds_sum 0.3\n\
    rtt_seconds_count 2\n\
    # TYPE lag_seconds summary\n\
    lag_seconds{quantile=\"0.5\"} -Inf\n\
    lag_seconds_sum 3\n\
    lag_seconds_count 1\n\
    \tplain:name_count\t5 \n";

fn error(text: &str) -> String {
    families(text.as_bytes())
        .map(|_| String::new())
        .unwrap_or_else(|error| error.to_string())
}

#[test]
fn parses() {
    let read = families(SAMPLE.as_bytes()).expect("the sample");
    let names: Vec<_> = read
        .iter()
        .map(|family| (family.name, family.kind, family.samples.len()))
        .collect();
    assert_eq!(
        names,
        [
            ("backup_bytes", Some(Type::Gauge), 2),
            ("rtt_seconds", Some(Type::Histogram), 4),
            ("lag_seconds", Some(Type::Summary), 3),
            ("plain:name_count", None, 1),
        ]
    );
    assert_eq!(read[0].help.as_deref(), Some("Size \\ of\nit."));
    let first = &read[0].samples[0];
    let labels: Vec<_> = first
        .labels
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    assert_eq!(labels, [("host", "büro"), ("job", "e\"t\\c\n")]);
    assert!(read[0].samples[1].value.is_nan());
    let parts: Vec<_> = read[1].samples.iter().map(|sample| sample.part).collect();
    assert_eq!(parts, [Part::Bucket, Part::Bucket, Part::Sum, Part::Count]);
    assert_eq!(read[2].samples[0].value, f64::NEG_INFINITY);
}

#[test]
fn short_empty_and_only_comments() {
    assert_eq!(families(b"").map(|read| read.len()), Ok(0));
    assert_eq!(families(b"# x\n\n#\n").map(|read| read.len()), Ok(0));
    assert_eq!(families(b"a 1\n").map(|read| read.len()), Ok(1));
    // HELP alone has no sample and is no error.
    assert_eq!(families(b"# HELP a b\n").map(|read| read.len()), Ok(1));
    for nothing in ["# HELP\n", "# TYPE \n", "# HELP a \n", "# TYPE a\n"] {
        let text = format!("{nothing}# TYPE a gauge\n# HELP a b\na 1\n");
        let read = families(text.as_bytes()).expect("a comment");
        assert_eq!(read[0].kind, Some(Type::Gauge), "{nothing}");
        assert_eq!(read[0].help.as_deref(), Some("b"), "{nothing}");
    }
}

#[test]
fn ends_abruptly() {
    assert_eq!(
        error("a 1\nb 2"),
        "2: line: expected a line feed at its end, found \"b 2\""
    );
    survive(SAMPLE.as_bytes(), |bytes| families(bytes).map(|_| ()));
}

#[test]
fn what_breaks_the_format_is_told() {
    for (text, expected) in [
        (
            "a 1 1700000000000\n",
            "1: timestamp: expected no timestamp after the value, found \"1700000000000\"",
        ),
        ("a\n", "1: value: expected a blank before it, found \"\""),
        (
            "a 1x\n",
            "1: value: expected a number, NaN, +Inf or -Inf, found \"1x\"",
        ),
        (
            "a 1\r\n",
            "1: value: expected a number, NaN, +Inf or -Inf, found \"1\\r\"",
        ),
        (
            "9a 1\n",
            "1: name: expected the name of a metric, found \"9a 1\"",
        ),
        (
            "a-b 1\n",
            "1: value: expected a blank before it, found \"-b 1\"",
        ),
        (
            "a{b} 1\n",
            "1: label: expected = and a quoted value, found \"b} 1\"",
        ),
        (
            "a{b=\"1} 1\n",
            "1: label: expected a closing quote, found \"1} 1\"",
        ),
        (
            "a{b=\"1\" c=\"2\"} 1\n",
            "1: label: expected a comma or }, found \"c=\\\"2\\\"} 1\"",
        ),
        (
            "a{b=\"1\",b=\"2\"} 1\n",
            "1: label: expected each label once, found \"b\"",
        ),
        (
            "a{__name__=\"b\"} 1\n",
            "1: label: expected the name of a label, found \"__name__=\\\"b\\\"} 1\"",
        ),
        (
            "a{b:c=\"1\"} 1\n",
            "1: label: expected = and a quoted value, found \"b:c=\\\"1\\\"} 1\"",
        ),
        (
            "a{b=\"\\t\"} 1\n",
            "1: label: expected no other escapes than \\\\, \\\" and \\n, found \"\\\\t\"",
        ),
        (
            "a 1\na 2\n",
            "2: series: expected each series once, found \"a\"",
        ),
        (
            "a{b=\"1\",c=\"2\"} 1\na{c=\"2\",b=\"1\"} 1\n",
            "2: series: expected each series once, found \"a\"",
        ),
        (
            "a 1\n# TYPE a gauge\n",
            "2: TYPE: expected TYPE before the family's samples, found \"a\"",
        ),
        (
            "# TYPE a gauge\n# TYPE a gauge\n",
            "2: TYPE: expected one TYPE line for each family, found \"a\"",
        ),
        (
            "# HELP a x\n# HELP a x\n",
            "2: HELP: expected one HELP line for each family, found \"a\"",
        ),
        (
            "# TYPE a info\n",
            "1: TYPE: expected counter, gauge, histogram, summary or untyped, found \"info\"",
        ),
        (
            "# TYPE a-b gauge\n",
            "1: comment: expected the name of a metric, found \"a-b\"",
        ),
        (
            "# TYPE a histogram\na 1\n",
            "2: name: expected a sample that fits its family's type, found \"a\"",
        ),
        (
            "# TYPE a histogram\na_bucket 1\n",
            "2: name: expected a sample that fits its family's type, found \"a_bucket\"",
        ),
        (
            "# TYPE a summary\na 1\n",
            "2: name: expected a sample that fits its family's type, found \"a\"",
        ),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
    assert!(families(b"a{b=\"\xff\"} 1\n").is_err());
}
