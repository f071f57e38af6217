//! exporter-toolkit's example files, with the certificates that they name, through `--check-config`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::running::WEIR;
use crate::support::skip;

use super::pki::Pki;

/// What is said of those whose fault is in a file that they name.
const BY_FILES: [(&str, &str); 7] = [
    ("cert_and_key_file_missing", "somefile: No such file"),
    ("cert_file_missing", "cert_file: "),
    (
        "client_ca_inline_without_certificates",
        "client_ca: expected certificates in PEM, found none",
    ),
    ("client_ca_missing", "client_ca_file: "),
    (
        "client_ca_without_certificates",
        "garbage.pem: expected certificates in PEM, found",
    ),
    ("key_file_missing", "key_file: "),
    (
        "key_of_another",
        "key_file: expected the key of the certificate, found another",
    ),
];

#[test]
fn example_files_get_exporter_toolkits_verdicts() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/web");
    let mut seen = 0;
    for entry in fs::read_dir(fixtures).unwrap() {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".yml") else {
            continue;
        };
        let path = pki.write(&name, &fs::read_to_string(entry.unwrap().path()).unwrap());
        let flag = format!("--web.config.file={}", path.display());
        let output = Command::new(WEIR)
            .args(["--check-config", &flag])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let expected = if stem.ends_with(".good") { 0 } else { 2 };
        assert_eq!(output.status.code(), Some(expected), "{name}: {error}");
        if let Some((_, text)) = BY_FILES
            .iter()
            .find(|(prefix, _)| stem == format!("{prefix}.bad"))
        {
            assert!(error.contains(text), "{name}: {error}");
            seen += 1;
        }
    }
    assert_eq!(seen, BY_FILES.len());
}
