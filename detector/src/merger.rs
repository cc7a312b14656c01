//! The thread that merges row groups which are small, while nothing is being written or read; and that writes the log into
//! the file where no transaction of detection does.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::arranger::Turn;
use crate::background::Background;
use crate::store::History;
use crate::watchdog::Watchdog;

/// How long nothing must have been written.
const QUIET: Duration = Duration::from_secs(5);

/// Merges until it is dropped. Not after detection where cores are short: what is to be written waits for it.
/// Not beside `readers`, who would share the memory with it: DuckDB gives a file up where a checkpoint finds none.
/// `history` is a connection of its own.
pub(crate) fn keep_merged(history: History, turn: Turn, readers: Vec<Arc<Watchdog>>) -> std::io::Result<Background> {
    Background::start("merger", move |stopped| {
        if !history.look_for_pieces() {
            return;
        }
        let mut written = history.written();
        while stopped.rest(QUIET) {
            let before = std::mem::replace(&mut written, history.written());
            let merge = written == before && history.is_in_pieces();
            if !merge && !history.has_long_log() {
                continue;
            }
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.iter().any(|reader| !reader.is_idle()) {
                continue;
            }
            let is_usable = if merge { history.checkpoint() } else { history.write_out() };
            if !is_usable {
                return;
            }
        }
    })
}
