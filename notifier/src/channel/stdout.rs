//! Standard output: readable, or one decision a line.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use elava_schemas::Message;
use elava_schemas::config::StdoutFormat;

use super::text::{Colour, render};
use super::{Refusal, Taken};
use crate::notice::Notice;

/// Standard output as a channel.
pub(crate) struct Stdout {
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

    /// The bytes that tell it.
    pub(crate) fn write(self, notice: &Notice<'_>) -> Vec<u8> {
        match self {
            Self::Text(colour) => render(notice, colour).into_bytes(),
            Self::Ndjson => {
                let lines = notice.decisions.iter().map(|decision| Message::from((*decision).clone()).to_line());
                lines.flat_map(|line| [line, b"\n".to_vec()].concat()).collect()
            }
        }
    }
}

impl Stdout {
    pub(crate) fn new(style: Style, writer: Box<dyn Write + Send>) -> Self {
        Self { style, writer: Mutex::new(writer) }
    }

    pub(crate) fn tell(&self, notice: &Notice<'_>) -> Result<Taken, Refusal> {
        let text = self.style.write(notice);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&text).and_then(|()| writer.flush()).map_err(Refusal::Closed)?;
        Ok(Taken::saying("written"))
    }
}

impl fmt::Debug for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdout").field("style", &self.style).finish_non_exhaustive()
    }
}
