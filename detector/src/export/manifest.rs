//! `export.json`: what an export folder holds. Written last; what it does not name is not part of the export.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ExportError;

pub(super) const MANIFEST: &str = "export.json";
/// Of the folder's layout and columns.
const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// Which history it is of.
    pub(super) history_id: String,
    pub(super) exported_at: String,
    /// The last transaction that it shows.
    pub(super) commit: u64,
    pub(super) tables: BTreeMap<String, Content>,
}

/// Of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// What has a greater mark is new; absent where the table is written whole each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mark: Option<u64>,
    /// All rows there are.
    pub(super) rows: u64,
    /// In order.
    pub(super) files: Vec<String>,
}

impl Manifest {
    pub(super) fn new(history_id: String, exported_at: String, commit: u64) -> Self {
        Self { format: FORMAT, history_id, exported_at, commit, tables: BTreeMap::new() }
    }

    /// The one of `folder`, if it has one.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, ExportError> {
        let file = folder.join(MANIFEST);
        let wrong = |source| ExportError::Manifest { file: file.clone(), source };
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.into())),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.into()))?;
        if manifest.format != FORMAT {
            let text = format!("it is of format {}, this build writes {FORMAT}", manifest.format);
            return Err(wrong(text.into()));
        }
        Ok(Some(manifest))
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers serialise") + "\n"
    }

    /// Every file that is part of the export.
    pub(super) fn files(&self) -> HashSet<&str> {
        self.tables.values().flat_map(|content| content.files.iter().map(String::as_str)).collect()
    }
}
