//! The part of a backup that lies in NATS: a file for each stream, a line for each message.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use leadflow_messaging::{
    Bus,
    copy::{Reader, Stored, Writer},
    topology::STREAMS,
};
use serde::{Deserialize, Serialize};

use super::manifest::stream_name;

/// A message, as its line says it.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    sequence: u64,
    subject: String,
    headers: Vec<(String, String)>,
    /// Base64.
    payload: String,
}

/// Files that streams are copied to. [`Copies::close`] ends them, whatever became of the copying.
pub struct Copies(Vec<Copy>);

struct Copy {
    name: String,
    reader: Reader,
    file: BufWriter<File>,
}

impl Copies {
    /// A file for each stream in this folder.
    ///
    /// # Errors
    /// When a stream is missing or a file cannot be written.
    pub async fn open(bus: &Bus, folder: &Path) -> anyhow::Result<Self> {
        let mut copies = Self(Vec::new());
        for stream in STREAMS {
            match Copy::open(bus, stream, folder).await {
                Ok(copy) => copies.0.push(copy),
                Err(error) => {
                    copies.close().await;
                    return Err(error);
                }
            }
        }
        Ok(copies)
    }

    /// Takes away what the server has to do with the copying.
    pub async fn close(self) {
        for copy in self.0 {
            // A server that does not answer forgets it by itself.
            let _ = copy.reader.close().await;
        }
    }

    /// Copies what is there.
    ///
    /// # Errors
    /// When a stream cannot be read or a file not be written.
    pub async fn catch_up(&mut self) -> anyhow::Result<()> {
        for copy in &mut self.0 {
            let last = copy.reader.last().await?;
            copy.go_on(last, u64::MAX).await?;
        }
        Ok(())
    }

    /// Copies the rest, up to the last message of each stream at this moment and not beyond.
    ///
    /// # Errors
    /// When a stream cannot be read or a file not be written.
    pub async fn finish(&mut self) -> anyhow::Result<()> {
        for copy in &mut self.0 {
            let last = copy.reader.last().await?;
            copy.go_on(last, last).await?;
        }
        Ok(())
    }

    /// The files, when all is written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn written(&mut self) -> anyhow::Result<Vec<String>> {
        let written = self.0.iter_mut().map(|copy| {
            copy.file.flush().with_context(|| format!("write {}", copy.name))?;
            Ok(copy.name.clone())
        });
        written.collect()
    }
}

impl Copy {
    async fn open(bus: &Bus, stream: &str, folder: &Path) -> anyhow::Result<Self> {
        let name = stream_name(stream);
        let path = folder.join(&name);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let file = BufWriter::new(file.with_context(|| format!("write {}", path.display()))?);
        // Last: from here on there is something to close.
        let reader = Reader::open(bus, stream).await?;
        Ok(Self { name, reader, file })
    }

    async fn go_on(&mut self, last: u64, keep_until: u64) -> anyhow::Result<()> {
        let Self { reader, file, .. } = self;
        let write = |message: Stored| {
            if message.sequence <= keep_until {
                let payload = BASE64_STANDARD.encode(&message.payload);
                let line =
                    Line { sequence: message.sequence, subject: message.subject, headers: message.headers, payload };
                serde_json::to_writer(&mut *file, &line)?;
                file.write_all(b"\n")?;
            }
            Ok(())
        };
        reader.read_to(last, write).await?;
        Ok(())
    }
}

/// Stores the messages of a file in the stream again; how many there were.
///
/// # Errors
/// When the file cannot be read, or a message is not stored.
pub async fn put_back(bus: &Bus, path: &Path) -> anyhow::Result<u64> {
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    let mut writer = Writer::new(bus.clone());
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), number + 1);
        let line: Line = serde_json::from_str(&line.with_context(place)?).with_context(place)?;
        let payload = BASE64_STANDARD.decode(line.payload).with_context(place)?.into();
        let message = Stored { sequence: line.sequence, subject: line.subject, headers: line.headers, payload };
        writer.write(message).await.with_context(place)?;
    }
    Ok(writer.finish().await?)
}
