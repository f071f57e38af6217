use std::fs;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;

use super::super::super::tree::Tree;
use super::super::tests::configured;
use super::*;

fn reader(tree: &Tree, keys: &str) -> Reader {
    let section = format!("- {{metric: m, file: ROOT/f, {keys}}}");
    let source = configured(tree, &section).remove(0);
    let path = source.file.path.clone();
    Reader::new(&source, path)
}

/// What is seen, one series after the other, and the error without the tree's root.
fn seen(tree: &Tree, reader: &mut Reader) -> String {
    let seen = reader.look();
    let mut text = String::new();
    for file in &seen.files {
        for series in &file.content.series {
            let labels = file.labels.iter().chain(&series.labels);
            let labels: Vec<_> = labels
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            text.push_str(&format!("{{{}}} {}; ", labels.join(","), series.value));
        }
    }
    let root = format!("{}/", tree.path("").display()).replace("//", "/");
    text + &seen.error.unwrap_or_default().replace(&root, "")
}

const JSON: &str = "{\n\"a\": {\"x\": 1, \"y\": true},\n\"n\": \"12\", \"o\": null}\n";
const CSV: &str = "pool;state;used\nlan;on;3\nguests;off;4\n";

#[test]
fn each_format_and_what_can_be_wrong_with_it() {
    let tree = Tree::new("sources-formats");
    for (keys, text, expected) in [
        ("format: number", "45000", "{} 45000; "),
        ("format: number, scale: 0.001", "45000\n", "{} 45; "),
        (
            "format: number",
            "45 C\n",
            "f:1: number: expected a number, found \"45 C\"",
        ),
        (
            "format: number",
            "",
            "f:1: number: expected a number, found \"\"",
        ),
        ("format: json, pointer: /a/x", JSON, "{} 1; "),
        ("format: json, pointer: /a/y", JSON, "{} 1; "),
        (
            "format: json, pointer: /a/*, key-label: k",
            JSON,
            "{k=x} 1; {k=y} 1; ",
        ),
        (
            "format: json, pointer: /n, text-numbers: true, scale: 2",
            JSON,
            "{} 24; ",
        ),
        (
            "format: json, pointer: /n",
            JSON,
            "f:3: /n: expected a number, found \"\\\"12\\\"\"",
        ),
        (
            "format: json, pointer: /o",
            JSON,
            "f:3: /o: expected a number, found \"null\"",
        ),
        (
            "format: json, pointer: /none",
            JSON,
            "f:1: /none: expected a number there, found \"nothing\"",
        ),
        (
            "format: json, pointer: /a/x",
            "{\"a\": {\"x\": 1},",
            "f:1: json: expected a string, found \"\"",
        ),
        (
            "format: csv, delimiter: \";\", column: used, where: {state: on}",
            CSV,
            "{} 3; ",
        ),
        (
            "format: csv, delimiter: \";\", column: used, label-columns: {pool: 1, s: state}",
            CSV,
            "{pool=lan,s=on} 3; {pool=guests,s=off} 4; ",
        ),
        (
            "format: csv, delimiter: \";\", column: used",
            CSV,
            "f:1: column: expected one row, or label-columns to tell rows apart, found \"2 rows\"",
        ),
        (
            "format: csv, delimiter: \";\", column: free, label-columns: {pool: 1}",
            CSV,
            "f:1: free: expected a column of this name in the first line, found \"pool,state,used\"",
        ),
        (
            "format: csv, delimiter: \";\", column: state, label-columns: {pool: 1}",
            CSV,
            "f:2: state: expected a number, found \"on\"",
        ),
        (
            "format: columns, column: 2, where: {1: \"eth0:\"}",
            "lo: 1 2\n eth0: 3 4\n",
            "{} 3; ",
        ),
        (
            "format: columns, column: 2",
            "a b\n",
            "f:1: column 2: expected a number, found \"b\"",
        ),
        (
            "format: key-value, key: MemFree, scale: 1024",
            "MemFree:  4 kB\n",
            "{} 4096; ",
        ),
        (
            "format: key-value, key: Mem",
            "MemFree:  4 kB\n",
            "f:2: Mem: expected a line with this key, found \"\"",
        ),
        (
            "format: key=value, key: LEVEL",
            "LEVEL='-3'\nX=1\n",
            "{} -3; ",
        ),
        (
            "format: key=value, key: LEVEL",
            "X=1\nLEVEL=high\n",
            "f:2: LEVEL: expected a number, found \"high\"",
        ),
    ] {
        tree.write("f", text);
        assert_eq!(seen(&tree, &mut reader(&tree, keys)), expected, "{keys}");
    }
}

#[test]
fn what_is_no_file_is_told_and_never_waited_for() {
    let tree = Tree::new("sources-no-file");
    let mut reader = reader(&tree, "format: number");
    let path = tree.path("f");
    assert_eq!(
        seen(&tree, &mut reader),
        "f: No such file or directory (os error 2)"
    );
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    let writer = thread::spawn({
        let path = path.clone();
        move || fs::write(path, "7\n")
    });
    let whole = |seen: &str| seen.contains(" 7") && !seen.contains("f: ");
    let begun = Instant::now();
    while !whole(&seen(&tree, &mut reader)) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is written"
        );
    }
    writer.join().expect("no panic").expect("written");
    let nobody = seen(&tree, &mut reader);
    assert!(
        nobody.contains("f: expected somebody to write within 3000 ms, found nobody"),
        "{nobody}"
    );
    assert!(nobody.contains(" 7"), "the last value stays: {nobody}");
    fs::remove_file(&path).expect("a FIFO");
    fs::create_dir(&path).expect("a directory");
    assert!(seen(&tree, &mut reader).ends_with("f: expected a regular file"));
    fs::remove_dir(&path).expect("a directory");
    tree.write("f", vec![b' '; FILE + 1]);
    assert!(seen(&tree, &mut reader).contains("f: expected at most"));
}

#[test]
fn a_pattern_stands_for_files_that_come_and_go() {
    let tree = Tree::new("sources-pattern");
    let section = "- {metric: m, format: number, file: ROOT/zone*/temp, file-label: zone}";
    let source = configured(&tree, section).remove(0);
    let path = source.file.path.clone();
    let mut reader = Reader::new(&source, path);
    let none = seen(&tree, &mut reader);
    assert_eq!(none, "zone*/temp: No such file or directory (os error 2)");
    tree.write("zone0/temp", "1\n").write("zone10/temp", "2\n");
    tree.write("zone/temp", "3\n").write("zonex/other", "4\n");
    // zonex has none.
    let expected = "{zone=} 3; {zone=0} 1; {zone=10} 2; ";
    assert_eq!(seen(&tree, &mut reader), expected);
    fs::remove_dir_all(tree.path("zone0")).expect("removed");
    tree.write("zone10/temp", "x\n");
    assert_eq!(
        seen(&tree, &mut reader),
        "{zone=} 3; {zone=10} 2; zone10/temp:1: number: expected a number, found \"x\""
    );
}

#[test]
fn each_star_has_a_label() {
    let tree = Tree::new("sources-stars");
    for path in [
        "hwmon0/temp1_input",
        "hwmon0/temp12_input",
        "hwmon7/temp2_input",
    ] {
        tree.write(path, "1\n");
    }
    tree.write("hwmon7/name", "x\n")
        .write("other/temp1_input", "1\n");
    let section =
        "- {metric: m, format: number, file: ROOT/hwmon*/temp*_input, file-label: [chip, sensor]}";
    let source = configured(&tree, section).remove(0);
    let mut reader = Reader::new(&source, source.file.path.clone());
    assert_eq!(
        seen(&tree, &mut reader),
        "{chip=0,sensor=12} 1; {chip=0,sensor=1} 1; {chip=7,sensor=2} 1; "
    );
}

#[test]
fn of_several_stars_in_a_name_the_last_has_the_most() {
    for (pattern, path, expected) in [
        ("/a/*-*.d/x", "/a/1-2-3.d/x", &["1", "2-3"][..]),
        ("/*/b/*", "/a/b/c d", &["a", "c d"]),
        ("/a/x**y", "/a/x1y2y", &["", "1y2"]),
        ("/a/*ab*ab*", "/a/abababab", &["", "", "abab"]),
        ("//a/*x", "/a/x", &[""]),
        ("/a/*", "/a/*", &["*"]),
        ("/a/b", "/a/b", &[]),
    ] {
        let found = standing_at_stars(Path::new(pattern), Path::new(path));
        assert_eq!(found, expected, "{pattern} {path}");
    }
}

#[test]
fn what_has_not_changed_is_not_read_again_but_what_the_kernel_makes_up_is() {
    let tree = Tree::new("sources-unchanged");
    tree.write("f", "1\n");
    let mut own = reader(&tree, "format: number");
    let content = |reader: &mut Reader| {
        let mut seen = reader.look();
        assert_eq!(seen.error, None);
        seen.files.remove(0).content
    };
    let mut before = content(&mut own);
    let begun = Instant::now();
    loop {
        // A file that has just been written is read again: another write could leave the same stamp.
        let now = content(&mut own);
        if Arc::ptr_eq(&before, &now) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "read again and again"
        );
        before = now;
        thread::sleep(Duration::from_millis(100));
    }
    tree.write("f", "2\n");
    let changed = content(&mut own);
    assert_eq!(changed.series.first().map(|series| series.value), Some(2.0));
    let section = "- {metric: m, format: columns, file: /proc/uptime, column: 1}";
    let source = configured(&tree, section).remove(0);
    let mut uptime = Reader::new(&source, PathBuf::from("/proc/uptime"));
    let first = content(&mut uptime);
    assert!(!Arc::ptr_eq(&first, &content(&mut uptime)), "/proc/uptime");
}

#[test]
fn a_file_that_is_being_written_is_waited_for() {
    let tree = Tree::new("sources-half");
    tree.write("f", "1");
    let mut reader = reader(&tree, "format: number");
    let path = tree.path("f");
    let writer = thread::spawn(move || {
        thread::sleep(REST / 2);
        fs::write(path, "17\n").expect("a file");
    });
    let found = seen(&tree, &mut reader);
    writer.join().expect("no panic");
    // On a busy machine the writer may be late.
    assert!(["{} 1; ", "{} 17; "].contains(&found.as_str()), "{found}");
    assert_eq!(seen(&tree, &mut reader), "{} 17; ");
}

#[test]
fn rows_and_files_are_bounded() {
    let tree = Tree::new("sources-limits");
    let rows: String = (0..=SERIES).map(|row| format!("r{row} {row}\n")).collect();
    tree.write("f", rows);
    let seen = reader(&tree, "format: columns, column: 2, label-columns: {row: 1}").look();
    let content = &seen.files.first().expect("a file").content;
    assert_eq!((content.series.len(), content.left_out), (SERIES, 1));
    for number in 0..=FILES {
        tree.write(format!("many/{number}"), "1\n");
    }
    let section = "- {metric: m, format: number, file: ROOT/many/*, file-label: n}";
    let source = configured(&tree, section).remove(0);
    let seen = Reader::new(&source, tree.path("many/*")).look();
    assert_eq!((seen.files.len(), seen.left_out), (FILES, 1));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_query_without_end_is_not_asked_again_at_once() {
    let tree = Tree::new("sources-endless");
    rusqlite::Connection::open(tree.path("f"))
        .and_then(|writer| writer.execute_batch("CREATE TABLE t (x)"))
        .expect("a database");
    let endless =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT count(*) FROM c";
    let mut reader = reader(&tree, &format!("format: sqlite, query: \"{endless}\""));
    let said = "f: query: expected an answer within 4 s, found none";
    let begun = Instant::now();
    assert_eq!(seen(&tree, &mut reader), said);
    assert!(begun.elapsed() >= sqlite::LONGEST);
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(seen(&tree, &mut reader), said);
    }
    assert!(begun.elapsed() < sqlite::LONGEST);
}
