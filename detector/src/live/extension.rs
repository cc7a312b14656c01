//! DuckDB's extensions for live SQL: `quack` is the protocol; `httpfs` gives its server a source of
//! random numbers and its client HTTP.

use std::path::{Path, PathBuf};

use duckdb::Connection;

use crate::store::quoted;

/// Where the extensions come from.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Extension {
    /// DuckDB's extension `quack`, with `httpfs` beside it [default: what DuckDB has installed]
    #[arg(long = "sql-extension", env = "ELAVA_SQL_EXTENSION", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Let DuckDB fetch the extension from its own repository when it is not installed
    #[arg(long = "sql-install-extension", env = "ELAVA_SQL_INSTALL_EXTENSION")]
    pub install: bool,
}

/// An extension cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// The file that was named.
    #[error("there is no file {} (--sql-extension, ELAVA_SQL_EXTENSION)", .0.display())]
    Missing(PathBuf),
    /// DuckDB does not load it.
    #[error(
        "DuckDB's extension {name} cannot be loaded; name its file (--sql-extension), install it once (INSTALL {name}), or allow that (--sql-install-extension)"
    )]
    Load {
        /// Which.
        name: &'static str,
        /// Why.
        source: duckdb::Error,
    },
}

impl Extension {
    /// Loads what is needed to serve, and to be a client.
    ///
    /// # Errors
    /// [`ExtensionError`].
    pub fn load(&self, connection: &Connection) -> Result<(), ExtensionError> {
        if let Some(file) = self.file.as_ref().filter(|file| !file.exists()) {
            return Err(ExtensionError::Missing(file.clone()));
        }
        let beside = self.file.as_ref().map(|file| file.with_file_name("httpfs.duckdb_extension"));
        self.load_one(connection, "httpfs", beside.as_deref().filter(|file| file.exists()))?;
        self.load_one(connection, "quack", self.file.as_deref())
    }

    fn load_one(&self, connection: &Connection, name: &'static str, file: Option<&Path>) -> Result<(), ExtensionError> {
        let load = match file {
            Some(file) => format!("LOAD {}", quoted(file)),
            None => format!("LOAD {name}"),
        };
        let loaded = match connection.execute_batch(&load) {
            Err(_) if file.is_none() && self.install => {
                connection.execute_batch(&format!("INSTALL {name}; LOAD {name}"))
            }
            loaded => loaded,
        };
        loaded.map_err(|source| ExtensionError::Load { name, source })
    }
}
