//! What Twilio signs its calls with (`X-Twilio-Signature`): HMAC-SHA1, keyed with the account's auth token, of the URL and each field of the form,
//! name and value, in order.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use url::Url;

/// The tokens that a call may be signed with.
#[derive(Clone)]
pub struct TwilioTokens(Vec<hmac::Key>);

impl TwilioTokens {
    /// Any of `tokens`.
    #[must_use]
    pub fn new(tokens: &[String]) -> Self {
        let key = |token: &String| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
        Self(tokens.iter().map(key).collect())
    }

    /// Whether `signature`, base64, is one's for a call of `url` with the form `fields`. In constant time.
    #[must_use]
    pub fn verifies(&self, signature: &str, url: &str, fields: &[(String, String)]) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_unstable();
        fields.dedup();
        let form: String = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        spellings(url).iter().any(|url| {
            let signed = format!("{url}{form}");
            self.0.iter().any(|key| hmac::verify(key, signed.as_bytes(), &signature).is_ok())
        })
    }
}

/// The URL as it is, and with or without its port: which of them is signed depends on what calls.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Ok(parsed) = Url::parse(url) else { return all };
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else { return all };
    let rest = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or_default();
    for place in [host.to_owned(), format!("{host}:{port}")] {
        let other = format!("{}://{place}{rest}", parsed.scheme());
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    // Of Twilio's documentation of how requests are validated.
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: [(&str, &str); 5] = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ];
    const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

    #[test]
    fn what_twilio_publishes_verifies_and_nothing_else() {
        let tokens = TwilioTokens::new(&["another".to_owned(), "12345".to_owned()]);
        let mut form = fields(&FORM);
        assert!(tokens.verifies(SIGNATURE, URL, &form));
        form.reverse();
        assert!(tokens.verifies(SIGNATURE, URL, &form), "in any order");
        assert!(tokens.verifies(SIGNATURE, &URL.replace(".com", ".com:443"), &form));
        for url in [&URL.replace("bar=2", "bar=3"), &URL.replace("https", "http"), "", "https://"] {
            assert!(!tokens.verifies(SIGNATURE, url, &form), "{url}");
        }
        for signature in ["", "RSOYDt4T1cUTdK1PDd93", "AAAA", "ü"] {
            assert!(!tokens.verifies(signature, URL, &form), "{signature}");
        }
        form[0].1.push('x');
        assert!(!tokens.verifies(SIGNATURE, URL, &form));
        assert!(!TwilioTokens::new(&["1234".to_owned()]).verifies(SIGNATURE, URL, &fields(&FORM)));
        assert!(!TwilioTokens::new(&[]).verifies(SIGNATURE, URL, &fields(&FORM)));
    }
}
