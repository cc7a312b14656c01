//! Text of others on a terminal: what would move its cursor, or end a line, is shown and not sent.

/// On one line; control characters as Unicode's pictures of them.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(picture).collect()
}

/// On as many lines as it has.
pub(crate) fn lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { picture(c) }).collect()
}

fn picture(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '␡',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        for (text, on_one, on_several) in [
            ("Zoë · 日本", "Zoë · 日本", "Zoë · 日本"),
            ("\u{1b}[2Ja\r\nb\tc", "␛[2Ja␍␊b␉c", "␛[2Ja␍\nb␉c"),
            ("\0\u{7f}\u{9b}31m", "␀␡\u{fffd}31m", "␀␡\u{fffd}31m"),
        ] {
            assert_eq!((one_line(text).as_str(), lines(text).as_str()), (on_one, on_several), "{text:?}");
        }
    }
}
