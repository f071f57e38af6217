//! What fuzzing found, and what it began with: every file of fuzz/corpus goes through its target's body again, and every
//! fixture through all of them.

use std::fs;
use std::path::Path;

use crate::tree::files_below;

#[path = "../../fuzz/bodies.rs"]
mod bodies;

type Body = fn(&[u8]);

/// A target and what it does with its bytes.
const TARGETS: [(&str, Body); 8] = [
    ("config", bodies::config),
    ("dns", bodies::dns),
    ("http", bodies::http),
    ("kernel_files", bodies::kernel_files),
    ("leases", bodies::leases),
    ("netlink", bodies::netlink),
    ("sources", bodies::sources),
    ("textfile", bodies::textfile),
];

#[test]
fn what_fuzzing_found_is_no_trouble_any_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = |directory: &str| -> Vec<_> {
        let directory = root.join(directory);
        let files = files_below(&directory).into_iter();
        files.map(|file| directory.join(file)).collect()
    };
    let fixtures = below("fixtures/cases");
    assert!(fixtures.len() > 100, "{}", fixtures.len());
    for (target, body) in TARGETS {
        let corpus = format!("fuzz/corpus/{target}");
        let found = if root.join(&corpus).exists() {
            below(&corpus)
        } else {
            Vec::new()
        };
        for path in found.iter().chain(&fixtures) {
            // Shown only when the test fails, to say at which file.
            println!("{target} {}", path.display());
            body(&fs::read(path).expect("a file"));
        }
    }
}
