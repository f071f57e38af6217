//! Words in errors: lists of what is allowed, and what somebody who mistyped a key may have meant.

/// `a`, `a or b`, `a, b or c`.
pub(super) fn list(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_string(),
        [one] => (*one).to_string(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// `; did you mean WORD?`, when one of the known words is near enough to be meant.
#[must_use]
pub fn suggestion<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(found, known) {
        Some(word) => format!("; did you mean {word}?"),
        None => String::new(),
    }
}

/// The known word with the fewest changes to make, at most a third of its letters and three; the first of several.
fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 100;
    if found.len() > LONGEST {
        return None;
    }
    let near = known.filter_map(|word| {
        let changes = distance(found, word);
        (changes <= (word.chars().count() / 3).clamp(1, 3)).then_some((changes, word))
    });
    near.min_by_key(|(changes, _)| *changes)
        .map(|(_, word)| word)
}

/// How many letters have to be put in, taken out or replaced to make one word of the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (count, letter) in left.chars().enumerate() {
        let mut diagonal = count;
        let mut before = count + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = count + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (left, right, changes) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("interval", "intervall", 1),
            ("kitten", "sitting", 3),
            ("ä", "a", 1),
        ] {
            assert_eq!(distance(left, right), changes, "{left} {right}");
            assert_eq!(distance(right, left), changes, "{right} {left}");
        }
    }

    #[test]
    fn only_what_is_near_is_meant() {
        let known = ["collect.interval", "collector.arp", "limit.devices"];
        let nearest = |found: &str| nearest(found, known.into_iter());
        assert_eq!(nearest("colect.intervall"), Some("collect.interval"));
        assert_eq!(nearest("collector.arpp"), Some("collector.arp"));
        assert_eq!(nearest("something"), None);
        assert_eq!(nearest(&"a".repeat(200)), None);
    }

    #[test]
    fn words_in_a_row() {
        assert_eq!(list(&[]), "nothing");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b or c");
    }
}
