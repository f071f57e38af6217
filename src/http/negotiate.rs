//! What a client accepts (RFC 9110, 12.5): lists of tokens with qualities. Whatever is malformed is not accepted.

/// Whether one of these `Accept-Encoding` values takes gzip: by name, or by `*` when gzip is not named.
pub(super) fn accepts_gzip(values: &[&[u8]]) -> bool {
    quality(values, &[b"gzip", b"x-gzip"])
        .or_else(|| quality(values, &[b"*"]))
        .is_some_and(|quality| quality > 0)
}

/// Whether these `Accept` values name JSON, and text not before it.
pub(super) fn prefers_json(values: &[&[u8]]) -> bool {
    let json = quality(values, &[b"application/json"]).unwrap_or(0);
    let text = quality(values, &[b"text/plain"]).unwrap_or(0);
    json > 0 && json >= text
}

/// The quality of the first element that has one of the names, in thousandths.
fn quality(values: &[&[u8]], names: &[&[u8]]) -> Option<u16> {
    values
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .find_map(|element| {
            let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next()?;
            if !names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)) {
                return None;
            }
            let weight = parts.find_map(|part| {
                part.strip_prefix(b"q=")
                    .or_else(|| part.strip_prefix(b"Q="))
            });
            Some(weight.map_or(1000, thousandths))
        })
}

/// `1`, `0.5`, `0.123`; 0 for what is none of them (`NaN`, `-1`, `2`).
fn thousandths(text: &[u8]) -> u16 {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(dot) => (text.get(..dot), text.get(dot + 1..)),
        None => (Some(text), Some(&[][..])),
    };
    let fraction = fraction.unwrap_or_default();
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    match whole {
        Some(b"1") if fraction.iter().all(|digit| *digit == b'0') => 1000,
        Some(b"0") => (0..3).fold(0, |value, place| {
            let digit = fraction.get(place).map_or(0, |byte| byte - b'0');
            value * 10 + u16::from(digit)
        }),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_when_it_is_accepted() {
        for yes in [
            &["gzip"][..],
            &["GZIP"],
            &["x-gzip"],
            &["deflate, gzip"],
            &["deflate", "gzip;q=0.001"],
            &["gzip ; q=1.000"],
            &["*"],
            &["br;q=1, *;q=0.1"],
        ] {
            let values: Vec<&[u8]> = yes.iter().map(|value| value.as_bytes()).collect();
            assert!(accepts_gzip(&values), "{yes:?}");
        }
        for no in [
            &[][..],
            &[""],
            &["identity"],
            &["gzip;q=0"],
            &["gzip;q=0.000"],
            &["gzip;q=0, *"],
            &["*;q=0"],
            &["gzip;q=NaN"],
            &["gzip;q=-1"],
            &["gzip;q=2"],
            &["gzip;q=1.1"],
            &["gzip;q="],
            &["gzipped"],
        ] {
            let values: Vec<&[u8]> = no.iter().map(|value| value.as_bytes()).collect();
            assert!(!accepts_gzip(&values), "{no:?}");
        }
    }

    #[test]
    fn json_is_given_to_who_asks_for_it() {
        assert!(prefers_json(&[b"application/json"]));
        assert!(prefers_json(&[b"application/json, text/plain, */*"]));
        assert!(!prefers_json(&[b"*/*"]));
        assert!(!prefers_json(&[b"application/json;q=0"]));
        assert!(!prefers_json(&[b"text/plain, application/json;q=0.9"]));
        assert!(!prefers_json(&[]));
    }
}
