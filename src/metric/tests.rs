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

static SOCKETS: Desc = Desc::gauge("sockets", &[], "Sockets.");

/// Each sample as `family{labels}`.
fn lines(batch: &Batch) -> Vec<String> {
    let line = |sample: &Sample| {
        let family = &batch.families()[sample.family as usize];
        format!("{}{}", family.name, batch.label_text(sample.labels))
    };
    batch.samples().iter().map(line).collect()
}

#[test]
fn a_scope_labels_everything_until_it_ends() {
    let mut batch = Batch::default();
    batch.push(&SOCKETS, NO_LABELS, 1.0);
    for scope in ["a", "b\"c"] {
        batch.begin_scope("netns", scope);
        let labels = batch.labels(&[("device", "lo")]);
        batch.push(&PACKETS, labels, 1.0);
        batch.push(&SOCKETS, NO_LABELS, 2.0);
        batch.push(&SOCKETS, NO_LABELS, 3.0);
    }
    batch.end_scope();
    batch.push(&SOCKETS, NO_LABELS, 4.0);
    assert_eq!(
        lines(&batch),
        [
            "sockets",
            "packets_total{device=\"lo\",netns=\"a\"}",
            "sockets{netns=\"a\"}",
            "sockets{netns=\"a\"}",
            "packets_total{device=\"lo\",netns=\"b\\\"c\"}",
            "sockets{netns=\"b\\\"c\"}",
            "sockets{netns=\"b\\\"c\"}",
            "sockets",
        ]
    );
    assert_eq!(batch.families().len(), 2);
}

#[test]
fn a_cut_inside_a_scope_takes_its_labels_back_only_where_they_were_cut() {
    let mut batch = Batch::default();
    batch.begin_scope("netns", "a");
    let before = batch.mark();
    batch.push(&SOCKETS, NO_LABELS, 1.0);
    let after = batch.mark();
    for mark in [after, before, after] {
        batch.cut(mark);
        let labels = batch.labels(&[("device", "lo")]);
        batch.push(&PACKETS, labels, 1.0);
        batch.push(&SOCKETS, NO_LABELS, 2.0);
        let found = lines(&batch);
        assert_eq!(found[found.len() - 1], "sockets{netns=\"a\"}");
    }
}

#[test]
fn in_a_scope_families_of_one_name_are_one() {
    let mut batch = Batch::default();
    let made = || Desc::at_run_time("x".to_string(), Kind::Untyped, &[], "X.".to_string());
    for scope in ["a", "b"] {
        batch.begin_scope("netns", scope);
        batch.push_shared(&made(), NO_LABELS, 1.0);
    }
    assert_eq!(batch.families().len(), 1);
    assert_eq!(lines(&batch), ["x{netns=\"a\"}", "x{netns=\"b\"}"]);
}

#[test]
fn in_a_scope_families_described_either_way_are_one_by_their_name() {
    let mut batch = Batch::default();
    let made = || {
        Desc::at_run_time(
            "x".to_string(),
            Kind::Counter,
            &["device"],
            "X.".to_string(),
        )
    };
    for scope in ["a", "b"] {
        batch.begin_scope("netns", scope);
        let labels = batch.labels(&[("device", "lo")]);
        batch.push_family(&Family::Shared(made()), labels, 1.0);
        batch.push_family(&Family::Static(&PACKETS), labels, 2.0);
    }
    assert_eq!(batch.families().len(), 2);
}

#[test]
fn each_family_is_there_once_whatever_its_address() {
    let made: Vec<_> = (0..9000)
        .map(|number| Desc::at_run_time(format!("a{number}"), Kind::Gauge, &[], String::new()))
        .collect();
    let mut batch = Batch::default();
    for round in 0..2 {
        // Backward once, so that none follows the one before.
        for number in 0..made.len() {
            let place = if round == 0 {
                number
            } else {
                made.len() - 1 - number
            };
            batch.push_shared(&made[place], NO_LABELS, 0.0);
        }
        assert_eq!(batch.families().len(), made.len());
    }
    batch.clear();
    batch.push_shared(&made[0], NO_LABELS, 0.0);
    assert_eq!(batch.families().len(), 1);
}
