//! Twilio.

use super::{Check, Known, reached};
use crate::local::environment;

const WHAT: &str = "text messages";

/// Whether text messages can leave, and what becomes of them can be told.
pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let account = leadflow_notifier::Config::read(&mut env).sms;
    if let Err(error) = env.finish() {
        let ours = |problem: &&String| ["TWILIO_", "SMS_"].iter().any(|name| problem.starts_with(name));
        checks.extend(error.problems.iter().filter(ours).map(|problem| Check::bad(WHAT, problem, "set it right")));
    }
    let Some(account) = account else {
        let found = "those who want them get none: they wait and then expire";
        let mend = "set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM; make up sets those of the sandbox";
        checks.push(Check::warning(WHAT, found, mend));
        return;
    };
    if account.callback.is_none() {
        let found = "Twilio cannot tell what becomes of them, nor hand on STOP: BFF_PUBLIC_URL is on this machine";
        checks.push(Check::warning(WHAT, found, "set BFF_PUBLIC_URL to where the world finds the API"));
    }
    // Whether it takes the token is only known by sending.
    let host = account.base.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = account.base.port_or_known_default().unwrap_or(443);
    checks
        .push(reached(WHAT, host, port, "let this machine reach TWILIO_API_BASE; text messages wait meanwhile").await);
}
