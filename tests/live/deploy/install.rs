//! `make install` and `make uninstall` below a DESTDIR.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::files;
use super::says;
use crate::running::Directory;
use crate::running::WEIR;
use crate::running::installed;
use crate::support::skip;

fn make(target: &str, root: &Path, prefix: &str) {
    says(
        Command::new("make")
            .args(["--silent", target])
            .arg(format!("DESTDIR={}", root.display()))
            .args([format!("PREFIX={prefix}"), format!("BINARY={WEIR}")])
            .current_dir(env!("CARGO_MANIFEST_DIR")),
    );
}

#[test]
fn make_installs_and_removes() {
    if !installed("make") {
        return skip("make is not installed");
    }
    let root = Directory::new();
    let root = &root.0;
    make("install", root, "/opt/weir");
    assert_eq!(
        files(root),
        [
            "etc/default/weir 644",
            "etc/weir.yml 644",
            "opt/weir/bin/weir 755",
            "opt/weir/lib/systemd/system/weir.service 644",
            "opt/weir/share/bash-completion/completions/weir 644",
            "opt/weir/share/doc/weir/weir.service.d/netns.conf 644",
            "opt/weir/share/doc/weir/weir.service.d/tc.conf 644",
            "opt/weir/share/doc/weir/weir.yml 644",
            "opt/weir/share/fish/vendor_completions.d/weir.fish 644",
            "opt/weir/share/man/man8/weir.8 644",
            "opt/weir/share/zsh/site-functions/_weir 644",
        ]
    );
    let unit = root.join("opt/weir/lib/systemd/system/weir.service");
    let unit = fs::read_to_string(unit).unwrap();
    assert!(
        unit.contains("\nExecStart=/opt/weir/bin/weir --config.file=/etc/weir.yml $WEIR_ARGS\n")
    );
    let version = says(Command::new(root.join("opt/weir/bin/weir")).arg("--version"));
    assert!(version.starts_with("weir "), "{version}");

    // What somebody wrote survives both.
    fs::write(root.join("etc/weir.yml"), "log.level: warn\n").unwrap();
    make("install", root, "/opt/weir");
    make("uninstall", root, "/opt/weir");
    assert_eq!(files(root), ["etc/default/weir 644", "etc/weir.yml 644"]);
    let kept = fs::read_to_string(root.join("etc/weir.yml")).unwrap();
    assert_eq!(kept, "log.level: warn\n");
}
