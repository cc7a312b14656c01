//! What one source of this process has to tell, and whether others may tell it with what they have.

use std::sync::{Mutex, MutexGuard, PoisonError};

use elava_bus::{Lease, Source};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::memory::Memory;

/// More messages are never told at once.
const AT_ONCE: u32 = 1 << 20;

/// One source, and what it has to tell.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) source: Source,
    memory: Mutex<Memory>,
    /// A permit a message that is being told; none any more once the source is given back.
    telling: Semaphore,
}

/// One of the sources whose decisions are told together.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) shelf: std::sync::Arc<Shelf>,
    /// What was told cannot be taken back: it is asked before.
    pub(crate) lease: Lease,
}

impl Shelf {
    pub(crate) fn new(source: Source, memory: Memory) -> Self {
        Self { source, memory: Mutex::new(memory), telling: Semaphore::new(AT_ONCE as usize) }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    /// Whether the source is not about to be given back.
    pub(crate) fn is_open(&self) -> bool {
        self.telling.available_permits() > 0
    }

    /// Needed while something of it is told; `None` when the source is about to be given back.
    pub(crate) fn begin(&self) -> Option<SemaphorePermit<'_>> {
        self.telling.try_acquire().ok()
    }

    /// Waits for what is being told; nothing more is.
    pub(crate) async fn close(&self) {
        let all = self.telling.acquire_many(AT_ONCE).await;
        all.expect("the semaphore is never closed").forget();
    }
}

/// What is behind the lock is changed as a whole or not at all: a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
