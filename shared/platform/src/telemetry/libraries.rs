//! What other people's crates may write, whatever `RUST_LOG` says: nothing that holds what goes through them.

use tracing::{Level, Metadata, level_filters::LevelFilter};

/// Whether a line may be written at all. Libraries repeat headers and bodies at `trace`, as the refusal of a body in axum and what is read
/// from a connection; async-nats already at `debug`, which is what JetStream answers.
pub(super) fn may_write(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= most_of(metadata.target())
}

fn most_of(target: &str) -> LevelFilter {
    let name = target.split("::").next().unwrap_or_default();
    if name.starts_with("leadflow") {
        LevelFilter::TRACE
    } else if name == "async_nats" {
        LevelFilter::from_level(Level::INFO)
    } else {
        LevelFilter::from_level(Level::DEBUG)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt as _};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of lines at all levels, ours and others', with this `RUST_LOG`.
    fn written(filter: &str) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let subscriber =
            tracing_subscriber::registry().with(EnvFilter::new(filter)).with(filter_fn(may_write)).with(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "leadflow_ingest::app", "ours-trace");
            tracing::debug!(target: "leadflow_ingest::app", "ours-debug");
            tracing::trace!(target: "axum::rejection", "theirs-trace");
            tracing::debug!(target: "hyper::proto", "theirs-debug");
            tracing::debug!(target: "async_nats::jetstream::context", "nats-debug");
            tracing::info!(target: "async_nats", "nats-info");
        });
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn libraries_are_held_back_whatever_is_asked_for() {
        let all = written("trace");
        for (line, there) in [
            ("ours-trace", true),
            ("ours-debug", true),
            ("theirs-trace", false),
            ("theirs-debug", true),
            ("nats-debug", false),
            ("nats-info", true),
        ] {
            assert_eq!(all.contains(line), there, "{line} in {all}");
        }
        let asked = written("info,axum::rejection=trace,async_nats=debug,leadflow=debug");
        assert!(asked.contains("ours-debug") && asked.contains("nats-info"), "{asked}");
        for line in ["ours-trace", "theirs-trace", "theirs-debug", "nats-debug"] {
            assert!(!asked.contains(line), "{line} in {asked}");
        }
    }
}
