//! Text messages through Twilio's API (`2010-04-01`, `Messages.json`).

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, Method, header};
use leadflow_kernel::{Clock, MessageId};
use leadflow_notifier_domain::{NumberState, Text, is_for_good, number_state, parse_retry_after, trouble_in_words};
use leadflow_outbound_http::{Answer, BuildError, Client, Failure, Options};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::{
    config::is_here,
    outbound::carrier::{NotSent, Sent},
};

/// An answer to a question has at most so many messages, of about 1 KiB.
const ANSWER: usize = 512 << 10;
const PAGE: &str = "100";
/// Of its words, this many characters are kept.
const WORDS: usize = 300;
/// How far Twilio's clock may be behind ours.
const SKEW: TimeDelta = TimeDelta::minutes(5);
/// A messaging service's id begins so; anything else is a number.
const SERVICE: &str = "MG";

/// An account at Twilio.
#[derive(Clone, PartialEq, Eq)]
pub struct TwilioSettings {
    /// `https://api.twilio.com`, or where something like it is.
    pub base: Url,
    /// `AC…`
    pub account: String,
    /// What Twilio signs its calls with, and is shown to it without a key: the first; the others while one replaces another.
    pub tokens: Vec<String>,
    /// A key (`SK…`) and its secret, shown instead of the token.
    pub key: Option<(String, String)>,
    /// A number in E.164, a short code, or a messaging service (`MG…`).
    pub from: String,
    /// Where what became of a message is told to; none: Twilio cannot call there.
    pub callback: Option<Url>,
    /// For a message, all in all; and as much to ask for one.
    pub timeout: Duration,
}

impl fmt::Debug for TwilioSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioSettings")
            .field("base", &self.base.as_str())
            .field("account", &self.account)
            .field("from", &self.from)
            .field("callback", &self.callback.as_ref().map(Url::as_str))
            .finish_non_exhaustive()
    }
}

/// Hands text messages to Twilio. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Twilio {
    client: Client,
    url: String,
    authorization: HeaderValue,
    from: String,
    callback: Option<Url>,
    clock: Arc<dyn Clock>,
}

impl Twilio {
    /// With an account.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &TwilioSettings, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let options = Options {
            purpose: "twilio",
            total_timeout: settings.timeout,
            body_cap: ANSWER,
            // It is an API: it does not move.
            max_redirects: 0,
            allow_loopback: is_here(&settings.base),
            idle_per_host: 64,
            ..Options::default()
        };
        let token = settings.tokens.first().map_or("", String::as_str);
        let (user, password) =
            settings.key.as_ref().map_or((settings.account.as_str(), token), |(key, secret)| (key, secret));
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        let mut authorization =
            HeaderValue::from_str(&format!("Basic {credentials}")).unwrap_or(HeaderValue::from_static("Basic"));
        authorization.set_sensitive(true);
        let base = settings.base.as_str().trim_end_matches('/');
        Ok(Self {
            client: Client::new(options)?,
            url: format!("{base}/2010-04-01/Accounts/{}/Messages.json", settings.account),
            authorization,
            from: settings.from.clone(),
            callback: settings.callback.clone(),
            clock,
        })
    }

    /// Hands over a text.
    ///
    /// # Errors
    /// [`NotSent`].
    pub(super) async fn send(&self, message: MessageId, to: &str, text: &Text) -> Result<Sent, NotSent> {
        let form = self.form(message, to, text);
        let mut headers = self.headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let answer = self.client.post(&self.url, headers, form.into()).await;
        outcome(&answer.map_err(|failure| lost(&failure))?, self.clock.now())
    }

    fn form(&self, message: MessageId, to: &str, text: &Text) -> String {
        let sender = if self.from.starts_with(SERVICE) { "MessagingServiceSid" } else { "From" };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("To", to).append_pair(sender, &self.from).append_pair("Body", &text.body);
        if let Some(callback) = self.callback(message, text.segments) {
            form.append_pair("StatusCallback", callback.as_str());
        }
        form.finish()
    }

    /// What Twilio has of these words to this number, the oldest first. It is not asked for by `DateSent`, which a message has only once it
    /// has left.
    ///
    /// # Errors
    /// [`NotSent::Later`].
    pub(super) async fn find(&self, to: &str, text: &Text, since: DateTime<Utc>) -> Result<Vec<Sent>, NotSent> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", to)
            .append_pair("PageSize", PAGE)
            .finish();
        let url = format!("{}?{query}", self.url);
        let answer = self.client.send(Method::GET, &url, self.headers(), Vec::new().into()).await;
        let later = |status_code, why: &str, retry_after| NotSent::Later {
            status_code,
            why: format!("it may be sent already, and Twilio could not be asked: {why}"),
            retry_after,
            unsure: true,
        };
        let answer = answer.map_err(|failure| {
            later(failure.status.unwrap_or_default(), &without_numbers(&failure.to_string()), None)
        })?;
        if answer.status != 200 {
            let trouble = Trouble::of(&answer, self.clock.now());
            return Err(later(answer.status, &trouble.words, trouble.retry_after));
        }
        let listed: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let messages = listed["messages"].as_array();
        let messages = messages.ok_or_else(|| later(answer.status, "its answer cannot be read", None))?;
        let ours = messages.iter().filter(|message| {
            let made = message["date_created"].as_str().and_then(|at| DateTime::parse_from_rfc2822(at).ok());
            message["direction"].as_str().is_some_and(|direction| direction.starts_with("outbound"))
                && message["body"].as_str() == Some(text.body.as_str())
                && made.is_some_and(|made| made >= since - SKEW)
        });
        // The newest is the first in the list.
        Ok(ours.rev().map(|message| taken(message, answer.status)).collect())
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([
            (header::AUTHORIZATION, self.authorization.clone()),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ])
    }

    /// Says which message it is about, and what it costs, whether or not the answer arrives that says so.
    fn callback(&self, message: MessageId, segments: u32) -> Option<Url> {
        let mut url = self.callback.clone()?;
        url.query_pairs_mut()
            .append_pair("message", &message.to_string())
            .append_pair("segments", &segments.to_string());
        Some(url)
    }
}

/// What an answer means. What is wrong with us (a key, the account, too many) is mended later; what is wrong with the number or the text never is.
fn outcome(answer: &Answer, now: DateTime<Utc>) -> Result<Sent, NotSent> {
    let status_code = answer.status;
    if matches!(status_code, 200..=299) {
        return Ok(taken(&serde_json::from_slice(&answer.body).unwrap_or_default(), status_code));
    }
    let Trouble { code, words: why, retry_after } = Trouble::of(answer, now);
    match number_state(code) {
        _ if status_code != 400 => Err(NotSent::Later { status_code, why, retry_after, unsure: status_code >= 500 }),
        NumberState::Stopped => Err(NotSent::Unreachable { status_code, why, stopped: true }),
        NumberState::Dead => Err(NotSent::Unreachable { status_code, why, stopped: false }),
        NumberState::Fine if is_for_good(code) => Err(NotSent::Refused { status_code, why }),
        NumberState::Fine => Err(NotSent::Later { status_code, why, retry_after, unsure: false }),
    }
}

/// A message as Twilio describes it. How many segments it is Twilio knows best, once it knows.
fn taken(message: &Value, status_code: u16) -> Sent {
    let segments = &message["num_segments"];
    let units = segments.as_str().and_then(|text| text.parse().ok()).or_else(|| segments.as_u64()?.try_into().ok());
    Sent {
        provider_id: message["sid"].as_str().map(str::to_owned),
        status_code,
        units: units.filter(|units: &u32| (1..=20).contains(units)),
    }
}

/// An answer that says no.
struct Trouble {
    code: u32,
    words: String,
    retry_after: Option<Duration>,
}

impl Trouble {
    fn of(answer: &Answer, now: DateTime<Utc>) -> Self {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = said["code"].as_u64().and_then(|code| code.try_into().ok()).unwrap_or_default();
        let own = || without_numbers(said["message"].as_str().unwrap_or_default());
        let meaning = trouble_in_words(code).map_or_else(own, str::to_owned);
        let words = match (code, meaning.as_str()) {
            (0, _) => format!("Twilio answered {}", answer.status),
            (code, "") => format!("Twilio answered {} ({code})", answer.status),
            (code, meaning) => format!("Twilio answered {} ({code}): {meaning}", answer.status),
        };
        let retry_after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Self { code, words, retry_after: retry_after.and_then(|text| parse_retry_after(text, now)) }
    }
}

fn lost(failure: &Failure) -> NotSent {
    NotSent::Later {
        status_code: failure.status.unwrap_or_default(),
        why: format!("Twilio: {}", without_numbers(&failure.to_string())),
        retry_after: None,
        unsure: failure.may_have_arrived(),
    }
}

/// Its words, without what could be a phone's number.
fn without_numbers(text: &str) -> String {
    let long = |word: &&str| word.chars().filter(char::is_ascii_digit).count() > 5;
    let words = text.split_whitespace().map(|word| if long(&word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        Answer {
            status,
            headers: headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
            body: body.as_bytes().to_vec().into(),
            truncated: false,
            duration: Duration::ZERO,
            redirects: 0,
        }
    }

    fn refusal(status: u16, code: u32) -> Result<Sent, NotSent> {
        let body = format!(r#"{{"code":{code},"message":"The number +15550100199 is wrong","status":{status}}}"#);
        outcome(&answer(status, &[], &body), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn answers_mean_what_twilio_says_they_do() {
        for (body, provider_id, units) in [
            (r#"{"sid":"SM1","num_segments":"2"}"#, Some("SM1"), Some(2)),
            // A messaging service does not know yet.
            (r#"{"sid":"SM1","num_segments":"0"}"#, Some("SM1"), None),
            (r#"{"sid":"SM1","num_segments":3}"#, Some("SM1"), Some(3)),
            ("not JSON", None, None),
        ] {
            let sent = Sent { provider_id: provider_id.map(str::to_owned), status_code: 201, units };
            assert_eq!(outcome(&answer(201, &[], body), DateTime::UNIX_EPOCH), Ok(sent), "{body}");
        }
        assert!(matches!(refusal(400, 21610), Err(NotSent::Unreachable { stopped: true, .. })));
        for dead in [21211, 21614] {
            assert!(matches!(refusal(400, dead), Err(NotSent::Unreachable { stopped: false, .. })), "{dead}");
        }
        assert!(matches!(refusal(400, 21408), Err(NotSent::Refused { .. })));
        for (status, code) in
            [(400, 21606), (400, 99), (401, 20003), (403, 20005), (404, 20404), (429, 20429), (302, 0)]
        {
            assert!(matches!(refusal(status, code), Err(NotSent::Later { unsure: false, .. })), "{status} {code}");
        }
        for status in [500, 503] {
            assert!(matches!(refusal(status, 20500), Err(NotSent::Later { unsure: true, .. })), "{status}");
        }
    }

    #[test]
    fn words_name_no_number_and_times_are_heard() {
        let why = |status, code| match refusal(status, code) {
            Err(NotSent::Refused { why, .. } | NotSent::Unreachable { why, .. } | NotSent::Later { why, .. }) => why,
            Ok(sent) => panic!("{sent:?}"),
        };
        assert_eq!(why(400, 21614), "Twilio answered 400 (21614): it is no mobile phone");
        assert_eq!(why(400, 99), "Twilio answered 400 (99): The number … is wrong");
        assert_eq!(why(503, 0), "Twilio answered 503");
        let busy = outcome(&answer(429, &[("retry-after", "70")], "{}"), DateTime::UNIX_EPOCH);
        let Err(NotSent::Later { retry_after, .. }) = busy else { panic!("{busy:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(70)));
    }
}
