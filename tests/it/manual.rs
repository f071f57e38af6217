//! The manual page: its lists of flags and collectors are the code's. `make bless` writes them, this compares them.

use std::fmt::Write;
use std::fs;

use weir::cli;
use weir::collectors::ALL;

use crate::readme;

/// The rest of the page is written by hand.
const PAGE: &str = "deploy/man/weir.8";

/// Text that roff shows as it is, as long as no line of it begins with a full stop or an apostrophe.
fn escaped(text: &str) -> String {
    let mut page = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => page.push_str("\\e"),
            '-' => page.push_str("\\-"),
            '^' => page.push_str("\\(ha"),
            '~' => page.push_str("\\(ti"),
            '\'' => page.push_str("\\(aq"),
            '`' => page.push_str("\\(ga"),
            '…' => page.push_str("..."),
            letter => page.push(letter),
        }
    }
    assert!(page.is_ascii(), "{text}: only ASCII is safe everywhere");
    page
}

fn flags() -> String {
    let mut page = String::new();
    for row in cli::rows() {
        let name = escaped(row.name);
        let _ = match row.value {
            "" => writeln!(page, ".TP\n.B {name}"),
            value => writeln!(page, ".TP\n\\fB{name}\\fR=\\fI{}\\fR", escaped(value)),
        };
        let _ = writeln!(page, "\\&{}", escaped(row.help));
        if !row.default.is_empty() {
            // Long expressions may be broken after these.
            let default = escaped(row.default)
                .replace('|', "|\\:")
                .replace(',', ",\\:");
            let _ = writeln!(page, "The default is\n\\fB{default}\\fR.");
        }
    }
    page
}

fn collectors() -> String {
    let mut page = String::new();
    for spec in ALL {
        let (name, help) = (escaped(spec.name), escaped(spec.help));
        let off = if spec.on_by_default {
            ""
        } else {
            " (off by default)"
        };
        let _ = writeln!(page, ".TP\n.B {name}\n\\&{help}{off}");
    }
    page
}

#[test]
fn the_manual_lists_what_the_code_has() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/man/weir.8");
    let mut wanted = fs::read_to_string(path).expect("the manual page");
    for (name, content) in [("flags", flags()), ("collectors", collectors())] {
        let (begin, end) = (format!(".\\\" {name}\n"), format!(".\\\" end {name}\n"));
        wanted = readme::replaced(&wanted, &begin, &end, &content);
    }
    readme::bless(PAGE, &wanted);
}

#[test]
fn the_manual_has_the_version() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/man/weir.8");
    let page = fs::read_to_string(path).expect("the manual page");
    let title = page.lines().find(|line| line.starts_with(".TH"));
    let version = format!("\"weir {}\"", cli::VERSION_NUMBER);
    assert!(
        title.is_some_and(|title| title.contains(&version)),
        "{title:?}: expected {version}"
    );
}
