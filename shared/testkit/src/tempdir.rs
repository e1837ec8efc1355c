//! Folders that go away.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::guard;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A new folder under the system's temporary folder, removed when this value is dropped, or when
/// the process ends in whatever way.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes one; `purpose` is part of its name.
    ///
    /// # Errors
    /// When it cannot be made or watched over.
    pub fn new(purpose: &str) -> io::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("leadflow-{purpose}-{}-{number}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        guard::folder(&path)?;
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A server that is just ending may still write: the guard tries again at the process's end.
        if fs::remove_dir_all(&self.path).is_ok() {
            guard::forget_folder(&self.path);
        }
    }
}
