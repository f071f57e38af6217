//! Who may import whom, read from the sources: the table of the design, where `unsafe` and the file system may stand,
//! which module owns which crate, and that imports are lines of one path each.
//!
//! Comments, strings and test modules are left out before a file is looked at; `crate::` counts wherever it stands.

use std::fs;
use std::path::Path;

use crate::tree::files_below;

/// Each part of the program, and the parts it may name. What is not listed may name nothing of ours.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &["app", "cli"]),
    (
        "app",
        &[
            "cli",
            "collectors",
            "config",
            "exposition",
            "files",
            "http",
            "instruments",
            "links",
            "log",
            "process",
            "metric",
            "parse",
            "probes",
            "sampler",
            "sandbox",
            "scrape",
            "sockets",
            "sys",
            "tc",
            "textfile",
            "view",
        ],
    ),
    // What may be given up follows from what is configured and where that is; lease files have usual places.
    (
        "sandbox",
        &["config", "files", "leases", "parse", "sys", "tc"],
    ),
    // The flags --collector.NAME come from the list of collectors; --config.file is read as files that people write are.
    ("cli", &["cidr", "config", "collectors", "files"]),
    // Ranges of peers are given by flags and compared by the walk over the sockets.
    ("config", &["cidr"]),
    ("cidr", &[]),
    ("hosts", &["files", "parse"]),
    // What `Content-Type` says of the strings that it carries. What --web.config.file names is read as files that people
    // write are, passwords are checked by a thread, and clients' names stand in their certificates.
    (
        "http",
        &[
            "config",
            "exposition",
            "files",
            "parse",
            "rfc3339",
            "sys",
            "threads",
        ],
    ),
    (
        "scrape",
        &[
            "collectors",
            "config",
            "dns",
            "files",
            "hosts",
            "leases",
            "links",
            "log",
            "metric",
            "netns",
            "sampler",
            "sockets",
        ],
    ),
    (
        "collectors",
        &[
            "config",
            "database",
            "devices",
            "dns",
            "files",
            "hosts",
            "leases",
            "links",
            "metric",
            "netlink",
            "nl80211",
            "parse",
            "probes",
            "rtnetlink",
            "sampler",
            "seldom",
            "sockets",
            "tc",
        ],
    ),
    // The ticks sample the TC counters too.
    ("sampler", &["config", "devices", "files", "parse", "tc"]),
    // What a device is, the list of devices tells; what is left out, the configuration.
    ("devices", &["config", "files", "links", "parse"]),
    // What is asked of whom is configured; resolv.conf is a file, and a probe is what asks.
    (
        "dns",
        &[
            "config", "files", "parse", "probes", "seldom", "sys", "threads",
        ],
    ),
    // The source that was asked for comes from the configuration, and so does who is counted.
    (
        "sockets",
        &["cidr", "config", "files", "netlink", "parse", "sys"],
    ),
    // Which namespaces are asked for comes from the configuration.
    ("netns", &["config", "files", "parse"]),
    ("links", &["files", "netlink", "parse"]),
    // A lease file on another machine is read by a probe.
    (
        "leases",
        &["config", "database", "files", "parse", "probes", "seldom"],
    ),
    // Only with the cargo feature sqlite. What is no regular file is not opened.
    ("database", &["files"]),
    // The wire alone: what a message means is known to whoever asks.
    ("netlink", &[]),
    ("nl80211", &["netlink"]),
    // It follows the devices that it attaches to.
    (
        "tc",
        &[
            "config",
            "files",
            "links",
            "netlink",
            "parse",
            "rtnetlink",
            "sys",
            "threads",
        ],
    ),
    ("probes", &["files", "log", "parse", "sys", "threads"]),
    ("exposition", &["metric"]),
    ("instruments", &["metric", "parse"]),
    // /proc/self below the root that was asked for.
    ("process", &["files", "metric", "parse", "sys"]),
    ("files", &["parse", "sys"]),
    ("log", &["config", "rfc3339"]),
    ("textfile", &["config"]),
    ("metric", &[]),
    ("parse", &[]),
    ("rfc3339", &[]),
    // What a route is stands with the file of that name.
    ("rtnetlink", &["netlink", "parse"]),
    // How often something is told; who tells it knows what.
    ("seldom", &[]),
    ("sys", &[]),
    ("threads", &[]),
    // It reads what was scraped, and the history that the ticks keep; JSON has its numbers as the text format has.
    ("view", &["exposition", "metric", "rfc3339", "sampler"]),
];

/// Crates that one part of the program owns. `std`, `rustix` and `log` are everybody's.
const OWNED: &[(&str, &[&str])] = &[
    ("bcrypt", &["http"]),
    ("flate2", &["http"]),
    ("httparse", &["http"]),
    ("libc", &["sys"]),
    ("pico_args", &["cli"]),
    ("procfs", &["process"]),
    ("prometheus", &["app", "instruments"]),
    ("regex_lite", &["cli", "collectors", "config"]),
    ("rusqlite", &["database"]),
    ("rustls", &["http"]),
    ("saphyr_parser", &["config"]),
    ("signal_hook", &["app"]),
    ("tiny_http", &["http"]),
    ("webpki", &["http"]),
];

/// Who may touch the file system through std, and who through rustix.
const STD_FS: &[&str] = &["config", "files", "textfile"];
const RUSTIX_FS: &[&str] = &["files", "http", "sys", "textfile"];

struct Source {
    path: String,
    part: String,
    code: String,
}

/// The program's sources without comments, strings, test modules and files that only tests include.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let paths = files_below(&root);
    let rust = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let mut found: Vec<_> = rust
        .map(|path| {
            let first = path.iter().next().unwrap().to_str().unwrap();
            Source {
                path: path.display().to_string(),
                part: first.trim_end_matches(".rs").to_string(),
                code: code(&fs::read_to_string(root.join(path)).unwrap()),
            }
        })
        .collect();
    let only_tests: Vec<_> = found.iter().flat_map(test_files).collect();
    found.retain(|source| !only_tests.contains(&source.path));
    for source in &mut found {
        source.code = without_test_modules(&source.code);
    }
    assert!(found.len() > 5, "no sources below {}", root.display());
    found
}

/// Blanks comments, and the insides of strings and character literals, keeping lines where they are.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            rest[begin..]
                .find(&close)
                .map_or(rest.len(), |end| begin + end + close.len())
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let (gone, kept) = rest.split_at(skipped);
        out.push(' ');
        out.extend(gone.chars().filter(|character| *character == '\n'));
        rest = kept;
    }
    out
}

/// The number of `#` of a raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if character == quote && !escaped {
            return at + quote.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    text.len()
}

/// Whether a character literal begins here, and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

/// Files of modules declared under `#[cfg(test)]`.
fn test_files(source: &Source) -> Vec<String> {
    let folder = match source.path.strip_suffix("mod.rs") {
        Some(folder) => folder.to_string(),
        None if matches!(source.path.as_str(), "lib.rs" | "main.rs") => String::new(),
        None => format!("{}/", source.path.trim_end_matches(".rs")),
    };
    let mut lines = source.code.lines().map(str::trim);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            continue;
        }
        let declared = lines.next().and_then(|line| line.strip_suffix(';'));
        if let Some((_, module)) = declared.and_then(|line| line.rsplit_once("mod ")) {
            found.push(format!("{folder}{module}.rs"));
            found.push(format!("{folder}{module}/mod.rs"));
        }
    }
    found
}

/// rustfmt closes a module in the column in which its attribute stands.
fn without_test_modules(code: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        if lines
            .next()
            .is_some_and(|line| line.trim_end().ends_with('{'))
        {
            lines.find(|line| *line == end);
        }
    }
    kept.join("\n")
}

/// What follows `prefix` wherever it stands as a path of its own.
fn after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).filter_map(move |(at, _)| {
        let before = code[..at].chars().next_back();
        let joined =
            before.is_some_and(|last| last.is_alphanumeric() || matches!(last, '_' | ':' | '$'));
        (!joined).then(|| &code[at + prefix.len()..])
    })
}

fn identifier(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_');
    &text[..end.unwrap_or(text.len())]
}

fn check(rule: impl Fn(&Source) -> Vec<String>) {
    let wrong: Vec<_> = sources()
        .iter()
        .flat_map(|source| {
            let told = rule(source);
            told.into_iter()
                .map(|text| format!("src/{}: {text}", source.path))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_keep_to_the_table() {
    check(|source| {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(part, _)| *part == source.part) else {
            return vec![format!("{} is not in the table", source.part)];
        };
        let roots = ["crate::", "weir::"];
        let named = roots
            .iter()
            .flat_map(|root| after(&source.code, root))
            .map(identifier);
        named
            .filter(|part| *part != source.part && !allowed.contains(part) && !part.is_empty())
            .filter(|part| part.starts_with(|first: char| first.is_lowercase()))
            .map(|part| format!("{} may not import {part}", source.part))
            .collect()
    });
}

#[test]
fn a_collector_knows_no_other_collector() {
    check(|source| {
        if source.part != "collectors" || source.path == "collectors/mod.rs" {
            return Vec::new();
        }
        let own = source.path.trim_start_matches("collectors/");
        let own = own.split(['/', '.']).next().unwrap_or_default();
        let full = after(&source.code, "crate::collectors::").map(identifier);
        // In collectors/NAME/part.rs `super` is that collector itself.
        let relative = after(&source.code, "super::").map(identifier);
        let relative = relative.filter(|_| source.path.matches('/').count() == 1);
        full.chain(relative)
            .filter(|name| name.starts_with(|first: char| first.is_lowercase()) && *name != own)
            .map(|name| format!("names the collector {name}"))
            .collect()
    });
}

#[test]
fn crates_have_one_owner() {
    check(|source| {
        let owned = OWNED
            .iter()
            .filter(|(_, owners)| !owners.contains(&source.part.as_str()));
        owned
            .filter(|(name, _)| after(&source.code, &format!("{name}::")).next().is_some())
            .map(|(name, owners)| format!("{name} belongs to {}", owners.join(", ")))
            .collect()
    });
}

#[test]
fn unsafe_stands_in_sys_only() {
    check(|source| {
        let words = source
            .code
            .split(|character: char| !character.is_alphanumeric() && character != '_');
        let found = source.part != "sys" && words.into_iter().any(|word| word == "unsafe");
        found.then(|| "unsafe".to_string()).into_iter().collect()
    });
}

#[test]
fn the_file_system_is_touched_by_few() {
    check(|source| {
        let uses = |path: &str| {
            let longer = format!("{path}::");
            after(&source.code, &longer).next().is_some()
                || after(&source.code, path)
                    .any(|rest| rest.starts_with(';') || rest.starts_with(" as"))
        };
        let part = source.part.as_str();
        [("std::fs", STD_FS), ("rustix::fs", RUSTIX_FS)]
            .iter()
            .filter(|(path, owners)| !owners.contains(&part) && uses(path))
            .map(|(path, _)| format!("{path} is not for {part}"))
            .collect()
    });
}

#[test]
fn an_import_is_one_line_and_one_path() {
    check(|source| {
        let lines = source.code.lines().map(str::trim).filter(|line| {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            line.strip_prefix("pub(crate) ")
                .unwrap_or(line)
                .starts_with("use ")
        });
        lines
            .filter(|line| !line.ends_with(';') || line.contains('{') || line.contains("::*"))
            .map(|line| format!("`{line}`"))
            .collect()
    });
}

#[test]
fn comments_strings_and_tests_are_left_out() {
    let text = "use a; // unsafe\nlet x = \"unsafe \\\" //\"; let y = '\"'; let z: &'a str = r#\"crate::q\"#;\n\
        #[cfg(test)]\nmod tests {\n    use crate::b;\n}\nend";
    let left = without_test_modules(&code(text));
    let words: Vec<_> = left.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "use a; let x = ; let y = ; let z: &'a str = ; end"
    );
    let lines: Vec<_> = after("crate::a x::crate::b", "crate::")
        .map(identifier)
        .collect();
    assert_eq!(lines, ["a"]);
}
