//! Several events in one stored message.
//!
//! A server that syncs every message to disk before it acknowledges it (`sync_interval: always`)
//! stores some thousand messages a second whatever their size. Events that are published together
//! on one subject therefore travel as one message: one write, one sync, one acknowledgement, and
//! nobody can see half of it. `docs/durability.md` has the measurement. The consumer loop and the
//! tail open bundles; handlers never see one.

use async_nats::HeaderMap;
use bytes::Bytes;
use leadflow_kernel::EventId;

use crate::{Envelope, Message, headers, outbox};

/// The `ce-type` of a message that holds several events.
const KIND: &str = "leadflow.bundle.v1";
/// The most events in a bundle: no handler's batch is larger than this or its own limit.
const MAX_EVENTS: usize = 256;
/// The most payload bytes in a bundle; an event that is larger travels alone.
const MAX_BYTES: usize = 512 << 10;

/// Records of the directory replace each other by subject, dead letters are looked at one by one:
/// both stay one message each.
const BUNDLED: [&str; 5] = ["lead.", "wallet.", "payment.", "notification.", "usage."];

/// Cuts `events` into runs that can travel as one message each, in order.
pub(crate) fn runs(events: &[Envelope]) -> impl Iterator<Item = &[Envelope]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut length = 1;
        if BUNDLED.iter().any(|prefix| first.subject.starts_with(prefix)) {
            let mut bytes = first.payload.len();
            while let Some(next) = rest.get(length) {
                bytes += next.payload.len();
                if length == MAX_EVENTS || bytes > MAX_BYTES || next.subject != first.subject {
                    break;
                }
                length += 1;
            }
        }
        let (run, others) = rest.split_at(length);
        rest = others;
        Some(run)
    })
}

/// The headers and the payload of a run as one message; an event alone is its own message.
pub(crate) fn pack(run: &[Envelope], source: &str) -> (HeaderMap, Bytes) {
    let first = &run[0];
    let mut map = first.headers(source);
    if run.len() == 1 {
        return (map, first.payload.clone());
    }
    // The same run sent again is a duplicate. One with other members is not, even if it begins alike and
    // is as long: an event that is published again may travel with others than the first time.
    let members: Vec<&[u8]> = run.iter().map(|event| event.id.as_bytes().as_slice()).collect();
    map.insert(headers::MSG_ID, EventId::derive(&members).to_string().as_str());
    map.insert(headers::TYPE, KIND);
    (map, outbox::encode(run).into())
}

/// The events in a message as it was published: itself, or those it holds. A bundle that cannot be
/// read is given out as it is, so that the handler refuses it and a person gets to see it.
pub(crate) fn open(message: Message) -> Vec<Message> {
    if message.kind != KIND {
        return vec![message];
    }
    match outbox::decode(&message.payload) {
        Ok(events) if !events.is_empty() => events
            .into_iter()
            .map(|event| Message {
                id: event.id,
                subject: event.subject,
                kind: event.kind,
                traceparent: event.traceparent,
                payload: event.payload,
                delivered: message.delivered,
                sequence: message.sequence,
            })
            .collect(),
        _ => vec![message],
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use leadflow_kernel::EventId;

    use super::*;

    fn event(subject: &str, bytes: usize) -> Envelope {
        Envelope {
            id: EventId::new(),
            subject: subject.to_owned(),
            kind: "k".to_owned(),
            time: DateTime::from_timestamp_millis(1_700_000_000_000).unwrap(),
            traceparent: None,
            payload: vec![7; bytes].into(),
        }
    }

    fn lengths(events: &[Envelope]) -> Vec<usize> {
        runs(events).map(<[Envelope]>::len).collect()
    }

    #[test]
    fn runs_keep_to_one_subject_and_within_bounds() {
        assert_eq!(lengths(&[]), Vec::<usize>::new());
        let mixed = [event("lead.a", 1), event("lead.a", 1), event("lead.b", 1), event("lead.a", 1)];
        assert_eq!(lengths(&mixed), [2, 1, 1]);
        let many: Vec<_> = (0..300).map(|_| event("lead.a", 1)).collect();
        assert_eq!(lengths(&many), [256, 44]);
        let large = [event("lead.a", 400 << 10), event("lead.a", 200 << 10), event("lead.a", 600 << 10)];
        assert_eq!(lengths(&large), [1, 1, 1]);
    }

    #[test]
    fn directory_records_travel_alone() {
        assert_eq!(lengths(&[event("buyer.changed.b1", 1), event("buyer.changed.b1", 1)]), [1, 1]);
    }

    #[test]
    fn a_bundle_opens_to_what_was_packed() {
        let run = [event("lead.a", 3), event("lead.a", 5)];
        let (map, payload) = pack(&run, "test");
        let stored = Message {
            id: run[0].id,
            subject: "lead.a".to_owned(),
            kind: map.get(headers::TYPE).unwrap().as_str().to_owned(),
            traceparent: None,
            payload,
            delivered: 2,
            sequence: 9,
        };
        let opened = open(stored);
        assert_eq!(opened.len(), 2);
        for (message, sent) in opened.iter().zip(&run) {
            assert_eq!((message.id, &message.payload), (sent.id, &sent.payload));
            assert_eq!((message.delivered, message.sequence), (2, 9));
        }
    }

    #[test]
    fn only_the_same_events_in_the_same_order_are_a_repeat() {
        let [a, b, c] = [event("lead.a", 1), event("lead.a", 1), event("lead.a", 1)];
        let key = |run: &[&Envelope]| {
            let run: Vec<Envelope> = run.iter().map(|&one| one.clone()).collect();
            pack(&run, "test").0.get(headers::MSG_ID).unwrap().as_str().to_owned()
        };
        assert_eq!(key(&[&a, &b]), key(&[&a, &b]));
        let keys = [key(&[&a]), key(&[&a, &b]), key(&[&a, &c]), key(&[&b, &a]), key(&[&a, &b, &c])];
        for (at, one) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(one), "{keys:?}");
        }
    }

    #[test]
    fn a_broken_bundle_stays_whole() {
        let broken = Message {
            id: EventId::new(),
            subject: "lead.a".to_owned(),
            kind: KIND.to_owned(),
            traceparent: None,
            payload: Bytes::from_static(&[0xff, 0xff]),
            delivered: 1,
            sequence: 1,
        };
        assert_eq!(open(broken).len(), 1);
    }
}
