//! A file that is appended to: one decision a line, or readable.

use std::path::PathBuf;

use elava_schemas::config::{FileChannel, FileFormat};
use tokio::io::AsyncWriteExt;

use super::stdout::Style;
use super::text::Colour;
use super::{Refusal, Taken};
use crate::notice::Notice;

/// A file as a channel.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    style: Style,
    /// One message at a time, so that none is written into another.
    writing: tokio::sync::Mutex<()>,
}

impl File {
    pub(crate) fn new(config: &FileChannel) -> Self {
        let style = match config.format {
            FileFormat::Ndjson => Style::Ndjson,
            FileFormat::Text => Style::Text(Colour::No),
        };
        Self { path: PathBuf::from(&config.path), style, writing: tokio::sync::Mutex::default() }
    }

    /// Not where a program reads.
    pub(crate) fn groups(&self) -> bool {
        self.style != Style::Ndjson
    }

    /// Opened for each message: whoever rotates the file need not tell us. A disk that is full may have room later.
    pub(crate) async fn tell(&self, notice: &Notice<'_>) -> Result<Taken, Refusal> {
        let text = self.style.write(notice);
        let _alone = self.writing.lock().await;
        let append = async {
            let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(&self.path).await?;
            file.write_all(&text).await?;
            match file.sync_data().await {
                // A device or a named pipe has nothing to sync.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
                synced => synced,
            }
        };
        let appended: std::io::Result<()> = append.await;
        appended.map_err(|error| Refusal::Later { after: None, error: format!("{}: {error}", self.path.display()) })?;
        Ok(Taken::saying("written"))
    }
}
