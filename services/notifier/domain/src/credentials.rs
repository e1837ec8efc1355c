//! Headers and credentials that a receiver wants to see, which only it should know.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// What is shown in place of a value; given back, the value stays.
pub const HIDDEN: &str = "********";
/// Headers of one endpoint.
pub const MAX_HEADERS: usize = 20;
/// Bytes of a header's name.
const MAX_NAME: usize = 100;
/// Bytes of a value, a user name, a password or a token.
const MAX_VALUE: usize = 2_048;

/// Names that are ours, or the connection's, or mean something to those on the way.
const TAKEN: [&str; 25] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "via",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-forwarded-for",
    "x-real-ip",
    "x-webhook-signature",
];
/// Beginnings of such names.
const TAKEN_PREFIXES: [&str; 4] = ["proxy-", "sec-", "webhook-", "x-forwarded-"];

/// How the receiver is shown who asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Basic`
    Basic {
        /// The name, without a colon.
        user: String,
        /// The password.
        password: String,
    },
    /// `Authorization: Bearer`
    Bearer {
        /// The token.
        token: String,
    },
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Credentials {
    /// Values by name, in small letters.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The `Authorization`.
    #[serde(default)]
    pub auth: Option<Auth>,
}

/// Why they are refused. Never says a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// More than [`MAX_HEADERS`].
    #[error("there may be {MAX_HEADERS} headers")]
    TooMany,
    /// Not a header's name.
    #[error("\"{0}\" is no header's name")]
    Name(String),
    /// A name that is not to be set.
    #[error("the header \"{0}\" is set by us or by the connection")]
    Taken(String),
    /// A value that is not one.
    #[error("the value of \"{0}\" must be 1 to {MAX_VALUE} printable ASCII characters, without blanks around it")]
    Value(String),
    /// A name with a colon.
    #[error("the user name must not have a colon")]
    User,
    /// Twice the same.
    #[error("\"authorization\" is either a header or made of credentials, not both")]
    Authorization,
    /// [`HIDDEN`] where nothing is stored.
    #[error("\"{0}\" has no value yet")]
    Hidden(String),
}

impl Credentials {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.auth.is_none()
    }

    /// Whether something is to stay as it is stored.
    #[must_use]
    pub fn keeps_some(&self) -> bool {
        let auth = match &self.auth {
            Some(Auth::Basic { user, password }) => user == HIDDEN || password == HIDDEN,
            Some(Auth::Bearer { token }) => token == HIDDEN,
            None => false,
        };
        auth || self.headers.values().any(|value| value == HIDDEN)
    }

    /// With names in small letters, and what is hidden taken from `stored`.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn filled(self, stored: &Self) -> Result<Self, CredentialError> {
        let mut headers = BTreeMap::new();
        for (name, value) in self.headers {
            let name = name.to_ascii_lowercase();
            let value = if value == HIDDEN {
                stored.headers.get(&name).cloned().ok_or_else(|| CredentialError::Hidden(name.clone()))?
            } else {
                value
            };
            if headers.insert(name.clone(), value).is_some() {
                return Err(CredentialError::Name(name));
            }
        }
        let keep = |given: String, stored: Option<&String>, what: &str| {
            if given == HIDDEN {
                stored.cloned().ok_or_else(|| CredentialError::Hidden(what.to_owned()))
            } else {
                Ok(given)
            }
        };
        let (stored_user, stored_password, stored_token) = match &stored.auth {
            Some(Auth::Basic { user, password }) => (Some(user), Some(password), None),
            Some(Auth::Bearer { token }) => (None, None, Some(token)),
            None => (None, None, None),
        };
        let auth = match self.auth {
            Some(Auth::Basic { user, password }) => Some(Auth::Basic {
                user: keep(user, stored_user, "user")?,
                password: keep(password, stored_password, "password")?,
            }),
            Some(Auth::Bearer { token }) => Some(Auth::Bearer { token: keep(token, stored_token, "token")? }),
            None => None,
        };
        let filled = Self { headers, auth };
        filled.check()?;
        Ok(filled)
    }

    /// As it is shown.
    #[must_use]
    pub fn hidden(&self) -> Self {
        let hidden = || HIDDEN.to_owned();
        Self {
            headers: self.headers.keys().map(|name| (name.clone(), hidden())).collect(),
            auth: self.auth.as_ref().map(|auth| match auth {
                Auth::Basic { .. } => Auth::Basic { user: hidden(), password: hidden() },
                Auth::Bearer { .. } => Auth::Bearer { token: hidden() },
            }),
        }
    }

    /// The value of `Authorization`, if it is made of credentials.
    #[must_use]
    pub fn authorization(&self) -> Option<String> {
        self.auth.as_ref().map(|auth| match auth {
            Auth::Basic { user, password } => format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            Auth::Bearer { token } => format!("Bearer {token}"),
        })
    }

    fn check(&self) -> Result<(), CredentialError> {
        if self.headers.len() > MAX_HEADERS {
            return Err(CredentialError::TooMany);
        }
        for (name, value) in &self.headers {
            if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_token) {
                return Err(CredentialError::Name(name.clone()));
            }
            if TAKEN.contains(&name.as_str()) || TAKEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(CredentialError::Taken(name.clone()));
            }
            if !is_value(value) {
                return Err(CredentialError::Value(name.clone()));
            }
        }
        match &self.auth {
            Some(_) if self.headers.contains_key("authorization") => Err(CredentialError::Authorization),
            Some(Auth::Basic { user, .. }) if user.contains(':') => Err(CredentialError::User),
            Some(Auth::Basic { user, password }) => {
                let texts = [("user", user), ("password", password)];
                let bad = texts
                    .into_iter()
                    .find(|(_, text)| text.is_empty() || text.len() > MAX_VALUE || text.chars().any(char::is_control));
                bad.map_or(Ok(()), |(what, _)| Err(CredentialError::Value(what.to_owned())))
            }
            Some(Auth::Bearer { token }) if !is_value(token) => Err(CredentialError::Value("token".to_owned())),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Credentials({} headers, {})",
            self.headers.len(),
            if self.auth.is_some() { "auth" } else { "no auth" }
        )
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(..)",
            Self::Bearer { .. } => "Bearer(..)",
        })
    }
}

/// RFC 9110's tchar.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_value(text: &str) -> bool {
    (1..=MAX_VALUE).contains(&text.len())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && text.trim() == text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(list: &[(&str, &str)]) -> Credentials {
        let headers = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Credentials { headers, auth: None }
    }

    fn refused(given: Credentials) -> CredentialError {
        given.filled(&Credentials::default()).unwrap_err()
    }

    fn basic(user: &str, password: &str) -> Credentials {
        let auth = Some(Auth::Basic { user: user.to_owned(), password: password.to_owned() });
        Credentials { auth, ..Credentials::default() }
    }

    #[test]
    fn names_of_ours_and_of_the_connections_are_refused_however_they_are_written() {
        for name in [
            "Host",
            "CONTENT-LENGTH",
            "Transfer-Encoding",
            "Connection",
            "webhook-anything",
            "X-Webhook-Signature",
            "Proxy-Authorization",
            "traceparent",
            "Content-Type",
            "X-Forwarded-Host",
            "Sec-Fetch-Mode",
        ] {
            assert_eq!(refused(headers(&[(name, "x")])), CredentialError::Taken(name.to_ascii_lowercase()));
        }
        for name in ["", "a b", "ü", "a:b", "x\r\ny", &"x".repeat(101)] {
            assert!(matches!(refused(headers(&[(name, "x")])), CredentialError::Name(_)), "{name}");
        }
        for value in ["", " x", "a\r\nb", "ü", &"x".repeat(2_049)] {
            assert_eq!(refused(headers(&[("x-a", value)])), CredentialError::Value("x-a".to_owned()), "{value}");
        }
        let many: Vec<(String, &str)> = (0..21).map(|n| (format!("x-{n}"), "x")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(refused(headers(&many)), CredentialError::TooMany);
        assert!(matches!(refused(headers(&[("x-a", "1"), ("X-A", "2")])), CredentialError::Name(_)));
    }

    #[test]
    fn credentials_become_one_authorization() {
        let shown = |given: Credentials| given.filled(&Credentials::default()).unwrap().authorization();
        assert_eq!(shown(basic("Aladdin", "open sesame")).unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let bearer = Some(Auth::Bearer { token: "t0k.en".to_owned() });
        assert_eq!(shown(Credentials { auth: bearer.clone(), ..Credentials::default() }).unwrap(), "Bearer t0k.en");
        assert_eq!(shown(headers(&[("Authorization", "Token x")])), None);
        let both = Credentials { auth: bearer, ..headers(&[("authorization", "x")]) };
        assert_eq!(refused(both), CredentialError::Authorization);
        assert_eq!(refused(basic("a:b", "x")), CredentialError::User);
        assert_eq!(refused(basic("a", "x\n")), CredentialError::Value("password".to_owned()));
    }

    #[test]
    fn what_is_shown_has_no_value_and_given_back_changes_nothing() {
        let stored =
            Credentials { auth: basic("me", "secret!").auth, ..headers(&[("x-key", "k1"), ("x-other", "k2")]) };
        let shown = stored.hidden();
        assert!(shown.keeps_some() && !stored.keeps_some());
        assert_eq!(shown.clone().filled(&stored), Ok(stored.clone()));
        assert_eq!(refused(shown), CredentialError::Hidden("x-key".to_owned()));
        assert_eq!(headers(&[("X-Key", HIDDEN)]).filled(&stored).unwrap().headers["x-key"], "k1");
        assert_eq!(
            Credentials { auth: Some(Auth::Bearer { token: HIDDEN.to_owned() }), ..Credentials::default() }
                .filled(&stored),
            Err(CredentialError::Hidden("token".to_owned()))
        );
        for text in [format!("{stored:?}"), serde_json::to_string(&stored.hidden()).unwrap()] {
            assert!(!["k1", "k2", "secret!"].iter().any(|secret| text.contains(secret)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_one_line_of_a_request(name in any::<String>(), value in any::<String>()) {
            if let Ok(passed) = headers(&[(&name, &value)]).filled(&Credentials::default()) {
                for (name, value) in passed.headers {
                    prop_assert!(name.bytes().all(is_token) && !name.contains(':'));
                    prop_assert!(!value.contains(['\r', '\n', '\0']));
                }
            }
        }
    }
}
