//! Tests of the batch.

use super::*;

static PACKETS: Desc = Desc::counter("packets_total", &["device"], "Packets.");
static BYTES: Desc = Desc::counter("bytes_total", &["device"], "Bytes.");

#[test]
fn a_cut_forgets_families_samples_and_labels() {
    let mut batch = Batch::default();
    let labels = batch.labels(&[("device", "lo")]);
    batch.push(&PACKETS, labels, 1.0);
    let mark = batch.mark();
    let labels = batch.labels(&[("device", "eth0")]);
    batch.push(&PACKETS, labels, 2.0);
    batch.push(&BYTES, labels, 3.0);
    batch.cut(mark);
    assert_eq!((batch.families().len(), batch.samples().len()), (1, 1));
    assert_eq!(
        batch.label_text(batch.samples()[0].labels),
        "{device=\"lo\"}"
    );
}

#[test]
fn rows_of_the_same_families_share_them() {
    let mut batch = Batch::default();
    for device in ["a", "b", "c"] {
        let labels = batch.labels(&[("device", device)]);
        batch.push(&PACKETS, labels, 1.0);
        batch.push(&BYTES, labels, 2.0);
    }
    assert_eq!(batch.families().len(), 2);
    assert_eq!(batch.samples().len(), 6);
}

#[test]
fn label_values_are_escaped() {
    let mut batch = Batch::default();
    let labels = batch.labels(&[("device", "a\\b\"c\nd"), ("x", "")]);
    assert_eq!(
        batch.label_text(labels),
        "{device=\"a\\\\b\\\"c\\nd\",x=\"\"}"
    );
}
