//! What is where under `.leadflow/`.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use leadflow_testkit::servers::leadflow_home;

/// The folders.
#[derive(Debug, Clone)]
pub struct Layout {
    home: PathBuf,
}

impl Layout {
    /// The one that belongs to the current folder (setting `LEADFLOW_HOME`). Nothing is created.
    pub fn find() -> Self {
        Self { home: leadflow_home() }
    }

    /// The one in this folder.
    #[cfg(test)]
    pub const fn at(home: PathBuf) -> Self {
        Self { home }
    }

    /// Creates what is missing.
    pub fn create(&self) -> anyhow::Result<()> {
        for folder in [self.run(), self.logs(), self.data()] {
            fs::create_dir_all(&folder).with_context(|| {
                format!(
                    "cannot create {}; is the disk full or the folder read-only? LEADFLOW_HOME names another place",
                    folder.display()
                )
            })?;
        }
        Ok(())
    }

    /// `.leadflow` itself.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// What runs.
    pub fn run(&self) -> PathBuf {
        self.home.join("run")
    }

    /// One log a program.
    pub fn logs(&self) -> PathBuf {
        self.home.join("logs")
    }

    /// What the servers store.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// A program's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The settings that the services were started with; a shell can read it.
    pub fn environment(&self) -> PathBuf {
        self.home.join("local.env")
    }

    /// Secrets made up here. They belong to the data, so they are kept as long.
    pub fn secrets(&self) -> PathBuf {
        self.home.join("secrets.env")
    }

    /// What the sandbox's Stripe knows. It belongs to the data, too.
    pub fn stripe(&self) -> PathBuf {
        self.data().join("stripe.jsonl")
    }

    /// What the demo tenant's supplier needs.
    pub fn demo(&self) -> PathBuf {
        self.home.join("demo.json")
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let fresh = path.with_extension("new");
        if fresh.exists() {
            fs::remove_file(&fresh)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("cannot write {}; is the disk full?", path.display()))
}
