//! `leadflow logs`

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use crate::local::layout::Layout;
use crate::say::say;

/// `leadflow logs`' arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these programs: a role, postgresql or nats
    programs: Vec<String>,
    /// Show so many earlier lines of each
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: usize,
    /// Print what is there and end
    #[arg(long)]
    no_follow: bool,
}

/// How often the files are looked at.
const PAUSE: Duration = Duration::from_millis(200);
/// Earlier lines are looked for in so much of a file's end.
const BACK: u64 = 256 << 10;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let layout = Layout::find();
    let mut files = BTreeMap::<PathBuf, Follow>::new();
    let mut first = true;
    loop {
        let logs = logs(&layout.logs(), &args.programs);
        if first && logs.is_empty() {
            say!("no logs in {}; `make up` starts everything", layout.logs().display());
            return Ok(ExitCode::SUCCESS);
        }
        let width = logs.iter().map(|log| name(log).len()).max().unwrap_or(0);
        for log in logs {
            let follow = files
                .entry(log.clone())
                .or_insert_with(|| Follow::new(&log, if first { args.lines } else { usize::MAX }));
            match print(&follow.read(&log).unwrap_or_default(), &name(&log), width) {
                // Whoever read our output has gone.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                other => other?,
            }
        }
        first = false;
        if args.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn logs(folder: &Path, only: &[String]) -> Vec<PathBuf> {
    let mut logs: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter(|path| only.is_empty() || only.contains(&name(path)))
        .collect();
    logs.sort();
    logs
}

fn name(log: &Path) -> String {
    log.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn print(lines: &[String], name: &str, width: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{name:width$} | {line}")?;
    }
    out.flush()
}

/// A place in a file that grows.
struct Follow {
    position: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    /// Of the first reading, only so many lines.
    last: usize,
}

impl Follow {
    fn new(path: &Path, last: usize) -> Self {
        let length = fs::metadata(path).map_or(0, |meta| meta.len());
        let position = if last == usize::MAX { 0 } else { length.saturating_sub(BACK) };
        Self { position, rest: Vec::new(), last }
    }

    /// The whole lines that have come since.
    fn read(&mut self, path: &Path) -> io::Result<Vec<String>> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() < self.position {
            // Put aside or emptied: a new file begins.
            self.position = 0;
            self.rest.clear();
        }
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.read_to_end(&mut self.rest)?;
        self.position += read as u64;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let text = String::from_utf8_lossy(&whole);
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let skip = lines.len().saturating_sub(std::mem::replace(&mut self.last, usize::MAX));
        Ok(lines[skip..].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use leadflow_testkit::TempDir;

    use super::Follow;

    #[test]
    fn whole_lines_as_they_come_and_a_new_file_from_its_start() {
        let folder = TempDir::new("logs").expect("folder");
        let path = folder.path().join("x.log");
        std::fs::write(&path, "one\ntwo\nthree\nfo").expect("write");
        let mut follow = Follow::new(&path, 2);
        assert_eq!(follow.read(&path).expect("read"), ["two", "three"]);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("open");
        file.write_all(b"ur\nfive\n").expect("write");
        assert_eq!(follow.read(&path).expect("read"), ["four", "five"]);
        std::fs::write(&path, "new\n").expect("write");
        assert_eq!(follow.read(&path).expect("read"), ["new"]);
    }
}
