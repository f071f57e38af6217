//! A mount that never answers, for whoever shall not wait for it.

use std::fs;
use std::process::Command;
use std::process::Output;

use crate::running::Directory;
use crate::support::skip;

/// A FUSE file system without a program behind it: whoever asks it waits for ever, as on a dead NFS mount. Nobody but the shell
/// holds the other end, so that all of it ends with the shell.
const SCRIPT: &str = r#"
set -e
root=$1
eval "$2"
seconds=$3
shift 3
exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead "$root/dead"
timeout -s KILL 1 stat -f "$root/dead" 3>&- && exit 9
timeout -s KILL "$seconds" "$@" 3>&-
"#;

/// Runs a command for so many seconds at most beside a mount of that kind at `dead` in the directory, in namespaces of its own;
/// `before` is for the shell, with the directory as `$1`. `None` where there can be none, which is said.
pub(crate) fn beside(
    directory: &Directory,
    before: &str,
    seconds: u32,
    command: &[&str],
) -> Option<Output> {
    fs::create_dir(directory.0.join("dead")).unwrap();
    let unshare = |script: &str, arguments: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "-p", "-f", "--mount-proc", "--kill-child"]);
        unshare
            .args(["sh", "-c", script, "sh"])
            .args(arguments)
            .output()
    };
    let may = unshare("exec 3<>/dev/fuse", &[]);
    if !may.is_ok_and(|output| output.status.success()) {
        skip("no mount namespace, or no /dev/fuse");
        return None;
    }
    let root = directory.0.display().to_string();
    let seconds = seconds.to_string();
    let own = [root.as_str(), before, &seconds];
    let output = unshare(SCRIPT, &[&own, command].concat()).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    Some(output)
}
