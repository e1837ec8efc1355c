//! `leadflow events tail`: what happens, as it happens.

use std::process::ExitCode;

use clap::Subcommand;
use leadflow_messaging::tail::Tail;
use serde_json::json;

/// What to do with events.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print events as they are published, one JSON object a line, until Ctrl-C
    Tail {
        /// Which subjects, with NATS wildcards: "lead.>", "wallet.credited", ">"
        #[arg(default_value = ">")]
        subject: String,
        /// Stop after so many
        #[arg(short = 'n', long)]
        count: Option<u64>,
        /// Print the payload too. It holds the personal data of leads
        #[arg(long)]
        payload: bool,
    },
}

/// Runs it.
///
/// # Errors
/// When NATS cannot be reached.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Tail { subject, count, payload } = command;
    let bus = super::bus::connect().await?;
    let mut tail = Tail::on(&bus, &subject).await?;
    eprintln!("listening on {subject}; Ctrl-C ends");
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let next = tokio::select! {
            next = tail.next() => next,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some((message, event)) = next else { break };
        let mut line = json!({ "subject": message.subject, "type": message.kind, "id": message.id });
        if let Some(traceparent) = message.traceparent {
            line["traceparent"] = traceparent.into();
        }
        if let Some(mut event) = event {
            if !payload && let Some(fields) = event.as_object_mut() {
                fields.retain(|name, _| !matches!(name.as_str(), "dataJson" | "rawJson" | "keys" | "bodyHash"));
            }
            line["event"] = event;
        }
        println!("{line}");
        seen += 1;
    }
    Ok(ExitCode::SUCCESS)
}
