//! The mail server.

use std::net::IpAddr;

use leadflow_notifier::MailSettings;

use super::{Check, Known, reached};
use crate::local::environment;

const WHAT: &str = "mail";

/// Whether mails to people can leave.
pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let config = leadflow_notifier::Config::read(&mut env);
    if let Err(error) = env.finish() {
        let ours = |problem: &&String| {
            ["SMTP_", "FRONTEND_URL", "BFF_PUBLIC_URL", "EMAIL_", "SENDGRID_"]
                .iter()
                .any(|name| problem.starts_with(name))
        };
        checks.extend(error.problems.iter().filter(ours).map(|problem| Check::bad(WHAT, problem, "set it right")));
    }
    let (host, port, mend) = match config.mail {
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
    // What a provider of this machine takes stays on it.
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !here && config.public_url.scheme() != "https" {
        let found = "BFF_PUBLIC_URL is no https: mail programs cannot end mails with one click (RFC 8058), which large mail services ask for";
        checks.push(Check::warning(WHAT, found, "set BFF_PUBLIC_URL to where the API is found over https"));
    }
    checks.push(reached(WHAT, &host, port, mend).await);
}
