//! Packets that IPsec dropped, by cause, from `/proc/net/xfrm_stat`.
//!
//! The 28 counters that node_exporter has; later kernels have more (6.10 the direction of a state, 6.14 IP-TFS), which have
//! no name there and are left out. A kernel without CONFIG_XFRM_STATISTICS has no such file.

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::collectors::Spec;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::parse::float;
use crate::parse::xfrm_stat;

/// The collector `xfrm`.
pub static SPEC: Spec = Spec {
    name: "xfrm",
    help: "packets that IPsec dropped, by cause",
    on_by_default: false,
    families: &[
        &IN_ERROR,
        &IN_BUFFER_ERROR,
        &IN_HDR_ERROR,
        &IN_NO_STATES,
        &IN_STATE_PROTO_ERROR,
        &IN_STATE_MODE_ERROR,
        &IN_STATE_SEQ_ERROR,
        &IN_STATE_EXPIRED,
        &IN_STATE_MISMATCH,
        &IN_STATE_INVALID,
        &IN_TMPL_MISMATCH,
        &IN_NO_POLS,
        &IN_POL_BLOCK,
        &IN_POL_ERROR,
        &OUT_ERROR,
        &OUT_BUNDLE_GEN_ERROR,
        &OUT_BUNDLE_CHECK_ERROR,
        &OUT_NO_STATES,
        &OUT_STATE_PROTO_ERROR,
        &OUT_STATE_MODE_ERROR,
        &OUT_STATE_SEQ_ERROR,
        &OUT_STATE_EXPIRED,
        &OUT_POL_BLOCK,
        &OUT_POL_DEAD,
        &OUT_POL_ERROR,
        &FWD_HDR_ERROR,
        &OUT_STATE_INVALID,
        &ACQUIRE_ERROR,
    ],
    patterns: &[],
    verdict: None,
    make: |_| Box::new(Xfrm),
};

static IN_ERROR: Desc = counter(
    "node_xfrm_in_error_packets_total",
    "Packets received with an error that no other counter is for, from /proc/net/xfrm_stat.",
);
static IN_BUFFER_ERROR: Desc = counter(
    "node_xfrm_in_buffer_error_packets_total",
    "Packets received for which there was no memory, from /proc/net/xfrm_stat.",
);
static IN_HDR_ERROR: Desc = counter(
    "node_xfrm_in_hdr_error_packets_total",
    "Packets received with a wrong IPsec header, from /proc/net/xfrm_stat.",
);
static IN_NO_STATES: Desc = counter(
    "node_xfrm_in_no_states_packets_total",
    "Packets received for which there is no state: SPI, address or protocol is wrong, from /proc/net/xfrm_stat.",
);
static IN_STATE_PROTO_ERROR: Desc = counter(
    "node_xfrm_in_state_proto_error_packets_total",
    "Packets received that the protocol of their state refused, as with a wrong key, from /proc/net/xfrm_stat.",
);
static IN_STATE_MODE_ERROR: Desc = counter(
    "node_xfrm_in_state_mode_error_packets_total",
    "Packets received that the mode of their state refused, from /proc/net/xfrm_stat.",
);
static IN_STATE_SEQ_ERROR: Desc = counter(
    "node_xfrm_in_state_seq_error_packets_total",
    "Packets received with a sequence number outside the window, from /proc/net/xfrm_stat.",
);
static IN_STATE_EXPIRED: Desc = counter(
    "node_xfrm_in_state_expired_packets_total",
    "Packets received whose state has expired, from /proc/net/xfrm_stat.",
);
static IN_STATE_MISMATCH: Desc = counter(
    "node_xfrm_in_state_mismatch_packets_total",
    "Packets received whose state has another option, such as the kind of UDP encapsulation, from /proc/net/xfrm_stat.",
);
static IN_STATE_INVALID: Desc = counter(
    "node_xfrm_in_state_invalid_packets_total",
    "Packets received whose state is not valid, from /proc/net/xfrm_stat.",
);
static IN_TMPL_MISMATCH: Desc = counter(
    "node_xfrm_in_tmpl_mismatch_packets_total",
    "Packets received whose states fit no template: the states are right and the policy is not, from /proc/net/xfrm_stat.",
);
static IN_NO_POLS: Desc = counter(
    "node_xfrm_in_no_pols_packets_total",
    "Packets received whose states no policy is for, from /proc/net/xfrm_stat.",
);
static IN_POL_BLOCK: Desc = counter(
    "node_xfrm_in_pol_block_packets_total",
    "Packets received that a policy discards, from /proc/net/xfrm_stat.",
);
static IN_POL_ERROR: Desc = counter(
    "node_xfrm_in_pol_error_packets_total",
    "Packets received with an error in their policy, from /proc/net/xfrm_stat.",
);
static OUT_ERROR: Desc = counter(
    "node_xfrm_out_error_packets_total",
    "Packets to be sent with an error that no other counter is for, from /proc/net/xfrm_stat.",
);
static OUT_BUNDLE_GEN_ERROR: Desc = counter(
    "node_xfrm_out_bundle_gen_error_packets_total",
    "Packets to be sent for which no bundle of states could be made, from /proc/net/xfrm_stat.",
);
static OUT_BUNDLE_CHECK_ERROR: Desc = counter(
    "node_xfrm_out_bundle_check_error_packets_total",
    "Packets to be sent whose bundle of states failed its check, from /proc/net/xfrm_stat.",
);
static OUT_NO_STATES: Desc = counter(
    "node_xfrm_out_no_states_packets_total",
    "Packets to be sent for which there is no state, from /proc/net/xfrm_stat.",
);
static OUT_STATE_PROTO_ERROR: Desc = counter(
    "node_xfrm_out_state_proto_error_packets_total",
    "Packets to be sent that the protocol of their state refused, from /proc/net/xfrm_stat.",
);
static OUT_STATE_MODE_ERROR: Desc = counter(
    "node_xfrm_out_state_mode_error_packets_total",
    "Packets to be sent that the mode of their state refused, from /proc/net/xfrm_stat.",
);
static OUT_STATE_SEQ_ERROR: Desc = counter(
    "node_xfrm_out_state_seq_error_packets_total",
    "Packets to be sent as the sequence numbers of their state ran out, from /proc/net/xfrm_stat.",
);
static OUT_STATE_EXPIRED: Desc = counter(
    "node_xfrm_out_state_expired_packets_total",
    "Packets to be sent whose state has expired, from /proc/net/xfrm_stat.",
);
static OUT_POL_BLOCK: Desc = counter(
    "node_xfrm_out_pol_block_packets_total",
    "Packets to be sent that a policy discards, from /proc/net/xfrm_stat.",
);
static OUT_POL_DEAD: Desc = counter(
    "node_xfrm_out_pol_dead_packets_total",
    "Packets to be sent whose policy is being removed, from /proc/net/xfrm_stat.",
);
static OUT_POL_ERROR: Desc = counter(
    "node_xfrm_out_pol_error_packets_total",
    "Packets to be sent with an error in their policy, from /proc/net/xfrm_stat.",
);
static FWD_HDR_ERROR: Desc = counter(
    "node_xfrm_fwd_hdr_error_packets_total",
    "Packets that may not be forwarded, from /proc/net/xfrm_stat.",
);
static OUT_STATE_INVALID: Desc = counter(
    "node_xfrm_out_state_invalid_packets_total",
    "Packets to be sent whose state is not valid, perhaps as it has expired, from /proc/net/xfrm_stat.",
);
static ACQUIRE_ERROR: Desc = counter(
    "node_xfrm_acquire_error_packets_total",
    "Packets to be sent before their state was acquired, from /proc/net/xfrm_stat.",
);

const fn counter(name: &'static str, help: &'static str) -> Desc {
    Desc::counter(name, &[], help)
}

struct Xfrm;

impl Collector for Xfrm {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        context.files.net("xfrm_stat", |bytes| {
            // The families written so far, a bit each: a page with a series twice is refused as a whole.
            let mut seen = 0u32;
            for counter in xfrm_stat::counters(bytes)? {
                let counter = counter?;
                let Some((place, desc)) = family(counter.name) else {
                    continue;
                };
                if seen & 1 << place != 0 {
                    return Err(counter.error("each counter once"));
                }
                seen |= 1 << place;
                batch.push(desc, NO_LABELS, float(counter.value));
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// The place of a counter's family among the families, and the family.
fn family(counter: &[u8]) -> Option<(usize, &'static Desc)> {
    const COUNTERS: [&[u8]; 28] = [
        b"XfrmInError",
        b"XfrmInBufferError",
        b"XfrmInHdrError",
        b"XfrmInNoStates",
        b"XfrmInStateProtoError",
        b"XfrmInStateModeError",
        b"XfrmInStateSeqError",
        b"XfrmInStateExpired",
        b"XfrmInStateMismatch",
        b"XfrmInStateInvalid",
        b"XfrmInTmplMismatch",
        b"XfrmInNoPols",
        b"XfrmInPolBlock",
        b"XfrmInPolError",
        b"XfrmOutError",
        b"XfrmOutBundleGenError",
        b"XfrmOutBundleCheckError",
        b"XfrmOutNoStates",
        b"XfrmOutStateProtoError",
        b"XfrmOutStateModeError",
        b"XfrmOutStateSeqError",
        b"XfrmOutStateExpired",
        b"XfrmOutPolBlock",
        b"XfrmOutPolDead",
        b"XfrmOutPolError",
        b"XfrmFwdHdrError",
        b"XfrmOutStateInvalid",
        b"XfrmAcquireError",
    ];
    let place = COUNTERS.iter().position(|name| *name == counter)?;
    SPEC.families.get(place).map(|desc| (place, *desc))
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn each_counter_has_its_family() {
        assert_eq!(SPEC.families.len(), 28);
        for (counter, name) in [
            ("XfrmInError", "node_xfrm_in_error_packets_total"),
            (
                "XfrmOutStateSeqError",
                "node_xfrm_out_state_seq_error_packets_total",
            ),
            ("XfrmFwdHdrError", "node_xfrm_fwd_hdr_error_packets_total"),
            ("XfrmAcquireError", "node_xfrm_acquire_error_packets_total"),
        ] {
            let found = family(counter.as_bytes()).map(|(_, desc)| &*desc.name);
            assert_eq!(found, Some(name));
        }
        assert!(family(b"XfrmInIptfsError").is_none());
    }

    #[test]
    fn counters_of_later_kernels_are_left_out_and_missing_ones_are_no_zeros() {
        let tree = Tree::new("xfrm");
        assert_eq!(tree.once(&SPEC), Ok(String::new()));
        tree.write(
            "proc/net/xfrm_stat",
            "XfrmInNoStates          \t5\nXfrmInIptfsError        \t7\nXfrmOutPolDead          \t6\n",
        );
        assert_eq!(
            tree.once(&SPEC).as_deref(),
            Ok("node_xfrm_in_no_states_packets_total 5\nnode_xfrm_out_pol_dead_packets_total 6\n")
        );
    }

    #[test]
    fn a_counter_twice_is_an_error() {
        let tree = Tree::new("xfrm-twice");
        tree.write("proc/net/xfrm_stat", "XfrmInError \t1\nXfrmInError \t2\n");
        assert_eq!(
            tree.once(&SPEC),
            Err(
                "proc/net/xfrm_stat:2: name: expected each counter once, found \"XfrmInError\""
                    .to_string()
            )
        );
    }
}
