use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message;

/// Of each form of a mail, this much is kept for showing.
const KEPT: usize = 64 << 10;

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// 1, 2, … in order of arrival.
    pub seq: u64,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The `Message-ID`, without its brackets.
    pub message_id: String,
    /// One with this `Message-ID` came before.
    pub repeated: bool,
    /// The subject line.
    pub subject: String,
    /// The form for who reads text.
    pub text: String,
    /// The form for who reads HTML.
    pub html: String,
    /// Web addresses in the text.
    pub links: Vec<String>,
    /// `smtp` or `sendgrid`.
    pub via: String,
    /// The name that it is from.
    pub sender: String,
    /// What the stand-in for SendGrid called it.
    pub provider_id: Option<String>,
    /// Given along, to SendGrid only.
    pub categories: Vec<String>,
    /// Likewise.
    pub custom_args: BTreeMap<String, String>,
}

/// A mail that is to be kept.
pub(crate) struct Draft {
    pub(crate) via: &'static str,
    pub(crate) from: String,
    pub(crate) sender: String,
    pub(crate) to: Vec<String>,
    pub(crate) message_id: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) provider_id: Option<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) custom_args: BTreeMap<String, String>,
}

/// How the next recipients fare: to try what a sender does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailBehaviour {
    /// The answer to a recipient, e.g. 550 (never) or 451 (not now).
    pub status: u16,
    /// To how many; then all is well again.
    pub next: u32,
}

/// The newest mails, within bounds.
pub(crate) struct Mails {
    newest_last: VecDeque<Mail>,
    bytes: usize,
    next_seq: u64,
    behaviour: MailBehaviour,
    max: usize,
    max_bytes: usize,
}

impl Mails {
    pub(crate) fn new(max: usize, max_bytes: usize) -> Self {
        let behaviour = MailBehaviour::default();
        Self { newest_last: VecDeque::new(), bytes: 0, next_seq: 1, behaviour, max, max_bytes }
    }

    pub(crate) fn behave(&mut self, behaviour: MailBehaviour) {
        self.behaviour = behaviour;
    }

    /// What a recipient is refused with, if so.
    pub(super) fn react(&mut self, to: &str) -> Option<String> {
        self.behaviour.next = self.behaviour.next.checked_sub(1)?;
        Some(format!("{} <{to}> is refused, as told", self.behaviour.status))
    }

    pub(super) fn take(&mut self, from: String, to: Vec<String>, raw: &[u8], received_at: DateTime<Utc>) {
        let parsed = message::parse(raw);
        let draft = Draft {
            via: "smtp",
            from,
            sender: parsed.sender,
            to,
            message_id: parsed.message_id,
            subject: parsed.subject,
            text: parsed.text,
            html: parsed.html,
            provider_id: None,
            categories: Vec::new(),
            custom_args: BTreeMap::new(),
        };
        self.keep(draft, received_at);
    }

    /// Keeps a mail, however it came.
    pub(crate) fn keep(&mut self, draft: Draft, received_at: DateTime<Utc>) {
        let mail = Mail {
            seq: self.next_seq,
            received_at,
            from: draft.from,
            to: draft.to,
            repeated: self.newest_last.iter().any(|mail| mail.message_id == draft.message_id),
            message_id: draft.message_id,
            subject: draft.subject,
            links: message::links(&draft.text),
            text: kept(draft.text),
            html: kept(draft.html),
            via: draft.via.to_owned(),
            sender: draft.sender,
            provider_id: draft.provider_id,
            categories: draft.categories,
            custom_args: draft.custom_args,
        };
        self.next_seq += 1;
        self.bytes += weight(&mail);
        self.newest_last.push_back(mail);
        while self.newest_last.len() > self.max || self.bytes > self.max_bytes {
            let Some(oldest) = self.newest_last.pop_front() else { break };
            self.bytes -= weight(&oldest);
        }
    }

    /// The newest first, after `after`, to `to` if given.
    pub(crate) fn list(&self, to: Option<&str>, after: u64, limit: usize) -> Vec<Mail> {
        let newest = self.newest_last.iter().rev().take_while(|mail| mail.seq > after);
        let wanted =
            newest.filter(|mail| to.is_none_or(|to| mail.to.iter().any(|address| address.eq_ignore_ascii_case(to))));
        wanted.take(limit).cloned().collect()
    }

    /// By what the stand-in for SendGrid called it.
    pub(crate) fn by_provider_id(&self, id: &str) -> Option<Mail> {
        self.newest_last.iter().rev().find(|mail| mail.provider_id.as_deref() == Some(id)).cloned()
    }

    pub(crate) fn by_seq(&self, seq: u64) -> Option<Mail> {
        self.newest_last.iter().rev().find(|mail| mail.seq == seq).cloned()
    }

    pub(crate) fn clear(&mut self) {
        (self.newest_last, self.bytes) = (VecDeque::new(), 0);
    }
}

fn kept(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(KEPT));
    text
}

fn weight(mail: &Mail) -> usize {
    let links: usize = mail.links.iter().map(String::len).sum();
    let to: usize = mail.to.iter().map(String::len).sum();
    256 + mail.text.len() + mail.html.len() + mail.subject.len() + mail.message_id.len() + mail.from.len() + to + links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_within_both_bounds() {
        let mut mails = Mails::new(3, 100_000);
        let at = DateTime::from_timestamp(1, 0).unwrap();
        for number in 0..5 {
            let raw = format!("Message-ID: <m{}@x>\r\n\r\nHello", number % 4);
            mails.take("a@x".to_owned(), vec![format!("To{number}@x")], raw.as_bytes(), at);
        }
        let seqs = |list: Vec<Mail>| list.iter().map(|mail| mail.seq).collect::<Vec<_>>();
        assert_eq!(seqs(mails.list(None, 0, 10)), [5, 4, 3]);
        assert_eq!(seqs(mails.list(Some("to4@X"), 0, 10)), [5]);
        assert_eq!(seqs(mails.list(None, 4, 10)), [5]);
        let large = format!("Message-ID: <m1@x>\r\n\r\n{}", "x".repeat(70_000));
        for _ in 0..4 {
            mails.take(String::new(), Vec::new(), large.as_bytes(), at);
        }
        assert_eq!(seqs(mails.list(None, 0, 10)), [9]);
        mails.clear();
        assert_eq!((mails.bytes, mails.list(None, 0, 10).len()), (0, 0));
    }

    #[test]
    fn it_refuses_as_often_as_it_is_told() {
        let mut mails = Mails::new(3, 100_000);
        mails.behave(MailBehaviour { status: 550, next: 1 });
        assert!(mails.react("a@x").is_some_and(|answer| answer.starts_with("550 ")));
        assert_eq!(mails.react("a@x"), None);
    }
}
