//! The kernel's pool of entropy, from `/proc/sys/kernel/random/entropy_avail` and `poolsize`.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::random;

/// The collector `entropy`.
pub static SPEC: Spec = Spec {
    name: "entropy",
    help: "bits in the kernel's pool of entropy",
    on_by_default: true,
    families: &[&AVAILABLE, &POOL_SIZE],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Entropy),
};

static AVAILABLE: Desc = Desc::gauge(
    "node_entropy_available_bits",
    &[],
    "Bits of entropy in the kernel's pool, from /proc/sys/kernel/random/entropy_avail.",
);
static POOL_SIZE: Desc = Desc::gauge(
    "node_entropy_pool_size_bits",
    &[],
    "Bits of entropy that the kernel's pool can hold, from /proc/sys/kernel/random/poolsize.",
);

struct Entropy;

impl Collector for Entropy {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        for (desc, path, field) in [
            (
                &AVAILABLE,
                "sys/kernel/random/entropy_avail",
                "entropy_avail",
            ),
            (&POOL_SIZE, "sys/kernel/random/poolsize", "poolsize"),
        ] {
            let bits = context.files.proc(path, |bytes| random::bits(bytes, field));
            if let Some(bits) = bits? {
                batch.push(desc, NO_LABELS, float(bits));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn each_file_has_its_family() {
        let tree = Tree::new("entropy");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/sys/kernel/random/entropy_avail", "255\n")
            .write("proc/sys/kernel/random/poolsize", "256\n");
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("node_entropy_available_bits 255\nnode_entropy_pool_size_bits 256\n")
        );
    }
}
