//! Numbers for people. page.js has the same functions, and the live test compares what both write.

use std::time::Duration;

const PREFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
/// What JSON has as null, or as a number that is none.
pub(super) const UNKNOWN: &str = "–";

/// Three digits and a prefix: `945 Mbit/s`, `1.25 kbit/s`, `17 bit/s`.
pub(super) fn scaled(mut value: f64, unit: &str) -> String {
    let mut prefixes = PREFIXES.iter();
    let mut prefix = prefixes.next().copied().unwrap_or_default();
    while value >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = next;
        value /= 1000.0;
    }
    let decimals = match value {
        _ if prefix.is_empty() => 0,
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    [&fixed(value, decimals), "\u{a0}", prefix, unit].concat()
}

/// Bytes per second as bits, which is how links are sold.
pub(super) fn bits(bytes_per_second: f64) -> String {
    scaled(bytes_per_second * 8.0, "bit/s")
}

/// A link's speed, whose digits after the point are seldom worth the room: `1 Gbit/s`, `2.5 Gbit/s`.
pub(super) fn speed(bytes_per_second: f64) -> String {
    let text = bits(bytes_per_second);
    let (number, unit) = text.split_once('\u{a0}').unwrap_or((&text, ""));
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    [number, "\u{a0}", unit].concat()
}

/// `28 232`, with narrow spaces that do not break.
pub(super) fn count(value: f64) -> String {
    let digits = fixed(value, 0);
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `12 %`, `1.2 %`; what is more than nothing is more than `0 %`.
pub(super) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    let text = match percent {
        percent if percent >= 9.95 => fixed(percent, 0),
        percent if percent >= 0.05 => fixed(percent, 1),
        percent if percent > 0.0 => "<0.1".to_string(),
        _ => "0".to_string(),
    };
    [&text, "\u{a0}%"].concat()
}

/// `0.25 ms`
pub(super) fn milliseconds(seconds: f64) -> String {
    [&fixed(seconds * 1000.0, 2), "\u{a0}ms"].concat()
}

/// The two largest units: `1 d 2 h`, `59 s`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units
        .iter()
        .position(|(count, _)| *count > 0)
        .unwrap_or(units.len() - 1);
    let mut text = String::new();
    for (count, unit) in units.iter().skip(first).take(2) {
        if !text.is_empty() {
            text.push('\u{a0}');
        }
        text.push_str(&count.to_string());
        text.push('\u{a0}');
        text.push_str(unit);
    }
    text
}

/// A number that is not negative with so many decimals, at most three; half is rounded up, as in page.js.
fn fixed(value: f64, decimals: u32) -> String {
    let factor = 10_u64.pow(decimals.min(3));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a power of ten, and what saturates is no number that anybody measures"
    )]
    let all = (value * factor as f64 + 0.5) as u64;
    let mut text = (all / factor).to_string();
    if decimals > 0 {
        let rest = (all % factor + factor).to_string();
        text.push('.');
        text.push_str(rest.get(1..).unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_and_a_prefix() {
        for (bytes, expected) in [
            (0.0, "0 bit/s"),
            (2.1, "17 bit/s"),
            (124.9, "999 bit/s"),
            (125.0, "1.00 kbit/s"),
            (1562.5, "12.5 kbit/s"),
            (118_125_000.0, "945 Mbit/s"),
            (124_950_000.0, "1.00 Gbit/s"),
            (1e30, "8000000000000000 Pbit/s"),
        ] {
            assert_eq!(bits(bytes).replace('\u{a0}', " "), expected);
        }
        let speeds = [1.25e6, 1.25e8, 3.125e8, 1.25e9].map(speed);
        let expected = ["10 Mbit/s", "1 Gbit/s", "2.5 Gbit/s", "10 Gbit/s"];
        assert_eq!(speeds.map(|text| text.replace('\u{a0}', " ")), expected);
    }

    #[test]
    fn counts_shares_and_durations() {
        let plain = |text: String| text.replace(['\u{a0}', '\u{202f}'], " ");
        let counts = [0.0, 999.0, 28232.0, 1_234_567.0].map(count).map(plain);
        assert_eq!(counts, ["0", "999", "28 232", "1 234 567"]);
        let shares = [0.0, 0.0001, 0.0005, 0.0123, 0.0994, 0.0995, 0.5, 1.0]
            .map(percent)
            .map(plain);
        assert_eq!(
            shares,
            [
                "0 %", "<0.1 %", "0.1 %", "1.2 %", "9.9 %", "10 %", "50 %", "100 %"
            ]
        );
        let spans =
            [0, 59, 60, 93_784].map(|seconds| plain(duration(Duration::from_secs(seconds))));
        assert_eq!(spans, ["0 s", "59 s", "1 min 0 s", "1 d 2 h"]);
    }

    #[test]
    fn what_is_no_number_does_not_panic() {
        for odd in [f64::NAN, f64::INFINITY, -1.0, f64::MAX] {
            assert!(!bits(odd).is_empty() && !count(odd).is_empty() && !percent(odd).is_empty());
        }
    }
}
