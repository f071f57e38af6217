//! The page at `/`: what a person sees who opens the address in a browser. No script, no outside resource; every value is
//! escaped.

use std::fmt::Write;
use std::time::Duration;

/// The style sheet; [`STYLE_HASH`] is its hash.
const STYLE: &str = include_str!("page.css");

/// What the Content-Security-Policy says of [`STYLE`]: `openssl dgst -sha256 -binary src/http/page.css | base64`. A test
/// says when it is out of date.
pub(super) const STYLE_HASH: &str = "sha256-z+z20vVZkN5e2rUdSeigaTNiE487smRkQOS4Wh5Xhso=";

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The machine's name.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// How long the program has run.
    pub uptime: Duration,
    /// The addresses it listens on, as they are logged.
    pub listening: Vec<String>,
    /// The path of the metrics.
    pub telemetry_path: String,
    /// The enabled collectors, in the order in which they run.
    pub collectors: Vec<PageCollector>,
}

/// One enabled collector on the page.
#[derive(Clone, Debug, Default)]
pub struct PageCollector {
    /// Its name.
    pub name: String,
    /// What it answers, in half a sentence.
    pub help: String,
    /// Its last run, if it has run.
    pub last: Option<PageRun>,
}

/// How a collector's last run went.
#[derive(Clone, Debug, Default)]
pub struct PageRun {
    /// How long it took.
    pub duration: Duration,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The page as HTML.
#[must_use]
pub fn render(page: &Page) -> Vec<u8> {
    let mut html = String::with_capacity(4096);
    // Writing into a String cannot fail.
    let _ = write_page(&mut html, page);
    html.into_bytes()
}

fn write_page(html: &mut String, page: &Page) -> std::fmt::Result {
    let host = escaped(&page.host);
    let path = escaped(&page.telemetry_path);
    write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>weir on {host}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>weir on {host}</h1>\n\
         <nav><a href=\"{path}\">Metrics</a> <a href=\"/health\">Health</a> \
         <a href=\"/health?format=json\">Health as JSON</a></nav>\n<dl>\n\
         <dt>Version</dt><dd>{}</dd>\n<dt>Running for</dt><dd>{}</dd>\n<dt>Listening on</dt><dd>",
        escaped(&page.version),
        words(page.uptime),
    )?;
    for (position, address) in page.listening.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        write!(html, "{comma}{}", escaped(address))?;
    }
    html.write_str("</dd>\n</dl>\n")?;
    write_collectors(html, &page.collectors)?;
    html.write_str("</main>\n</body>\n</html>\n")
}

fn write_collectors(html: &mut String, collectors: &[PageCollector]) -> std::fmt::Result {
    html.write_str("<h2>Collectors</h2>\n")?;
    if collectors.is_empty() {
        return html.write_str("<p>No collector is enabled.</p>\n");
    }
    html.write_str(
        "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Collector</th><th scope=\"col\">Last run</th>\
         <th scope=\"col\">Took</th></tr></thead>\n<tbody>\n",
    )?;
    for collector in collectors {
        write!(
            html,
            "<tr><th scope=\"row\">{}<small>{}</small></th>",
            escaped(&collector.name),
            escaped(&collector.help)
        )?;
        match &collector.last {
            None => html.write_str("<td>not yet run</td><td></td>")?,
            Some(PageRun { duration, error }) => {
                match error {
                    None => html.write_str("<td>succeeded</td>")?,
                    Some(error) => {
                        write!(html, "<td class=\"failed\">failed: {}</td>", escaped(error))?;
                    }
                }
                let milliseconds = duration.as_secs_f64() * 1000.0;
                write!(html, "<td class=\"number\">{milliseconds:.2}&nbsp;ms</td>")?;
            }
        }
        html.write_str("</tr>\n")?;
    }
    html.write_str("</tbody>\n</table></div>\n")
}

/// A duration for a person: its two largest units.
fn words(duration: Duration) -> String {
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
    let shown = units.iter().skip(first).take(2);
    let shown: Vec<String> = shown
        .map(|(count, unit)| format!("{count}&nbsp;{unit}"))
        .collect();
    shown.join(" ")
}

/// Text that means nothing in HTML, neither between tags nor in a quoted attribute. Control characters, which HTML
/// cannot carry, are shown as their escapes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other if other.is_control() => safe.extend(other.escape_default()),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_escaped() {
        let evil = "\"'><script>&\u{1}".to_string();
        let page = Page {
            host: evil.clone(),
            version: evil.clone(),
            uptime: Duration::ZERO,
            listening: vec![evil.clone()],
            telemetry_path: evil.clone(),
            collectors: vec![PageCollector {
                name: evil.clone(),
                help: evil.clone(),
                last: Some(PageRun {
                    duration: Duration::ZERO,
                    error: Some(evil),
                }),
            }],
        };
        let html = String::from_utf8(render(&page)).expect("UTF-8");
        assert!(!html.contains("<script") && !html.contains('\u{1}'));
        assert_eq!(
            html.matches("&quot;&#39;&gt;&lt;script&gt;&amp;\\u{1}")
                .count(),
            8
        );
    }

    #[test]
    fn durations_in_their_two_largest_units() {
        for (seconds, expected) in [
            (0, "0&nbsp;s"),
            (59, "59&nbsp;s"),
            (60, "1&nbsp;min 0&nbsp;s"),
            (93_784, "1&nbsp;d 2&nbsp;h"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_hash_is_that_of_the_style_sheet() {
        let expected = format!("sha256-{}", base64(&sha256(STYLE.as_bytes())));
        assert_eq!(STYLE_HASH, expected);
        // FIPS 180-4's own example, so that the function below can be believed.
        let abc = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(base64(&sha256(b"abc")), abc);
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = (0..3).fold(0, |word, at| {
                word << 8 | u32::from(*chunk.get(at).unwrap_or(&0))
            });
            for place in 0..4 {
                let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
                text.push(if place <= chunk.len() {
                    char::from(digit)
                } else {
                    '='
                });
            }
        }
        text
    }

    /// FIPS 180-4. The constants are the first 32 bits of the fractions of the primes' cube and square roots.
    fn sha256(message: &[u8]) -> Vec<u8> {
        let primes: Vec<u32> = (2..312u32)
            .filter(|n| (2..*n).all(|divisor| n % divisor != 0))
            .collect();
        let fraction = |root: f64| (root.fract() * 4_294_967_296.0) as u32;
        let constants: Vec<u32> = primes
            .iter()
            .map(|prime| fraction(f64::from(*prime).cbrt()))
            .collect();
        let mut state: Vec<u32> = primes
            .iter()
            .take(8)
            .map(|prime| fraction(f64::from(*prime).sqrt()))
            .collect();
        let mut padded = message.to_vec();
        padded.push(0x80);
        padded.resize((message.len() + 9).next_multiple_of(64) - 8, 0);
        padded.extend((message.len() as u64 * 8).to_be_bytes());
        for block in padded.chunks(64) {
            let mut words: Vec<u32> = block
                .chunks(4)
                .map(|word| u32::from_be_bytes(word.try_into().expect("four bytes")))
                .collect();
            for at in 16..64 {
                let (a, b) = (words[at - 15], words[at - 2]);
                let low = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
                let high = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
                let sum = words[at - 16].wrapping_add(low).wrapping_add(words[at - 7]);
                words.push(sum.wrapping_add(high));
            }
            let mut v = state.clone();
            for at in 0..64 {
                let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
                let choice = v[4] & v[5] ^ !v[4] & v[6];
                let one = [s1, choice, constants[at], words[at]]
                    .into_iter()
                    .fold(v[7], u32::wrapping_add);
                let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
                let two = s0.wrapping_add(v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2]);
                v.rotate_right(1);
                v[4] = v[4].wrapping_add(one);
                v[0] = one.wrapping_add(two);
            }
            for (word, add) in state.iter_mut().zip(v) {
                *word = word.wrapping_add(add);
            }
        }
        state.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
}
