//! The Prometheus text format 0.0.4, written from a [`Batch`].
//!
//! Families stand in the order in which they first appeared in the batch, samples in the order in which they were
//! added, so that the same state gives the same bytes. Written here because the prometheus crate's encoder has no
//! untyped families and builds a tree of protobuf-like values first. Format: one `# HELP` and one `# TYPE` line before a
//! family's samples; in HELP, `\` and line feeds are escaped.

use std::io::Write;

use crate::metric::Batch;
use crate::metric::Family;
use crate::metric::Part;

/// What the `Content-Type` header says of [`encode`]'s bytes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends the batch to `out`.
pub fn encode(batch: &Batch, out: &mut Vec<u8>) {
    let mut open = None;
    for sample in batch.by_family() {
        let Some(family) = batch.families().get(sample.family as usize) else {
            continue;
        };
        if open != Some(sample.family) {
            open = Some(sample.family);
            head(family, out);
        }
        out.extend_from_slice(family.name.as_bytes());
        out.extend_from_slice(match sample.part {
            Part::Plain => b"",
            Part::Bucket => b"_bucket",
            Part::Sum => b"_sum",
            Part::Count => b"_count",
        });
        out.extend_from_slice(batch.label_text(sample.labels).as_bytes());
        out.push(b' ');
        number(sample.value, out);
        out.push(b'\n');
    }
}

fn head(family: &Family, out: &mut Vec<u8>) {
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(family.name.as_bytes());
    out.push(b' ');
    let mut rest = family.help.as_bytes();
    // Byte by byte: by characters this was a third of the user time of a scrape.
    while let Some((plain, tail)) = rest
        .iter()
        .position(|byte| matches!(byte, b'\\' | b'\n'))
        .and_then(|at| rest.split_at_checked(at))
    {
        out.extend_from_slice(plain);
        if let Some((special, tail)) = tail.split_first() {
            out.extend_from_slice(if *special == b'\n' { b"\\n" } else { b"\\\\" });
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\n# TYPE ");
    out.extend_from_slice(family.name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(family.kind.word().as_bytes());
    out.push(b'\n');
}

/// One number.
///
/// Whole numbers below 2^53, which is nearly all, are written digit by digit; the rest in the shortest form that reads
/// back as the same value.
pub fn number(value: f64, out: &mut Vec<u8>) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value.fract() == 0.0 && value.abs() < EXACT {
        if value < 0.0 {
            out.push(b'-');
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and below 2^53"
        )]
        integer(value.abs() as u64, out);
    } else {
        // Writing into a Vec cannot fail.
        let _ = write!(out, "{value}");
    }
}

fn integer(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        first -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Desc;
    use crate::metric::Kind;
    use crate::metric::NO_LABELS;

    static UP: Desc = Desc::gauge("up", &["device"], "Whether \\ or\nnot.");
    static BYTES: Desc = Desc::counter("bytes_total", &["device"], "Bytes.");

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        number(value, &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn samples_are_grouped_by_family_in_order_of_appearance() {
        let mut batch = Batch::default();
        for (device, value) in [("b", 1.0), ("a", 0.0)] {
            let labels = batch.labels(&[("device", device)]);
            batch.push(&UP, labels, value);
            batch.push(&BYTES, labels, value + 0.5);
        }
        batch.push_shared(
            &Desc::at_run_time("x".into(), Kind::Untyped, &[], "X.".into()),
            NO_LABELS,
            -3.0,
        );
        let mut out = Vec::new();
        encode(&batch, &mut out);
        let expected = "# HELP up Whether \\\\ or\\nnot.\n# TYPE up gauge\nup{device=\"b\"} 1\nup{device=\"a\"} 0\n\
            # HELP bytes_total Bytes.\n# TYPE bytes_total counter\nbytes_total{device=\"b\"} 1.5\nbytes_total{device=\"a\"} 0.5\n\
            # HELP x X.\n# TYPE x untyped\nx -3\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn a_family_without_samples_is_not_mentioned() {
        let mut batch = Batch::default();
        let mark = batch.mark();
        batch.push_shared(
            &Desc::at_run_time("x".into(), Kind::Gauge, &[], "X.".into()),
            NO_LABELS,
            1.0,
        );
        batch.cut(mark);
        let mut out = Vec::new();
        encode(&batch, &mut out);
        assert!(out.is_empty());
        assert_eq!(batch.label_text(NO_LABELS), "");
    }

    #[test]
    fn numbers_read_back_as_the_same_value() {
        for value in [
            0.0,
            1.0,
            -125_000.0,
            0.1,
            1e-9,
            3.542e-5,
            1.25e8,
            9_007_199_254_740_993.0,
            1.8e19,
            f64::MAX,
            f64::MIN_POSITIVE,
        ] {
            let written = text(value);
            assert_eq!(
                written.parse::<f64>().expect("a number").to_bits(),
                value.to_bits(),
                "{written}"
            );
        }
        assert_eq!(
            [text(f64::NAN), text(f64::INFINITY), text(f64::NEG_INFINITY)],
            ["NaN", "+Inf", "-Inf"]
        );
        assert_eq!(
            [text(-0.0), text(120.0), text(18.25)],
            ["0", "120", "18.25"]
        );
    }
}
