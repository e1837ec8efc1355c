use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    behaviour::{Behaviour, Reaction},
    verify::{self, Verdict},
};
use crate::config::Config;

/// Names a sandbox knows at most.
const MAX_NAMES: usize = 1_000;
/// Of a body, this much is kept for showing.
const KEPT_BODY: usize = 16 * 1024;

/// A request as it came.
pub(crate) struct Arrival<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) signature: Option<&'a str>,
    pub(crate) plain_signature: Option<&'a str>,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) body: &'a Bytes,
    pub(crate) at: DateTime<Utc>,
}

/// A webhook that arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// 1, 2, … in order of arrival.
    pub seq: u64,
    /// The receiver's name.
    pub name: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The `webhook-id` header.
    pub webhook_id: Option<String>,
    /// What was answered; none for a hanging receiver.
    pub status: Option<u16>,
    /// An earlier request with this id was already answered well.
    pub repeated: bool,
    /// Of `X-Webhook-Signature`.
    pub signature: Verdict,
    /// Of `webhook-signature`.
    pub standard_signature: Verdict,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The body: JSON as such, anything else as text; cut at 16 KiB.
    pub body: Value,
}

/// How one webhook id fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IdCounts {
    /// Requests with it.
    pub received: u32,
    /// Those answered with 2xx.
    pub accepted: u32,
}

/// What one receiver has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Requests.
    pub received: u64,
    /// Answered with 2xx.
    pub accepted: u64,
    /// Answered otherwise, or never.
    pub failed: u64,
    /// Different webhook ids among the accepted. Equal to `accepted` when all came exactly once.
    pub unique: u64,
    /// Signatures that are present and wrong, or missing.
    pub bad_signatures: u64,
    /// More ids came than are remembered: `unique` is too low.
    pub ids_forgotten: bool,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Name,
    TooManyNames,
    Secret,
}

#[derive(Default)]
struct Receiver {
    behaviour: Behaviour,
    key: Option<Vec<u8>>,
    counters: Counters,
    ids: HashMap<String, IdCounts>,
}

/// Everything that arrived, within bounds.
pub(crate) struct Hooks {
    config: Config,
    receivers: BTreeMap<String, Receiver>,
    newest_last: VecDeque<(Received, usize)>,
    bytes: usize,
    next_seq: u64,
}

impl Hooks {
    pub(crate) const fn new(config: Config) -> Self {
        Self { config, receivers: BTreeMap::new(), newest_last: VecDeque::new(), bytes: 0, next_seq: 1 }
    }

    pub(crate) fn receive(&mut self, name: &str, arrival: &Arrival<'_>) -> Result<Reaction, Refusal> {
        let max_ids = self.config.max_ids;
        let receiver = self.receiver(name)?;
        let reaction = receiver.behaviour.react();
        let accepted = matches!(reaction.status(), Some(200..=299));
        let key = receiver.key.as_deref();
        let signature = verify::plain(key, arrival.plain_signature, arrival.body);
        let standard_signature = verify::standard(key, arrival.signature, arrival.id, arrival.timestamp, arrival.body);
        let repeated = receiver.count(arrival.id, accepted, max_ids);
        let bad = |verdict| matches!(verdict, Verdict::Invalid | Verdict::Missing);
        receiver.counters.bad_signatures += u64::from(bad(signature) || bad(standard_signature));
        let kept = &arrival.body[..arrival.body.len().min(KEPT_BODY)];
        let body = serde_json::from_slice(kept).unwrap_or_else(|_| String::from_utf8_lossy(kept).into_owned().into());
        let record = Received {
            seq: self.next_seq,
            name: name.to_owned(),
            received_at: arrival.at,
            webhook_id: arrival.id.map(str::to_owned),
            status: reaction.status(),
            repeated,
            signature,
            standard_signature,
            traceparent: arrival.traceparent.map(str::to_owned),
            body,
        };
        self.next_seq += 1;
        self.bytes += kept.len();
        self.newest_last.push_back((record, kept.len()));
        while self.newest_last.len() > self.config.max_records || self.bytes > self.config.max_bytes {
            let Some((_, bytes)) = self.newest_last.pop_front() else { break };
            self.bytes -= bytes;
        }
        Ok(reaction)
    }

    /// Newest first.
    pub(crate) fn list(&self, name: Option<&str>, after: u64, limit: usize) -> Vec<Received> {
        self.newest_last
            .iter()
            .rev()
            .map(|(record, _)| record)
            .take_while(|record| record.seq > after)
            .filter(|record| name.is_none_or(|name| name == record.name))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(crate) fn counters(&self, name: Option<&str>) -> BTreeMap<String, (Counters, Behaviour)> {
        self.receivers
            .iter()
            .filter(|(known, _)| name.is_none_or(|name| name == known.as_str()))
            .map(|(name, receiver)| (name.clone(), (receiver.counters.clone(), receiver.behaviour.clone())))
            .collect()
    }

    pub(crate) fn ids(&self, name: &str) -> BTreeMap<String, IdCounts> {
        let known = self.receivers.get(name).map(|receiver| &receiver.ids);
        known.into_iter().flatten().map(|(id, counts)| (id.clone(), *counts)).collect()
    }

    pub(crate) fn behave(&mut self, name: &str, behaviour: Behaviour) -> Result<(), Refusal> {
        self.receiver(name)?.behaviour = behaviour;
        Ok(())
    }

    pub(crate) fn know_secret(&mut self, name: &str, secret: &str) -> Result<(), Refusal> {
        let key = if secret.is_empty() { None } else { Some(verify::key(secret).ok_or(Refusal::Secret)?) };
        self.receiver(name)?.key = key;
        Ok(())
    }

    /// Forgets what arrived; secrets and behaviours stay.
    pub(crate) fn clear(&mut self) {
        self.newest_last.clear();
        self.bytes = 0;
        for receiver in self.receivers.values_mut() {
            receiver.counters = Counters::default();
            receiver.ids.clear();
        }
    }

    fn receiver(&mut self, name: &str) -> Result<&mut Receiver, Refusal> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(Refusal::Name);
        }
        if !self.receivers.contains_key(name) && self.receivers.len() >= MAX_NAMES {
            return Err(Refusal::TooManyNames);
        }
        Ok(self.receivers.entry(name.to_owned()).or_default())
    }
}

impl Receiver {
    /// Counts a request; true when its id was accepted before.
    fn count(&mut self, id: Option<&str>, accepted: bool, max_ids: usize) -> bool {
        let counters = &mut self.counters;
        counters.received += 1;
        counters.accepted += u64::from(accepted);
        counters.failed += u64::from(!accepted);
        let Some(id) = id else { return false };
        if !self.ids.contains_key(id) && self.ids.len() >= max_ids {
            counters.ids_forgotten = true;
            return false;
        }
        let counts = self.ids.entry(id.to_owned()).or_default();
        let repeated = counts.accepted > 0;
        counts.received += 1;
        counts.accepted += u32::from(accepted);
        counters.unique += u64::from(accepted && !repeated);
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(hooks: &mut Hooks, name: &str, id: Option<&str>, body: &'static [u8]) -> Result<Reaction, Refusal> {
        let body = Bytes::from_static(body);
        let arrival = Arrival {
            id,
            timestamp: None,
            signature: None,
            plain_signature: None,
            traceparent: None,
            body: &body,
            at: DateTime::UNIX_EPOCH,
        };
        hooks.receive(name, &arrival)
    }

    #[test]
    fn memory_is_bounded_by_count_and_by_bytes() {
        let mut hooks = Hooks::new(Config { max_records: 3, max_bytes: 20, ..Config::default() });
        for _ in 0..5 {
            receive(&mut hooks, "a", None, b"{}").unwrap();
        }
        assert_eq!(hooks.list(None, 0, 100).iter().map(|r| r.seq).collect::<Vec<_>>(), [5, 4, 3]);
        receive(&mut hooks, "a", None, b"[1,2,3,4,5,6,7,8]").unwrap();
        assert_eq!(hooks.list(None, 0, 100).len(), 2);
        assert!(hooks.bytes <= 20);
        assert_eq!(hooks.counters(None)["a"].0.received, 6);
    }

    #[test]
    fn repeats_are_told_by_their_id_and_only_after_a_success() {
        let mut hooks = Hooks::new(Config::default());
        hooks.behave("a", Behaviour { fail_next: 1, ..Behaviour::default() }).unwrap();
        for _ in 0..3 {
            receive(&mut hooks, "a", Some("dlv_1"), b"{}").unwrap();
        }
        receive(&mut hooks, "a", Some("dlv_2"), b"{}").unwrap();
        let repeated: Vec<bool> = hooks.list(Some("a"), 0, 10).iter().rev().map(|r| r.repeated).collect();
        assert_eq!(repeated, [false, false, true, false]);
        let counters = &hooks.counters(Some("a"))["a"].0;
        assert_eq!((counters.received, counters.accepted, counters.failed, counters.unique), (4, 3, 1, 2));
        assert_eq!(hooks.ids("a")["dlv_1"], IdCounts { received: 3, accepted: 2 });
    }

    #[test]
    fn names_and_ids_are_bounded() {
        let mut hooks = Hooks::new(Config { max_ids: 1, ..Config::default() });
        for bad in ["", "a/b", "<script>", &"x".repeat(65), "ü"] {
            assert_eq!(receive(&mut hooks, bad, None, b"{}"), Err(Refusal::Name), "{bad}");
        }
        for n in 0..MAX_NAMES {
            receive(&mut hooks, &format!("n{n}"), None, b"{}").unwrap();
        }
        assert_eq!(receive(&mut hooks, "one-more", None, b"{}"), Err(Refusal::TooManyNames));
        receive(&mut hooks, "n0", Some("1"), b"{}").unwrap();
        receive(&mut hooks, "n0", Some("2"), b"{}").unwrap();
        assert!(hooks.counters(Some("n0"))["n0"].0.ids_forgotten);
    }
}
