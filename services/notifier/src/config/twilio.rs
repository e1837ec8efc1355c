//! Who takes text messages.

use std::time::Duration;

use leadflow_platform::{Env, settings};
use url::Url;

use super::is_here;
use crate::outbound::sms::TwilioSettings;

/// Where the API of front ends takes what Twilio tells.
const CALLBACK: &str = "/api/webhooks/twilio/status";

/// Twilio; `None` without `TWILIO_ACCOUNT_SID`.
pub(super) fn read(env: &mut Env) -> Option<TwilioSettings> {
    let account: Option<String> =
        env.optional("TWILIO_ACCOUNT_SID", "account at Twilio that sends text messages (AC…); none: they wait");
    let tokens = env.optional_secret(
        "TWILIO_AUTH_TOKEN",
        "its auth token, which Twilio signs its calls with, too; several, comma-separated, while one replaces another: \
         the first is shown, all are accepted; needed with TWILIO_ACCOUNT_SID",
    );
    let key = env.optional_secret(
        "TWILIO_API_KEY",
        "key of the account and its secret, SK…:secret, shown instead of the auth token; none: the token is shown",
    );
    let from: Option<String> = env.optional(
        "TWILIO_FROM",
        "what text messages are from: a number such as +12125550123, a short code, or a messaging service (MG…); needed \
         with TWILIO_ACCOUNT_SID",
    );
    let default = "https://api.twilio.com";
    let base = env.or("TWILIO_API_BASE", default.to_owned(), "where Twilio's API is; another one for tests only");
    let public_url = settings::public_url(env);
    let base = match Url::parse(&base) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => url,
        _ => {
            env.problem("TWILIO_API_BASE must be an http or https URL");
            return None;
        }
    };
    let account = account?;
    let tokens: Vec<String> = tokens
        .unwrap_or_default()
        .split(',')
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
        .collect();
    if !is_id(&account, "AC") {
        env.problem("TWILIO_ACCOUNT_SID must be AC and letters and digits");
    }
    if tokens.is_empty() {
        env.problem("TWILIO_ACCOUNT_SID needs TWILIO_AUTH_TOKEN");
    }
    let from = from.unwrap_or_default();
    if !is_sender(&from) {
        env.problem("TWILIO_FROM must be a number such as +12125550123, a short code or a messaging service (MG…)");
    }
    let key = key.and_then(|key| match key.split_once(':') {
        Some((id, secret)) if is_id(id, "SK") && !secret.is_empty() => Some((id.to_owned(), secret.to_owned())),
        _ => {
            env.problem("TWILIO_API_KEY must be a key's id (SK…), a colon and its secret");
            None
        }
    });
    let callback = callback(&public_url, &base);
    Some(TwilioSettings { base, account, tokens, key, from, callback, timeout: Duration::from_secs(20) })
}

/// Where Twilio tells what became of a message; `None` where it cannot call: a stand-in on this machine can call this machine.
fn callback(public_url: &str, base: &Url) -> Option<Url> {
    let url = Url::parse(&format!("{}{CALLBACK}", public_url.trim_end_matches('/'))).ok()?;
    (is_here(base) || !is_here(&url)).then_some(url)
}

fn is_id(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn is_sender(text: &str) -> bool {
    let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit())
    };
    match text.strip_prefix('+') {
        Some(number) => digits(number, 7..=15),
        None => digits(text, 3..=8) || is_id(text, "MG"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("TWILIO_ACCOUNT_SID", "AC0123"),
        ("TWILIO_AUTH_TOKEN", "new, old"),
        ("TWILIO_FROM", "+15005550006"),
        ("BFF_PUBLIC_URL", "https://api.example.com/"),
    ];

    fn with(changes: &[(&str, &str)]) -> Result<Option<TwilioSettings>, Vec<String>> {
        let mut env = Env::from_pairs(GOOD.into_iter().chain(changes.iter().copied()));
        let read = read(&mut env);
        env.finish().map(|()| read).map_err(|error| error.problems)
    }

    #[test]
    fn an_account_is_read() {
        let read = with(&[("TWILIO_API_KEY", "SK1:secret")]).unwrap().unwrap();
        assert_eq!(read.tokens, ["new", "old"]);
        assert_eq!(read.key, Some(("SK1".to_owned(), "secret".to_owned())));
        assert_eq!(read.callback.unwrap().as_str(), "https://api.example.com/api/webhooks/twilio/status");
        assert!(with(&[("TWILIO_ACCOUNT_SID", "")]).unwrap().is_none());
        for from in ["12345", "MG0123abc"] {
            assert_eq!(with(&[("TWILIO_FROM", from)]).unwrap().unwrap().from, from);
        }
        let shown = format!("{:?}", with(&[("TWILIO_API_KEY", "SK1:secret")]));
        assert!(!shown.contains("new") && !shown.contains("old") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn twilio_is_not_given_an_address_that_it_cannot_call() {
        let here = [("BFF_PUBLIC_URL", "http://localhost:3000")];
        assert_eq!(with(&here).unwrap().unwrap().callback, None);
        let both = [here[0], ("TWILIO_API_BASE", "http://127.0.0.1:8105/twilio")];
        assert!(with(&both).unwrap().unwrap().callback.is_some());
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value) in [
            ("TWILIO_ACCOUNT_SID", "SK1"),
            ("TWILIO_AUTH_TOKEN", " , "),
            ("TWILIO_FROM", "555 0100"),
            ("TWILIO_FROM", ""),
            ("TWILIO_API_KEY", "SK1"),
            ("TWILIO_API_BASE", "twilio"),
        ] {
            let problems = with(&[(name, value)]).unwrap_err();
            assert!(problems.iter().any(|problem| problem.contains(name)), "{name}: {problems:?}");
        }
    }
}
