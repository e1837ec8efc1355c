//! Free disk space.

use std::path::Path;

use anyhow::Context as _;
use leadflow_testkit::servers::free_disk_bytes;

/// Below this nothing is started: PostgreSQL and NATS stop badly on a full disk.
pub const NEEDED: u64 = 512 << 20;

/// Free space for the folder, in bytes.
pub fn free(folder: &Path) -> anyhow::Result<u64> {
    free_disk_bytes(folder).with_context(|| format!("cannot read the free disk space of {}", folder.display()))
}

/// Refuses a disk that is nearly full.
///
/// # Errors
/// One sentence with the numbers and what to do.
pub fn check(folder: &Path) -> anyhow::Result<()> {
    let free = free(folder)?;
    anyhow::ensure!(
        free >= NEEDED,
        "only {} MiB are free on the disk of {}, {} MiB are needed; free some space, or set LEADFLOW_HOME to a folder on another disk",
        free >> 20,
        folder.display(),
        NEEDED >> 20
    );
    Ok(())
}
