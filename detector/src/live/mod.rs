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
mod extension;
mod judge;
mod readers;
mod results;
mod token;
mod vocabulary;
mod whole;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use duckdb::Connection;
use elava_bus::Peers;

pub use address::{Address, DEFAULT_ADDRESS, Exposed};
pub use args::{LiveArgs, LiveOptions, TokenSource};
pub use extension::{Extension, ExtensionError};
pub use token::{TOKEN_VARIABLE, Token, TokenError, token_file};

use crate::background::Background;
use crate::shard::Shard;
use crate::store::quoted;
use crate::watchdog::look_after;
pub(crate) use readers::Readers;
pub(crate) use whole::REPEATED;
use whole::{About, Whole};

/// What the detector needs for itself; a reader's share comes on top.
const DETECTOR_MEMORY: u64 = 256 << 20;

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

/// How often to look whether an address has become free.
const LOOK: Duration = Duration::from_millis(500);
/// Shards that are opened at once by one process must not find the same port free.
static SERVING: Mutex<()> = Mutex::new(());

/// A served history; stops when dropped.
pub(crate) struct LiveSql {
    address: SocketAddr,
    readers: Arc<Readers>,
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
        // from looking for a port until it is taken
        let _turn = SERVING.lock().unwrap_or_else(PoisonError::into_inner);
        let address = free_address(options.address, shard)?;
        let token = options.token.get()?;
        options.extension.load(&control)?;
        let whole = (shard.of > 1).then(|| Whole::new(shard, peers, token.clone()));
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
        readers.serve(address, &token)?;
        let looked_after = Arc::clone(&readers);
        let front = Front::beside(address, options.address, token);
        let tick = move || {
            looked_after.tick();
            front.iter().for_each(|front| front.look(&looked_after));
        };
        let ticker = look_after("sql-watchdog", tick).map_err(LiveError::Thread)?;
        tracing::info!(%address, token = %options.token, "live SQL is served");
        Ok(Self { address, readers, _ticker: ticker })
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
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => elava_bus::host(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            std::net::IpAddr::V4(ip) => ip.to_string(),
        };
        let about = About { sql: format!("{host}:{}", self.address.port()) };
        serde_json::to_string(&about).expect("texts serialise")
    }

    /// Ends what readers run, because detection has found no memory.
    pub(crate) fn make_room(&self) {
        self.readers.make_room();
    }
}

/// The address that people know, of a process that serves several shards: one of them serves there, and another one as
/// soon as that shard is another detector's.
struct Front {
    address: SocketAddr,
    token: Token,
    next: Mutex<Option<Instant>>,
}

impl Front {
    fn beside(own: SocketAddr, known: SocketAddr, token: Token) -> Option<Self> {
        (own != known).then(|| Self { address: known, token, next: Mutex::new(Some(Instant::now())) })
    }

    /// Serves there too, once nobody does.
    fn look(&self, readers: &Readers) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if next.is_none_or(|next| now < next) {
            return;
        }
        let _turn = SERVING.lock().unwrap_or_else(PoisonError::into_inner);
        let is_served = is_free(self.address).is_ok() && readers.serve(self.address, &self.token).is_ok();
        *next = (!is_served).then(|| now + LOOK);
    }
}

/// Quack shares a port that somebody else serves already without a word.
fn is_free(address: SocketAddr) -> Result<(), LiveError> {
    TcpListener::bind(address).map(drop).map_err(|source| LiveError::Listen { address, source })
}

/// The address itself, or, where a process may serve several shards, one of the next ports.
fn free_address(first: SocketAddr, shard: Shard) -> Result<SocketAddr, LiveError> {
    let mut last = None;
    for address in (0..shard.of).map(|step| SocketAddr::new(first.ip(), first.port().saturating_add(step))) {
        match is_free(address) {
            Ok(()) => return Ok(address),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.expect("at least one was tried"))
}

impl Drop for LiveSql {
    fn drop(&mut self) {
        self.readers.close();
    }
}
