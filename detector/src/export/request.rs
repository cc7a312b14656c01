//! An export that the running detector is asked for: below the one folder that it was told of.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Export, ExportError, ExportFormat};
use crate::shard::Shard;

/// What is asked, as JSON: `{"to":"monday.duckdb"}`, `{"to":"lake","format":"parquet"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// A name below the detector's export folder.
    pub to: PathBuf,
    /// Of what; where it is absent, the name says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ExportFormat>,
}

impl ExportRequest {
    /// Reads one.
    ///
    /// # Errors
    /// [`ExportError::Parse`].
    pub fn parse(body: &[u8]) -> Result<Self, ExportError> {
        serde_json::from_slice(body).map_err(ExportError::Parse)
    }

    /// The export of `shard` below `root`.
    pub(crate) fn below(self, root: &Path, shard: Shard) -> Result<Export, ExportError> {
        let is_plain = |part: Component| match part {
            Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
            _ => false,
        };
        if self.to.as_os_str().is_empty() || !self.to.components().all(is_plain) {
            return Err(ExportError::Name(self.to));
        }
        let format = self.format.unwrap_or_else(|| ExportFormat::of(&self.to));
        Ok(Export { to: root.join(self.to), format, shard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        for (to, expected) in [
            ("lake", Some(("/x/lake", ExportFormat::Parquet))),
            ("2026/monday.duckdb", Some(("/x/2026/monday.duckdb", ExportFormat::Duckdb))),
            ("it's", Some(("/x/it's", ExportFormat::Parquet))),
            ("", None),
            (".", None),
            ("..", None),
            ("a/../b", None),
            ("./a", None),
            ("../a.duckdb", None),
            ("/etc/a.duckdb", None),
            (".partial", None),
            ("a/.hidden", None),
        ] {
            let request = ExportRequest { to: to.into(), format: None };
            let export = request.below(Path::new("/x"), Shard::WHOLE).ok();
            assert_eq!(
                export,
                expected.map(|(to, format)| Export { to: to.into(), format, shard: Shard::WHOLE }),
                "{to}"
            );
        }
        for (body, good) in [
            (r#"{"to":"lake"}"#, true),
            (r#"{"to":"lake","format":"duckdb"}"#, true),
            (r#"{"to":"lake","format":"csv"}"#, false),
            (r#"{"to":"lake","from":"x"}"#, false),
            ("", false),
        ] {
            assert_eq!(ExportRequest::parse(body.as_bytes()).is_ok(), good, "{body}");
        }
    }
}
