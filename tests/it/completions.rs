//! The completions for bash, zsh and fish, made from the table of flags. `make bless` writes them, this compares them;
//! tests/live asks the shells.

use std::ffi::OsString;
use std::fmt::Write;

use weir::cli;
use weir::cli::Row;
use weir::collectors::ALL;

use crate::readme;

/// The words that a flag takes, and no others.
const WORDS: &[(&str, &[&str])] = &[
    (
        "--devices.exclude-kinds",
        &["veth", "bridge-port", "veth,bridge-port"],
    ),
    ("--sockets.source", &["auto", "netlink", "proc"]),
    ("--sandbox", &["auto", "off", "require"]),
    ("--log.level", &["debug", "info", "warn", "error"]),
    ("--log.format", &["logfmt", "json"]),
    ("--collector.tc.attach", &["auto", "tcx", "clsact"]),
    (
        "--collector.connections.hostnames",
        &["off", "hosts", "dns"],
    ),
];

const GENERATED: &str = "made by `make bless` from the flags in src/cli";

/// What a shell may offer for a flag's value.
enum Value {
    /// It takes none.
    None,
    Words(&'static [&'static str]),
    Directory,
    File,
    Any,
}

fn value(row: &Row) -> Value {
    let words = WORDS.iter().find(|(name, _)| *name == row.name);
    match (row.value, words) {
        ("", _) => Value::None,
        (_, Some((_, words))) => Value::Words(words),
        ("DIR", None) => Value::Directory,
        ("FILE", None) => Value::File,
        (_, None) if row.name.ends_with(".file") => Value::File,
        (_, None) => Value::Any,
    }
}

/// The first clause: a list of choices has no room for more.
fn short(help: &str) -> &str {
    let clause = help.split([';', ':']).next().unwrap_or(help);
    let sentence = clause.split(". ").next().unwrap_or(clause);
    sentence.trim_end_matches('.')
}

/// Both switches of each collector and what they do.
fn switches() -> impl Iterator<Item = (String, String)> {
    ALL.iter().flat_map(|spec| {
        let off = if spec.on_by_default { "" } else { " (off)" };
        [
            (
                format!("--collector.{}", spec.name),
                format!("{}{off}", spec.help),
            ),
            (
                format!("--no-collector.{}", spec.name),
                format!("without {}", spec.name),
            ),
        ]
    })
}

fn bash() -> String {
    let (mut valued, mut bare) = (String::new(), String::new());
    let mut cases = String::new();
    let (mut directories, mut files) = (Vec::new(), Vec::new());
    for row in cli::rows() {
        let list = match value(&row) {
            Value::None => &mut bare,
            _ => &mut valued,
        };
        let _ = writeln!(list, "        {}", row.name);
        match value(&row) {
            Value::Words(words) => {
                let _ = writeln!(
                    cases,
                    "        {}) mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\") ;;",
                    row.name,
                    words.join(" ")
                );
            }
            Value::Directory => directories.push(row.name),
            Value::File => files.push(row.name),
            Value::None | Value::Any => {}
        }
    }
    for (name, _) in switches() {
        let _ = writeln!(bare, "        {name}");
    }
    for (names, action) in [(directories, "-d"), (files, "-f")] {
        if !names.is_empty() {
            let _ = writeln!(
                cases,
                "        {})\n            compopt -o filenames\n            mapfile -t COMPREPLY < <(compgen {action} -- \"$word\") ;;",
                names.join(" | ")
            );
        }
    }
    BASH.replace("GENERATED", GENERATED)
        .replace("VALUED\n", &valued)
        .replace("BARE\n", &bare)
        .replace("CASES\n", &cases)
}

/// Bash breaks words at `=` unless COMP_WORDBREAKS was changed; then the whole `--flag=value` is one word.
const BASH: &str = r#"# bash completion for weir, GENERATED

_weir() {
    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]} before=
    local valued=(
VALUED
    )
    local bare=(
BARE
    )
    COMPREPLY=()
    if [ "$word" = = ]; then
        word=
    elif [ "$flag" = = ] && [ "$COMP_CWORD" -ge 2 ]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $word == --*=* ]]; then
        flag=${word%%=*}
        before=$flag=
        word=${word#*=}
    fi
    case $flag in
CASES
        *)
            local name
            for name in "${valued[@]}"; do
                # Its value is anybody's guess.
                if [ "$flag" = "$name" ]; then return; fi
            done
            mapfile -t COMPREPLY < <(
                compgen -S = -W "${valued[*]}" -- "$word"
                compgen -W "${bare[*]}" -- "$word"
            )
            # Where only one is left and it wants a value, the value follows at once.
            if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
            ;;
    esac
    if [ -n "$before" ]; then COMPREPLY=("${COMPREPLY[@]/#/$before}"); fi
}

complete -F _weir weir
"#;

fn zsh_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\'' => escaped.push_str("'\\''"),
            '[' | ']' | ':' | '\\' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn zsh() -> String {
    let mut lines = String::new();
    for row in cli::rows() {
        let help = zsh_escaped(short(row.help));
        let again = if row.repeatable { "*" } else { "" };
        let what = zsh_escaped(row.value);
        let action = match value(&row) {
            Value::None => {
                let _ = writeln!(lines, "    '{}[{help}]' \\", row.name);
                continue;
            }
            Value::Words(words) => format!("({})", words.join(" ")),
            Value::Directory => "_files -/".to_string(),
            Value::File => "_files".to_string(),
            Value::Any => " ".to_string(),
        };
        let _ = writeln!(
            lines,
            "    '{again}{}=[{help}]:{what}:{action}' \\",
            row.name
        );
    }
    for (name, help) in switches() {
        let _ = writeln!(lines, "    '{name}[{}]' \\", zsh_escaped(&help));
    }
    let lines = lines.trim_end().trim_end_matches('\\').trim_end();
    format!("#compdef weir\n# {GENERATED}\n\n_arguments \\\n{lines}\n")
}

fn fish() -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let mut script = format!("# fish completion for weir, {GENERATED}\n\ncomplete -c weir -f\n");
    for row in cli::rows() {
        let name = row.name.trim_start_matches('-');
        let what = match value(&row) {
            Value::None => String::new(),
            Value::Words(words) => format!(" -x -a '{}'", words.join(" ")),
            Value::Directory => " -x -a '(__fish_complete_directories)'".to_string(),
            Value::File => " -r -F".to_string(),
            Value::Any => " -x".to_string(),
        };
        let help = quoted(short(row.help));
        let _ = writeln!(script, "complete -c weir -l {name}{what} -d '{help}'");
    }
    for (name, help) in switches() {
        let name = name.trim_start_matches('-');
        let _ = writeln!(script, "complete -c weir -l {name} -d '{}'", quoted(&help));
    }
    script
}

#[test]
fn the_shells_know_what_the_code_has() {
    readme::bless("deploy/completions/weir.bash", &bash());
    readme::bless("deploy/completions/_weir", &zsh());
    readme::bless("deploy/completions/weir.fish", &fish());
}

#[test]
fn the_words_are_the_parsers() {
    let takes = |name: &str, word: &str| {
        cli::parse(&[OsString::from(format!("{name}={word}"))]).map(|_| ())
    };
    for (name, words) in WORDS {
        for word in *words {
            assert_eq!(takes(name, word), Ok(()), "{name}={word}");
        }
        let error = takes(name, "no-such-word").expect_err(name).to_string();
        // The error tells the words; none may be missing here.
        let told = error.split("found").next().unwrap_or_default();
        let told = told.split("expected ").nth(1).unwrap_or_default();
        for word in told.replace(" or ", ", ").split(", ").map(str::trim) {
            assert!(
                word.is_empty() || words.contains(&word) || word.contains(','),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn a_choice_is_told_in_few_words() {
    assert_eq!(
        short("Where to listen: [HOST]:PORT or unix:PATH, repeatable; port 0."),
        "Where to listen"
    );
    assert_eq!(short("Path of the metrics."), "Path of the metrics");
    assert_eq!(short("A check. A second sentence."), "A check");
}
