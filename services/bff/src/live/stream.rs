//! The body of a stream: an event is sent as soon as there is one, and after some silence a comment, so that nobody
//! between takes the connection for a dead one.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, stream};

use super::{
    event::Happening,
    hub::{Listener, frame},
    queue::{Next, Opening},
};

const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");
/// Browsers connect again after this, in milliseconds.
const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

impl Listener {
    /// What is sent to the reader, until his session ends or the process stops.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold((self, true), |(listener, first)| async move {
            let bytes = if first { RETRY } else { listener.chunk().await? };
            Some((Ok(bytes), (listener, false)))
        })
    }

    async fn chunk(&self) -> Option<Bytes> {
        let next = tokio::select! {
            biased;
            () = self.live.shutdown().cancelled() => return None,
            next = self.queue.next() => next,
            () = tokio::time::sleep(self.live.settings().heartbeat) => return Some(HEARTBEAT),
        };
        match next {
            Next::Opening(Opening::Ready) => Some(frame(&Happening::Ready {}, None)),
            Next::Opening(Opening::Reload) => Some(frame(&Happening::Reload {}, None)),
            Next::Frame(bytes) => Some(bytes),
            Next::End => None,
        }
    }
}
