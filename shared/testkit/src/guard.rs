//! Cleans up after this process, however it ends: a small shell outside of it reads a pipe whose
//! writing end only this process holds. At the pipe's end it ends the servers and removes the
//! folders that it was told of. A destructor would not run after SIGKILL, nor for statics.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
};

static GUARD: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// One line per item: `+p PID`, `+n PID`, `+f PATH`, and the same with `-` to forget it. SIGQUIT
/// makes PostgreSQL (`p`) stop at once and give back its shared memory; anything else is killed.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
items='
'
while IFS= read -r line; do
  case $line in
    +*) items="$items${line#+}
" ;;
    -*) items=$(printf '%s' "$items" | grep -vxF -- "${line#-}")
      items="$items
" ;;
  esac
done
printf '%s' "$items" | while IFS= read -r item; do
  case $item in
    'p '*) kill -QUIT "${item#p }" ;;
    'n '*) kill -KILL "${item#n }" ;;
  esac
done
printf '%s' "$items" | while IFS= read -r item; do
  case $item in
    'p '*)
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        # Gone, or a zombie that nobody reaps.
        grep -q '^State:.[^Z]' "/proc/${item#p }/status" || break
        sleep 0.1
      done
      kill -KILL "${item#p }" ;;
  esac
done
printf '%s' "$items" | while IFS= read -r item; do
  case $item in
    'f '*)
      rm -rf -- "${item#f }" || { sleep 0.5; rm -rf -- "${item#f }"; } ;;
  esac
done
"#;

/// Which signal a process understands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Server {
    Postgres,
    Nats,
}

impl Server {
    const fn letter(self) -> char {
        match self {
            Self::Postgres => 'p',
            Self::Nats => 'n',
        }
    }
}

/// Ends the process when this one ends.
pub(crate) fn process(server: Server, pid: u32) -> io::Result<()> {
    tell(&format!("+{} {pid}", server.letter()))
}

/// The process has ended; its number may become somebody else's.
pub(crate) fn forget_process(server: Server, pid: u32) {
    // Without a guard there is nothing to forget.
    let _ = tell(&format!("-{} {pid}", server.letter()));
}

/// Removes the folder when this process ends.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    tell(&format!("+f {}", one_line(path)?))
}

/// The folder is gone already.
pub(crate) fn forget_folder(path: &Path) {
    if let Ok(path) = one_line(path) {
        let _ = tell(&format!("-f {path}"));
    }
}

fn one_line(path: &Path) -> io::Result<&str> {
    path.to_str()
        .filter(|text| path.is_absolute() && !text.contains('\n'))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a plain absolute path"))
}

fn tell(line: &str) -> io::Result<()> {
    let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
    if guard.is_none() {
        *guard = Some(start()?);
    }
    let Some(pipe) = guard.as_mut() else { return Ok(()) };
    writeln!(pipe, "{line}")
}

fn start() -> io::Result<ChildStdin> {
    // A group of its own, so that Ctrl-C ends us and not it; never waited for, it outlives us.
    let child = Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    child.stdin.ok_or_else(|| io::Error::other("no pipe to the guard"))
}
