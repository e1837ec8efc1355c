//! What it remembers: the newest messages, within bounds, and who said STOP.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use serde_json::Value;

use super::{
    Account, Direction, Filter, Text, TextStatus, Told, TwilioBehaviour, check::Wanted, error::TwilioError,
    keywords::Keyword, new_sid, numbers::unsubscribed, segments::segments,
};

/// Numbers that said STOP; beyond that, messages of more are refused anyway.
const MAX_STOPPED: usize = 100_000;
/// Calls of one message that are remembered.
const MAX_TOLD: usize = 20;

/// Its state.
pub(crate) struct Twilio {
    pub(crate) account: Account,
    /// Where messages of people go.
    pub(crate) inbound_url: Option<String>,
    behaviour: TwilioBehaviour,
    newest_last: VecDeque<Text>,
    next_seq: u64,
    max: usize,
    /// Our number, and that of who does not want messages from it.
    stopped: BTreeSet<(String, String)>,
    random: SystemRandom,
}

impl Twilio {
    pub(crate) fn new(config: &crate::Config) -> Self {
        Self {
            account: Account::of(config),
            inbound_url: config.twilio_inbound_url.clone(),
            behaviour: TwilioBehaviour::USUAL,
            newest_last: VecDeque::new(),
            next_seq: 1,
            max: config.max_texts,
            stopped: BTreeSet::new(),
            random: SystemRandom::new(),
        }
    }

    pub(crate) fn behave(&mut self, behaviour: TwilioBehaviour) {
        self.behaviour = behaviour;
    }

    /// How the message at hand is treated.
    pub(crate) fn react(&mut self) -> TwilioBehaviour {
        let now = self.peek();
        self.behaviour.next = self.behaviour.next.saturating_sub(1);
        now
    }

    /// How a question is treated: as the next message is, whose turn stays its own.
    pub(crate) fn peek(&self) -> TwilioBehaviour {
        if self.behaviour.next > 0 { self.behaviour } else { TwilioBehaviour::USUAL }
    }

    /// Takes a message. Through a service, who said STOP is only found out later.
    pub(crate) fn take(&mut self, wanted: Wanted, now: DateTime<Utc>) -> Result<Text, TwilioError> {
        if wanted.service.is_none() && self.has_stopped(&wanted.from, &wanted.to) {
            return Err(unsubscribed());
        }
        let status = if wanted.service.is_some() { TextStatus::Accepted } else { TextStatus::Queued };
        let draft = self.draft(Direction::OutboundApi, wanted.from, wanted.to, wanted.body, status, now);
        let text = Text { service: wanted.service, status_callback: wanted.status_callback, ..draft };
        self.keep(text.clone());
        Ok(text)
    }

    /// What becomes of a message, step by step, if the behaviour for it is this one.
    pub(crate) fn fate(&self, text: &Text, behaviour: TwilioBehaviour) -> Vec<(TextStatus, Option<u32>)> {
        if self.has_stopped(&text.from, &text.to) {
            return vec![(TextStatus::Failed, Some(21610))];
        }
        let begun = [(TextStatus::Queued, None), (TextStatus::Sent, None)];
        match behaviour.outcome {
            TextStatus::Sent => begun.to_vec(),
            TextStatus::Delivered => [&begun[..], &[(TextStatus::Delivered, None)]].concat(),
            TextStatus::Undelivered => {
                [&begun[..], &[(TextStatus::Undelivered, behaviour.error_code.or(Some(30003)))]].concat()
            }
            TextStatus::Failed => vec![begun[0], (TextStatus::Failed, behaviour.error_code.or(Some(30008)))],
            _ => vec![begun[0]],
        }
    }

    /// A person's message, and what the number answers by itself.
    pub(crate) fn receive(&mut self, from: &str, to: &str, body: &str, now: DateTime<Utc>) -> Text {
        let (from, to) = (from.to_owned(), to.to_owned());
        let text = self.draft(Direction::Inbound, from.clone(), to.clone(), body.to_owned(), TextStatus::Received, now);
        self.keep(text.clone());
        let pair = (to.clone(), from.clone());
        let answer = match Keyword::of(body) {
            Some(Keyword::Stop) if self.stopped.len() < MAX_STOPPED => {
                self.stopped.insert(pair).then_some(Keyword::Stop)
            }
            Some(Keyword::Start) => self.stopped.remove(&pair).then_some(Keyword::Start),
            Some(Keyword::Help) => (!self.stopped.contains(&pair)).then_some(Keyword::Help),
            _ => None,
        };
        if let Some(keyword) = answer {
            self.reply(&to, &from, keyword.answer(), now);
        }
        text
    }

    /// Answers a person's message, whether he wants messages or not.
    fn reply(&mut self, from: &str, to: &str, body: &str, now: DateTime<Utc>) {
        let (from, to) = (from.to_owned(), to.to_owned());
        let mut text = self.draft(Direction::OutboundReply, from, to, body.to_owned(), TextStatus::Queued, now);
        text.becomes(TextStatus::Delivered, None, now);
        self.keep(text);
    }

    /// Likewise as our webhook wants it, which nobody gets who said STOP.
    pub(crate) fn answer(&mut self, to_text: &Text, body: &str, now: DateTime<Utc>) {
        if !self.has_stopped(&to_text.to, &to_text.from) {
            self.reply(&to_text.to.clone(), &to_text.from.clone(), body, now);
        }
    }

    pub(crate) fn has_stopped(&self, ours: &str, person: &str) -> bool {
        self.stopped.contains(&(ours.to_owned(), person.to_owned()))
    }

    /// Who said STOP, to which of our numbers.
    pub(crate) fn stopped(&self) -> impl Iterator<Item = &(String, String)> {
        self.stopped.iter()
    }

    /// A message's status becomes this.
    pub(crate) fn becomes(
        &mut self,
        sid: &str,
        status: TextStatus,
        error_code: Option<u32>,
        now: DateTime<Utc>,
    ) -> Option<Text> {
        let text = self.find(sid)?;
        text.becomes(status, error_code, now);
        Some(text.clone())
    }

    pub(crate) fn was_told(&mut self, sid: &str, told: Told) {
        if let Some(text) = self.find(sid) {
            text.told.truncate(MAX_TOLD - 1);
            text.told.push(told);
        }
    }

    fn find(&mut self, sid: &str) -> Option<&mut Text> {
        self.newest_last.iter_mut().rev().find(|text| text.sid == sid)
    }

    /// A token that a call is known by when it comes again.
    pub(crate) fn call_id(&self) -> String {
        new_sid(&self.random, "", self.next_seq)
    }

    /// The newest first.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.newest_last.iter().rev()
    }

    /// As the API shows one.
    pub(crate) fn shown(&self, text: &Text) -> Value {
        text.shown(&self.account.sid)
    }

    /// A page, as the API gives it.
    pub(crate) fn page(&self, filter: &Filter) -> Value {
        filter.page(&self.account, self.texts())
    }

    /// Forgets the messages, and who said STOP.
    pub(crate) fn clear(&mut self) {
        self.newest_last.clear();
        self.stopped.clear();
    }

    fn draft(
        &mut self,
        direction: Direction,
        from: String,
        to: String,
        body: String,
        status: TextStatus,
        now: DateTime<Utc>,
    ) -> Text {
        let (seq, counted) = (self.next_seq, segments(&body));
        self.next_seq += 1;
        Text {
            seq,
            sid: new_sid(&self.random, "SM", seq),
            direction,
            from,
            to,
            body,
            encoding: counted.encoding.to_owned(),
            segments: counted.count,
            status,
            error_code: None,
            service: None,
            status_callback: None,
            created_at: now,
            sent_at: None,
            updated_at: now,
            told: Vec::new(),
        }
    }

    fn keep(&mut self, text: Text) {
        self.newest_last.push_back(text);
        while self.newest_last.len() > self.max {
            self.newest_last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const OURS: &str = "+15005550006";

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default()
    }

    fn wanted(to: &str) -> Wanted {
        Wanted {
            to: to.to_owned(),
            from: OURS.to_owned(),
            service: None,
            body: "Hello".to_owned(),
            status_callback: None,
        }
    }

    #[test]
    fn the_newest_are_kept_and_of_their_calls_some() {
        let mut twilio = Twilio::new(&Config { max_texts: 3, ..Config::default() });
        let sids: Vec<_> = (0..5).map(|_| twilio.take(wanted("+12125550123"), at()).unwrap().sid).collect();
        assert_eq!(twilio.texts().map(|text| text.seq).collect::<Vec<_>>(), [5, 4, 3]);
        assert!(twilio.becomes(&sids[0], TextStatus::Sent, None, at()).is_none(), "forgotten");
        for answer in 0..100 {
            twilio.was_told(&sids[4], Told { status: TextStatus::Sent, answer: Some(answer) });
        }
        let told = &twilio.texts().next().unwrap().told;
        assert_eq!((told.len(), told.last().unwrap().answer), (MAX_TOLD, Some(99)));
    }

    #[test]
    fn a_number_answers_only_what_changes_something() {
        let mut twilio = Twilio::new(&Config::default());
        let person = "+12125550123";
        let mut says = |word: &str| {
            let before = twilio.texts().count();
            twilio.receive(person, OURS, word, at());
            let stopped = twilio.take(wanted(person), at()).is_err();
            (twilio.texts().count() - before - usize::from(!stopped) - 1, stopped)
        };
        assert_eq!(says("START"), (0, false));
        assert_eq!(says("HELP"), (1, false));
        assert_eq!(says("STOP"), (1, true));
        assert_eq!(says("STOP"), (0, true));
        assert_eq!(says("HELP"), (0, true), "it says nothing to who wants to hear nothing");
        assert_eq!(says("START"), (1, false));
        assert!(twilio.take(wanted("+12125550124"), at()).is_ok());
    }
}
