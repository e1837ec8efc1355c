//! The mail server's stand-in: it takes every mail, keeps the newest, and shows them.

mod message;
mod session;
mod store;

use std::{sync::Arc, time::Duration};

use leadflow_platform::Shutdown;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

pub(crate) use store::{Draft, Mails};
pub use store::{Mail, MailBehaviour};

use crate::Sandbox;

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;

/// Takes mails on `listener` until `shutdown`.
pub(crate) async fn run(sandbox: Sandbox, listener: TcpListener, shutdown: Shutdown) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            Some(_) = sessions.join_next() => continue,
            accepted = async {
                // The semaphore is never closed.
                let permit = Arc::clone(&room).acquire_owned().await.ok()?;
                Some((listener.accept().await, permit))
            } => accepted,
        };
        match accepted {
            Some((Ok((stream, _)), permit)) => {
                let sandbox = sandbox.clone();
                sessions.spawn(async move {
                    if let Err(error) = session::serve(stream, &sandbox).await {
                        tracing::debug!(%error, "mail connection ended early");
                    }
                    drop(permit);
                });
            }
            Some((Err(error), _)) => {
                tracing::warn!(%error, "a mail connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            None => return,
        }
    }
}
