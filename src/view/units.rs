//! Numbers for people. page.js has the same functions, and the live test compares what both write.

use super::read::whole;

const PREFIXES: [&str; 6] = ["", "k", "M", "G", "T", "P"];
/// What JSON has as null, or as a number that is none.
const UNKNOWN: &str = "–";

/// How a number is written; page.js knows them by their letters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    /// Bytes per second, written as bits: `945 Mbit/s`, `1.25 kbit/s`, `17 bit/s`.
    Bits,
    /// How many: `28 232`, with narrow spaces that do not break.
    Count,
    /// A ratio: `12 %`, `1.2 %`; what is more than nothing is more than `0 %`.
    Percent,
    /// Seconds, written as a duration, the two largest units: `1 d 2 h`, `59 s`.
    Seconds,
    /// Seconds, written as milliseconds: `0.25 ms`.
    Milliseconds,
}

impl Unit {
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Bits => "b",
            Self::Count => "n",
            Self::Percent => "p",
            Self::Seconds => "d",
            Self::Milliseconds => "m",
        }
    }

    /// Appends a number, or a dash where there is none.
    pub(super) fn write(self, value: Option<f64>, out: &mut String) {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return out.push_str(UNKNOWN);
        };
        match self {
            Self::Bits => bits(value, false, out),
            Self::Count => digits(rounded(value), 1, true, out),
            Self::Percent => percent(value, out),
            Self::Seconds => duration(value, out),
            Self::Milliseconds => {
                fixed(value * 1000.0, 2, out);
                out.push_str("\u{a0}ms");
            }
        }
    }

    /// The same as a text of its own.
    pub(super) fn text(self, value: f64) -> String {
        let mut text = String::new();
        self.write(Some(value), &mut text);
        text
    }
}

/// A link's speed, whose digits after the point are seldom worth the room: `1 Gbit/s`, `2.5 Gbit/s`.
pub(super) fn speed(bytes_per_second: f64) -> String {
    let mut text = String::new();
    bits(bytes_per_second, true, &mut text);
    text
}

/// Three digits and a prefix; bits are how links are sold.
fn bits(bytes_per_second: f64, short: bool, out: &mut String) {
    let mut value = bytes_per_second * 8.0;
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
    fixed(value, decimals, out);
    if short && decimals > 0 {
        let number = out.trim_end_matches('0').trim_end_matches('.');
        out.truncate(number.len());
    }
    out.push('\u{a0}');
    out.push_str(prefix);
    out.push_str("bit/s");
}

fn percent(ratio: f64, out: &mut String) {
    match ratio * 100.0 {
        percent if percent >= 9.95 => fixed(percent, 0, out),
        percent if percent >= 0.05 => fixed(percent, 1, out),
        percent if percent > 0.0 => out.push_str("<0.1"),
        _ => out.push('0'),
    }
    out.push_str("\u{a0}%");
}

fn duration(seconds: f64, out: &mut String) {
    let seconds = whole(seconds);
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0);
    let first = first.unwrap_or(units.len() - 1);
    for (place, (count, unit)) in units.iter().skip(first).take(2).enumerate() {
        if place > 0 {
            out.push('\u{a0}');
        }
        digits(*count, 1, false, out);
        out.push('\u{a0}');
        out.push_str(unit);
    }
}

/// A number that is not negative with so many decimals, at most three; half is rounded up, as in page.js.
fn fixed(value: f64, decimals: u32, out: &mut String) {
    let factor = 10_u32.pow(decimals.min(3));
    let all = rounded(value * f64::from(factor));
    let factor = u64::from(factor);
    digits(all / factor, 1, false, out);
    if decimals > 0 {
        out.push('.');
        digits(all % factor, decimals, false, out);
    }
}

fn rounded(value: f64) -> u64 {
    whole(value + 0.5)
}

/// The digits of a number, at least so many; in groups of three.
fn digits(value: u64, least: u32, grouped: bool, out: &mut String) {
    let count = value.checked_ilog10().map_or(1, |log| log + 1).max(least);
    for place in (0..count).rev() {
        let digit = value / 10_u64.pow(place) % 10;
        out.push(char::from_digit(u32::try_from(digit).unwrap_or(0), 10).unwrap_or('0'));
        if grouped && place > 0 && place.is_multiple_of(3) {
            out.push('\u{202f}');
        }
    }
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
            assert_eq!(Unit::Bits.text(bytes).replace('\u{a0}', " "), expected);
        }
        let speeds = [1.25e6, 1.25e8, 3.125e8, 1.25e9].map(speed);
        let expected = ["10 Mbit/s", "1 Gbit/s", "2.5 Gbit/s", "10 Gbit/s"];
        assert_eq!(speeds.map(|text| text.replace('\u{a0}', " ")), expected);
    }

    #[test]
    fn counts_shares_and_durations() {
        let plain = |text: String| text.replace(['\u{a0}', '\u{202f}'], " ");
        let counts = [0.0, 999.0, 28232.0, 1_234_567.0].map(|count| plain(Unit::Count.text(count)));
        assert_eq!(counts, ["0", "999", "28 232", "1 234 567"]);
        let shares = [0.0, 0.0001, 0.0005, 0.0123, 0.0994, 0.0995, 0.5, 1.0]
            .map(|ratio| plain(Unit::Percent.text(ratio)));
        assert_eq!(
            shares,
            [
                "0 %", "<0.1 %", "0.1 %", "1.2 %", "9.9 %", "10 %", "50 %", "100 %"
            ]
        );
        let spans = [0.0, 59.9, 60.0, 93_784.0].map(|seconds| plain(Unit::Seconds.text(seconds)));
        assert_eq!(spans, ["0 s", "59 s", "1 min 0 s", "1 d 2 h"]);
    }

    #[test]
    fn what_is_no_number_does_not_panic() {
        for odd in [f64::NAN, f64::INFINITY, -1.0, f64::MAX] {
            for unit in [
                Unit::Bits,
                Unit::Count,
                Unit::Percent,
                Unit::Seconds,
                Unit::Milliseconds,
            ] {
                assert_eq!(
                    unit.text(odd) == UNKNOWN,
                    !odd.is_finite(),
                    "{odd} {unit:?}"
                );
            }
        }
    }
}
