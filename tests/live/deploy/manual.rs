//! The manual page, by both of Debian's formatters.

use std::process::Command;

use super::deploy;
use super::says;
use crate::running::installed;
use crate::support::skip;

#[test]
fn mandoc_finds_nothing_to_complain_about() {
    if !installed("mandoc") {
        return skip("mandoc is not installed");
    }
    let page = deploy("man/weir.8");
    let said = says(
        Command::new("mandoc")
            .args(["-Tlint", "-Wwarning"])
            .arg(&page),
    );
    assert_eq!(said, "");
    let shown = says(Command::new("mandoc").args(["-Tutf8"]).arg(&page));
    shows_what_it_should(&shown);
}

#[test]
fn groff_finds_nothing_to_complain_about() {
    if !installed("groff") {
        return skip("groff is not installed");
    }
    // As `man` calls it, warnings included; the man program itself reads no page outside its paths in a container.
    let page = deploy("man/weir.8");
    let mut groff = Command::new("groff");
    let output = groff
        .args(["-mandoc", "-Tascii", "-ww"])
        .arg(page)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
    shows_what_it_should(&String::from_utf8(output.stdout).unwrap());
}

/// Bold is a letter, a backspace and the letter again. Where lines are broken is the formatter's business.
fn shows_what_it_should(shown: &str) {
    let mut plain = String::new();
    for letter in shown.chars() {
        match letter {
            '\u{8}' => drop(plain.pop()),
            letter => plain.push(letter),
        }
    }
    plain.retain(|letter| !letter.is_whitespace());
    for expected in [
        "--web.listen-address=ADDRESS",
        "--no-collector.NAME",
        // With all its roff characters.
        "|var/lib/docker/.+|",
        "^$",
        "machine's",
    ] {
        assert!(plain.contains(expected), "{expected}: missing in\n{plain}");
    }
}
