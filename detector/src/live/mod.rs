//! Live SQL: serves the history to DuckDB clients while the detector writes it.
//!
//! DuckDB keeps every other process out of a file that one process writes, so the writer serves it,
//! with DuckDB's own protocol Quack. A client's statement never runs on Quack's connection: the
//! function that Quack asks for permission ([`admit`]) judges it ([`judge`]), runs it on a connection
//! of ours, where it can be bounded in time and memory ([`readers`], `watchdog`), and hands Quack
//! `FROM <result>` to run instead. Detection never waits for this module.

mod address;
mod admit;
mod args;
mod doors;
mod extension;
mod judge;
mod native;
mod readers;
mod results;
mod threads;
mod token;
mod vocabulary;
mod whole;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use duckdb::Connection;
use elava_bus::Peers;

pub use address::{Address, DEFAULT_ADDRESS, Exposed};
pub use args::{LiveArgs, LiveOptions, TokenSource};
pub use extension::{Extension, ExtensionError};
pub use token::{TOKEN_VARIABLE, Token, TokenError, token_file};

use crate::background::{Background, Stopped};
use crate::shard::Shard;
use crate::store::quoted;
use crate::watchdog::look_after;
use doors::Doors;
pub(crate) use readers::Readers;
pub(crate) use whole::REPEATED;
use whole::{About, Whole};

/// What the detector needs for itself; a reader's share comes on top.
const DETECTOR_MEMORY: u64 = 256 << 20;

/// How often it is looked whether nobody serves the address that was asked for any more.
const LOOK: Duration = Duration::from_secs(1);

/// Why the history is not served.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The extension.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address, most often because another detector has it.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// DuckDB refused a step.
    #[error("cannot {action}")]
    Sql {
        /// Which step.
        action: &'static str,
        /// Why.
        source: duckdb::Error,
    },
    /// The server did not start. DuckDB's words are left out: they may quote the token.
    #[error("the server did not start")]
    Serve,
    /// A thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// A served history; stops when dropped.
pub(crate) struct LiveSql {
    doors: Arc<Doors>,
    readers: Arc<Readers>,
    /// Only where there are several shards.
    looker: Option<Background>,
    _ticker: Background,
}

impl LiveSql {
    /// Serves the database of `connection`. Its configuration is locked from then on, for the
    /// detector's own connection too: what that needs to set must be set before. Of all files, only those in
    /// `exports` can be reached from then on, and not by readers.
    pub(crate) fn start(
        connection: &Connection,
        options: &LiveOptions,
        exports: &Path,
        (shard, peers): (Shard, Peers),
    ) -> Result<Self, LiveError> {
        let tried = |action| move |source| LiveError::Sql { action, source };
        let control = connection.try_clone().map_err(tried("open a connection"))?;
        // before anything is changed for the sake of what cannot be
        doors::free(options.address, shard)?;
        let token = options.token.get()?;
        options.extension.load(&control)?;
        let is_sharded = shard.of > 1;
        let whole = is_sharded.then(|| Whole::new(shard, peers, token.clone()));
        let readers = Arc::new(Readers::open(&control, options, whole).map_err(tried("prepare the readers"))?);
        admit::register(&control, &readers).map_err(tried("register the judge"))?;
        let memory = DETECTOR_MEMORY + options.memory;
        control
            .execute_batch(&format!("SET GLOBAL memory_limit = '{memory} bytes'"))
            .map_err(tried("set the memory limit"))?;
        control
            .execute_batch(&format!("SET GLOBAL allowed_directories = [{}]", quoted(&exports.join(""))))
            .map_err(tried("allow exports"))?;
        control.execute_batch(include_str!("lock.sql")).map_err(tried("lock the configuration"))?;
        let doors = Arc::new(Doors::open(control, options.address, shard, token)?);
        let looked_after = Arc::clone(&readers);
        let ticker = look_after("sql-watchdog", move || looked_after.tick()).map_err(LiveError::Thread)?;
        let door = Arc::clone(&doors);
        let look = move |stopped: &Stopped| {
            while stopped.rest(LOOK) {
                door.take_first();
            }
        };
        let looker = is_sharded.then(|| Background::start("sql-doors", look)).transpose().map_err(LiveError::Thread)?;
        tracing::info!(address = %doors.own, token = %options.token, "live SQL is served");
        Ok(Self { doors, readers, looker, _ticker: ticker })
    }
}

impl LiveSql {
    /// For the other shards.
    pub(crate) fn readers(&self) -> Arc<Readers> {
        Arc::clone(&self.readers)
    }

    /// How other shards reach this one: an address that is no particular one by the name of the machine, as containers
    /// of one network do.
    pub(crate) fn about(&self) -> String {
        let host = match self.doors.own.ip() {
            ip if ip.is_unspecified() => elava_bus::host(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            std::net::IpAddr::V4(ip) => ip.to_string(),
        };
        let about = About { sql: format!("{host}:{}", self.doors.own.port()) };
        serde_json::to_string(&about).expect("texts serialise")
    }

    /// Ends what readers run, because detection has found no memory.
    pub(crate) fn make_room(&self) {
        self.readers.make_room();
    }
}

impl Drop for LiveSql {
    fn drop(&mut self) {
        // or it would open what is closed now
        drop(self.looker.take());
        self.readers.close();
        self.doors.close();
    }
}
