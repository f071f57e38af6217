//! Tests of reading YAML: places, what is refused, and that nothing harms.

use super::*;

fn error(text: impl AsRef<[u8]>) -> String {
    read(text.as_ref()).expect_err("refused").to_string()
}

fn tree(text: &str) -> String {
    read(text.as_bytes()).expect("sound").canonical()
}

#[test]
fn every_node_knows_its_place() {
    let text = "# first\nä: [1, \"two\",\n  {three: 3}]\nempty:\nblock: |\n  a\n  b\n\nlast: ''\n";
    let document = read(text.as_bytes()).expect("sound");
    let mut found = Vec::new();
    let mut open = vec![&document];
    while let Some(node) = open.pop() {
        let Place { line, column } = node.place;
        match &node.value {
            Value::Text { text, quoted } => {
                found.push(format!("{line}:{column} {} {text:?} {quoted}", node.key));
            }
            Value::List(items) => {
                found.push(format!("{line}:{column} {} list", node.key));
                open.extend(items);
            }
            Value::Mapping(entries) => {
                found.push(format!("{line}:{column} {} mapping", node.key));
                for entry in entries {
                    let Place { line, column } = entry.place;
                    found.push(format!("{line}:{column} key {}", entry.name));
                    open.push(&entry.node);
                }
            }
        }
    }
    found.sort();
    assert_eq!(
        found,
        [
            "2:1  mapping",
            "2:1 key ä",
            "2:4 ä list",
            "2:5 ä \"1\" false",
            "2:8 ä \"two\" true",
            "3:11 three \"3\" false",
            "3:3 ä mapping",
            "3:4 key three",
            "4:1 empty \"\" false",
            "4:1 key empty",
            "5:1 key block",
            "6:3 block \"a\\nb\\n\" true",
            "9:1 key last",
            "9:7 last \"\" true",
        ]
    );
}

#[test]
fn what_a_configuration_needs_is_read() {
    for (text, expected) in [
        ("", "{}"),
        ("# nothing\n", "{}"),
        ("---\na: b\n...\n", "{\"a\":\"b\"}"),
        ("\u{feff}a: b", "{\"a\":\"b\"}"),
        ("a: b\r\nc: d\r\n", "{\"a\":\"b\",\"c\":\"d\"}"),
        (
            "a: :2112\nb: ^(x|y)$\n",
            "{\"a\":\":2112\",\"b\":\"^(x|y)$\"}",
        ),
        ("a: >-\n  one\n  two\n", "{\"a\":'\"one two\"}"),
        ("a:\n- b\n- - c\n", "{\"a\":[\"b\",[\"c\"]]}"),
        ("a: b\t\n", "{\"a\":\"b\"}"),
    ] {
        assert_eq!(tree(text), expected, "{text:?}");
    }
}

#[test]
fn what_it_does_not_need_is_refused() {
    for (text, expected) in [
        ("a: &x b", "1:4: a: expected a value, found an anchor (&)"),
        ("a: *x", "1:4: expected YAML: "),
        ("a: !!str b", "1:4: a: expected a value, found a tag (!)"),
        (
            "a: b\n---\nc: d",
            "2:1: expected one document, found another",
        ),
        (
            "a: 1\nb: 2\na: 3",
            "3:1: a: expected once, found again after line 1",
        ),
        (
            "[a]: b",
            "expected a key, found a list or a mapping in its place",
        ),
        (
            "? {a: b}\n: c",
            "expected a key, found a list or a mapping in its place",
        ),
        (
            "a: b\n\tc: d",
            "2:1: expected spaces before the text of a line, found a tab",
        ),
        ("a: b: c", "expected YAML: "),
        ("a: [b", "expected YAML: "),
        ("a: \"b", "expected YAML: "),
        (
            "a: b\n  \0c: d",
            "2:3: expected text, found the control character U+0000",
        ),
        (
            "a: \x1b[2J",
            "1:4: expected text, found the control character U+001B",
        ),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    assert_eq!(
        error(b"a: b\n\xc3\xa4\xff"),
        "2:2: expected UTF-8, found the byte 0xff"
    );
    let long = format!("{}: b", "k".repeat(KEY + 1));
    assert_eq!(
        error(&long),
        "1:1: expected a key of at most 256 bytes, found more"
    );
    let anchors = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
    assert_eq!(
        error(anchors),
        "1:4: a: expected a value, found an anchor (&)"
    );
}

#[test]
fn depth_and_number_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(DEPTH).as_bytes()).is_ok());
    assert_eq!(
        error(nested(DEPTH + 1)),
        "1:17: expected at most 16 levels, found more"
    );
    let block: String = (0..=DEPTH)
        .map(|level| format!("{}a:\n", " ".repeat(level)))
        .collect();
    assert_eq!(
        error(block + &" ".repeat(DEPTH + 1) + "b: c"),
        "17:17: a: expected at most 16 levels, found more"
    );
    let many = format!("a: [{}]", "x,".repeat(NODES));
    assert!(error(many).contains("expected at most 50000 values, found more"));
}

/// What would take a careless reader seconds, gigabytes or its stack. Files a quarter as large as they may be,
/// for the sake of slow machines; what grows faster than its file would show.
#[test]
fn bombs_are_cheap() {
    let begun = std::time::Instant::now();
    for unit in [
        "[", "{", "[[],", "- ", "? ", "a: {", "{a: [", "&a ", "*a ", "!a ", "a: |\n ", "\"", "'",
        "a\n", "a:\n", "#", " ", "\n", "%A\n", "---\n", ",", "- - ", "a: ", "\\", "|\n", "a b ",
        "<<: ", "k", "? - ",
    ] {
        let _ = read(unit.repeat(LIMIT / 4 / unit.len()).as_bytes());
    }
    let keys: String = (0..NODES / 2 - 1)
        .map(|number| format!("k{number}: v\n"))
        .collect();
    assert!(read(keys.as_bytes()).is_ok());
    let took = begun.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
}

/// Every cut, and every byte replaced by bytes that mean something: an error or a tree, never a panic.
#[test]
fn any_bytes_give_a_tree_or_an_error() {
    let text = b"---\n# comment\nweb.listen-address: [\":2112\", 'x''y', unix:/run/w.sock]\ncollect.interval: 5s\n\
        dhcp:\n  servers:\n    - name: main\n      leases: [/tmp/dhcp.leases]\n    - {name: \"b\\u00e9\\n\", pools: {a: 10.0.0.1-10.0.0.9}}\n\
        block: |2-\n   text\n  more\nfold: >+\n  a\n\n  b\n? key\n: value\nnone: ~\n...\n";
    assert!(read(text).is_ok());
    for end in 0..text.len() {
        let _ = read(&text[..end]);
        let _ = read(&text[end..]);
    }
    for at in 0..text.len() {
        for byte in b"\0\t\n #&*-:[{\"\xff" {
            let mut garbled = text.to_vec();
            garbled[at] = *byte;
            let _ = read(&garbled);
        }
        for byte in b"\n\t]|!" {
            let mut garbled = text.to_vec();
            garbled.insert(at, *byte);
            let _ = read(&garbled);
        }
    }
}
