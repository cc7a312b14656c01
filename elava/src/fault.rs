//! Errors as people read them.

use std::error::Error;

use elava_bus::cli::chain;

use crate::clean;

/// An error and its causes, without what DuckDB's C interface adds to each, and without control characters of what they
/// quote.
#[must_use]
pub fn plain(error: &dyn Error) -> String {
    let text = chain(error).replace(": Error code 1: Unknown error code", "");
    // said again where one error passes on another
    clean::lines(&text.replace("Invalid Input Error: Invalid Input Error: ", "Invalid Input Error: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_well() {
        for (text, expected) in [
            ("cannot read x: IO Error: none: Error code 1: Unknown error code", "cannot read x: IO Error: none"),
            ("Invalid Input Error: Invalid Input Error: hu", "Invalid Input Error: hu"),
            ("Could not convert string '\u{1b}[2J'\n\nLINE 1: x", "Could not convert string '␛[2J'\n\nLINE 1: x"),
        ] {
            assert_eq!(plain(&*Box::<dyn Error>::from(text)), expected);
        }
    }
}
