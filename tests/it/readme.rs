//! README's tables are the code's: `make bless` writes them, this compares them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use weir::collectors::ALL;
use weir::metric::Desc;

fn families<'a>(
    text: &mut String,
    per_namespace: bool,
    families: impl Iterator<Item = &'a &'static Desc>,
) {
    for desc in families {
        let mut labels: Vec<_> = desc
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        if per_namespace {
            labels.push("(`netns`)".to_string());
        }
        let labels = labels.join(", ");
        let help = desc.help.replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{}` | {} | {labels} | {help} |",
            desc.name,
            desc.kind.word()
        );
    }
}

fn collectors() -> String {
    let mut text = String::from("| collector | default | what it answers |\n| --- | --- | --- |\n");
    for spec in ALL {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            spec.name,
            if spec.on_by_default { "on" } else { "off" },
            spec.help
        );
    }
    text
}

fn metrics() -> String {
    const HEAD: &str = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
    let mut text = String::new();
    for spec in ALL {
        let _ = writeln!(text, "#### {}\n\n{HEAD}", spec.name);
        text.truncate(text.trim_end().len());
        text.push('\n');
        families(
            &mut text,
            spec.per_namespace(),
            spec.families
                .iter()
                .chain(spec.patterns)
                .chain(spec.verdict.as_ref()),
        );
        text.push('\n');
    }
    let _ = write!(text, "#### weir itself\n\n{HEAD}");
    families(
        &mut text,
        false,
        weir::scrape::FAMILIES
            .iter()
            .chain(weir::instruments::FAMILIES),
    );
    text
}

/// Replaces what stands between two marks.
pub(crate) fn replaced(text: &str, begin: &str, end: &str, content: &str) -> String {
    let (before, rest) = text.split_once(begin).expect("the opening mark");
    let (_, after) = rest.split_once(end).expect("the closing mark");
    format!("{before}{begin}{content}{end}{after}")
}

/// Compares a file of the repository with what the code says of it, or writes it where that is asked for.
pub(crate) fn bless(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::write(path, wanted).unwrap_or_else(|error| panic!("{name}: {error}"));
    } else {
        let found = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            found == wanted,
            "{name} is not what the code says; `make bless` writes it"
        );
    }
}

#[test]
fn the_tables_are_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let mut wanted = fs::read_to_string(path).expect("README.md");
    for (name, content) in [
        ("flags", weir::cli::flags_markdown()),
        ("collectors", collectors()),
        ("metrics", metrics()),
    ] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end {name} -->"));
        wanted = replaced(&wanted, &begin, &end, &content);
    }
    bless("README.md", &wanted);
}
