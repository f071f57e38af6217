//! What kernel this is and what the machine is called: dashboards fill their variables from it.
//!
//! With the real /proc from uname(2), else from `/proc/sys/kernel`. No file there says what the machine is: that comes from
//! CAPTURE, where there is none (another machine's /proc is not mounted anywhere) from uname(2) too.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::files::Files;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::printable;
use crate::parse::uts;

/// The collector `uname`.
pub static SPEC: Spec = Spec {
    name: "uname",
    help: "kernel, architecture and name of the machine",
    on_by_default: true,
    families: &[&INFO],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Uname),
};

static INFO: Desc = Desc::gauge(
    "node_uname_info",
    &[
        "sysname",
        "release",
        "version",
        "machine",
        "nodename",
        "domainname",
    ],
    "Kernel, architecture and name of the machine, from uname(2). Always 1.",
);

struct Uname;

impl Collector for Uname {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let files = context.files;
        let names = if files.live() {
            Some(asked())
        } else {
            from_files(files)?
        };
        if let Some([sysname, release, version, nodename, domainname]) = names {
            let labels = batch.labels(&[
                ("sysname", &sysname),
                ("release", &release),
                ("version", &version),
                ("machine", files.machine()),
                ("nodename", &nodename),
                ("domainname", &domainname),
            ]);
            batch.push(&INFO, labels, 1.0);
        }
        Ok(())
    }
}

type Names = [String; 5];

fn asked() -> Names {
    let found = rustix::system::uname();
    [
        found.sysname(),
        found.release(),
        found.version(),
        found.nodename(),
        found.domainname(),
    ]
    .map(|name| printable(name.to_bytes()).into_owned())
}

/// A name whose file is missing is empty; when all are, this kernel tells none.
fn from_files(files: &Files) -> Result<Option<Names>, CollectError> {
    let mut names = Names::default();
    let mut found = false;
    for (name, (path, field)) in names.iter_mut().zip([
        ("sys/kernel/ostype", "ostype"),
        ("sys/kernel/osrelease", "osrelease"),
        ("sys/kernel/version", "version"),
        ("sys/kernel/hostname", "hostname"),
        ("sys/kernel/domainname", "domainname"),
    ]) {
        if let Some(text) = files.proc(path, |bytes| uts::name(bytes, field))? {
            *name = text;
            found = true;
        }
    }
    Ok(found.then_some(names))
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn names_from_files_and_the_machine_from_the_capture() {
        let tree = Tree::new("uname-files");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("CAPTURE", "kernel: Linux 5.4\narchitecture: mips\n")
            .write("proc/sys/kernel/ostype", "Linux\n")
            .write("proc/sys/kernel/osrelease", "5.4.1\n")
            .write("proc/sys/kernel/version", "#1 SMP \"a\"\n")
            .write("proc/sys/kernel/hostname", "router\n")
            .write("proc/sys/kernel/domainname", "(none)\n");
        let expected = "node_uname_info{sysname=\"Linux\",release=\"5.4.1\",version=\"#1 SMP \\\"a\\\"\",\
            machine=\"mips\",nodename=\"router\",domainname=\"(none)\"} 1\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_missing_is_empty() {
        let tree = Tree::new("uname-missing");
        tree.write("CAPTURE", "architecture: x86_64\n")
            .write("proc/sys/kernel/hostname", "router\n");
        let page = tree.once(&SPEC).expect("a scrape");
        assert!(page.starts_with("node_uname_info{sysname=\"\",release=\"\",version=\"\","));
        assert!(page.contains("machine=\"x86_64\",nodename=\"router\""));
    }

    #[test]
    fn this_machine_is_asked() {
        let [sysname, release, ..] = asked();
        assert_eq!(sysname, "Linux");
        assert!(release.starts_with(|first: char| first.is_ascii_digit()));
    }
}
