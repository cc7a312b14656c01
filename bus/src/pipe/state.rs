//! What a stage keeps between two runs of a pipe.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::file_error;
use crate::StateChange;
use crate::run::BusError;

/// A JSON file, replaced as a whole.
pub(super) struct State {
    file: Option<PathBuf>,
    entries: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    version: u32,
    entries: BTreeMap<String, String>,
}

impl State {
    pub(super) fn load(path: Option<&Path>) -> Result<Self, BusError> {
        let Some(path) = path else { return Ok(Self { file: None, entries: BTreeMap::new() }) };
        let entries = match std::fs::read(path) {
            Ok(text) => {
                serde_json::from_slice::<StateFile>(&text).map_err(|error| file_error(path, error.into()))?.entries
            }
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(file_error(path, error)),
        };
        Ok(Self { file: Some(path.to_path_buf()), entries })
    }

    pub(super) fn entries(&self) -> Vec<(String, Bytes)> {
        self.entries.iter().map(|(key, value)| (key.clone(), Bytes::from(value.clone()))).collect()
    }

    pub(super) fn apply(&mut self, changes: Vec<StateChange>) {
        for change in changes {
            match change.value {
                Some(value) => self.entries.insert(change.key, String::from_utf8_lossy(&value).into_owned()),
                None => self.entries.remove(&change.key),
            };
        }
    }

    pub(super) fn save(&mut self) -> Result<(), BusError> {
        let Some(path) = &self.file else { return Ok(()) };
        let file = StateFile { version: 1, entries: std::mem::take(&mut self.entries) };
        let text = serde_json::to_vec_pretty(&file).expect("state is a map of strings");
        let beside = path.with_extension("tmp");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|source| file_error(path, source))
    }
}
