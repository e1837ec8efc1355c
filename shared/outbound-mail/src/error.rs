use lettre::transport::smtp;

/// A mail was not taken. The words name no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// This mail will never be taken.
    #[error("{0}")]
    Refused(String),
    /// It may be taken later: the server is away, busy, or not set up right.
    #[error("{0}")]
    Later(String),
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The sender.
    #[error("the sender must be an address such as name@example.com or Name <name@example.com>")]
    From,
    /// The server's name cannot be one in a certificate.
    #[error("the server's name cannot be used with TLS")]
    Host,
}

/// Codes about the connection or the account, not about the mail: the same mail is fine when those are mended.
const ABOUT_US: [u16; 8] = [500, 502, 503, 504, 530, 534, 535, 538];

impl From<smtp::Error> for SendError {
    fn from(error: smtp::Error) -> Self {
        let code = error.status().map(u16::from);
        let words = without_addresses(&error.to_string());
        if error.is_permanent() && code.is_none_or(|code| !ABOUT_US.contains(&code)) {
            Self::Refused(words)
        } else {
            Self::Later(words)
        }
    }
}

/// Servers like to repeat whom they refuse.
fn without_addresses(text: &str) -> String {
    let words = text.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    words.take(60).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_repeated() {
        let text = without_addresses("permanent error (550): 5.1.1 <sam@example.com>: Recipient unknown");
        assert_eq!(text, "permanent error (550): 5.1.1 … Recipient unknown");
    }
}
