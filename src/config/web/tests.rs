//! Every file of fixtures/web. Their names say what exporter-toolkit's verdict is: `.good.yml`, `.bad.yml`, and
//! `.differs.yml` for what is good there and cannot be done here. expected.txt has what is said of each; `make bless`
//! writes it. What is wrong with the files that they name is found by the program only (tests/live/tls/verdicts.rs).

use std::fs;
use std::path::Path;

use super::*;

/// Bad for what stands in the files that they name.
const BY_FILES: [&str; 6] = [
    "cert_and_key_file_missing",
    "cert_file_missing",
    "client_ca_inline_without_certificates",
    "client_ca_missing",
    "client_ca_without_certificates",
    "key_file_missing",
];

#[test]
fn verdicts_are_those_of_exporter_toolkit() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/web");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .expect("fixtures")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .filter(|name| name.ends_with(".yml"))
        .collect();
    names.sort_unstable();
    let mut said = String::new();
    for name in &names {
        let text = fs::read(directory.join(name)).expect("a fixture");
        let found = read(&text, &directory);
        let by_files = BY_FILES.iter().any(|prefix| name.starts_with(prefix))
            || name.starts_with("key_of_another");
        assert_eq!(found.is_ok(), name.contains(".good.") || by_files, "{name}");
        let lines: Vec<String> = match found {
            Ok(web) => web
                .warnings
                .iter()
                .map(|line| format!("warning: {line}"))
                .collect(),
            Err(wrong) => wrong.iter().map(ToString::to_string).collect(),
        };
        said.push_str(&format!("{name}\n"));
        lines
            .iter()
            .for_each(|line| said.push_str(&format!("    {line}\n")));
    }
    let expected = directory.join("expected.txt");
    if std::env::var_os("WEIR_BLESS").is_some_and(|value| value == "1") {
        fs::write(&expected, &said).expect("written");
    }
    assert_eq!(said, fs::read_to_string(&expected).expect("expected.txt"));
}

fn web(text: &str) -> Web {
    read(text.as_bytes(), Path::new("/etc/weir"))
        .unwrap_or_else(|wrong| unreachable!("{}", wrong[0]))
}

#[test]
fn paths_are_below_the_files_directory_and_texts_are_taken_as_they_are() {
    let web = web(
        "tls_server_config:\n  cert_file: tls/a.crt\n  key_file: /run/a.key\n  cert: ignored\n  \
         client_auth_type: RequireAnyClientCert\n  client_ca: |\n    one\n    two\n  \
         client_allowed_sans: [7, true]\n  curve_preferences: [CurveP384, X25519]\n  \
         prefer_server_cipher_suites: no\n  max_version: TLS12\n",
    );
    let files: Vec<_> = web
        .files()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(files, ["/etc/weir/tls/a.crt", "/run/a.key"]);
    let tls = web.tls.expect("TLS");
    assert!(matches!(&tls.client_ca, Some(Pem::Inline(text)) if text == "one\ntwo\n"));
    assert_eq!(
        tls.allowed_sans,
        Some(vec!["7".to_string(), "true".to_string()])
    );
    assert_eq!(tls.curves, ["CurveP384", "X25519"]);
    assert_eq!(
        (tls.tls12, tls.tls13, tls.server_order),
        (true, false, false)
    );
}

#[test]
fn what_is_said_nowhere_is_off() {
    let web = web("rate_limit: {interval: 0, burst: 3}\n");
    assert!(web.tls.is_none() && web.users.is_empty() && web.headers.is_empty());
    assert_eq!(web.rate_limit, None);
}
