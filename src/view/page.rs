//! The page around its sections: head, style, script, and what may be loaded at all.

use crate::rfc3339;

use super::Level;
use super::View;
use super::html::Html;
use super::sections;
use super::units::Unit;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The Content-Security-Policy of the page. Style and script are inline, named by their hashes (`openssl dgst -sha256 -binary
/// src/view/page.js | base64`; a test says when one is out of date), so that a name which slipped through the escaping could
/// not even bring a style of its own. The script may ask this server, and nothing else is loaded.
pub const POLICY: &str = concat!(
    "default-src 'none'; style-src 'sha256-hnOEKyWywRDXikXUxJhuJ5lqQ5bcR6yPb5V1+1OqjEY='; ",
    "script-src 'sha256-rasYBQFEnPT0FbYvOfdKsv5FUiIAsLPQFZTpWEjYRm4='; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

/// The page, and the fingerprint of what of `<main>` is not a number.
pub(super) fn render(view: &View, room: Vec<u8>) -> (Vec<u8>, String) {
    let mut html = Html::new(room);
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
    html.text(&title(view));
    html.raw(
        "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<style>",
    );
    html.raw(STYLE);
    html.raw("</style>\n</head>\n<body>\n<main data-revision=\"");
    html.begin_revision();
    html.raw("\">\n");
    header(&mut html, view);
    problems(&mut html, view);
    sections::write(&mut html, view);
    let revision = html.end_revision();
    html.raw("</main>\n<script>").raw(SCRIPT);
    html.raw("</script>\n</body>\n</html>\n");
    (html.finish(), revision)
}

/// The name of the browser's tab: how many things are wrong, and the machine.
fn title(view: &View) -> String {
    let host = &view.about.host;
    match count(view) {
        0 => [host, " – weir"].concat(),
        count => ["(", &count.to_string(), ") ", host, " – weir"].concat(),
    }
}

/// How many things are wrong, without what may well be meant.
fn count(view: &View) -> usize {
    let wrong = view.problems.iter();
    wrong.filter(|problem| problem.level != Level::Note).count()
}

fn header(html: &mut Html, view: &View) {
    let about = &view.about;
    html.raw("<header>\n<h1>").text(&about.host);
    html.raw("</h1>\n<p id=\"live\"></p>\n<nav><a href=\"");
    // Relative where it can be, for a proxy that serves this below a path of its own.
    html.text(about.telemetry_path.trim_start_matches('/'));
    html.raw("\">Metrics</a> <a href=\"api/now\">JSON</a> <a href=\"health?format=json\">Health</a></nav>\n<p class=\"about\">");
    // Without commit and target, which are for who reports a bug.
    let version = about.version.split(" (").next().unwrap_or_default();
    html.text(version);
    html.raw(" · running for ");
    html.within("", None);
    html.value(
        "uptime_seconds",
        Unit::Seconds,
        Some(about.uptime.as_secs_f64()),
    );
    html.raw(" · as of ");
    let time = rfc3339::seconds(about.time);
    html.time(time.get(11..19).unwrap_or(&time));
    html.raw(" UTC</p>\n</header>\n");
}

fn problems(html: &mut Html, view: &View) {
    let text = match (count(view), view.problems.is_empty()) {
        (0, _) if view.about.collectors.is_empty() => {
            "<p class=\"sum\">No collector is enabled.</p>\n"
        }
        (0, _) => "<p class=\"sum good\">Nothing is wrong.</p>\n",
        (1, _) => "<p class=\"sum bad\">One thing is wrong.</p>\n",
        _ => "",
    };
    html.raw(text);
    if text.is_empty() {
        html.raw("<p class=\"sum bad\">")
            .text(&count(view).to_string());
        html.raw(" things are wrong.</p>\n");
    }
    if view.problems.is_empty() {
        return;
    }
    html.raw("<ul class=\"wrong\">\n");
    for problem in &view.problems {
        html.raw("<li class=\"")
            .raw(problem.level.word())
            .raw("\">");
        html.text(&problem.text).raw("</li>\n");
    }
    html.raw("</ul>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_hashes_of_style_and_script() {
        for (what, text) in [("style", STYLE), ("script", SCRIPT)] {
            let expected = format!("{what}-src 'sha256-{}'", base64(&sha256(text.as_bytes())));
            assert!(POLICY.contains(&expected), "{expected}");
        }
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
