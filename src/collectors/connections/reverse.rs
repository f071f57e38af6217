//! Names of peers that /etc/hosts does not have, from reverse DNS ([`crate::dns::reverse`]).

use std::io;

use crate::collectors::CollectError;
use crate::dns::reverse::ReverseNames;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;

pub(super) static NAMES: Desc = Desc::gauge(
    "weir_reverse_names",
    &["state"],
    "Addresses of peers whose names were asked of name servers: named, nameless (they have none, or nobody could tell), and \
     waiting to be asked for, at most 4096 in all; absent without --collector.connections.hostnames=dns.",
);

/// Writes how many names are known. Where the thread is missing the collector fails: names would be missing in silence.
pub(super) fn write(
    reverse: &io::Result<ReverseNames>,
    batch: &mut Batch,
) -> Result<(), CollectError> {
    let names = match reverse {
        Ok(names) if !names.has_ended() => names,
        Ok(_) => return Err(CollectError::Thread("it ended".to_string())),
        Err(error) => return Err(CollectError::Thread(error.to_string())),
    };
    let counts = names.counts();
    for (state, count) in [
        ("named", counts.named),
        ("nameless", counts.nameless),
        ("waiting", counts.waiting),
    ] {
        let labels = batch.labels(&[("state", state)]);
        batch.push(&NAMES, labels, float(count as u64));
    }
    Ok(())
}
