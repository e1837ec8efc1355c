//! The calls that it makes: what became of a message, and messages of people.

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use url::form_urlencoded;

use crate::{
    Sandbox,
    twilio::{Text, TextStatus, Told, TwilioBehaviour, signature},
};

/// An answer to a call.
struct Answered {
    status: u16,
    body: String,
}

impl Sandbox {
    /// A message goes its way, and each step is told.
    pub(super) async fn let_it_happen(&self, text: Text, behaviour: TwilioBehaviour) {
        let steps = self.twilio().fate(&text, behaviour);
        for (status, error_code) in steps {
            self.make_it(&text.sid, status, error_code).await;
        }
    }

    /// A message's status changes, which is told. `None`: there is no such message; inside: nobody is told, or nobody answered.
    pub(super) async fn make_it(&self, sid: &str, status: TextStatus, error_code: Option<u32>) -> Option<Option<u16>> {
        let (url, parameters) = {
            let mut twilio = self.twilio();
            let text = twilio.becomes(sid, status, error_code, self.clock.now())?;
            (text.status_callback.clone(), text.status_parameters(&twilio.account.sid, status))
        };
        let Some(url) = url else { return Some(None) };
        let answer = self.call(&url, &parameters).await.map(|answered| answered.status);
        self.twilio().was_told(sid, Told { status, answer });
        Some(answer)
    }

    /// Somebody writes to one of our numbers. The message, and the status of our webhook's answer if there is one.
    pub(super) async fn receive(&self, from: &str, to: &str, body: &str) -> (Text, Option<u16>) {
        let (text, url, parameters) = {
            let mut twilio = self.twilio();
            let text = twilio.receive(from, to, body, self.clock.now());
            let parameters = text.inbound_parameters(&twilio.account.sid);
            (text, twilio.inbound_url.clone(), parameters)
        };
        let Some(url) = url else { return (text, None) };
        let answered = self.call(&url, &parameters).await;
        let status = answered.as_ref().map(|answered| answered.status);
        let mut twilio = self.twilio();
        twilio.was_told(&text.sid, Told { status: TextStatus::Received, answer: status });
        if let Some(answered) = answered.filter(|answered| answered.status == 200) {
            for said in messages(&answered.body) {
                twilio.answer(&text, &said, self.clock.now());
            }
        }
        (text, status)
    }

    /// Calls `url` with a signed form. A call that fails is not repeated.
    async fn call(&self, url: &str, parameters: &[(&'static str, String)]) -> Option<Answered> {
        let (headers, form) = self.signed(url, parameters);
        match self.client.post(url, headers, form).await {
            Ok(answer) => {
                Some(Answered { status: answer.status, body: String::from_utf8_lossy(&answer.body).into_owned() })
            }
            Err(error) => {
                tracing::warn!(%error, "Twilio's call was not taken");
                error.status.map(|status| Answered { status, body: String::new() })
            }
        }
    }

    fn signed(&self, url: &str, parameters: &[(&'static str, String)]) -> (HeaderMap, Bytes) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            form.append_pair(name, value);
        }
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("TwilioProxy/1.1"));
        let twilio = self.twilio();
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        headers.insert("x-twilio-signature", value(&signature(&twilio.account.token, url, parameters)));
        headers.insert("i-twilio-idempotency-token", value(&twilio.call_id()));
        (headers, Bytes::from(form.finish()))
    }
}

/// The texts of TwiML's `<Message>`s.
fn messages(twiml: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in twiml.split("<Message>").skip(1) {
        let Some((inside, _)) = part.split_once("</Message>") else { continue };
        let inside = inside.trim();
        let text = inside.strip_prefix("<Body>").and_then(|rest| rest.strip_suffix("</Body>")).unwrap_or(inside);
        let mut plain = text.to_owned();
        // What an ampersand is written as comes last: it may make no other of these.
        for (written, meant) in
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
        {
            plain = plain.replace(written, meant);
        }
        found.push(plain);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_out_of_twiml() {
        assert_eq!(messages("<?xml version=\"1.0\"?><Response/>"), Vec::<String>::new());
        let twiml = "<Response><Message>a &lt;b&gt; &amp;amp;</Message><Message><Body>two</Body></Message></Response>";
        assert_eq!(messages(twiml), ["a <b> &amp;", "two"]);
    }
}
