//! What Twilio refuses when it is asked to send.

use std::collections::BTreeMap;

use url::Url;

use super::{
    Account,
    error::TwilioError,
    numbers::{invalid_from, invalid_to, is_number, magic_from, magic_to},
};

/// Of a body, in UTF-16.
const LONGEST_BODY: usize = 1_600;
const LONGEST_URL: usize = 4_000;

/// A message that may be sent, unless its recipient said STOP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) to: String,
    pub(crate) from: String,
    /// Asked for by the service, which picks the number.
    pub(crate) service: Option<String>,
    pub(crate) body: String,
    pub(crate) status_callback: Option<String>,
}

/// Judges a call's parameters; of a name that is there twice the last counts.
pub(crate) fn check(account: &Account, parameters: &BTreeMap<String, String>) -> Result<Wanted, TwilioError> {
    let given = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let Some(to) = given("To") else { return Err(TwilioError::bad(21604, "A 'To' phone number is required.")) };
    let (from, service) = (given("From"), given("MessagingServiceSid"));
    if from.is_none() && service.is_none() {
        return Err(TwilioError::bad(21603, "A 'From' or 'MessagingServiceSid' parameter is required."));
    }
    let Some(body) = given("Body") else { return Err(TwilioError::bad(21602, "Message body is required.")) };
    if body.encode_utf16().count() > LONGEST_BODY {
        return Err(TwilioError::bad(21617, "The concatenated message body exceeds the 1600 character limit."));
    }
    let status_callback = given("StatusCallback");
    if let Some(url) = status_callback
        && !is_callback(url)
    {
        return Err(TwilioError::bad(21609, format!("The 'StatusCallback' URL {url} is not a valid URL.")));
    }
    if !is_number(to) {
        return Err(invalid_to(to));
    }
    let from = sender(account, from, service)?;
    if let Some(error) = magic_to(to, &from) {
        return Err(error);
    }
    if to == from {
        return Err(TwilioError::bad(21266, format!("'To' and 'From' number cannot be the same: {to}")));
    }
    Ok(Wanted {
        to: to.to_owned(),
        from,
        service: service.map(str::to_owned),
        body: body.to_owned(),
        status_callback: status_callback.map(str::to_owned),
    })
}

/// The number that it is sent from.
fn sender(account: &Account, from: Option<&str>, service: Option<&str>) -> Result<String, TwilioError> {
    if let Some(service) = service
        && service != account.service_sid
    {
        return Err(TwilioError::bad(21701, "The Messaging Service does not exist"));
    }
    let Some(from) = from else {
        let first = account.numbers.first().cloned();
        return first.ok_or_else(|| {
            TwilioError::bad(21703, "The Messaging Service does not have a phone number available to send a message")
        });
    };
    if let Some(error) = magic_from(from) {
        return Err(error);
    }
    if !is_number(from) {
        return Err(invalid_from(from));
    }
    if !account.numbers.iter().any(|number| number == from) {
        let message = format!("'From' {from} is not a Twilio phone number or short code country mismatch");
        return Err(TwilioError::bad(21659, message));
    }
    Ok(from.to_owned())
}

fn is_callback(url: &str) -> bool {
    url.len() <= LONGEST_URL
        && url.bytes().all(|b| b.is_ascii_graphic())
        && Url::parse(url).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.contains('_'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::of(&crate::Config::default())
    }

    fn refused(changes: &[(&str, &str)]) -> Result<Wanted, u32> {
        let mut parameters: BTreeMap<String, String> = [
            ("To", "+12125550123"),
            ("From", "+15005550006"),
            ("Body", "Hello"),
            ("StatusCallback", "https://api.example.com/told?m=1&b=2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in changes {
            parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        check(&account(), &parameters).map_err(|error| error.code)
    }

    #[test]
    fn a_message_as_it_should_be_is_taken() {
        let wanted = refused(&[]).unwrap();
        assert_eq!((wanted.from.as_str(), wanted.service), ("+15005550006", None));
        let service = account().service_sid;
        let wanted = refused(&[("From", ""), ("MessagingServiceSid", &service)]).unwrap();
        assert_eq!((wanted.from.as_str(), wanted.service), ("+15005550006", Some(service)));
        assert!(refused(&[("Body", &"x".repeat(1_600)), ("StatusCallback", "")]).is_ok());
    }

    #[test]
    fn what_the_real_one_refuses_is_refused() {
        let (long, address) = ("x".repeat(1_601), format!("https://e.co/{}", "x".repeat(4_000)));
        let emoji = "😀".repeat(801);
        for (changes, code) in [
            (&[("To", "")][..], 21604),
            (&[("To", "2125550123")], 21211),
            (&[("To", "+15005550001")], 21211),
            (&[("To", "+15005550002")], 21612),
            (&[("To", "+15005550003")], 21408),
            (&[("To", "+15005550004")], 21610),
            (&[("To", "+15005550009")], 21614),
            (&[("To", "+15005550006")], 21266),
            (&[("From", "")], 21603),
            (&[("From", "LeadFlow")], 21212),
            (&[("From", "+15005550001")], 21212),
            (&[("From", "+15005550007")], 21606),
            (&[("From", "+15005550008")], 21611),
            (&[("From", "+12125550199")], 21659),
            (&[("From", ""), ("MessagingServiceSid", "MG0")], 21701),
            (&[("Body", "")], 21602),
            (&[("Body", &long)], 21617),
            (&[("Body", &emoji)], 21617),
            (&[("StatusCallback", "told")], 21609),
            (&[("StatusCallback", "ftp://e.co/")], 21609),
            (&[("StatusCallback", "https://a_b.example.com/")], 21609),
            (&[("StatusCallback", "https://e.co/a b")], 21609),
            (&[("StatusCallback", &address)], 21609),
        ] {
            assert_eq!(refused(changes), Err(code), "{changes:?}");
        }
    }
}
