//! Where a history is served: at the address that was asked for. Where a process may have several shards, each has a
//! port of its own besides, and one of them has that address as well: people ask there for all.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use duckdb::{Connection, params};

use super::LiveError;
use super::token::Token;
use crate::priority::Thread;
use crate::shard::Shard;

/// Shards of one process that are opened at once choose one after another.
static CHOOSING: Mutex<()> = Mutex::new(());

/// The addresses at which one shard is served.
pub(super) struct Doors {
    /// Others reach it here as long as it is served.
    pub(super) own: SocketAddr,
    /// What was asked for.
    first: SocketAddr,
    token: Token,
    open: Mutex<(Connection, Vec<SocketAddr>)>,
}

impl Doors {
    /// Serves the database of `connection`.
    pub(super) fn open(
        connection: Connection,
        first: SocketAddr,
        shard: Shard,
        token: Token,
    ) -> Result<Self, LiveError> {
        let choosing = lock(&CHOOSING);
        let own = free(first, shard)?;
        let doors = Self { own, first, token, open: Mutex::new((connection, Vec::new())) };
        doors.serve(own)?;
        drop(choosing);
        doors.take_first();
        Ok(doors)
    }

    /// Serves the first address as well, where no other shard does, or does any more.
    pub(super) fn take_first(&self) {
        let _choosing = lock(&CHOOSING);
        let is_ours = lock(&self.open).1.contains(&self.first);
        if is_ours || TcpListener::bind(self.first).is_err() {
            return;
        }
        let address = self.first;
        match self.serve(address) {
            Ok(()) => tracing::info!(%address, "live SQL of all shards is served here"),
            Err(error) => tracing::warn!(%address, error = elava_bus::cli::chain(&error), "no live SQL here"),
        }
    }

    /// The server's threads go before others, as this one does by which they are started.
    fn serve(&self, address: SocketAddr) -> Result<(), LiveError> {
        std::thread::scope(|scope| {
            let eager = || {
                Thread::current().raise();
                self.serve_from_here(address)
            };
            let thread = std::thread::Builder::new().name("sql-server".to_owned());
            let served = thread.spawn_scoped(scope, eager).map_err(LiveError::Thread)?.join();
            served.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn serve_from_here(&self, address: SocketAddr) -> Result<(), LiveError> {
        let (connection, addresses) = &mut *lock(&self.open);
        let is_exposed = !address.ip().is_loopback();
        connection
            .query_row(include_str!("serve.sql"), params![uri(address), self.token.secret(), is_exposed], |_| Ok(()))
            .map_err(|_| LiveError::Serve)?;
        addresses.push(address);
        Ok(())
    }

    /// Serves nobody any more.
    pub(super) fn close(&self) {
        let (connection, addresses) = &mut *lock(&self.open);
        for address in addresses.drain(..) {
            let stopped = connection.query_row("SELECT count(*) FROM quack_stop(?)", [uri(address)], |_| Ok(()));
            if let Err(error) = stopped {
                tracing::debug!(%error, "the SQL server does not run any more");
            }
        }
    }
}

/// The address itself for the only shard. Else one of the next ports: the one that no other shard of a detector with
/// this address has, so that who has asked there before meets the same shard or nobody.
pub(super) fn free(first: SocketAddr, shard: Shard) -> Result<SocketAddr, LiveError> {
    let (own, others) = if shard.of == 1 { (0, 0..0) } else { (shard.index + 1, shard.of + 1..2 * shard.of + 1) };
    let mut last = None;
    for step in std::iter::once(own).chain(others) {
        let address = SocketAddr::new(first.ip(), first.port().saturating_add(step));
        // Quack shares a port that somebody else serves already without a word
        match TcpListener::bind(address) {
            Ok(_) => return Ok(address),
            Err(source) => last = last.or(Some(LiveError::Listen { address, source })),
        }
    }
    Err(last.expect("at least one was tried"))
}

fn uri(address: SocketAddr) -> String {
    format!("quack:{address}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
