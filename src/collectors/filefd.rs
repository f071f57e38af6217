//! How many files are open on the whole machine, from `/proc/sys/fs/file-nr`.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::file_nr;
use crate::parse::float;

/// The collector `filefd`.
pub static SPEC: Spec = Spec {
    name: "filefd",
    help: "open files of the whole machine and their limit",
    on_by_default: true,
    families: &[&ALLOCATED, &MAXIMUM],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Filefd),
};

static ALLOCATED: Desc = Desc::gauge(
    "node_filefd_allocated",
    &[],
    "Open files of all processes together, from /proc/sys/fs/file-nr.",
);
static MAXIMUM: Desc = Desc::gauge(
    "node_filefd_maximum",
    &[],
    "The most files that all processes together may have open, from /proc/sys/fs/file-nr.",
);

struct Filefd;

impl Collector for Filefd {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        if let Some(files) = context.files.proc("sys/fs/file-nr", file_nr::parse)? {
            batch.push(&ALLOCATED, NO_LABELS, float(files.allocated));
            batch.push(&MAXIMUM, NO_LABELS, float(files.maximum));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn the_free_ones_are_not_told() {
        let tree = Tree::new("filefd");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/sys/fs/file-nr", "645\t0\t2466177\n");
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("node_filefd_allocated 645\nnode_filefd_maximum 2466177\n")
        );
    }
}
