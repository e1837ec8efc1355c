//! The mail server.

use tokio::net::TcpStream;

use super::{Check, Known, PATIENCE};
use crate::local::environment;

const WHAT: &str = "mail";

/// Whether mails to people can leave.
pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let smtp = leadflow_notifier::Config::read(&mut env).smtp;
    if let Err(error) = env.finish() {
        let ours = |problem: &&String| ["SMTP_", "FRONTEND_URL"].iter().any(|name| problem.starts_with(name));
        checks.extend(error.problems.iter().filter(ours).map(|problem| Check::bad(WHAT, problem, "set it right")));
    }
    let Some(smtp) = smtp else {
        let found = "mails to people (to reset a password, to confirm an address) wait and then expire";
        checks.push(Check::warning(WHAT, found, "set SMTP_HOST and SMTP_FROM; make up sets those of the sandbox"));
        return;
    };
    let place = format!("{}:{}", smtp.host, smtp.port);
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect((smtp.host.as_str(), smtp.port))).await;
    let mend = "start the mail server, or set SMTP_HOST and SMTP_PORT right; mails wait meanwhile";
    checks.push(match connected {
        Ok(Ok(_)) => Check::good(WHAT, format!("{place} is there")),
        Ok(Err(error)) => Check::bad(WHAT, format!("{place} cannot be reached: {error}"), mend),
        Err(_) => Check::bad(WHAT, format!("{place} does not answer"), mend),
    });
}
