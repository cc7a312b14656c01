//! What the end-to-end tests stand on: the real binaries, a real nats-server, an AWS emulator, a slow
//! stand-in for EC2.
//!
//! Nothing here stands in for a part of ours.

mod bins;
mod collector;
mod history;
mod messages;
mod moto;
mod nats;
mod pipeline;
mod receiver;
mod rows;
mod stand_in;

pub use bins::{binary, free_port, tool};
pub use collector::{Collector, SeenSpan};
pub use elava_harness::{Server, Signal, checkout};
pub use history::{changes, decisions, dump, scalar};
pub use messages::{publish, publish_raw, stored};
pub use moto::Moto;
pub use nats::{guarded, key, server};
pub use pipeline::{Pipeline, STAGES, pipe};
pub use receiver::Receiver;
pub use rows::{Estate, scan_lines};
pub use stand_in::StandIn;

use std::time::{Duration, Instant};

/// Waits until `done`, for at most a minute.
///
/// # Panics
/// When it takes longer.
pub async fn until<F: AsyncFn() -> bool>(what: &str, done: F) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not happen within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
