//! `CAPTURE`: what fixtures/capture.sh says of the machine that it captured. Lines with other words are for people.

use super::ByteOrder;
use crate::parse::ParseError;
use crate::parse::decimal;
use crate::parse::leases::epoch;
use crate::parse::lines;
use crate::parse::printable;

/// What the file says; `None` where it does not.
pub(super) struct Capture {
    pub(super) byte_order: Option<ByteOrder>,
    /// In bytes.
    pub(super) page_size: Option<u64>,
    /// The architecture as uname(2) names it.
    pub(super) machine: Option<String>,
    /// When the tree was captured, in seconds since 1970.
    pub(super) date: Option<i64>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Capture, ParseError> {
    let mut capture = Capture {
        byte_order: None,
        page_size: None,
        machine: None,
        date: None,
    };
    for line in lines(bytes) {
        let mut line = line?;
        match line.word() {
            Some(b"byte_order:") => {
                let order = match line.expect_word("byte_order", "little or big")? {
                    b"little" => ByteOrder::Little,
                    b"big" => ByteOrder::Big,
                    other => return Err(line.error("byte_order", "little or big", other)),
                };
                capture.byte_order = Some(order);
            }
            Some(b"page_size:") => capture.page_size = Some(line.expect_decimal("page_size")?),
            Some(b"architecture:") => {
                capture.machine = line.word().map(|word| printable(word).into_owned());
            }
            Some(b"date:") => capture.date = line.word().and_then(date),
            _ => {}
        }
    }
    Ok(capture)
}

/// `2026-11-21T03:22:07Z`; a date in other words is for people only.
fn date(text: &[u8]) -> Option<i64> {
    let mut numbers = text
        .strip_suffix(b"Z")?
        .split(|byte| matches!(byte, b'-' | b'T' | b':'))
        .map(decimal);
    let mut next = || numbers.next().flatten();
    let date = [next()?, next()?, next()?];
    epoch(date, [next()?, next()?, next()?])
}
