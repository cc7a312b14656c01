//! Standard output: readable, or one decision a line.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use elava_schemas::config::{StdoutChannel, StdoutFormat};
use elava_schemas::{Decision, Message, Severity};

use super::Refusal;
use super::text::{Colour, render};

/// Standard output as a channel.
pub(crate) struct Stdout {
    pub(crate) min_severity: Severity,
    pub(crate) style: Style,
    writer: Mutex<Box<dyn Write + Send>>,
}

/// How decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Text(Colour),
    Ndjson,
}

impl Style {
    /// Resolves `auto`, and colour by <https://no-color.org>.
    pub(crate) fn of(format: StdoutFormat) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let text = Self::Text(if colour { Colour::Yes } else { Colour::No });
        match format {
            StdoutFormat::Text => text,
            StdoutFormat::Auto if terminal => text,
            StdoutFormat::Auto | StdoutFormat::Ndjson => Self::Ndjson,
        }
    }
}

impl Stdout {
    pub(crate) fn new(config: &StdoutChannel, style: Style, writer: Box<dyn Write + Send>) -> Self {
        Self { min_severity: config.min_severity, style, writer: Mutex::new(writer) }
    }

    pub(crate) fn tell(&self, decision: &Decision) -> Result<(), Refusal> {
        let text = match self.style {
            Style::Text(colour) => render(decision, colour).into_bytes(),
            Style::Ndjson => {
                let mut line = Message::from(decision.clone()).to_line();
                line.push(b'\n');
                line
            }
        };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&text).and_then(|()| writer.flush()).map_err(Refusal::Closed)
    }
}

impl fmt::Debug for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdout").field("style", &self.style).finish_non_exhaustive()
    }
}
