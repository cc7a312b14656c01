//! When the process is told to stop.

use elava_bus::CancellationToken;
use tokio::signal::unix::{SignalKind, signal};

/// Cancelled by SIGTERM or ctrl-c.
///
/// # Errors
/// When the operating system does not let us listen.
pub fn stop_on_signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        told.cancel();
    });
    Ok(stop)
}
