//! What a channel has to be able to do: write a message and hand it to its provider. All else (the queue, the pace, retries,
//! records) is the same for all channels.

use std::{future::Future, time::Duration};

use chrono::{DateTime, Utc};
use leadflow_notifier_domain::Channel;

use crate::store::messages::MessageJob;

/// One way to reach people, with its provider.
pub trait Carrier: Send + Sync + 'static {
    /// A message as it is handed over.
    type Letter: Send + Sync;

    /// Which channel's messages it takes.
    fn channel(&self) -> Channel;

    /// Whether there is a provider. Without one messages wait and expire.
    fn is_ready(&self) -> bool;

    /// Writes what `job` says. No input or output.
    fn write(&self, job: &MessageJob, now: DateTime<Utc>) -> Written<Self::Letter>;

    /// Hands it over, within a minute. `to` is the recipient that was written.
    ///
    /// # Errors
    /// [`NotSent`], which says whether another attempt may help.
    fn send(
        &self,
        job: &MessageJob,
        to: &str,
        letter: &Self::Letter,
    ) -> impl Future<Output = Result<Sent, NotSent>> + Send;

    /// What the provider has that may be this message, the oldest first: asked before one that it may have is sent again. A provider that cannot
    /// be asked has none.
    ///
    /// # Errors
    /// [`NotSent::Later`].
    fn find(
        &self,
        _job: &MessageJob,
        _to: &str,
        _letter: &Self::Letter,
    ) -> impl Future<Output = Result<Vec<Sent>, NotSent>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// What came of writing a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<L> {
    /// It is ready.
    Letter {
        /// Address or number.
        to: String,
        /// What goes there.
        letter: L,
        /// What is paid for: segments of a text message, else 1.
        units: u32,
    },
    /// It is not to be sent at all; why, in words.
    Never(String),
    /// Not now, which is no failure: when.
    NotBefore(DateTime<Utc>),
    /// It cannot be written as things are: it is tried again like what a provider did not take.
    NotYet(String),
}

/// A provider has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// What it calls it.
    pub provider_id: Option<String>,
    /// Of its answer; 0: it has no such thing.
    pub status_code: u16,
    /// What it says is paid for; none: what was written.
    pub units: Option<u32>,
}

/// A provider did not take it. The words name no address and no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It never will.
    #[error("{why}")]
    Refused {
        /// Of its answer; 0: none.
        status_code: u16,
        /// In words.
        why: String,
    },
    /// It never will, nor any other for this recipient: who asked for that, or who is not there.
    #[error("{why}")]
    Unreachable {
        /// Of its answer; 0: none.
        status_code: u16,
        /// In words.
        why: String,
        /// The recipient asked for it, and may change his mind.
        stopped: bool,
    },
    /// It may later: it is away, busy, or not set up right.
    #[error("{why}")]
    Later {
        /// Of its answer; 0: none.
        status_code: u16,
        /// In words.
        why: String,
        /// What it asks for.
        retry_after: Option<Duration>,
        /// It may have it all the same: the answer was lost.
        unsure: bool,
    },
}
