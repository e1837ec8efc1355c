//! Signals to processes that we started.

use std::io;

/// The signals used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// PostgreSQL: fast shutdown (roll back what runs, then stop cleanly).
    Interrupt,
    /// An orderly end.
    Terminate,
    /// PostgreSQL: stop at once, recover at the next start.
    Quit,
    /// The process gets no say.
    Kill,
}

impl Signal {
    const fn number(self) -> i32 {
        match self {
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
            Self::Quit => libc::SIGQUIT,
            Self::Kill => libc::SIGKILL,
        }
    }

    /// Sends it to one process.
    ///
    /// # Errors
    /// When the process is gone or is not ours.
    pub fn send(self, pid: u32) -> io::Result<()> {
        let pid = i32::try_from(pid)
            .ok()
            .filter(|pid| *pid > 1)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        #[expect(unsafe_code, reason = "kill(2) takes two integers and touches no memory of ours")]
        let result = unsafe { libc::kill(pid, self.number()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
