//! Which failures of the database pass by themselves.

/// Whether the same statement may succeed later: no connection or a broken one, a restart, or a lock held too long.
#[must_use]
pub fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        // A connection that is closed while it begins reads as an answer that makes no sense.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(database) => {
            let code = database.code();
            let code = code.as_deref().unwrap_or_default();
            ["08", "25P03", "40", "53", "55", "57"].iter().any(|class| code.starts_with(class))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::is_passing;
    use crate::db::{DbSettings, connect};

    #[tokio::test]
    async fn a_server_that_hangs_up_while_a_connection_begins_may_be_there_later() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://x@127.0.0.1:{port}/x");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // What the client begins with: then the end comes as such, not as a reset.
                let mut hello = [0_u8; 8];
                let _ = stream.read_exact(&mut hello).await;
            }
        });
        let settings = DbSettings { url, role: None, application: "test", max_connections: 1 };
        let error = connect(&settings).unwrap().acquire().await.unwrap_err();
        assert!(is_passing(&error), "{error:?}");
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        for error in [sqlx::Error::RowNotFound, sqlx::Error::ColumnNotFound("x".to_owned())] {
            assert!(!is_passing(&error), "{error:?}");
        }
    }
}
