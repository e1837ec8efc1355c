//! What `up` has started: one small file a program under `.leadflow/run/`.

use std::{fs, io, path::PathBuf};

use anyhow::Context as _;
use leadflow_testkit::servers::{ProcessId, Signal};
use serde::{Deserialize, Serialize};

use super::layout::{Layout, write_private};
use crate::say::say;

/// A program that `up` started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The process: number and start, so that a reused number is not taken for it.
    pub process: ProcessId,
    /// The boot of the machine that this counts from.
    pub boot: String,
    /// Its main port.
    pub port: u16,
    /// Hash of the program and the settings that it was started with.
    pub fingerprint: String,
}

impl Started {
    /// Just started.
    pub fn new(process: ProcessId, port: u16, fingerprint: String) -> Self {
        Self { process, boot: boot(), port, fingerprint }
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.boot == boot() && self.process.is_alive()
    }

    /// Sends the signal, unless the program is gone.
    pub fn signal(&self, signal: Signal) {
        if self.boot == boot() {
            self.process.signal(signal);
        }
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn path(layout: &Layout, name: &str) -> PathBuf {
    layout.run().join(format!("{name}.pid"))
}

/// What is noted of a program, running or not.
pub fn noted(layout: &Layout, name: &str) -> Option<Started> {
    serde_json::from_str(&fs::read_to_string(path(layout, name)).ok()?).ok()
}

/// The program, if it runs. A note of one that is gone is removed.
pub fn running(layout: &Layout, name: &str) -> Option<Started> {
    let started = noted(layout, name)?;
    if started.is_alive() {
        return Some(started);
    }
    forget(layout, name);
    None
}

/// Notes a program.
pub fn note(layout: &Layout, name: &str, started: &Started) -> anyhow::Result<()> {
    write_private(&path(layout, name), &serde_json::to_string(started)?)
}

/// Removes the note.
pub fn forget(layout: &Layout, name: &str) {
    // Gone already is as good.
    let _ = fs::remove_file(path(layout, name));
}

/// Holds off a second `up` or `down` until dropped.
pub fn lock(layout: &Layout) -> anyhow::Result<fs::File> {
    let path = layout.run().join("lock");
    let file = fs::File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            say!("another `leadflow up` or `down` is at work; waiting for it");
            file.lock().context("wait for the other one")?;
        }
        Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(fs::TryLockError::Error(error)) => return Err(error).context("lock the run folder"),
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_another_boot_is_somebody_else() {
        let process = ProcessId::of(std::process::id()).expect("we run");
        let started = Started::new(process, 1, String::new());
        assert!(started.is_alive());
        assert!(!Started { boot: "another".to_owned(), ..started }.is_alive());
    }
}
