//! The mail server.

use leadflow_notifier::MailSettings;

use super::{Check, Known, reached};
use crate::local::environment;

const WHAT: &str = "mail";

/// Whether mails to people can leave.
pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let mail = leadflow_notifier::Config::read(&mut env).mail;
    if let Err(error) = env.finish() {
        let ours = |problem: &&String| {
            ["SMTP_", "FRONTEND_URL", "EMAIL_", "SENDGRID_"].iter().any(|name| problem.starts_with(name))
        };
        checks.extend(error.problems.iter().filter(ours).map(|problem| Check::bad(WHAT, problem, "set it right")));
    }
    let (host, port, mend) = match mail {
        None => {
            let found = "mails to people (to reset a password, about their leads) wait and then expire";
            let mend = "set SMTP_HOST and SMTP_FROM, or SENDGRID_API_KEY and SENDGRID_FROM_EMAIL; make up sets those of the sandbox";
            checks.push(Check::warning(WHAT, found, mend));
            return;
        }
        Some(MailSettings::Smtp(smtp)) => {
            (smtp.host, smtp.port, "start the mail server, or set SMTP_HOST and SMTP_PORT right; mails wait meanwhile")
        }
        // Whether it takes the key is only known by sending.
        Some(MailSettings::SendGrid(account)) => (
            account.base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            account.base.port_or_known_default().unwrap_or(443),
            "let this machine reach SENDGRID_API_BASE; mails wait meanwhile",
        ),
    };
    checks.push(reached(WHAT, &host, port, mend).await);
}
