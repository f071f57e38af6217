//! The tables in README and docs/ are the code's: `make bless` writes them, this compares them. And no link leads nowhere.

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
        let _ = writeln!(text, "## {}\n\n{HEAD}", spec.name);
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
    let _ = write!(text, "## weir itself\n\n{HEAD}");
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

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Compares a file of the repository with what the code says of it, or writes it where that is asked for.
pub(crate) fn bless(name: &str, wanted: &str) {
    let path = Path::new(ROOT).join(name);
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
    for (file, tables) in [
        (
            "README.md",
            vec![
                ("flags", weir::cli::flags_markdown()),
                ("collectors", collectors()),
            ],
        ),
        ("docs/metrics.md", vec![("metrics", metrics())]),
    ] {
        let mut wanted = fs::read_to_string(Path::new(ROOT).join(file)).expect(file);
        for (name, content) in tables {
            let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end {name} -->"));
            wanted = replaced(&wanted, &begin, &end, &content);
        }
        bless(file, &wanted);
    }
}

/// README and what is in docs/, by their paths below the root.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_string()];
    for entry in fs::read_dir(Path::new(ROOT).join("docs")).expect("docs") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a name");
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages
}

/// A page's headings as links name them, outside of its blocks of code.
fn anchors(text: &str) -> Vec<String> {
    let prose = text.split("\n```").step_by(2);
    let lines = prose.flat_map(str::lines);
    let titles = lines.filter(|line| line.starts_with('#'));
    titles
        .map(|title| {
            let title = title.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn no_link_leads_nowhere() {
    let mut seen = 0;
    for page in pages() {
        let path = Path::new(ROOT).join(&page);
        let text = fs::read_to_string(&path).expect("a page");
        for link in text.split("](").skip(1) {
            let Some((link, _)) = link.split_once(')') else {
                continue;
            };
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                _ => path.parent().expect("a directory").join(file),
            };
            assert!(target.exists(), "{page}: {link}");
            if !anchor.is_empty() {
                let there = fs::read_to_string(&target).expect("a page");
                assert!(
                    anchors(&there).contains(&anchor.to_string()),
                    "{page}: {link}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} links were found");
}
