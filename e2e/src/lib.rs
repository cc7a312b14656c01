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
pub use messages::{Heard, connect, publish, publish_raw, stored, streams, waits};
pub use moto::Moto;
pub use nats::{guarded, key, server};
pub use pipeline::{Pipeline, STAGES, pipe};
pub use receiver::Receiver;
pub use rows::{Estate, scan_lines};
pub use stand_in::StandIn;

use std::time::{Duration, Instant};

/// Waits until `done`, for at most ten minutes: where tests run, others may run too.
///
/// # Panics
/// When it takes longer.
pub async fn until<F: AsyncFn() -> bool>(what: &str, done: F) {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(50);
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(600), "{what} did not happen within ten minutes");
        tokio::time::sleep(pause).await;
        // asking costs those that are asked
        pause = (pause * 5 / 4).min(Duration::from_millis(500));
    }
}
