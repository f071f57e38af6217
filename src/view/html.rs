//! HTML as it grows: constants as they are, text escaped, numbers with the key that they have in the JSON.
//!
//! A number stands in an element whose attribute names its unit and its key, `<b data-n="tcp.states.listen">`, and page.js
//! writes newer ones there. All else goes into the revision.

use super::Past;
use super::units::Unit;

/// HTML, and the fingerprint of what of it is not a number.
pub(super) struct Html {
    text: String,
    revision: u64,
    /// Where the fingerprint is written once it is known.
    place: usize,
    /// What the keys begin with, dot included.
    at: String,
}

/// As FNV-1a with 64 bits, but of eight bytes at a time.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const NO_REVISION: &str = "0000000000000000";

impl Html {
    /// Writes into `room`, which is empty and kept for its memory.
    pub(super) fn new(room: Vec<u8>) -> Self {
        Self {
            text: String::from_utf8(room).unwrap_or_default(),
            revision: BASIS,
            place: 0,
            at: String::new(),
        }
    }

    /// Leaves room for the fingerprint of what follows.
    pub(super) fn begin_revision(&mut self) {
        self.place = self.text.len();
        self.text.push_str(NO_REVISION);
        self.revision = BASIS;
    }

    /// Writes the fingerprint where room was left for it, and tells it.
    pub(super) fn end_revision(&mut self) -> String {
        let revision = format!("{:016x}", self.revision);
        let place = self.place..self.place + NO_REVISION.len();
        self.text.replace_range(place, &revision);
        revision
    }

    /// Markup; nothing that comes from elsewhere.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.put(markup)
    }

    /// Text that means nothing in HTML, neither between tags nor in a quoted attribute. Control characters, which HTML
    /// cannot carry, are shown as their escapes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let safe = escaped(text);
        self.put(&safe)
    }

    fn put(&mut self, text: &str) -> &mut Self {
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            self.stir(u64::from_be_bytes(*word));
        }
        if !rest.is_empty() {
            let word = rest.iter();
            self.stir(word.fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        self.text.push_str(text);
        self
    }

    fn stir(&mut self, word: u64) {
        self.revision = (self.revision ^ word).wrapping_mul(0x0100_0000_01b3);
        self.revision ^= self.revision >> 29;
    }

    /// The keys of what follows begin with this, a row of a list where there is a number.
    pub(super) fn within(&mut self, list: &str, row: Option<usize>) {
        self.at.clear();
        self.at.push_str(list);
        if let Some(row) = row {
            self.at.push('.');
            self.at.push_str(&row.to_string());
        }
        if !list.is_empty() {
            self.at.push('.');
        }
    }

    /// When the numbers are of.
    pub(super) fn time(&mut self, time: &str) {
        self.put("<time data-t=\"time\">");
        self.text.push_str(time);
        self.put("</time>");
    }

    /// A number.
    pub(super) fn value(&mut self, key: &str, unit: Unit, value: Option<f64>) -> &mut Self {
        self.put("<b data-");
        self.key(unit.letter(), key);
        if value == Some(0.0) {
            self.text.push_str(" class=\"z\"");
        }
        self.text.push('>');
        unit.write(value, &mut self.text);
        self.put("</b>")
    }

    /// How full something is, as a bar.
    pub(super) fn bar(&mut self, key: &str, ratio: Option<f64>, limit: f64) {
        let Some(ratio) = ratio else { return };
        let class = if ratio > limit {
            "<svg class=\"bar bad\""
        } else {
            "<svg class=\"bar\""
        };
        self.put(class);
        self.put(" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect height=\"1\" data-");
        self.key("w", key);
        self.text.push_str(" width=\"");
        number(width(ratio), &mut self.text);
        self.put("\"/></svg>");
    }

    /// The last ten minutes as a picture.
    pub(super) fn sparkline(&mut self, past: &Past) {
        self.put(
            "<svg class=\"spark\" viewBox=\"0 0 119 36\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"the last ten minutes\">",
        );
        for (class, key, levels) in [
            ("rx", "history.receive", &past.receive),
            ("tx", "history.transmit", &past.transmit),
        ] {
            self.put("<path class=\"");
            self.put(class);
            self.put("\" data-");
            self.key("h", key);
            self.text.push_str(" d=\"");
            draw(levels, class == "rx", &mut self.text);
            self.put("\"/>");
        }
        self.put("</svg>");
    }

    fn key(&mut self, letter: &str, key: &str) {
        self.put(letter);
        self.put("=\"");
        let at = std::mem::take(&mut self.at);
        self.put(&at);
        self.at = at;
        self.put(key);
        self.put("\"");
    }

    /// What was written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

fn width(ratio: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let width = (ratio.clamp(0.0, 1.0) * 100.0).ceil() as u8;
    width
}

/// Levels as the path of a line, or of the area below it; each gap begins anew. Where the line is level it is one long step.
fn draw(levels: &[u8], area: bool, out: &mut String) {
    // The level where the line is, and how far it goes on there.
    let mut open: Option<(u8, u8)> = None;
    for (x, digit) in (0..).zip(levels.iter().chain(b".")) {
        let level = match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'z' => Some(digit - b'a' + 10),
            _ => None,
        };
        let steps = match (open, level) {
            (Some((before, steps)), Some(level)) if before == level => {
                open = Some((level, steps + 1));
                continue;
            }
            (Some((_, steps)), _) => steps,
            (None, _) => 0,
        };
        if steps > 0 {
            out.push('h');
            number(steps, out);
        }
        match (open, level) {
            (None, Some(level)) => {
                out.push('M');
                number(x, out);
                out.push_str(if area { " 36V" } else { " " });
                number(36 - level, out);
            }
            (Some((before, _)), Some(level)) => {
                out.push_str(if level > before { "l1 -" } else { "l1 " });
                number(level.abs_diff(before), out);
            }
            (Some(_), None) if area => out.push_str("V36z"),
            (_, None) => {}
        }
        open = level.map(|level| (level, 0));
    }
}

/// Thousands of them are written in a picture.
fn number(value: u8, out: &mut String) {
    for unit in [100, 10, 1] {
        if value >= unit || unit == 1 {
            out.push(char::from(b'0' + value / unit % 10));
        }
    }
}

fn escaped(text: &str) -> String {
    let special = |character: char| {
        matches!(character, '&' | '<' | '>' | '"' | '\'') || character.is_control()
    };
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        let (plain, tail) = rest.split_at(at);
        safe.push_str(plain);
        let mut tail = tail.chars();
        match tail.next() {
            Some('&') => safe.push_str("&amp;"),
            Some('<') => safe.push_str("&lt;"),
            Some('>') => safe.push_str("&gt;"),
            Some('"') => safe.push_str("&quot;"),
            Some('\'') => safe.push_str("&#39;"),
            other => safe.extend(other.into_iter().flat_map(char::escape_default)),
        }
        rest = tail.as_str();
    }
    safe.push_str(rest);
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut html = Html::new(Vec::new());
        html.text("\"'><script>&\u{1}");
        assert_eq!(html.finish(), b"&quot;&#39;&gt;&lt;script&gt;&amp;\\u{1}");
    }

    #[test]
    fn numbers_do_not_change_the_revision_and_all_else_does() {
        let of = |name: &str, value: Option<f64>| {
            let mut html = Html::new(Vec::new());
            html.raw("anything ").begin_revision();
            html.within("rows", Some(3));
            html.text(name).value("used", Unit::Count, value);
            html.bar("ratio", Some(value.unwrap_or(0.0) / 1e6), 0.8);
            let revision = html.end_revision();
            let text = String::from_utf8(html.finish()).unwrap();
            let (head, text) = text.split_at("anything ".len() + 16);
            assert!(head.ends_with(&revision), "{head}");
            (text.to_string(), revision)
        };
        let (text, revision) = of("a", Some(1234.0));
        assert!(text.starts_with("a<b data-n=\"rows.3.used\">1\u{202f}234</b><svg class=\"bar\""));
        for same in [Some(0.0), None, Some(f64::NAN), Some(2.0)] {
            assert_eq!(of("a", same).1, revision);
        }
        assert!(of("a", None).0.contains(">–</b>"));
        assert_ne!(of("b", None).1, revision);
        assert_ne!(
            of("a", Some(900_000.0)).1,
            revision,
            "a full bar has another colour"
        );
    }

    #[test]
    fn lines_and_areas_begin_anew_after_a_gap() {
        let of = |levels: &str, area| {
            let mut out = String::new();
            draw(levels.as_bytes(), area, &mut out);
            out
        };
        assert_eq!(of("..0zz0", false), "M2 36l1 -35h1l1 35");
        assert_eq!(of("000.1", true), "M0 36V36h2V36zM4 36V35V36z");
        assert_eq!(of("...", true), "");
    }
}
