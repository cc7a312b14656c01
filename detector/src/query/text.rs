//! The text of a statement: what of it is code, as DuckDB's parser has it.

/// What a part of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Code,
    /// A text or a name in quotes of any kind.
    Quoted,
    Comment,
}

/// Cuts a text into pieces that follow one another. What is not closed goes on to the end.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = (Piece, &str)> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let bytes = text.as_bytes();
        if begin == bytes.len() {
            return None;
        }
        let (piece, end) = special(bytes, begin).unwrap_or_else(|| {
            let code = (begin + 1..bytes.len()).find(|&at| special(bytes, at).is_some());
            (Piece::Code, code.unwrap_or(bytes.len()))
        });
        // all that begins or ends a piece is ASCII
        let part = &text[std::mem::replace(&mut begin, end)..end];
        Some((piece, part))
    })
}

/// A statement without comments, white space and semicolons around it.
#[must_use]
pub fn bare(text: &str) -> &str {
    let (mut first, mut last, mut at) = (text.len(), 0, 0);
    for (piece, part) in pieces(text) {
        let says_nothing = |c: char| piece == Piece::Code && (c == ';' || c.is_whitespace());
        let left = if piece == Piece::Comment { "" } else { part.trim_end_matches(says_nothing) };
        if !left.is_empty() {
            let before = left.len() - left.trim_start_matches(says_nothing).len();
            first = first.min(at + before);
            last = at + left.len();
        }
        at += part.len();
    }
    text.get(first..last).unwrap_or_default()
}

/// The statements of a text, each [`bare`]; a semicolon ends one. What is empty is none.
pub fn statements(text: &str) -> impl Iterator<Item = &str> {
    let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
    for (piece, part) in pieces(text) {
        for (end, _) in part.match_indices(';').filter(|_| piece == Piece::Code) {
            parts.push(&text[std::mem::replace(&mut begin, at + end + 1)..at + end]);
        }
        at += part.len();
    }
    parts.push(&text[begin..]);
    parts.into_iter().map(bare).filter(|statement| !statement.is_empty())
}

/// What an `EXPLAIN` or `EXPLAIN ANALYZE` is to explain; the text is [`bare`].
pub fn explained(text: &str) -> Option<&str> {
    let rest = after_word(text, "explain")?;
    Some(after_word(rest, "analyze").unwrap_or(rest))
}

/// What comes after a word, where a text begins with it.
pub(crate) fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (ends && first.eq_ignore_ascii_case(word)).then(|| rest.trim_start())
}

/// The quoted piece or the comment that begins here, and where it ends.
fn special(text: &[u8], at: usize) -> Option<(Piece, usize)> {
    let (before, rest) = text.split_at(at);
    let (piece, length) = match rest {
        [b'-', b'-', ..] => (Piece::Comment, memchr::memchr(b'\n', rest).unwrap_or(rest.len())),
        [b'/', b'*', ..] => (Piece::Comment, comment(rest)),
        [b'\'', ..] => (Piece::Quoted, quoted(rest, has_escapes(before))),
        [b'"', ..] => (Piece::Quoted, quoted(rest, false)),
        [b'$', ..] if !ends_in_word(before) => (Piece::Quoted, between_dollars(rest)?),
        _ => return None,
    };
    Some((piece, at + length))
}

/// Comments of this kind contain others.
fn comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// A quote within is there twice: that begins another piece.
fn quoted(rest: &[u8], has_escapes: bool) -> usize {
    let mut at = 1;
    while at < rest.len() {
        if rest[at] == rest[0] {
            return at + 1;
        }
        at += if has_escapes && rest[at] == b'\\' { 2 } else { 1 };
    }
    rest.len()
}

/// As in `e'it\'s'`.
fn has_escapes(before: &[u8]) -> bool {
    matches!(before, [before @ .., b'e' | b'E'] if !ends_in_word(before))
}

/// As in `$tag$text$tag$`; nothing where it is no tag, but a parameter.
fn between_dollars(rest: &[u8]) -> Option<usize> {
    let end = 2 + memchr::memchr(b'$', &rest[1..])?;
    let tag = &rest[..end];
    let is_tag = !tag[1].is_ascii_digit() && tag[1..end - 1].iter().all(|byte| is_of_word(*byte));
    is_tag.then(|| memchr::memmem::find(&rest[end..], tag).map_or(rest.len(), |at| end + at + end))
}

fn ends_in_word(text: &[u8]) -> bool {
    text.last().is_some_and(|byte| is_of_word(*byte))
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use duckdb::Connection;
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> String {
        let one = |(piece, part): (Piece, &str)| match piece {
            Piece::Code => part.to_owned(),
            Piece::Quoted => format!("<{part}>"),
            Piece::Comment => format!("[{part}]"),
        };
        pieces(text).map(one).collect()
    }

    #[test]
    fn texts_are_cut() {
        for (text, expected) in [
            ("", ""),
            ("SELECT 'a''b', \"c--\" -- d'\n/ 2", "SELECT <'a'><'b'>, <\"c--\"> [-- d']\n/ 2"),
            ("a /* b /* c */ ' */ d */ e", "a [/* b /* c */ ' */] d */ e"),
            (r"e'a\'--' x'\' fe'\' 'é'", r"e<'a\'--'> x<'\'> fe<'\'> <'é'>"),
            ("$1 $$a'$$ $é$ $ $1 $é$ a$b$ $b$", "$1 <$$a'$$> <$é$ $ $1 $é$> a$b$ <$b$>"),
            ("'a", "<'a>"),
            ("/* a", "[/* a]"),
            ("$$ a", "<$$ a>"),
            (r"e'\", r"e<'\>"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn statements_are_bare() {
        for (text, expected) in [
            ("", ""),
            (" ; -- nothing", ""),
            ("SELECT 1", "SELECT 1"),
            ("/* a */ SELECT 1 ; ; -- b\n/* c */;\n", "SELECT 1"),
            ("SELECT 1; SELECT ';' ;", "SELECT 1; SELECT ';'"),
            ("SELECT ' ; -- a'", "SELECT ' ; -- a'"),
            ("SELECT 1 -- a\n+ 1", "SELECT 1 -- a\n+ 1"),
        ] {
            assert_eq!(bare(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_statements() {
        for (text, expected) in [
            ("", &[][..]),
            (" ;; -- nothing;\n/* ; */", &[]),
            ("SELECT 1", &["SELECT 1"]),
            (
                "SELECT 1; -- one\nSELECT ';', \";\", $$;$$ /* ; */, e'\\';' ;",
                &["SELECT 1", "SELECT ';', \";\", $$;$$ /* ; */, e'\\';'"],
            ),
            ("a;b;'c;", &["a", "b", "'c;"]),
        ] {
            assert_eq!(statements(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    proptest! {
        /// DuckDB finds the same in it, or the same fault.
        #[test]
        fn what_is_left_out_says_nothing(text in "SELECT ([ a1'\"$;/*\\-\n]|--|/\\*|\\*/|\\$\\$|e'){0,12}") {
            prop_assert_eq!(pieces(&text).map(|(_, part)| part).collect::<String>(), text.clone());
            let connection = Connection::open_in_memory().expect("a database");
            let tree = |sql: &str| connection.query_row(
                "SELECT json_serialize_sql(?::VARCHAR, skip_null := true)->'statements'", [sql], |row| row.get::<_, Option<String>>(0),
            );
            let whole = tree(&text).expect("an answer");
            if whole.is_some() {
                prop_assert_eq!(tree(bare(&text)).expect("an answer"), whole);
            }
        }
    }
}
