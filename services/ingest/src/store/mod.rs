//! What the gateway remembers, all of it in memory: records, who waits, what was accepted lately.

pub mod directory;
pub mod limit;
pub mod recent;
pub mod strangers;
pub mod waiters;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic of another holder leaves the maps here whole, so it is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
