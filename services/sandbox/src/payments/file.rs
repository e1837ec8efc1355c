//! The file: a line for every change, written before anybody is answered. A killed sandbox knows everything again; one
//! whose machine lost power may not.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::stripe::{Change, Core};

/// Lines beyond which the file is written anew, beside two for every row there is.
const SLACK: usize = 20_000;

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    /// The file may end in half a line.
    torn: bool,
}

impl Journal {
    /// Reads what is there into `core`, and goes on writing.
    pub(super) fn open(path: PathBuf, core: &mut Core) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        read(&path, core).with_context(|| {
            format!("{} cannot be read; delete it, and the stand-in for Stripe knows nobody", path.display())
        })?;
        core.changes();
        let file = write_anew(&path, core).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file, lines: core.size(), torn: false })
    }

    /// Adds changes, whole lines at once.
    pub(super) fn append(&mut self, changes: &[Change], core: &Core) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.torn || self.lines > 2 * core.size() + SLACK {
            return self.rewrite_io(core);
        }
        let mut text = Vec::new();
        for change in changes {
            line(&mut text, change)?;
        }
        self.lines += changes.len();
        self.torn = true;
        self.file.write_all(&text)?;
        self.torn = false;
        Ok(())
    }

    /// Writes everything anew.
    pub(super) fn rewrite(&mut self, core: &Core) -> anyhow::Result<()> {
        self.rewrite_io(core).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn rewrite_io(&mut self, core: &Core) -> io::Result<()> {
        self.file = write_anew(&self.path, core)?;
        (self.lines, self.torn) = (core.size(), false);
        Ok(())
    }
}

fn line(into: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    serde_json::to_writer(&mut *into, change)?;
    into.push(b'\n');
    Ok(())
}

fn read(path: &Path, core: &mut Core) -> anyhow::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    for number in 1_usize.. {
        text.clear();
        if reader.read_until(b'\n', &mut text)? == 0 || text.last() != Some(&b'\n') {
            // Killed while it was writing: nobody was answered for half a line.
            break;
        }
        let change: Change = serde_json::from_slice(&text).with_context(|| format!("line {number}"))?;
        core.restore(&change).with_context(|| format!("line {number}"))?;
    }
    Ok(())
}

/// The whole state, under another name first, so that there is always a whole file.
fn write_anew(path: &Path, core: &Core) -> io::Result<File> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut writer = BufWriter::new(options.open(&new)?);
    let mut text = Vec::new();
    for change in core.dump() {
        text.clear();
        line(&mut text, &change)?;
        writer.write_all(&text)?;
    }
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    Ok(file)
}
