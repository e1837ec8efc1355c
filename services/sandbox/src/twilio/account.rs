//! The one account that it knows.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::error::TwilioError;
use crate::Config;

/// Who may call, and what is his.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) sid: String,
    /// Lets in, and signs calls.
    pub(crate) token: String,
    /// The sid and secret of a key that lets in, too.
    key: Option<(String, String)>,
    /// Numbers that it sends from, and that people write to.
    pub(crate) numbers: Vec<String>,
    /// Its messaging service, which sends from the first of them.
    pub(crate) service_sid: String,
}

impl Account {
    pub(crate) fn of(config: &Config) -> Self {
        let key = config.twilio_api_key.as_deref().and_then(|key| key.split_once(':'));
        Self {
            sid: config.twilio_account_sid.clone(),
            token: config.twilio_auth_token.clone(),
            key: key.map(|(sid, secret)| (sid.to_owned(), secret.to_owned())),
            numbers: config.twilio_numbers.clone(),
            service_sid: config.twilio_service_sid.clone(),
        }
    }

    /// Judges the `Authorization` of a call for the account `sid`.
    pub(crate) fn admit(&self, authorization: &str, sid: &str) -> Result<(), TwilioError> {
        let given = authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let given = given.and_then(|(_, given)| STANDARD.decode(given.trim()).ok()).unwrap_or_default();
        let good = match std::str::from_utf8(&given).ok().and_then(|given| given.split_once(':')) {
            Some((user, password)) if user == self.sid => password == self.token,
            Some((user, password)) => self
                .key
                .as_ref()
                .is_some_and(|(sid, secret)| sid.starts_with("SK") && user == sid && password == secret),
            None => false,
        };
        if good && sid == self.sid { Ok(()) } else { Err(TwilioError::unauthorized()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_and_its_key_are_let_in() {
        let config = Config { twilio_api_key: Some("SK1:secret".to_owned()), ..Config::default() };
        let account = Account::of(&config);
        let header = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let admits = |header: &str| account.admit(header, &account.sid).is_ok();
        assert!(admits(&header(&account.sid, &account.token)));
        assert!(admits(&header("SK1", "secret").replace("Basic", "basic")));
        for bad in [
            header(&account.sid, "wrong"),
            header(&account.sid, ""),
            header("SK1", &account.token),
            header("", ""),
            format!("Bearer {}", account.token),
            "Basic ???".to_owned(),
            String::new(),
        ] {
            assert!(!admits(&bad), "{bad}");
        }
        let good = header(&account.sid, &account.token);
        assert_eq!(account.admit(&good, "AC0").unwrap_err().status, 401, "somebody else's");
        let without = Account { key: None, ..account.clone() };
        assert!(without.admit(&header("SK1", "secret"), &without.sid).is_err());
    }
}
