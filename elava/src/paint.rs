//! Colours on a terminal, and none elsewhere.

/// What a text is painted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Gone, worse.
    Red,
    /// New, better.
    Green,
    /// Changed.
    Yellow,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Painter {
    /// Escape sequences.
    Colored,
    /// Plain text.
    Plain,
}

impl Painter {
    /// Colours where standard output shows them.
    #[must_use]
    pub fn of_output() -> Self {
        if elava_bus::cli::shows_colors(&std::io::stdout()) { Self::Colored } else { Self::Plain }
    }

    /// The text in a colour.
    #[must_use]
    pub fn paint(self, text: &str, color: Color) -> String {
        match color {
            Color::Red => self.sequence(text, 31),
            Color::Green => self.sequence(text, 32),
            Color::Yellow => self.sequence(text, 33),
        }
    }

    /// The text in bold.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.sequence(text, 1)
    }

    fn sequence(self, text: &str, code: u8) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colored => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
