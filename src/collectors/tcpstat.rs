//! How many TCP sockets are in which state, and the bytes queued in all of them.
//!
//! node_exporter's family with all states, zeros included. Its sums of the queues depend on its version: up to 1.3 it
//! reads /proc, later the netlink dump, where the send queue of a LISTEN socket holds the accept queue's limit and is
//! added as if it were bytes (Debian's 1.5.0 shows 4173 for two idle listeners with limits of 77 and 4096). Here
//! tx_queued_bytes leaves LISTEN sockets out, and rx_queued_bytes has one for each connection that waits for accept, as
//! every version of node_exporter has it: so both sources of ours give the same.
//!
//! A connection in the handshake counts as syn_recv, whichever of the kernel's two numbers its state has. Sockets in
//! CLOSE are in no table, so `close` is zero on every kernel known so far.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::sockets::Source;
use crate::sockets::survey::STATES;

/// The collector `tcpstat`.
pub static SPEC: Spec = Spec {
    name: "tcpstat",
    help: "TCP sockets by state and the bytes queued in them",
    on_by_default: true,
    families: &[&CONNECTION_STATES],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(TcpStat),
};

static CONNECTION_STATES: Desc = Desc::gauge(
    "node_tcp_connection_states",
    &["state"],
    "TCP sockets in each state over both families; rx_queued_bytes and tx_queued_bytes are the bytes in their queues, the \
     former with one for each connection that waits for accept, from the kernel's socket tables.",
);

struct TcpStat;

impl Collector for TcpStat {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let survey = context.sockets.survey(context.files)?;
        context.source = Some(survey.source().word());
        if survey.source() == Source::Absent {
            return Ok(());
        }
        let queues = [
            ("rx_queued_bytes", survey.receive_queue()),
            ("tx_queued_bytes", survey.send_queue()),
        ];
        let states = STATES.into_iter().zip(survey.states().iter().copied());
        for (state, value) in states.chain(queues) {
            let labels = batch.labels(&[("state", state)]);
            batch.push(&CONNECTION_STATES, labels, float(value));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn all_states_and_queues_of_both_families() {
        let tree = Tree::new("tcpstat-both");
        tree.write(
            "proc/net/tcp",
            "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 0100007F:1F90 00000000:0000 0A 00000007:00000003\n\
             1: 0100007F:1F90 0100007F:C350 01 00000010:00000001\n\
             2: 0100007F:1F90 0100007F:C351 06 00000000:00000000\n",
        )
        .write(
            "proc/net/tcp6",
            "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000001\n\
             1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C350 08 00000001:00000000\n",
        );
        let value = |state| match state {
            "rx_queued_bytes" => 5,
            "tx_queued_bytes" => 17,
            "listen" => 2,
            "established" | "time_wait" | "close_wait" => 1,
            _ => 0,
        };
        let expected: String = STATES
            .into_iter()
            .chain(["rx_queued_bytes", "tx_queued_bytes"])
            .map(|state| {
                let value = value(state);
                format!("node_tcp_connection_states{{state=\"{state}\"}} {value}\n")
            })
            .collect();
        assert_eq!(tree.once(&SPEC), Ok(expected));
    }

    #[test]
    fn no_tables_are_no_family_and_a_broken_one_an_error() {
        let tree = Tree::new("tcpstat-broken");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write("proc/net/tcp6", "  sl  local_address\n  0: zz\n");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/net/tcp6:2: local_address: expected <hex address>:<hex port>, found \"zz\""
                    .to_string()
            )
        );
    }
}
