//! What a whole backup has: a list of its files with their checksums, written last and looked at first.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Component, Path},
};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use leadflow_messaging::topology::STREAMS;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Its name in the folder.
const NAME: &str = "manifest.json";
/// Of the folder's layout.
const FORMAT: u32 = 1;
/// What a stream's file ends with: it has a line for each message.
const STREAM: &str = ".ndjson";

/// The list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// Of the program that wrote it.
    pub version: String,
    /// The moment that the copy shows.
    pub taken_at: DateTime<Utc>,
    /// One for each schema and each stream.
    pub files: Vec<FileEntry>,
}

/// A file of the folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name: see [`dump_name`] and [`stream_name`].
    pub name: String,
    /// Messages of a stream; none for a database.
    pub messages: Option<u64>,
    /// Its length.
    pub bytes: u64,
    sha256: String,
}

/// The file that a schema is copied to.
pub fn dump_name(schema: &str) -> String {
    format!("{schema}.dump")
}

/// The file that a stream is copied to.
pub fn stream_name(stream: &str) -> String {
    format!("{stream}{STREAM}")
}

impl Manifest {
    /// Of these files.
    pub fn new(taken_at: DateTime<Utc>, files: Vec<FileEntry>) -> Self {
        Self { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned(), taken_at, files }
    }

    /// Writes it, and waits until the disk has all of the folder.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(NAME);
        fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| format!("write {}", path.display()))?;
        for file in fs::read_dir(folder)? {
            fs::File::open(file?.path())?.sync_all()?;
        }
        fs::File::open(folder)?.sync_all()?;
        Ok(())
    }

    /// Reads it, if all of these schemas and all streams are there, nothing else, and each file as it was written.
    ///
    /// # Errors
    /// When not; the text names the file.
    pub fn read(folder: &Path, schemas: &[&str]) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let text = fs::read(&path).with_context(|| format!("{} is no whole backup: no {NAME}", folder.display()))?;
        let manifest: Self =
            serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display()))?;
        ensure!(manifest.format == FORMAT, "the backup has format {}, this program knows {FORMAT}", manifest.format);
        manifest.check_names(schemas)?;
        for file in &manifest.files {
            let shown = folder.join(&file.name);
            let found = FileEntry::of(folder, file.name.clone())?;
            ensure!(
                found.bytes == file.bytes,
                "{} is not what was written: it has {} bytes, not {}",
                shown.display(),
                found.bytes,
                file.bytes
            );
            ensure!(found.sha256 == file.sha256, "{} is not what was written: its checksum differs", shown.display());
            ensure!(found == *file, "{NAME} is not what was written: it tells {} wrongly", shown.display());
        }
        Ok(manifest)
    }

    /// Only names that this program gives, each once: what somebody else put into the list is not opened.
    fn check_names(&self, schemas: &[&str]) -> anyhow::Result<()> {
        let dumps: BTreeSet<String> = schemas.iter().map(|schema| dump_name(schema)).collect();
        let streams: BTreeSet<String> = STREAMS.iter().map(|stream| stream_name(stream)).collect();
        let mut listed = BTreeSet::new();
        for FileEntry { name, .. } in &self.files {
            let mut parts = Path::new(name).components();
            let within =
                matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_str());
            ensure!(within, "{NAME} lists {name:?}, which is not a file of this folder");
            ensure!(
                dumps.contains(name) || streams.contains(name),
                "{NAME} lists {name:?}, which is neither a schema's nor a stream's copy"
            );
            ensure!(listed.insert(name), "{NAME} lists {name:?} twice");
        }
        for name in dumps.iter().chain(&streams) {
            ensure!(listed.contains(name), "{NAME} does not list {name:?}: the backup is not whole");
        }
        Ok(())
    }
}

impl FileEntry {
    /// Looks at a file as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(folder: &Path, name: String) -> anyhow::Result<Self> {
        let path = folder.join(&name);
        let mut file = fs::File::open(&path).with_context(|| format!("read {}", path.display()))?;
        let (mut hash, mut buffer, mut bytes, mut lines) = (Sha256::new(), vec![0; 1 << 16], 0, 0);
        loop {
            let read = file.read(&mut buffer).with_context(|| format!("read {}", path.display()))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            bytes += read as u64;
            lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        let messages = name.ends_with(STREAM).then_some(lines);
        Ok(Self { name, messages, bytes, sha256: hex::encode(hash.finalize()) })
    }
}
