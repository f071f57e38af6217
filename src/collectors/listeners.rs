//! How many connections wait for accept at each listening address and port, and how many may.
//!
//! The first sign of an overloaded service. Sockets that share address and port (SO_REUSEPORT) are summed. The limit is
//! what the kernel made of listen's argument (at most net.core.somaxconn); only netlink tells it. The queue is full
//! when the backlog is one above the limit.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::parse::float;
use crate::sockets::Source;
use crate::sockets::Survey;

/// How many listeners are exported, those with the longest queues before others.
const SHOWN: usize = 100;

/// The collector `listeners`.
pub static SPEC: Spec = Spec {
    name: "listeners",
    help: "connections that wait for accept at each listening TCP port",
    on_by_default: true,
    families: &[&BACKLOG, &BACKLOG_LIMIT],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Listeners),
};

static BACKLOG: Desc = Desc::gauge(
    "weir_listener_backlog",
    &["address", "port"],
    "TCP connections that wait to be accepted at a listening address and port, from the kernel's socket tables.",
);
static BACKLOG_LIMIT: Desc = Desc::gauge(
    "weir_listener_backlog_limit",
    &["address", "port"],
    "TCP connections that may wait to be accepted at a listening address and port, from netlink.",
);

struct Listeners;

impl Collector for Listeners {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        let survey = context.sockets.survey(context.files)?;
        context.source = Some(survey.source().word());
        if survey.source() != Source::Absent {
            context.left_out = Some(write(survey, batch));
        }
        Ok(())
    }
}

/// Writes the listeners and says how many there are beyond those.
fn write(survey: &Survey, batch: &mut Batch) -> usize {
    let mut all: Vec<_> = survey.listeners().iter().collect();
    if all.len() > SHOWN {
        all.sort_unstable_by(|left, right| {
            (right.1.backlog, left.0).cmp(&(left.1.backlog, right.0))
        });
    }
    let left_out = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    all.sort_unstable_by_key(|(key, _)| **key);
    for ((address, port), listener) in all {
        let labels = batch.labels(&[
            ("address", &address.ip().to_string()),
            ("port", &port.to_string()),
        ]);
        batch.push(&BACKLOG, labels, float(listener.backlog));
        if let Some(limit) = listener.limit {
            batch.push(&BACKLOG_LIMIT, labels, float(limit));
        }
    }
    // Each socket without room may be a listener of its own.
    left_out + usize::try_from(survey.listeners_without_room()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use crate::parse::net_tcp::Address;
    use crate::parse::net_tcp::Family;
    use crate::parse::net_tcp::Socket;
    use crate::parse::net_tcp::State;

    fn listening(port: u16, backlog: u32) -> Socket {
        Socket {
            family: Family::V4,
            state: State::LISTEN,
            local: Address::v4([127, 0, 0, 1]),
            local_port: port,
            remote: Address::default(),
            remote_port: 0,
            send_queue: 128,
            receive_queue: backlog,
        }
    }

    fn written(sockets: &[Socket]) -> (Vec<String>, usize) {
        let mut survey = Survey::default();
        survey.restart(Source::Netlink, None);
        sockets.iter().for_each(|socket| survey.add(socket));
        survey.finish();
        let mut batch = Batch::default();
        let left_out = write(&survey, &mut batch);
        let lines = batch.samples().iter().map(|sample| {
            let family = &batch.families()[sample.family as usize].name;
            let labels = batch.label_text(sample.labels);
            format!("{family}{labels} {}", sample.value)
        });
        (lines.collect(), left_out)
    }

    #[test]
    fn backlog_and_limit_in_the_order_of_addresses_and_ports() {
        let (lines, left_out) = written(&[listening(443, 0), listening(80, 3), listening(80, 4)]);
        assert_eq!(
            lines,
            [
                "weir_listener_backlog{address=\"127.0.0.1\",port=\"80\"} 7",
                "weir_listener_backlog_limit{address=\"127.0.0.1\",port=\"80\"} 256",
                "weir_listener_backlog{address=\"127.0.0.1\",port=\"443\"} 0",
                "weir_listener_backlog_limit{address=\"127.0.0.1\",port=\"443\"} 128",
            ]
        );
        assert_eq!(left_out, 0);
    }

    #[test]
    fn the_longest_queues_are_kept() {
        let mut sockets: Vec<_> = (1..=150).map(|port| listening(port, 0)).collect();
        sockets.push(listening(200, 1));
        let (lines, left_out) = written(&sockets);
        assert_eq!((lines.len(), left_out), (200, 51));
        assert!(lines[198].ends_with("port=\"200\"} 1"), "{}", lines[198]);
        assert!(lines[196].ends_with("port=\"99\"} 0"), "{}", lines[196]);
    }

    #[test]
    fn from_the_tables_there_is_no_limit_and_without_them_nothing() {
        let tree = Tree::new("listeners");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/net/tcp6",
            "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000002\n",
        );
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("weir_listener_backlog{address=\"::\",port=\"80\"} 2\n")
        );
    }
}
