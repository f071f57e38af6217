//! How many devices every bonding master has, and how many of them have a link, from `/sys/class/net`.
//!
//! The masters are in `bonding_masters`, which is there when the module is loaded. The state of a slave is read from its
//! own directory, where node_exporter's `MASTER/lower_SLAVE` leads. Kernels before 3.14 do not tell it, and a device that
//! leaves a master takes it along: then the count of active devices is left out, not guessed. The kernel lists no more
//! masters than fit a page; of those `--limit.devices` with the lowest indexes stay.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::devices::ifindex;
use crate::devices::keep_lowest;
use crate::files::FileError;
use crate::files::Files;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::bonding;
use crate::parse::float;
use crate::parse::printable;

/// The collector `bonding`.
pub static SPEC: Spec = Spec {
    name: "bonding",
    help: "devices of every bonding master, and how many of them have a link",
    on_by_default: true,
    families: &[&SLAVES, &ACTIVE],
    patterns: &[],
    verdict: None,
    make: |config| {
        Box::new(Bonding {
            limit: config.limit_devices,
        })
    },
};

static SLAVES: Desc = Desc::gauge(
    "node_bonding_slaves",
    &["master"],
    "Devices that the bonding master has, from /sys/class/net/MASTER/bonding/slaves.",
);
static ACTIVE: Desc = Desc::gauge(
    "node_bonding_active",
    &["master"],
    "Devices of the bonding master whose link is up, from /sys/class/net/SLAVE/bonding_slave/mii_status.",
);

struct Bonding {
    /// The most masters.
    limit: usize,
}

impl Collector for Bonding {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let files = context.files;
        let masters = names(files, Path::new("class/net/bonding_masters"))?;
        let Some(mut masters) = masters else {
            return Ok(());
        };
        let index = |master: &PathBuf| ifindex(files, master.as_os_str().as_bytes());
        context.left_out = Some(keep_lowest(&mut masters, self.limit, index));
        for master in masters {
            let slaves = Path::new("class/net").join(&master).join("bonding/slaves");
            // A master that was removed since the list was read.
            let Some(slaves) = names(files, &slaves)? else {
                continue;
            };
            let labels = batch.labels(&[("master", &printable(master.as_os_str().as_bytes()))]);
            batch.push(&SLAVES, labels, float(slaves.len() as u64));
            if let Some(active) = active(files, &slaves)? {
                batch.push(&ACTIVE, labels, float(active));
            }
        }
        Ok(())
    }
}

/// The devices in a list, each once.
fn names(files: &Files, path: &Path) -> Result<Option<Vec<PathBuf>>, FileError> {
    files.sys(path, |bytes| {
        let mut found: Vec<PathBuf> = Vec::new();
        for name in bonding::names(bytes)? {
            let name = name?;
            let name = PathBuf::from(std::ffi::OsStr::from_bytes(name));
            if !found.contains(&name) {
                found.push(name);
            }
        }
        Ok(found)
    })
}

/// How many of the devices have a link; `None` where one of them does not tell.
fn active(files: &Files, slaves: &[PathBuf]) -> Result<Option<u64>, FileError> {
    let mut active = 0;
    for slave in slaves {
        let path = Path::new("class/net")
            .join(slave)
            .join("bonding_slave/mii_status");
        match files.sys(path, bonding::is_up)? {
            Some(up) => active += u64::from(up),
            None => return Ok(None),
        }
    }
    Ok(Some(active))
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn the_masters_with_the_lowest_indexes_stay() {
        let tree = Tree::new("bonding-limit");
        tree.write("sys/class/net/bonding_masters", "bond0 bond1\n");
        for (master, index) in [("bond0", "9\n"), ("bond1", "4\n")] {
            tree.write(format!("sys/class/net/{master}/ifindex"), index)
                .write(format!("sys/class/net/{master}/bonding/slaves"), "\n");
        }
        let mut collector = Tree::make(&SPEC, |config| config.limit_devices = 1);
        let page = tree.scrape(&SPEC, &mut *collector).expect("a scrape");
        let slaves: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("node_bonding_slaves{"))
            .collect();
        assert_eq!(slaves, ["node_bonding_slaves{master=\"bond1\"} 0"]);
    }

    #[test]
    fn slaves_with_and_without_a_link() {
        let tree = Tree::new("bonding-slaves");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("sys/class/net/bonding_masters", "bond0 bond1 gone\n")
            .write("sys/class/net/bond0/bonding/slaves", "eth0 eth1\n")
            .write("sys/class/net/bond1/bonding/slaves", "")
            .write("sys/class/net/eth0/bonding_slave/mii_status", "up\n")
            .write(
                "sys/class/net/eth1/bonding_slave/mii_status",
                "going down\n",
            );
        let expected = "node_bonding_slaves{master=\"bond0\"} 2\n\
            node_bonding_slaves{master=\"bond1\"} 0\n\
            node_bonding_active{master=\"bond0\"} 1\n\
            node_bonding_active{master=\"bond1\"} 0\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(expected));
    }

    #[test]
    fn a_slave_that_does_not_tell_its_state_is_not_taken_for_down() {
        let tree = Tree::new("bonding-old");
        tree.write("sys/class/net/bonding_masters", "bond0\n")
            .write("sys/class/net/bond0/bonding/slaves", "eth0\n");
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("node_bonding_slaves{master=\"bond0\"} 1\n")
        );
    }

    #[test]
    fn a_state_of_another_kind_is_an_error() {
        let tree = Tree::new("bonding-broken");
        tree.write("sys/class/net/bonding_masters", "bond0 bond0\n")
            .write("sys/class/net/bond0/bonding/slaves", "eth0\n")
            .write("sys/class/net/eth0/bonding_slave/mii_status", "maybe\n");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "sys/class/net/eth0/bonding_slave/mii_status:1: mii_status: expected up, down, going down or going back, \
                found \"maybe\""
                    .to_string()
            )
        );
    }
}
