//! The bytes that wait in the queues of all UDP sockets, from `/proc/net/udp` and `udp6`.
//!
//! The rows are streamed like those of TCP. A row's tx_queue is what was sent and is still in the kernel, its rx_queue what
//! was received and not yet read, both with the memory of their headers. Bytes waiting to be read that only grow are a
//! service that does not keep up; the next thing to happen is a drop.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::sockets::proc;

/// The collector `udp_queues`.
pub static SPEC: Spec = Spec {
    name: "udp_queues",
    help: "bytes in the queues of UDP sockets",
    on_by_default: true,
    families: &[&QUEUES],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(UdpQueues),
};

static QUEUES: Desc = Desc::gauge(
    "node_udp_queues",
    &["queue", "ip"],
    "Memory that the kernel holds for datagrams in the queues of UDP sockets in bytes, from /proc/net/udp and udp6.",
);

struct UdpQueues;

impl Collector for UdpQueues {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        for (table, ip) in [("udp", "v4"), ("udp6", "v6")] {
            let (mut send, mut receive) = (0, 0);
            let found = proc::stream(context.files, table, |socket| {
                send += u64::from(socket.send_queue);
                receive += u64::from(socket.receive_queue);
            })?;
            if found.is_none() {
                continue;
            }
            for (queue, value) in [("tx", send), ("rx", receive)] {
                let labels = batch.labels(&[("queue", queue), ("ip", ip)]);
                batch.push(&QUEUES, labels, float(value));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    // From Linux 6.18, x86_64.
    const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n  \
        312: 0100007F:0035 00000000:0000 07 00000100:00000A00 00:00000000 00000000     0        0 1234 2 0000000000000000 0         \n  \
        313: 0100007F:0036 00000000:0000 07 00000001:00000002 00:00000000 00000000     0        0 1235 2 0000000000000000 7         \n";

    #[test]
    fn sums_of_each_family() {
        let tree = Tree::new("udp-queues");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/udp", UDP);
        let v4 = "node_udp_queues{queue=\"tx\",ip=\"v4\"} 257\n\
                  node_udp_queues{queue=\"rx\",ip=\"v4\"} 2562\n";
        assert_eq!(tree.once(&SPEC).as_deref(), Ok(v4));
        let head = UDP.lines().next().unwrap();
        tree.write("proc/net/udp6", format!("{head}\n"));
        let v6 = "node_udp_queues{queue=\"tx\",ip=\"v6\"} 0\n\
                  node_udp_queues{queue=\"rx\",ip=\"v6\"} 0\n";
        assert_eq!(tree.once(&SPEC), Ok(format!("{v4}{v6}")));
    }

    #[test]
    fn a_broken_row_is_an_error() {
        let tree = Tree::new("udp-broken");
        tree.write("proc/net/udp", UDP.replace("00000100:", "zz:"));
        assert_eq!(
            tree.once(&SPEC),
            Err("proc/net/udp:2: tx_queue: expected <hex tx_queue>:<hex rx_queue>, found \"zz:00000A00\"".to_string())
        );
    }
}
