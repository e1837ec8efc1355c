//! Where a ledger is written to.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::sync::mpsc;

/// Takes a ledger page by page.
pub(super) trait Out: Write + Send {
    /// A page is written; the next is read when this has passed it on.
    fn passed(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// A file, or anything else that is fast.
pub(super) struct Plain<'a, W>(pub(super) &'a mut W);

impl<W: Write> Write for Plain<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Out for Plain<'_, W> {
    async fn passed(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of a part at most.
const PART: usize = 64 * 1024;

/// Somebody who may be slow: no more is read ahead for him than a page and what the channel holds.
pub struct Parts {
    page: Vec<u8>,
    to: mpsc::Sender<Vec<u8>>,
    patience: Duration,
}

impl Parts {
    /// Passes parts on to `to`, and gives up when one is not taken for `patience`.
    #[must_use]
    pub const fn new(to: mpsc::Sender<Vec<u8>>, patience: Duration) -> Self {
        Self { page: Vec::new(), to, patience }
    }
}

impl Write for Parts {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.page.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Out for Parts {
    async fn passed(&mut self) -> io::Result<()> {
        for part in std::mem::take(&mut self.page).chunks(PART) {
            match tokio::time::timeout(self.patience, self.to.send(part.to_vec())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(())
    }
}
