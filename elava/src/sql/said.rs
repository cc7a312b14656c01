//! What DuckDB says of a statement, without what was put around it.

/// Said of what is no `SELECT` in one of its forms.
pub(super) const NOT_A_READ: &str = "only reading statements are served";

/// Where an error is, in the statement.
const WHERE: &str = "\n\nLINE ";

/// What the detector says, by way of Quack's client.
pub(super) fn from_the_detector(said: &str) -> &str {
    let said = said.strip_prefix("Invalid Input Error: ").unwrap_or(said);
    let said = match said.rsplit_once(WHERE) {
        Some((said, client)) if client.contains("quack_query_by_name") => said,
        _ => said,
    };
    // Quack's own words
    if said == "Authorization failed" { NOT_A_READ } else { said }
}

/// What is said of a statement that begins on the second line.
pub(super) fn without_first_line(said: &str) -> String {
    let renumbered = said.rsplit_once(WHERE).and_then(|(said, place)| {
        let (number, rest) = place.split_once(':')?;
        let number: usize = number.parse().ok()?;
        Some(format!("{said}{WHERE}{}:{rest}", number.checked_sub(1).filter(|line| *line > 0)?))
    });
    renumbered.unwrap_or_else(|| said.to_owned())
}

/// The function of which the detector serves no rows.
pub(super) fn unknown_rows(said: &str) -> Option<&str> {
    Some(said.strip_prefix("rows of ")?.split_once("() are not served")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "\n\nLINE 1: ...:VARCHAR END FROM quack_query_by_name('elava', 'x')\n   ^";

    #[test]
    fn wrappers_are_taken_off() {
        for (said, expected) in [
            ("Invalid Input Error: syntax error at or near \"x\"", "syntax error at or near \"x\""),
            ("Invalid Input Error: Authorization failed", NOT_A_READ),
            (
                "Invalid Input Error: Binder Error: no b\nCandidate: a\n\nLINE 2: SELECT b\n               ^",
                "Binder Error: no b\nCandidate: a\n\nLINE 2: SELECT b\n               ^",
            ),
            ("Invalid Input Error: Invalid Input Error: hu", "Invalid Input Error: hu"),
        ] {
            assert_eq!(from_the_detector(&format!("{said}{CLIENT}")), expected);
        }
        assert_eq!(from_the_detector("IO Error: gone"), "IO Error: gone");
        assert_eq!(without_first_line("a\n\nLINE 3: y\n   ^"), "a\n\nLINE 2: y\n   ^");
        assert_eq!(without_first_line("a\n\nLINE x: y"), "a\n\nLINE x: y");
        assert_eq!(unknown_rows("rows of glob() are not served; the history's"), Some("glob"));
        assert_eq!(unknown_rows("rows of x.y are not served"), None);
    }
}
