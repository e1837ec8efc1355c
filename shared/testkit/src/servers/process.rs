//! A started server process, and what `/proc` says of processes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{ServerError, signal::Signal};

/// Names one process for good: a pid alone may be somebody else's later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProcessId {
    /// The process's number.
    pub pid: u32,
    /// When it started, in the kernel's clock ticks since boot.
    pub started: u64,
}

impl ProcessId {
    /// The process that has this number now; `None` if there is none, or only its remains.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields = after_name(&stat)?;
        let mut fields = fields.split_ascii_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        // Field 22 of the line; the state was field 3.
        Some(Self { pid, started: fields.nth(18)?.parse().ok()? })
    }

    /// Whether this very process still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends the signal, unless the process is gone.
    pub fn signal(self, signal: Signal) {
        if self.is_alive() {
            // It may end between the two lines; then there is nothing left to do.
            let _ = signal.send(self.pid);
        }
    }
}

/// What follows the program's name, which stands in brackets and may hold anything.
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest)
}

/// The numbers of the processes that `pid` started.
pub(super) fn children_of(pid: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| {
            fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| {
                after_name(&stat).and_then(|rest| rest.split_ascii_whitespace().nth(1))
                    == Some(pid.to_string().as_str())
            })
        })
        .collect()
}

/// The processes whose current folder this is.
pub(super) fn processes_in(folder: &Path) -> Vec<u32> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// A server that we started, in a process group of its own: a Ctrl-C at the terminal is ours to
/// pass on.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts the command with its output at the end of `log`, or thrown away.
    pub(super) fn spawn(mut command: Command, what: &'static str, log: Option<&Path>) -> Result<Self, ServerError> {
        command.stdin(Stdio::null()).process_group(0);
        match log {
            Some(path) => {
                let file =
                    OpenOptions::new().create(true).append(true).open(path).map_err(ServerError::io("open", path))?;
                let copy = file.try_clone().map_err(ServerError::io("open", path))?;
                command.stdout(file).stderr(copy);
            }
            None => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        let child = command.spawn().map_err(ServerError::io("run", what))?;
        Ok(Self { child })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // Not reaped yet, so the number is still this process's.
            let _ = signal.send(self.child.id());
        }
    }

    /// Kills and reaps it.
    pub(super) fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end, at most so long; then kills it. Blocks the thread: for `Drop`.
    pub(super) fn end_within(&mut self, limit: Duration) {
        let start = Instant::now();
        while self.is_running() {
            if start.elapsed() > limit {
                self.kill9();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(super) fn tail(log: Option<&Path>) -> String {
    log.map(log_tail).unwrap_or_default()
}

/// The last lines of a log in one line, for messages; empty if there are none.
#[must_use]
pub fn log_tail(path: &Path) -> String {
    read_tail(path).unwrap_or_default()
}

fn read_tail(path: &Path) -> io::Result<String> {
    const BYTES: u64 = 4096;
    const LINES: usize = 5;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(LINES)..].join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_number_and_start() {
        let own = ProcessId::of(std::process::id()).expect("we run");
        assert!(own.is_alive());
        assert!(!ProcessId { started: own.started + 1, ..own }.is_alive());
    }

    #[test]
    fn a_dead_process_is_not_alive_even_before_it_is_reaped() {
        let mut child = Command::new("/bin/sh").args(["-c", "exit 0"]).spawn().expect("sh");
        let pid = child.id();
        let start = Instant::now();
        while ProcessId::of(pid).is_some() {
            assert!(start.elapsed() < Duration::from_secs(10), "sh never ended");
            std::thread::yield_now();
        }
        child.wait().expect("reap");
    }

    #[test]
    fn lists_children() {
        let mut child = Command::new("/bin/sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().expect("sh");
        assert!(children_of(std::process::id()).contains(&child.id()));
        child.kill().expect("kill");
        child.wait().expect("reap");
    }
}
